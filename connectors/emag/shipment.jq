# A waybill as awb/save wants it. What eMAG knows of the order (locality, locker, who) comes from the order's attributes.

def text: if type == "number" then tostring elif type == "string" then trim | nonblank else null end;
def compact: with_entries(select(.value != null));
def cut($n): if . == null then null else .[:$n] end;
# 8 to 11 digits: as the customer wrote it where that fits, else the number with its country.
def dial: gsub("[^0-9]"; "") | select(length >= 8 and length <= 11);
def reach($other): first_of((.phone_raw, .phone, $other) | text | values | dial);
def kg: money_div(.; "1000") | to_number_exact;
def whole: if . == null then null else tonumber end;

.input as $in | .connection as $set | ($in.order.attributes // {}) as $known | ($in.sender // {}) as $from | ($in.receiver | require("receiver")) as $to
| ($set.memory.pickup_address // {}) as $saved | ([$in.parcels[].weight_g] | if any(. == null) then null else money_sum end) as $grams
| first_of(($in.service | text | values | select(test("^[0-9]+$"))), ($known.courier_accounts // [] | .[0] | values | tostring), ($set.courier_account_id | text)) as $courier
| {data: ({
    order_id: ($in.order.external_id | tonumber),
    sender: ({name: (first_of($from.company, $from.name, $set.sender_name, $known.vendor_name | text) | require("sender_name") | cut(255)), contact: (first_of($from.name, $set.sender_name, $known.vendor_name | text) | cut(255)),
      phone1: ($from | reach($set.sender_phone) | require("sender_phone")), # A saved address counts before what else is told of the sender.
      address_id: ($set.pickup_address_id // $saved.address_id), locality_id: $saved.locality_id,
      street: (first_of($from.line1, $saved.street | text) | cut(255)), zipcode: (first_of($from.postal_code, $saved.zipcode | text))} | compact),
    receiver: ({name: (first_of($to.company, $to.name | text) | require("receiver.name") | cut(255)), contact: (first_of($to.name, $to.company | text) | cut(255)), phone1: ($to | reach(null) | require("receiver.phone")),
      legal_entity: (if $known.legal_entity then 1 else 0 end), locality_id: ($known.shipping_locality_id | require("attributes.shipping_locality_id") | whole),
      # The locker's tag in the street is what sends the parcel there.
      street: (join_text([$to.line1, $to.line2]; ", ") | require("receiver.line1") | cut(255)), zipcode: ($to.postal_code | text)} | compact),
    locker_id: (if $in.mode == "pickup_point" then $in.pickup_point.id | require("pickup_point.id") else null end),
    is_oversize: (if $in.service == "oversize" then 1 else 0 end), envelope_number: 0, parcel_number: ($in.parcels | length),
    cod: (if $in.cod == null then 0 else $in.cod | money_round(.amount; currency_digits(.currency)) | to_number_exact end),
    insured_value: (if $in.insured == null then null else $in.insured.amount | to_number_exact end),
    weight: (if $grams == null then null else $grams | kg end), observation: (join_text([$in.shipment.reference, $in.contents]; " ") | cut(255)),
    courier_account_id: ($courier | whole), dropoff_locker: (if $set.dropoff then 1 else null end), unboxing: (if $set.unboxing then 1 else null end)} | compact)}
