# Error answers: {message, parameters, errors: [{message, parameters}], trace}. Messages have holes (%1, %name) that the parameters fill.

def filled($params): if ($params | type) == "array" then reduce ($params | to_entries[]) as $p (.; split("%\($p.key + 1)") | join($p.value | tostring))
  elif ($params | type) == "object" then reduce ($params | to_entries[]) as $p (.; split("%\($p.key)") | join($p.value | tostring)) else . end;
def said: .parameters as $params | .message | strings | filled($params) | strip_tags | trim;

if (.message | type) != "string" then error("not an error answer: no message") else . end
| . as $answer | ([said, (.errors[]? | said)] | map(select(. != ""))) as $all | ($all | join(" ")) as $text | {
  class: (if $text | test("isn't authorized|not authorized|oauth_problem|signature is invalid|(consumer|token) .{0,40}(invalid|expired|revoked|rejected)") then "auth_broken"
    elif $text | test("Internal Error|Report ID|try again later") then "transient"
    elif $text | test("No such entity|doesn't exist|does not exist|wasn't found|was not found") then "gone"
    elif $text | test("Document Validation|cannot be created|can't be (created|canceled|shipped)|does not allow|does not match any route") then "rejected"
    elif $text | test("[Tt]oo many requests") then "throttled" else "invalid" end),
  code: null, message: $text, fields: ([.parameters?, (.errors[]? | .parameters?) | objects | .fieldName? // empty | strings] | unique)}
