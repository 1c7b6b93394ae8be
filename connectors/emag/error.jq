# Refusals: {isError: true, messages, errors, results} with any status, 200 too; and {message}, from the proxy before eMAG.

def texts: .. | if type == "string" then trim | select(. != "") else empty end;
(if type != "object" then error("not an error answer") elif .isError == false then error("not an error answer: isError is false") else . end)
| ([.messages?, .message? | texts] | if . == [] then require("message") else . end) as $texts | ($texts | join(" ")) as $said | ($said | transliterate | ascii_downcase) as $p
| {class: (if $p | test("vendor ip|ip .{0,20}not (allowed|white)|invalid (user|login|credential|password)|unauthori[sz]ed|api rights|authentication") then "auth_broken"
     elif $p | test("rate limit|too many requests") then "throttled" elif $p | test("already (in progress|acknowledged|finali[sz]ed|cancell?ed)") then "conflict"
     elif $p | test("internal (server )?error|timed? ?out|unavailable|maintenance") then "transient" elif $p | test("not (found|exist)|does not exist") then "gone"
     elif .isError == null then "rejected" else "invalid" end),
   code: null, message: $said, fields: [.errors? | objects | keys[]]}
