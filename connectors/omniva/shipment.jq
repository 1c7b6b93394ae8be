# One parcel (`.item`) as an OMX shipment. One request a parcel: it is bought or it is not, never half of it.

def filled: with_entries(select(.value != null and .value != [] and .value != {}));
def is_in($list): . as $x | any($list[]; . == $x);
def cut($n): nonblank | if . == null then null else .[:$n] end;
def exact: if . == null then null else minor_to_major(.; 3) | to_number_exact end;

# "LV-1005" in Latvia; five digits in Estonia, Lithuania and Finland; elsewhere as people write it.
def postcode($country): nonblank | if . == null then null else gsub("[^0-9]"; "") as $digits
  | if $country == "LV" and ($digits | length) == 4 then "LV-\($digits)"
    elif ($country | is_in(["EE", "LT", "FI"])) and ($digits | length) == 5 then $digits else . end end;
def home: .country as $country | {country: $country, deliverypoint: first_of((.city, .district, .region) | nonblank),
  postcode: (.postal_code | postcode($country)), street: (join_text([.line1, .line2]; ", ") // join_text([.street, .house_number]; " "))} | filled;
# Messages go to mobiles; what is evidently a fixed line in its country is a phone.
def mobile($country): {EE: "^\\+372(5|8[1-4])", LV: "^\\+3712", LT: "^\\+3706", FI: "^\\+358(4|50)"}[$country // ""] as $form | $form == null or test($form);
def addressee($address): .country as $country | first_of(.phone, (.phone_raw | phone($country)), (.phone_raw | nonblank)) as $phone
  | {personName: first_of((.name, .company) | nonblank), companyName: (.company | nonblank), contactEmail: (.email | nonblank),
     contactMobile: (if $phone != null and ($phone | mobile($country)) then $phone else null end),
     contactPhone: (if $phone != null and ($phone | mobile($country) | not) then $phone else null end), address: $address} | filled;

# Offices are in Estonia, where machines have postcodes of their own from 95000 on; a name may say what it is, too.
def office($country): (.name // "" | test("postkontor|postipunkt|post office"; "i")) or ($country == "EE" and (.id // "" | test("^[0-8][0-9]{4}$|^9[0-4][0-9]{3}$")));
# Estonian reference number: the digits of our reference, where they alone tell references apart, else those it begins with (the
# order's number) and ten of its hash; and the check digit, by weights 7, 3, 1 from the right.
def reference_number: (if test("^[^0-9]*[0-9][0-9 ./_-]*$") then gsub("[^0-9]"; "")
      else ([scan("[0-9]+")][0] // "" | .[:9]) + (uuid5("url"; .) | explode | map(. % 10 | tostring) | join("") | .[-10:]) end
    | if length > 19 then .[-19:] else . end) as $digits
  | ($digits | split("") | reverse | map(tonumber)) as $reversed
  | (reduce range($reversed | length) as $n (0; . + $reversed[$n] * [7, 3, 1][$n % 3])) as $sum | "\($digits)\((10 - $sum % 10) % 10)";
def cod($in; $reference): if $in.cod.currency != "EUR" then error("Omniva collects euros only") else . end
  | {code: "COD", params: {COD_AMOUNT: money_round($in.cod.amount; 2), COD_RECEIVER: (first_of(($in.sender.company, $in.sender.name) | nonblank) | require("sender.name")),
      COD_BANK_ACCOUNT_NO: ($in.cod_account | nonblank | require("cod_account") | gsub(" "; "")), COD_REFERENCE_NO: ($reference | reference_number)}};

.input as $in | .connection as $set | .item as $parcel | $in.receiver as $to | ($in.service // "" | ascii_upcase) as $service
| (if $service | is_in(["COURIER", "PARCEL_MACHINE", "POST_OFFICE"]) then $service elif $in.mode != "pickup_point" then "COURIER"
   elif $in.pickup_point | office($to.country) then "POST_OFFICE"
   else "PARCEL_MACHINE" end) as $channel
| {customerCode: first_of(($in.customer_number, $set.customer_code) | nonblank), fileId: $parcel.reference, shipments: [{
    partnerShipmentId: $parcel.reference, mainService: "PARCEL",
    deliveryChannel: (if $to.country | is_in(["EE", "LV", "LT", "FI"]) then $channel else null end),
    servicePackage: (if $to.country | is_in(["EE", "LV", "LT"]) then null elif $service | is_in(["ECONOMY", "STANDARD", "PREMIUM"]) then {code: $service} else {code: $set.service_package} end),
    contentDescription: (if $to.country | is_in(["EE", "LV", "LT", "FI"]) then null else $in.contents | cut(500) end),
    shipmentComment: ($in.instructions | cut(128)), returnAllowed: (if $set.return_allowed == true then true else null end),
    measurement: ($parcel | {weight: (.weight_g | exact), length: (.length_mm | exact), width: (.width_mm | exact), height: (.height_mm | exact)} | filled),
    receiverAddressee: ($to | addressee(if $channel == "COURIER" then home else {country, offloadPostcode: ($in.pickup_point.id | nonblank | require("pickup_point.id"))} end)),
    senderAddressee: ($in.sender | addressee(home)),
    returnAddressee: (if $in.return_to == null then null else $in.return_to | addressee(home) end),
    # The cash of a shipment is collected with its first parcel; what it is insured for is spread evenly.
    addServices: [(if $in.cod != null and $parcel.number == 1 then cod($in; $parcel.reference) else empty end),
      (if $in.insured != null then {code: "INSURANCE", params: {INSURANCE_VALUE: money_round(money_div($in.insured.amount; $in.parcels | length); 2)}} else empty end)]} | filled]}
