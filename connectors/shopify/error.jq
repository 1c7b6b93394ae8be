# Errors: `errors` of GraphQL (a list, or a text before it is read), `errors` of REST ({field: [text]} or a text), `userErrors` of a mutation.
[.data | objects | .[] | objects | .userErrors[]?, .orderCancelUserErrors[]?] as $user | (.errors // .error) as $errors
| [$errors | if type == "array" then .[] | objects else empty end] as $list | [$list[] | .extensions.code? | values][0] as $code
| if $user != [] then {class: ([$user[].code? | values][0] | if . == "CHANGE_FROM_QUANTITY_STALE" then "conflict" elif . == "IDEMPOTENCY_CONCURRENT_REQUEST" then "transient" else "invalid" end),
    code: ([$user[].code? | values][0] // "user_error"), message: ([$user[].message] | join_text(.; " ")), fields: [$user[].field | values | map(tostring) | join(".")]}
  elif $list != [] then {class: ({THROTTLED: "throttled", ACCESS_DENIED: "auth_broken", RESOURCE_NOT_FOUND: "gone", INTERNAL_SERVER_ERROR: "transient", TIMEOUT: "transient"}[$code // ""] // "invalid"),
    code: ($code // "graphql_error"), message: ([$list[].message] | join_text(.; " ")), fields: [$list[].path? | values | map(tostring) | join(".")]}
  elif ($errors | type) == "object" then {class: "invalid", code: "validation", message: ([$errors | to_entries[] | "\(.key) \([.value | list[] | tostring] | join(", "))"] | join_text(.; "; ")), fields: ($errors | keys)}
  else {class: (if $errors | tostring | test("API key or access token|Unauthori[sz]ed"; "i") then "auth_broken" elif $errors | tostring | test("exceeded .*rate|throttl"; "i") then "throttled" elif $errors | tostring | test("not found"; "i") then "gone" else "rejected" end),
    code: "error", message: ($errors | require("errors") | tostring), fields: []} end
