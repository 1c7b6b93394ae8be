# One shipment as PUT /2.0/user/backlog wants it: an order a parcel, grams, centimetres, kopecks. What is not known is left out.

def text: if type == "number" then tostring elif type == "string" then trim | nonblank else null end;
def compact: with_entries(select(.value != null));
def whole: money_round(.; 0) | to_number_exact;
def cm: money_div(.; "10") | whole;
def kopecks: if .currency != "RUB" then error("cash and values are in roubles here, not \(.currency)") else major_to_minor(.amount; 2) end;
def index: text | if . == null then null else gsub("[^0-9]"; "") | if test("^[0-9]{6}$") then tonumber else null end end;
# The address as their directory reads it.
def cleaned: . as $a | {"address-type-to": (($a["address-type"] | text) // "DEFAULT"), "index-to": ($a.index | index)}
  + ([("region", "area", "place", "location", "street", "house", "letter", "slash", "corpus", "building", "vladenie", "hotel", "office", "room", "num-address-type") | {key: "\(.)-to", value: ($a[.] | text)}] | from_entries);

.input as $in | .connection as $c | ($in.receiver | require("receiver")) as $to | $in.mode == "pickup_point" as $point
| if (($to.country // "RU") | country) != "RU" then error("only within Russia: the receiver is abroad") else . end
| (($in.service | text | if . == null then null else ascii_upcase end) // (if $point then $c.point_mail_type // "ONLINE_PARCEL" else $c.mail_type // "ONLINE_PARCEL" end)) as $type
| ($in.pickup_point.id? | text) as $office | .steps.address as $address
| (if $in.cod == null then null else $in.cod | kopecks end) as $cash | (if $in.insured == null then null else $in.insured | kopecks end) as $insured
| [$in.parcels | to_entries[] | .key == 0 as $first | .value as $parcel
  # The cash is taken with the first parcel; what is taken must be declared.
  | (if $first then $cash else null end) as $cash | ([$cash, (if $first then $insured else null end) | values] | max) as $value
  | {"order-num": $in.shipment.reference, "postoffice-code": $c.postoffice_code, "mail-direct": 643, "mail-type": $type,
     "mail-category": (if $cash != null then "WITH_DECLARED_VALUE_AND_CASH_ON_DELIVERY" elif $value != null then "WITH_DECLARED_VALUE" else "ORDINARY" end),
     mass: ($parcel.weight_g | require("parcels.weight_g") | whole), payment: $cash, "insr-value": $value,
     dimension: (if any($parcel.length_mm, $parcel.width_mm, $parcel.height_mm; . == null) then null else {length: ($parcel.length_mm | cm), width: ($parcel.width_mm | cm), height: ($parcel.height_mm | cm)} end),
     "recipient-name": (($to.name | text) // ($to.company | text) | require("receiver.name")), "tel-address": (($to.phone | text) // ($to.phone_raw | text) // "" | gsub("[^0-9]"; "") | if test("^7[0-9]{10}$") then tonumber else null end),
     "sms-notice-recipient": (if $c.sms_notice == true then 1 else null end), "completeness-checking": (if $c.completeness_checking == true and $cash != null then true else null end),
     comment: ($in.instructions | text)}
  + (if $point and ($type | startswith("ECOM")) then {"ecom-data": {"delivery-point-index": ($office | require("pickup_point.id")), services: ["WITHOUT_SERVICE"]}}
     elif $point then {"address-type-to": "DEMAND", "index-to": ($office | index | require("pickup_point.id")), "region-to": ($to.region | text), "place-to": ($to.city | text)}
     else $address | require("address") | cleaned end)
  | compact]
