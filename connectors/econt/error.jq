# {type, message, fields, innerErrors: […]}, sent with 517 (sometimes 400 or 500), or under `error`, alone or for each item of a
# batch. Messages are often blank on the outside. A wrong login has the type of any other refusal: only its text tells.

def text: if type == "number" then tostring elif type == "string" then trim | nonblank else null end;
def plain: transliterate | ascii_downcase;
def refusals: if has("results") then .results | list[] | .error | values elif has("shipmentStatuses") and .shipmentStatuses != null then .shipmentStatuses | list[] | .error | values
  elif .error != null then .error else . end;

refusals | if type == "string" then {message: .} else . end
| [.. | objects | .message? | text | values] as $texts | [.. | objects | select(has("message") or has("innerErrors")) | .type | text | values] as $types
| (reduce $texts[] as $t ([]; if .[-1] == $t then . else . + [$t] end) | join_text(.; " ")) as $message
| ($message // $types[0] | require("message")) as $said | ($said | plain) as $p
| {class: (if $p | test("(nevalid|greshn|nepoznat).{0,30}(potrebitel|parola)|potrebitelsko ime|(invalid|wrong|incorrect|unknown|bad) .{0,30}(user ?name|password|credentials|login)|(user ?name|password).{0,40}(invalid|wrong|incorrect)|unauthori[sz]ed|authentication|access denied") then "auth_broken"
     elif $p | test("too many requests|tvarde mnogo zayavki") then "throttled"
     elif $p | test("ne e namerena? (prat|tovar)|nyama (takava )?prat|(shipment|label|waybill).{0,30}(not found|does not exist)") then "gone"
     elif any($types[]; test("^Ex(Invalid|Missing|Required|Validation)")) or any(.. | objects | .fields?; . != null and . != []) then "invalid"
     else "rejected" end),
   code: $types[0], message: $message,
   fields: ([.. | objects | .fields? | list[] | text | values] + [$texts[] | plain | if startswith("poluchatel") then "receiver" elif startswith("podatel") then "sender" else empty end] | unique)}
