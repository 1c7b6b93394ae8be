# Error answers: {code, message, data: {status, params}}; the mobile tunnel says `error` for `code`.
(.code // .error) as $code | ($code | tostring) as $c | {
  class: (if $c | test("cannot_(view|read|list|edit|create|delete|batch)|authentication_error|rest_(forbidden|not_logged_in|cookie_invalid)|^rest_cannot") then "auth_broken"
    elif $c | test("invalid_(order_|shop_order_|product_)?id$|already_trashed") then "gone"
    elif $c | test("invalid_param|missing_callback_param|_invalid_|_missing_|^rest_invalid") then "invalid"
    elif .data.status? == 429 then "throttled" elif (.data.status? | type == "number" and . >= 500) then "transient" else "rejected" end),
  code: ($code | require("code") | tostring),
  message: ([.message | strings | html_decode | strip_tags] | .[0]),
  fields: [.data.params? | if type == "object" then keys[] elif type == "array" then .[] else empty end]}
