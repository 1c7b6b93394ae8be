# Refusals of the extension: {"error": {"code", "message"}}. OpenCart's own API says {"error": "text"} or {"error": {"warning": "text"}}.
.error | (if type == "object" then . else {warning: .} end) as $e | ($e.code // "refused" | tostring) as $code | {
  class: ({signature: "auth_broken", order_missing: "gone", underway: "transient"}[$code]
    // (if $code | test("_(invalid|malformed|unknown)$|^would_restock$|^(product_missing|sku_ambiguous)$") then "invalid" else "rejected" end)),
  code: $code, message: (($e.message // $e.warning) | require("message") | tostring | html_decode | strip_tags), fields: []}
