# What Otpravka and the tracking service refuse, one output an item: {errors: [{error-codes: [{code, description, details}], position}]},
# {errors: [{error-code, position}]}, {error-codes, position}, {code | error | sub-code, desc | message, status}, SOAP faults.

def word: if . == null then null else tostring | nonblank end;
def kind: . // "" | if test("NOT_FOUND|OperationHistoryFault") then "gone" elif test("^(401|403)$|AUTH|FORBIDDEN|ACCESS_DENIED|AuthorizationFault"; "i") then "auth_broken"
  elif test("^(429)$|LIMIT_EXCEED|TOO_MANY"; "i") then "throttled" elif test("^5[0-9]{2}$|INTERNAL|UNAVAILABLE"; "i") then "transient"
  elif test("FROZEN|ALREADY_SENT|READONLY|STATE|RESTRICTED|NOT_ALLOWED") then "rejected" else "invalid" end;
def fields: if . == null then [] elif test("^(EMPTY|ILLEGAL|NO|UNDEF|INVALID)_") then [sub("^[A-Z]+_"; "") | ascii_downcase | gsub("_"; "-")] else [] end;
def answer($code; $message): {class: ($code | kind), code: $code, message: $message, fields: ($code | fields)};
def coded: answer(.code | word; join_text([.description, .details | word]; "; "));
def item: if has("error-codes") then (.["error-codes"] | list[] | coded) elif has("error-code") then answer(.["error-code"] | word; .description | word) else coded end;

if type != "object" then error("not an error answer: expected an object") else . end
| .Envelope.Body.Fault? as $fault
| if $fault != null then ($fault.Detail // $fault.detail | if type == "object" then keys[0] else null end) as $name
    | answer($name // ($fault.Code.Value? // $fault.faultcode | word); $fault.Reason.Text? // $fault.faultstring | if type == "object" then .["#text"] else . end | word)
  elif (.errors | type) == "array" and .errors != [] then .errors[] | item
  elif has("error-codes") or has("error-code") then item
  elif first_of(.code, .error, .["sub-code"], .desc, .message) != null then answer(first_of(.["sub-code"], .code, .error, .status) | word; first_of(.desc, .message) | word)
  else error("not an error answer") end
