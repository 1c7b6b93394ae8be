# What Omniva refuses, one output an item: OMX's own form, Spring's plain one, parcels and address cards that failed, the old SOAP.

# Their texts quote what we sent.
def said: if type == "object" then .["#text"] else . end | nonblank | if . == null then null else gsub("'[^']*'"; "'…'") | gsub("\"[^\"]*\""; "\"…\"") end;
def word: if . == null then null else tostring | gsub("^\\{|\\}$"; "") | nonblank end;
def kind($code; $status; $text): "\($code // "") \($text // "")" as $all
  | if $status == 401 or $status == 403 or ($all | test("unauthor|access.?denied|forbidden|authentication"; "i")) then "auth_broken"
    elif $status == 404 or ($all | test("not.?found"; "i")) then "gone" elif $status == 429 then "throttled"
    elif $all | test("price.?list|not.?allowed|no.?contract|not.?available"; "i") then "rejected"
    elif $status != null and $status >= 500 and ($all | test("invalid|validation|unrecognized|cannot construct|deserialize|not readable"; "i") | not) then "transient"
    else "invalid" end;
def answer($code; $status; $message; $fields): {class: kind($code; $status; $message), code: $code, message: ($message | said), fields: $fields};
def item($fields): (.messageCode | word) as $code | answer($code; null; (.message // .errorMessage); $fields);

(if type == "object" then .Envelope.Body? // . else . end)
| if type != "object" then error("not an error answer: expected an object") else . end
| . as $all
| [(.failedShipments[]? | item([]) | if .class == "gone" then .class = "invalid" else . end), (.failedAddressCards | if type == "array" then .[] | item([]) else empty end),
   (.businessToClientMsgResponse?.faultyPacketInfo? | objects | .barcodeInfo | list[] | item([])),
   (.addrcardMsgResponse?.failedAddressCards? | objects | .addressCardData | list[] | item([]))] as $items
| if $items != [] then $items[]
  elif .Fault? | type == "object" then answer(.Fault.faultcode | word; null; .Fault.faultstring; [])
  elif (.title // .details // .developerMessage) != null then
    [.errors? | objects | to_entries[] | .key as $field | .value | list[] | {field: $field} + if type == "object" then {code: .code, message: (.message | said)} else {message: (tostring | said)} end] as $fields
    | answer(.code | word; null; join_text([.title, .details, ($fields[] | "\(.field): \(.message // .code // "")")]; ", "); $fields)
  elif .error? != null and .status? != null then answer(.error | word; .status; join_text([.error, .message]; ": "); [])
  elif .businessToClientMsgResponse? | type == "object" and .savedPacketInfo == null then answer(null; null; $all.businessToClientMsgResponse.prompt; [])
  else error("not an error answer") end
