# One shipment as createLabel wants it: kilograms, centimetres, Econt's words. What is not known is left out.

def text: if type == "number" then tostring elif type == "string" then trim | nonblank else null end;
def compact: with_entries(select(.value != null and .value != [] and .value != {}));
def kg: money_div(.; "1000") | to_number_exact;
def cm: if . == null then null else money_div(.; "10") | to_number_exact end;
def exact: if . == null then null else money_round(.amount; currency_digits(.currency)) | to_number_exact end;
def without($part): split($part) | if length < 2 then join($part) else .[0] + (.[1:] | join($part)) end;
def rest: sub("^[\\s,;№#.]+"; "") | sub("[\\s,;]+$"; "") | nonblank;

# Who: a company is the client, the person its agent.
def phones($other): ((.phone | text) // (.phone_raw | text) // $other) | if . == null then [] else [gsub("[^0-9+]"; "")] end;
def client($name; $phone): {name: ((.company | text) // (.name | text) // $name), phones: phones($phone), email: (.email | text)} | compact;
def agent: if (.company | text) == null or (.name | text) == null then null else {name, phones: phones(null)} | compact end;

# Where: street and number where they are known or stand in the line for certain, a quarter with what follows it, else the whole
# line for Econt to read. No word is lost: what is left of the lines goes to `other`.
def streets: "^(?<street>(?:[Уу][Лл]|[Бб][Уу][Лл]|[Пп][Лл]|[Уу]лица|[Бб]улевард|[Пп]лощад|[Uu]l|[Bb]ul|[Bb]lvd)(?:\\.\\s*|\\s+)[^0-9,№.\\s][^0-9,№]*[^0-9,№\\s])\\s*,?\\s*(?:№\\s*)?(?<num>[0-9]+[A-Za-zА-Яа-я]?(?:[-/][0-9A-Za-zА-Яа-я]+)?)(?<rest>[\\s,].*)?$";
def quarters: "^(?<quarter>(?:[Жж]\\.?\\s?[Кк]|[Кк]в)\\.?\\s+[^,]*?[^,\\s])(?:\\s*,\\s*|\\s+)(?<rest>(?:[Бб]л|[Вв]х|№)\\.?\\s*.+)$";
def inner: "(^|[\\s.,])([Бб]л|[Вв]х|[Аа]п|[Ее]т|[Bb]l|[Vv]h|[Aa]p|[Ee]t)\\.?$";
def parts: (.line1 | text) as $line1 | (.line2 | text) as $line2 | (.district | text) as $quarter
  | if (.street | text) != null and (.house_number | text) != null then
      .street as $street | .house_number as $num
      | {street: ($street | text), num: ($num | text), quarter: $quarter, other: join_text([($line1 // "" | without($street) | without($num) | rest), $line2]; ", ")}
    elif $line1 == null then {quarter: $quarter, other: $line2}
    else first_of($line1 | capture(streets) | select(.street | test(inner) | not)) as $s | first_of($line1 | capture(quarters)) as $q
      | if $s != null then {street: $s.street, num: $s.num, quarter: $quarter, other: join_text([($s.rest // "" | rest), $line2]; ", ")}
        elif $q != null then {quarter: $q.quarter, other: join_text([$q.rest, $line2]; ", ")}
        else {fullAddress: join_text([$quarter, $line1, $line2]; ", ")} end
    end;
def place($whose): {city: {country: {code3: (lookup("countries"; .country // "BG").alpha3)}, name: (.city | text | require("\($whose).city")), postCode: (.postal_code | text // "" | gsub("\\s"; "") | nonblank)}} + (parts | compact);

.input as $in | $in.parcels as $parcels | ($parcels | length) as $count | ($in.sender // {}) as $from | ($in.receiver | require("receiver")) as $to
| ($connection.sender_office | text) as $hand_in | $in.mode == "pickup_point" as $office
| [$parcels[] | .weight_g] as $grams
# Not told of one parcel is not told of all: 0 is "not weighed".
| (if any($grams[]; . == null) then "0" else $grams | money_sum end) as $total
| [$parcels[] | .length_mm, .width_mm, .height_mm] as $sides | (any($sides[]; . == null) | not) as $measured
| ($measured and all($sides[]; money_cmp(.; "600") <= 0)) as $small
| (($in.service | text) // ($connection.shipment_type | text) // "pack" | ascii_downcase) as $wanted
| (if $wanted == "document" and money_cmp($total; "500") > 0 then "pack" elif $wanted == "post_pack" and (money_cmp($total; "20000") > 0 or ($small | not) or ($office and $hand_in != null | not)) then "pack" else $wanted end) as $type
| (if $type == "pack" and any($grams[] | values; money_cmp(.; "50000") > 0) then "cargo" else $type end) as $type
| {mode: "create", label: ({
    senderClient: ($from | client($connection.sender_name | text; $connection.sender_phone | text) + ({clientNumber: ($in.customer_number | text)} | compact)),
    senderAgent: ($from | agent),
    senderOfficeCode: $hand_in,
    senderAddress: (if $hand_in != null then null else $from | place("sender") end),
    receiverClient: ($to | client(null; null)),
    receiverAgent: ($to | agent),
    receiverOfficeCode: (if $office then $in.pickup_point.id? | text | require("pickup_point.id") else null end),
    receiverAddress: (if $office then null else $to | place("receiver") end),
    packCount: $count,
    packs: (if $count < 2 then null else [$parcels[] | {width: (.width_mm | cm), height: (.height_mm | cm), length: (.length_mm | cm), weight: (if .weight_g == null then null else .weight_g | kg end)} | compact] | map(select(. != {})) end),
    shipmentType: $type,
    weight: ($total | kg),
    sizeUnder60cm: (if $measured then $small else null end),
    shipmentDimensionsL: (if $count == 1 then $parcels[0].length_mm | cm else null end),
    shipmentDimensionsW: (if $count == 1 then $parcels[0].width_mm | cm else null end),
    shipmentDimensionsH: (if $count == 1 then $parcels[0].height_mm | cm else null end),
    shipmentDescription: ($in.contents | text),
    orderNumber: $in.shipment.reference,
    paymentSenderMethod: $connection.sender_payment,
    payAfterAccept: (if $connection.before_payment == "open" then true else null end),
    payAfterTest: (if $connection.before_payment == "test" then true else null end),
    # Older documents call the agreement cdAgreementNum, newer ones cdPayOptionsTemplate; what Econt does not know it passes over.
    services: ((if $in.cod == null then {} else {cdAmount: ($in.cod | exact), cdType: "get", cdCurrency: $in.cod.currency, cdAgreementNum: ($in.cod_account | text), cdPayOptionsTemplate: ($in.cod_account | text)} end)
      + (if $in.insured == null then {} else {declaredValueAmount: ($in.insured | exact), declaredValueCurrency: $in.insured.currency} end) | compact),
    instructions: [
      (if ($in.instructions | text) == null then empty else {type: "give", title: "Delivery", description: ($in.instructions | text)} end),
      (if $in.return_to == null then empty else {type: "return", returnInstructionParams: {rejectAction: "return_to_address", rejectReturnClient: ($in.return_to | client($connection.sender_name | text; $connection.sender_phone | text)), rejectReturnAddress: ($in.return_to | place("return_to"))}} end)]
  } | compact)}
