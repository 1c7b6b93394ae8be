# getShipmentStatuses: {shipmentStatuses: [{status, error}]} in the order in which the numbers were asked for; a status on its own
# is read too. A code says little: what an event means depends on the office it names, on a return that has begun and, for the
# newest one, on the short status. Texts come in Bulgarian, English or both, and are compared in ASCII and lower case.

def text: if type == "number" then tostring elif type == "string" then trim | nonblank else null end;
def number: text | if . == "0" then null else . end;
def plain: text // "" | transliterate | ascii_downcase;
def moment: text | if . == null or . == "0" then null elif test("^[0-9]{12,}") then time("epoch_ms") elif test("^[0-9]+$") then time("epoch_s")
  else (try time("iso_local"; $connection.timezone // "Europe/Sofia") catch null) end;
def epoch: time_text("epoch_ms"; "UTC");
def one_of($list): . as $x | any($list[]; . == $x);
def amount: text | if . == null then null else (dec | if is_zero_amount then null else . end) end;
def place: {name: ((.officeName | text) // (.officeNameEn | text)), city: ((.cityName | text) // (.cityNameEn | text)), country: (.countryCode | text // "" | country), geo: null}
  | if blank then null else . end;
def reason: plain | if test("otkaz|refus|reject") then "consignee_refused" elif test("nepotar?sen|ne e potar?sen|srokat za saht?ranenie|not collected|unclaimed|not taken") then "consignee_unclaimed"
  elif test("otsastv|ne e otkrit|ne e nameren|ne otgovarya|no answer|absent|not at home|not found") then "consignee_absent" elif test("adres.*(greshen|nepalen|nevaliden|netochen)|(greshen|nepalen|nevaliden|netochen).*adres|(wrong|invalid|incomplete) address") then "consignee_address_incorrect" else null end;

# The short status in our words; "arrived" still depends on who fetches the parcel.
def short: plain | if . == "" then null elif test("varnata|returned") then "returned" elif test("vrashta|returning") then "return_in_transit"
  elif test("anuliran|cancel") then "cancelled" elif test("^(dostavena|delivered)") then "delivered" elif test("pristignala v ofis|arrived in office") then "arrived"
  elif test("podgotvena|prepared|ochakva predavane|awaiting") then "pre_transit" elif test("unishtozhena|destroyed") then "exception"
  elif test("prieta|accepted|patuva|route|kurier|courier|ofis|office|logistichen|hub|obrabotka|processing") then "in_transit" else null end;
def words: (.shortDeliveryStatus | text) // (.shortDeliveryStatusEn | text);
def to_office: .receiverOfficeCode as $code | .receiverDeliveryType | plain | if test("office|ofis|aps|machine") then true elif . == "" then ($code | number) != null else false end;

def event($s): . as $e | ($e.destinationType | text) as $code | code("codes"; if $code == null then null else $code | ascii_downcase end) as $row
  | ($e.officeCode | number) as $here
  | {carrier_code: $code, carrier_text: (($e.destinationDetails | text) // ($e.destinationDetailsEn | text)), place: ($e | place), office: ($row.office == "yes"),
     status: (if $e.isReceipt == true then "info" elif $row == null then "unknown"
       # At the office or locker where the receiver fetches it; other offices lie on the way.
       elif $row.office == "yes" and $here != null and $here == ($s.receiverOfficeCode | number) and $here != ($s.senderOfficeCode | number) and ($s | to_office) then "available_for_pickup"
       else $row.status end)}
  | .reason = (if .status == "exception" then "other" elif .status | one_of(["failed_attempt", "return_in_transit"]) then .carrier_text | reason else null end);

# Oldest first. An event without a time happened when the one before it did, or when the status says.
def events: . as $s | reduce (.trackingEvents | list[] | objects) as $e ([]; ($e | event($s)) as $event
      | ($e.time | moment) as $told | . as $before | ($told
          // (if $event.status == "delivered" then $s.deliveryTime | moment else null end) // $before[-1].occurred_at // ($s.sendTime | moment) // ($s.createdTime | moment)) as $at
      | $before + if $at == null then [] else [$event + {occurred_at: $at}] end)
  | sort_by(.occurred_at | epoch)
  | reduce .[] as $e ([]; if any(.[]; .carrier_code == $e.carrier_code and .occurred_at == $e.occurred_at and .place == $e.place) then . else . + [$e] end);

# After a return has begun what arrives comes back, and the hand-over is the sender's.
def returned_leg: if one_of(["delivered", "returned"]) then "returned" elif one_of(["info", "exception", "cancelled", "unknown"]) then . else "return_in_transit" end;
def after_return: ([.[].status | one_of(["return_in_transit", "returned"])] | index(true)) as $from
  | if $from == null then . else to_entries | map(.key as $i | .value | if $i > $from then .status = (.status | returned_leg) else . end) end;

# The newest event by the short status, where its own code says less. A last word (delivered, returned, voided) that no event tells
# becomes an event: the newest one may have been told before with another meaning.
def refined($s): . as $all | ($s | [.shortDeliveryStatusEn, .shortDeliveryStatus] | map(short) | first_of(.[])) as $short | ($s.deliveryTime | moment) as $delivered
  | any($all[]; .status | one_of(["return_in_transit", "returned"])) as $back
  | (if $short == "arrived" then (if $s | to_office then "available_for_pickup" else "in_transit" end) elif $short == null and $delivered != null and ($back | not) then "delivered" else $short end) as $want
  | (if $back and $want != null then $want | returned_leg else $want end) as $want
  | ([$all[].status | . != "info"] | to_entries | map(select(.value) | .key) | last) as $at | (if $at == null then null else $all[$at] end) as $last
  | (if $want | one_of(["delivered", "returned"]) then $delivered else null end) as $when
  | def become: $all | to_entries | map(if .key == $at then .value + {status: $want} else .value end);
    def append: ($when // $last.occurred_at // ([$s.sendTime, $s.createdTime] | map(moment) | first_of(.[]))) as $time
      | if $time == null then $all else $all + [{carrier_code: null, carrier_text: ($s | words), place: null, office: false, reason: null, status: $want, occurred_at: $time}] end;
    if $want == null or $last.status == $want then $all
    elif $last == null then append
    elif $want | one_of(["delivered", "returned", "return_in_transit", "cancelled", "exception"]) then
      if any($all[]; .status == $want) then $all
      elif $last.status == "unknown" or $want == "returned" and $last.status == "delivered" then become
      else append end
    elif $last.status == "unknown" or $want == "available_for_pickup" and $last.office then become
    else $all end;

def related($own; $back): [
    (.nextShipments | list[] | if type == "object" then . else {shipmentNumber: .} end
      | {kind: (.reason | plain | if test("vrasht|varn|return|otkaz|reject") then "return" elif test("preprat|prenasoch|redirect|forward") then "redirect" elif $back and . == "" then "return" else "other" end), tracking_number: (.shipmentNumber | number)}),
    {kind: "return", tracking_number: (.returnShipmentNumber | number)},
    ((.previousShipmentNumber, .previousShipment.shipmentNumber?) | {kind: "original", tracking_number: number})]
  | map(select(.tracking_number != null and .tracking_number != $own)) | reduce .[] as $r ([]; if any(.[]; .tracking_number == $r.tracking_number) then . else . + [$r] end);

def cash($over): (.cdCollectedAmount | amount) as $collected | (.cdPaidAmount | amount) as $paid | (.cdAmount | amount) as $due
  | first_of(.cdCollectedCurrency, .cdPaidCurrency, .cdCurrency, .currency | text) as $currency
  | def worth($amount): money($amount; $currency // $connection.cod_currency // "EUR");
    if $paid != null or (.cdPaidTime | moment) != null then {amount: worth($collected // $paid), status: "remitted"}
    elif $collected != null or (.cdCollectedTime | moment) != null then {amount: worth($collected), status: "collected"}
    elif $due != null or first_of(.cdCollectedCurrency, .cdPaidCurrency | text) != null or any(.services | list[] | objects; (.type | plain | startswith("cd")) or (.description | plain | test("nalozhen platezh|cash on delivery")))
      then {amount: worth($due), status: (if $over then "not_due" else "expected" end)}
    else null end;

def parcel($asked): . as $s | ((.shipmentNumber | number) // $asked) as $own
  | (events | after_return | refined($s)) as $events
  | any($events[]; .status | one_of(["return_in_transit", "returned"])) as $back
  | {tracking_number: $own, related: related($own; $back or (.lastProcessedInstruction | plain) == "return"), events: ($events | map(del(.office))),
     cod: cash($back or any($events[]; .status == "cancelled"))};

($context.input?.numbers? // []) as $asked
| if type == "object" and (has("shipmentStatuses") | not) and has("shipmentNumber") and (has("trackingEvents") or has("shortDeliveryStatus") or has("shortDeliveryStatusEn")) then parcel(null)
  else .shipmentStatuses | require("shipmentStatuses") | to_entries[] | .key as $i | .value | objects
    | ((.status | objects) // if has("shipmentNumber") then . else null end) as $status
    # A number that Econt does not know comes as null, in its place.
    | if $status != null then $status | parcel($asked[$i])
      elif $asked[$i] != null then {tracking_number: $asked[$i], related: [], events: [], cod: null}
      else empty end
  end
