# What the tracking service tells of a number: getOperationHistory (all operations), PostalOrderEventsForMail (the money order), and
# the tickets of the batch service. Names come with prefixes that change; records in the middle leave out most of their parts.

def text: if type == "object" then .["#text"] else . end | if type == "number" then tostring elif type == "string" then trim | nonblank else null end;
def amount: text | if . == null or . == "0" then null else minor_to_major(.; 2) end;
def word($id; $name): join_text([$id, $name]; ": ");
# Of an operation its type and its attribute; a type alone where the attribute says nothing more.
def meaning($courier): .code as $code | lookup("codes"; $code) // lookup("codes"; .type) // (code("codes"; $code) | {status: "unknown"})
  | if $courier and (.courier // "") != "" then . + {status: .courier} else . end;

def operation: .OperationParameters as $o | .AddressParameters as $a
  | {type: ($o.OperType.Id | text | require("OperType.Id")), attr: ($o.OperAttr.Id? | text), text: word($o.OperType.Name? | text; $o.OperAttr.Name? | text),
     at: ($o.OperDate | text | require("OperDate") | time("iso_local"; $connection.timezone // "Europe/Moscow")),
     place: {name: join_text([$a.OperationAddress.Index? | text, ($a.OperationAddress.Description? | text)]; " "), country: ($a.CountryOper.Code2A? | text)}};
def ticket: {type: (.["@OperTypeID"] | text | require("OperTypeID")), attr: (.["@OperCtgID"] | text), text: (.["@OperName"] | text),
  at: (.["@DateOper"] | text | require("DateOper") | time("%d.%m.%Y %H:%M:%S"; $connection.timezone // "Europe/Moscow")), place: {name: (.["@IndexOper"] | text), country: null}};

# After a return has begun what arrives comes back, and the hand-over is the sender's.
def events($courier): [.[] | . + {code: (if .attr == null then .type else "\(.type)/\(.attr)" end)} | meaning($courier) as $means
    | {status: $means.status, reason: ($means.reason // "" | nonblank), carrier_code: .code, carrier_text: .text, occurred_at: .at,
       place: (if .place.name == null and .place.country == null then null else .place + {city: null, geo: null} end)}]
  | sort_by(.occurred_at | time_text("epoch_ms"; "UTC"))
  | reduce .[] as $e ([]; if any(.[]; .carrier_code == $e.carrier_code and .occurred_at == $e.occurred_at and .place == $e.place) then . else . + [$e] end)
  | reduce .[] as $e ({back: false, all: []}; .back as $back | .all = .all + [if $back | not then $e elif $e.status == "delivered" then $e + {status: "returned"}
        elif $e.status | test("^(exception|info|unknown|returned|cancelled)$") then $e else $e + {status: "return_in_transit"} end]
      | .back = ($back or ($e.status | test("^return"))))
  | .all;
def over: any(.[]; .status | test("^(return_in_transit|returned|cancelled)$"));

($context.input?.numbers?[0]?) as $asked
| if type != "object" then error("not a tracking answer: expected an object") else . end
| .Envelope.Body as $body
| if ($body.getOperationHistoryResponse | type) == "object" then
    [$body.getOperationHistoryResponse.OperationHistoryData | objects | .historyRecord | list[] | if type == "object" then . elif . == "" then empty else error("not a history record") end] as $records
    | first_of($records[].ItemParameters.Barcode? | text) as $number
    | first_of($records[].FinanceParameters.Payment? | amount) as $cash
    | any($records[].ItemParameters.MailType? | objects; "\(.Id | text) \(.Name | text)" | test("^(7|24|30|31|34|41) |EMS|[Кк]урьер")) as $courier
    | if $number == null and $asked == null then empty else ([$records[] | operation] | events($courier)) as $events
      | {tracking_number: ($number // $asked), related: [], events: $events,
         cod: (if $cash == null then null else {amount: money($cash; "RUB"), status: (if $events | over then "not_due" else "expected" end)} end)} end
  elif ($body.PostalOrderEventsForMailResponse | type) == "object" then
    [$body.PostalOrderEventsForMailResponse | .. | objects | .PostalOrderEvent? | list[] | objects] as $orders
    | if $asked == null then empty else [$orders[] | .["@EventType"] | text] as $types
      | first_of($orders[] | .["@SumPaymentForward"] | amount) as $sum
      | {tracking_number: $asked, related: [], events: [],
         # Taken in at the counter is collected; paid out to us is remitted.
         cod: (if $sum == null then null else {amount: money($sum; "RUB"), status: (if any($types[]; . == "3") then "remitted" elif any($types[]; . == "1") then "collected" else "expected" end)} end)} end
  elif $body != null and ([$body | .. | objects | select(has("Operation") and has("@Barcode"))] != []) then
    $body | .. | objects | select(has("Operation") and has("@Barcode")) | {tracking_number: (.["@Barcode"] | text), related: [], events: ([.Operation | list[] | objects | ticket] | events(false)), cod: null}
  elif any($body.Fault | .. | objects; has("OperationHistoryFault")) then (if $asked == null then empty else {tracking_number: $asked, related: [], events: [], cod: null} end)
  else error("not a tracking answer: there is no history in it") end
