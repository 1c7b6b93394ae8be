# What Omniva tells of parcels, one output a parcel. Three shapes: the account's XML feed (as it comes, or one parcel's events
# as `tracking.pull` groups them), OMX's answer for one barcode (`events`) and OMX's list of events (`content`).

def at: if . == null then require("eventDate") elif type == "number" then time("epoch_ms") else time("iso_local"; $connection.timezone) end;
# A text; or, where it has a postcode beside it, an element with it.
def place: (if type == "object" then .["#text"] // .name else . end | nonblank) as $name | if $name == null then null else {name: $name} end;
# The feed's codes bear a prefix that says nothing.
def key: ltrimstr("PACKET_EVENT_");
def own_codes: $connection.event_codes // {} | if type == "string" then parse_json else . end;
def meaning($own): (.eventCode | require("eventCode") | tostring) as $code | $own[$code] as $told
  | if $told != null then {status: $told} else code("codes"; $code | key) // {status: "unknown"} end;

def events($own): [.[] | meaning($own) as $means | {status: $means.status, reason: ($means.reason // null), carrier_code: (.eventCode | tostring),
    carrier_text: first_of((.eventName, .comment) | nonblank), occurred_at: (.eventDate | at), place: (.eventSource // .location | place)}]
  | sort_by(.occurred_at | time_text("epoch_ms"; "UTC"))
  # Exact repeats are one event.
  | reduce .[] as $e ([]; if any(.[]; .carrier_code == $e.carrier_code and .occurred_at == $e.occurred_at and .place == $e.place) then . else . + [$e] end)
  | . as $all | (map(.carrier_code | key)) as $codes
  # Arrived at the receiver's office: it waits there, unless a courier takes it out from there.
  | [range(length) as $n | $all[$n] | if $codes[$n] == "IN_DEST_POSTOFFICE" and ($codes[$n:] | (index("ON_DELIVERY_LIST") // -1) as $out | $out > 0 and (.[:$out] | index("RETURN") | not))
      then .status = "in_transit" else . end]
  # Behind the first code of a return everything is the way back.
  | reduce .[] as $e ({back: false, all: []}; .back as $back | .all = .all + [if $back | not then $e
        elif $e.status == "delivered" then $e + {status: "returned"}
        elif $e.status | test("^(exception|info|unknown|returned)$") then $e else $e + {status: "return_in_transit"} end]
      | .back = ($back or $e.status == "return_in_transit"))
  | .all;

def number: .packetCode // .barcode | nonblank;
def parcels($rows): own_codes as $own | $rows | group_by(number)[] | {tracking_number: (.[0] | number), related: [], events: events($own), cod: null};

number? as $known
| if type != "object" then error("not a tracking answer: expected an object")
  elif .events | type == "array" then if .events == [] and $known != null then {tracking_number: $known, related: [], events: [], cod: null}
    else parcels([.events[] | if number == null then . + {barcode: $known} else . end]) end
  elif .content | type == "array" then parcels(.content)
  # The feed: an element with nothing in it is no news.
  elif has("events") and (.events | . == "" or type == "object") then parcels([.events | objects | .event | list[]])
  elif $known != null and has("eventCode") then parcels([.])
  else error("not a tracking answer: there are no events in it") end
