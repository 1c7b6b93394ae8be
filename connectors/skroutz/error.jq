# {"errors": [{"code", "messages": [..]}]}, with a 4xx or 5xx status that stands outside the body.
[.errors | list[] | objects] as $all | ([$all[].messages | list[] | strings | trim | select(. != "")] | unique) as $said
| (first_of($all[].code | strings) | require("errors.code")) as $code | ($said | join(" ") | ascii_downcase) as $words
| {class: (if $code | test("unauthori|forbidden|token|authent") then "auth_broken" elif $code | test("too_many|throttl|rate") then "throttled" elif $words | test("not found") then "gone"
     elif $code | test("invalid|missing|format|batch_size") then "invalid" elif $words | test("already (accepted|rejected)") then "conflict" else "rejected" end),
   code: $code, message: join_text($said; " "), fields: []}
