# {"error": {"code": 17, "text": "…", "fields": ["sku"]}}
{class: "invalid", code: (.error.code | tostring), message: .error.text, fields: (.error.fields // [])}
