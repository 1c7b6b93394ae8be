# Omniva as its callers see it. State: {next, labels: by barcode, made: how many labels by our reference, points: ZIP to TYPE,
# closed}. A step takes the whole input and gives it back changed; `.response` is the answer.

def one_from($list): . as $x | any($list[]; . == $x);
def done: {state, response: (.response // {status: 200})};
def answer($status; $body): .response = {status: $status, body: $body};
def keep($what; $id; $value): .state = .state + {($what): (.state[$what] + {($id): $value})};
def now_ms: .now | time_text("epoch_ms"; "UTC");
def problem($title; $code; $details; $errors; $path): {title: $title, path: $path, details: $details, code: $code, timestamp: 0, developerMessage: "", errors: $errors};
def refuse($status; $title; $code; $details; $errors): .request.path as $path | answer($status; problem($title; $code; $details; $errors; $path));
def wrong($field; $code; $message): {key: $field, value: [{code: $code, message: $message}]};

# --- points: the same list whatever the seed is; all names are made up but those of towns
def towns: {
  EE: [["Tallinn", "Harju maakond", 59437000, 24745000], ["Tartu", "Tartu maakond", 58378000, 26729000], ["Pärnu", "Pärnu maakond", 58385000, 24497000], ["Narva", "Ida-Viru maakond", 59377000, 28190000],
    ["Viljandi", "Viljandi maakond", 58364000, 25590000], ["Rakvere", "Lääne-Viru maakond", 59347000, 26356000], ["Kuressaare", "Saare maakond", 58253000, 22486000], ["Haapsalu", "Lääne maakond", 58943000, 23541000]],
  LV: [["Rīga", "Rīga", 56949000, 24105000], ["Daugavpils", "Daugavpils", 55875000, 26536000], ["Liepāja", "Liepāja", 56511000, 21014000], ["Jelgava", "Jelgava", 56651000, 23713000], ["Jūrmala", "Jūrmala", 56968000, 23770000],
    ["Ventspils", "Ventspils", 57394000, 21565000], ["Rēzekne", "Rēzekne", 56510000, 27340000], ["Valmiera", "Valmieras novads", 57541000, 25428000], ["Ogre", "Ogres novads", 56816000, 24604000], ["Cēsis", "Cēsu novads", 57312000, 25275000]],
  LT: [["Vilnius", "Vilniaus apskr.", 54687000, 25280000], ["Kaunas", "Kauno apskr.", 54898000, 23904000], ["Klaipėda", "Klaipėdos apskr.", 55703000, 21144000], ["Šiauliai", "Šiaulių apskr.", 55934000, 23314000],
    ["Panevėžys", "Panevėžio apskr.", 55735000, 24357000], ["Alytus", "Alytaus apskr.", 54396000, 24041000], ["Marijampolė", "Marijampolės apskr.", 54560000, 23354000], ["Utena", "Utenos apskr.", 55499000, 25600000]]};
def words: {EE: {what: "pakiautomaat", streets: ["Kooli tn", "Tartu mnt", "Pärnu mnt", "Jaama tn", "Turu tn", "Lai tn", "Uus tn"], places: ["Keskuse", "Jaama", "Turu", "Kooli", "Männi", "Sadama", "Pargi", "Ülejõe"]},
  LV: {what: "pakomāts", streets: ["Brīvības iela", "Skolas iela", "Stacijas iela", "Liepu iela", "Dzirnavu iela", "Jūras iela", "Rīgas iela"], places: ["Centra", "Stacijas", "Tirgus", "Skolas", "Ostas", "Parka", "Zemgales", "Ezera"]},
  LT: {what: "paštomatas", streets: ["Vilniaus g.", "Kauno g.", "Stoties g.", "Mokyklos g.", "Liepų g.", "Turgaus g.", "Gedimino pr."], places: ["Centro", "Stoties", "Turgaus", "Parko", "Uosto", "Senamiesčio", "Ežero", "Miškų"]}};
def row($zip; $name; $type; $country; $a1; $a2; $a3; $street; $house; $lat; $lon; $hours): {ZIP: $zip, NAME: $name, TYPE: $type, A0_NAME: $country, A1_NAME: $a1, A2_NAME: $a2, A3_NAME: $a3, A4_NAME: "", A5_NAME: $street, A6_NAME: "",
  A7_NAME: $house, A8_NAME: "", X_COORDINATE: minor_to_major($lon; 6), Y_COORDINATE: minor_to_major($lat; 6), SERVICE_HOURS: $hours, TEMP_SERVICE_HOURS: "", TEMP_SERVICE_HOURS_UNTIL: "", TEMP_SERVICE_HOURS_2: "", TEMP_SERVICE_HOURS_2_UNTIL: "",
  comment_est: "", comment_eng: "", comment_rus: "", comment_lav: "", comment_lit: "", MODIFIED: "2026-01-15T10:00:00.000+02:00"};
def machines($country; $first; $count): towns[$country] as $towns | words[$country] as $w | [range(1000) as $n | select($n < $count) | $towns[$n % ($towns | length)] as [$town, $county, $lat, $lon]
  | $w.places[($n / ($towns | length) | floor) % 8] as $place
  | row("\($first + $n)"; "\($town) \($place)\(if $n >= 8 * ($towns | length) then " 2" else "" end) \($w.what)"; "0"; $country; $county; $town; ""; $w.streets[$n % 7]; "\(1 + ($n * 7) % 89)"; $lat + ($n * 3571) % 40000 - 20000; $lon + ($n * 6173) % 60000 - 30000; "")];
def offices: towns.EE as $towns | [range(8) as $n | $towns[$n] as [$town, $county, $lat, $lon]
  | row("\(10100 + $n * 1000)"; "\($town) postkontor"; "1"; "EE"; $county; "\($town) linn"; ""; "Posti tn"; "\($n + 1)"; $lat; $lon; "E-R 9:00-18:00, L 10:00-15:00")];
def first_choice: [["96331", "1. eelistus", "pakiautomaat", "EE", 59430318, 24793373], ["9331", "1. izvēle", "pakomāts", "LV", 56950000, 24100000], ["88331", "1. pasirinkimas", "paštomatas", "LT", 54690000, 25280000]]
  | map(. as [$zip, $word, $what, $country, $lat, $lon] | row($zip; "\($word)/Omniva \($what)"; "0"; $country; "\($word) Omniva"; "\($word) Omniva"; ""; ""; ""; $lat; $lon; ""));
# LV 9210 to 9213 are those that the simulated shop's orders name.
def points: machines("EE"; 96001; 110) + machines("LV"; 9201; 110) + machines("LT"; 88801; 100) + offices + first_choice;

# --- registering
# UPU S10: weights 8, 6, 4, 2, 3, 5, 9, 7 over eight digits.
def barcode: tostring as $serial | ($serial | split("") | map(tonumber)) as $d
  | (11 - ($d[0] * 8 + $d[1] * 6 + $d[2] * 4 + $d[3] * 2 + $d[4] * 3 + $d[5] * 5 + $d[6] * 9 + $d[7] * 7) % 11) as $check
  | "CE\($serial)\(if $check == 10 then 0 elif $check == 11 then 5 else $check end)EE";
def reference_ok: test("^[0-9]{2,20}$") and ((.[:-1] | split("") | reverse | map(tonumber)) as $d
  | (reduce range($d | length) as $n (0; . + $d[$n] * [7, 3, 1][$n % 3])) as $sum | .[-1:] == "\((10 - $sum % 10) % 10)");
def blank_text: type != "string" or nonblank == null;
def cod_wrong($at): .params as $p | if ($p | type) != "object" then wrong("\($at).params"; "NotNull"; "must not be null") else empty end,
  if $p.COD_AMOUNT // "" | tostring | test("^[0-9]+(\\.[0-9]{1,2})?$") | not then wrong("\($at).params.COD_AMOUNT"; "Digits"; "numeric value out of bounds") else empty end,
  if $p.COD_RECEIVER | blank_text then wrong("\($at).params.COD_RECEIVER"; "NotBlank"; "must not be blank") else empty end,
  if $p.COD_BANK_ACCOUNT_NO // "" | test("^[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}$") | not then wrong("\($at).params.COD_BANK_ACCOUNT_NO"; "Iban"; "must be an IBAN") else empty end,
  if ($p.COD_BANK_ACCOUNT_NO // "" | startswith("EE")) and ($p.COD_REFERENCE_NO // "" | reference_ok | not) then wrong("\($at).params.COD_REFERENCE_NO"; "ReferenceNumber"; "must be a valid reference number") else empty end;
def party_wrong($at; $channel): .address as $a | (.contactMobile // .contactPhone) as $phone
  | if .personName // .companyName | blank_text then wrong("\($at).personName"; "NotBlank"; "must not be blank") else empty end,
    if .contactMobile != null and (.contactMobile | test("^\\+[0-9]{7,15}$") | not) then wrong("\($at).contactMobile"; "Pattern"; "must match the form of a mobile number") else empty end,
    if $a.country // "" | test("^[A-Z]{2}$") | not then wrong("\($at).address.country"; "NotNull"; "must not be null") else empty end,
    if $channel == "PARCEL_MACHINE" or $channel == "POST_OFFICE" then
      (if $a.offloadPostcode | blank_text then wrong("\($at).address.offloadPostcode"; "NotNull"; "must not be null") else empty end),
      (if .contactMobile == null and .contactEmail == null then wrong("\($at).contactMobile"; "ContactRequired"; "mobile or e-mail is required") else empty end)
    else (if $a.postcode | blank_text then wrong("\($at).address.postcode"; "NotBlank"; "must not be blank") else empty end),
      (if $a.deliverypoint | blank_text then wrong("\($at).address.deliverypoint"; "NotBlank"; "must not be blank") else empty end),
      (if $a.country == "LV" and ($a.postcode // "" | test("^LV-[0-9]{4}$") | not) then wrong("\($at).address.postcode"; "Pattern"; "must match LV-0000") else empty end) end;
def shipment_wrong($at): .receiverAddressee.address.country as $to
  | if .mainService | one_from(["PARCEL", "LETTER", "PALLET"]) | not then wrong("\($at).mainService"; "NotNull"; "must not be null") else empty end,
    if ($to | one_from(["EE", "LV", "LT", "FI"])) and (.deliveryChannel | one_from(["COURIER", "PARCEL_MACHINE", "POST_OFFICE"]) | not) then wrong("\($at).deliveryChannel"; "NotNull"; "must not be null") else empty end,
    if ($to | one_from(["EE", "LV", "LT"]) | not) and (.servicePackage.code // "" | one_from(["ECONOMY", "STANDARD", "PREMIUM"]) | not) then wrong("\($at).servicePackage"; "NotNull"; "must not be null") else empty end,
    if ($to | one_from(["EE", "LV", "LT", "FI"]) | not) and (.contentDescription | blank_text) then wrong("\($at).contentDescription"; "NotBlank"; "must not be blank") else empty end,
    if (.shipmentComment // "" | length) > 128 then wrong("\($at).shipmentComment"; "Size"; "size must be between 0 and 128") else empty end,
    if .measurement != null and (.measurement.weight == null or money_cmp(.measurement.weight; "0") <= 0) then wrong("\($at).measurement.weight"; "Positive"; "must be greater than 0") else empty end,
    (.deliveryChannel as $channel | .receiverAddressee | party_wrong("\($at).receiverAddressee"; $channel)), (.senderAddressee | party_wrong("\($at).senderAddressee"; "COURIER")),
    (.addServices // [] | to_entries[] | .key as $n | .value | select(.code == "COD") | cod_wrong("\($at).addServices[\($n)]"));
# What their reader does not know it does not take.
def unknown_field: [(.shipments[]? | (keys - ["barcode", "partnerShipmentId", "mainService", "deliveryChannel", "servicePackage", "shipmentComment", "returnAllowed", "paidByReceiver", "contentDescription", "measurement", "receiverAddressee",
    "senderAddressee", "returnAddressee", "addServices", "notifications", "consolidatedShipments", "customs"])[]), (.shipments[]? | (.receiverAddressee, .senderAddressee, .returnAddressee) | objects | .address | objects
    | (keys - ["country", "deliverypoint", "postcode", "street", "houseNo", "apartmentNo", "offloadPostcode"])[])][0];

def failed($shipment; $code; $message): .failed = .failed + [{clientItemId: $shipment.partnerShipmentId, messageCode: $code, message: $message}];
def save($shipment): .state.next as $serial | ($serial | barcode) as $barcode | ($shipment.partnerShipmentId // "") as $ref | now_ms as $now
  | .state.next = $serial + 1 | keep("made"; $ref; (.state.made[$ref] // 0) + 1)
  | keep("labels"; $barcode; {barcode: $barcode, serial: $serial, reference: $ref, channel: ($shipment.deliveryChannel // "COURIER"), to: $shipment.receiverAddressee, weight: ($shipment.measurement.weight // null),
      cod: ([$shipment.addServices[]? | select(.code == "COD") | .params.COD_AMOUNT][0] // null), bought_ms: $now, moving_ms: (if .options.hand_over == "control" then null else $now end)})
  | .saved = .saved + [{clientItemId: $ref, barcode: $barcode}];
def register_one($shipment): $shipment.receiverAddressee.address as $a | .state.points[$a.offloadPostcode // ""] as $type | .state.closed as $closed
  | if $a.offloadPostcode != null and ($type == null or ($a.offloadPostcode | one_from($closed))) then failed($shipment; "com.omniva.phoenix.omx.offload.postcode.not.found"; "Offload postcode not found: '\($a.offloadPostcode)'")
    elif $shipment.deliveryChannel == "PARCEL_MACHINE" and $type != "0" then failed($shipment; "com.omniva.phoenix.omx.offload.postcode.not.found"; "Offload postcode is not a parcel machine: '\($a.offloadPostcode)'")
    else save($shipment) end;
def register: .request.body as $b
  | if ($b | type) != "object" then refuse(400; "Malformed JSON request"; ""; "The request cannot be read"; {})
    elif ($b | unknown_field) != null then ($b | unknown_field) as $field | refuse(500; "Internal Server Error"; ""; ""; {}) | .response.body.developerMessage = "JSON parse error: Unrecognized field \"\($field)\", not marked as ignorable"
    else [(if $b.customerCode | blank_text then wrong("customerCode"; "NotBlank"; "must not be blank") else empty end),
        (if ($b.shipments // [] | length) == 0 then wrong("shipments"; "NotEmpty"; "must not be empty") else empty end),
        ($b.shipments // [] | to_entries[] | .key as $n | .value | shipment_wrong("shipments[\($n)]"))] as $errors
      | if $errors != [] then refuse(400; "Validation Failed"; ""; "Input validation failed"; $errors | from_entries)
        elif $b.customerCode == "00000" then answer(400; {resultCode: "ERROR", savedShipments: [], failedShipments: [$b.shipments[] | {clientItemId: .partnerShipmentId, messageCode: "{com.omniva.phoenix.price.list.does.not.exist}", message: "Object validation Failed!;mainService - Price list does not exist"}]})
        else . + {saved: [], failed: []} | reduce $b.shipments[] as $shipment (.; register_one($shipment))
          | answer(200; {resultCode: (if .failed == [] then "OK" elif .saved == [] then "ERROR" else "PARTIAL" end), savedShipments: .saved, failedShipments: .failed}) end end;

# --- address cards: one small PDF page each, A6, with the number as Code 39
def code39: {"0": "nnnwwnwnn", "1": "wnnwnnnnw", "2": "nnwwnnnnw", "3": "wnwwnnnnn", "4": "nnnwwnnnw", "5": "wnnwwnnnn", "6": "nnwwwnnnn", "7": "nnnwnnwnw", "8": "wnnwnnwnn", "9": "nnwwnnwnn", "C": "wnwnnwnnn", "E": "wnnnwwnnn", "*": "nwnnwnwnn"};
def bars: "*\(.)*" | [split("")[] | code39[.] + "n"] | join("") | split("")
  | reduce to_entries[] as {$key, $value} ({x: 200, out: []}; (if $value == "w" then 25 else 11 end) as $width | .x as $x
      | (if $key % 2 == 0 then .out = .out + ["\($x) 1500 \($width) 700 re"] else . end) | .x = $x + $width)
  | .out | join("\n");
def pdf_text: transliterate | gsub("[^ -~]"; "") | gsub("(?<c>[()\\\\])"; "\\\(.c)");
def line($y; $size; $text): "BT /F1 \($size) Tf 20 \($y) Td (\($text | pdf_text)) Tj ET";
def pdf: (.to.address // {}) as $a | [line(385; 18; "OMNIVA (simulated)"), line(362; 11; "\(.channel)  \(if .weight == null then "" else "\(.weight) kg" end)"),
    line(335; 13; .to.personName // .to.companyName // ""), line(318; 11; .to.contactMobile // .to.contactPhone // ""), line(301; 11; if $a.offloadPostcode != null then "Machine \($a.offloadPostcode), \($a.country)" else $a.street // "" end),
    line(284; 11; join_text([$a.postcode, $a.deliverypoint, (if $a.offloadPostcode == null then $a.country else null end)]; " ") // ""), line(255; 13; if .cod == null then "" else "COD \(.cod) EUR" end),
    "q 0.1 0 0 0.1 0 0 cm", (.barcode | bars), "f Q", line(130; 15; .barcode), line(30; 9; .reference)] | join("\n")
  | . as $content | ["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
      "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 298 420] /Resources << /Font << /F1 4 0 R >> >> /Contents 5 0 R >>", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>", "<< /Length \($content | length) >>\nstream\n\($content)\nendstream"]
  | reduce to_entries[] as {$key, $value} ({body: "%PDF-1.4\n", at: []}; .at = .at + [.body | length] | .body = .body + "\($key + 1) 0 obj\n\($value)\nendobj\n")
  | (.body | length) as $xref | ([.at[] | "\("0000000000\(.)"[-10:]) 00000 n \n"] | join("")) as $entries
  | "\(.body)xref\n0 6\n0000000000 65535 f \n\($entries)trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n\($xref)\n%%EOF\n";
def cards: .request.body as $b | .state.labels as $labels
  | if any($b.barcodes[]?; type != "object") then refuse(500; "Internal Server Error"; ""; ""; {}) | .response.body.developerMessage = "Cannot construct instance of BarcodeValueDto: no String-argument constructor/factory method to deserialize from String value"
    else [(if $b.customerCode | blank_text then wrong("customerCode"; "NotBlank"; "must not be blank") else empty end),
        (if ($b.barcodes // [] | length) == 0 then wrong("barcodes"; "NotEmpty"; "must not be empty") else empty end),
        (if $b.sendAddressCardTo | one_from(["RESPONSE", "EMAIL"]) | not then wrong("sendAddressCardTo"; "NotNull"; "must not be null") else empty end)] as $errors
      | if $errors != [] then refuse(400; "Validation Failed"; ""; "Input validation failed"; $errors | from_entries)
        else answer(200; {successAddressCards: [$b.barcodes[] | $labels[.barcode] // empty | {barcode} + if $b.sendAddressCardTo == "RESPONSE" then {fileData: (pdf | @base64)} else {} end],
          failedAddressCards: [$b.barcodes[] | select($labels[.barcode] == null) | {barcode, messageCode: "com.omniva.phoenix.barcode.not.found"}]}) end end;

# --- a parcel's life: [code, state, hours since it moves, where]; each parcel's own, by its number
def way($unclaimed): .way // (if .channel == "COURIER" then (if $unclaimed > 0 and .serial % $unclaimed == 5 then "refused" elif .serial % 4 == 1 then "second_try" else "door" end)
  elif $unclaimed > 0 and .serial % $unclaimed == 7 then "unclaimed" else "point" end);
def life($unclaimed): ("\(.to.address.offloadPostcode // .to.address.postcode // "")") as $zip | (.to.address.deliverypoint // "Omniva \($zip)") as $there | way($unclaimed) as $way
  | [["PICKED_UP_WITH_SCAN", "REGISTERED", 4, "Sorting centre"], ["IN_CONTAINER", "IN_CONTAINER", 9, "Sorting centre"], ["ON_ROUTE_LIST", "BEING_TRANSPORTED", 12, "Sorting centre"]]
  + {point: [["IN_DEST_POSTOFFICE", "DELIVERED_POSTOFFICE", 26, $there], ["SEND_REC_SMS_NOTIF", "DELIVERED_POSTOFFICE", 26, null], ["DELIVERED", "DELIVERED", 41, $there]],
     unclaimed: [["IN_DEST_POSTOFFICE", "DELIVERED_POSTOFFICE", 26, $there], ["SEND_REC_SMS_NOTIF", "DELIVERED_POSTOFFICE", 26, null], ["STORING", "ON_HOLD", 98, $there], ["RETURN", "BEING_TRANSPORTED", 194, $there],
       ["ON_ROUTE_LIST", "BEING_TRANSPORTED", 204, "Sorting centre"], ["IN_DEST_POSTOFFICE", "DELIVERED_POSTOFFICE", 218, "Sender's office"], ["DELIVERED", "DELIVERED", 226, "Sender's office"]],
     door: [["FROM_CONTAINER", "IN_WAREHOUSE", 22, $there], ["ON_DELIVERY_LIST", "ON_COURIER", 25, $there], ["DELIVERED", "DELIVERED", 31, $there]],
     second_try: [["FROM_CONTAINER", "IN_WAREHOUSE", 22, $there], ["ON_DELIVERY_LIST", "ON_COURIER", 25, $there], ["DELIVERING_TRY", "ON_HOLD", 30, $there], ["FROM_DELIVERY_LIST", "IN_WAREHOUSE", 34, $there], ["ON_DELIVERY_LIST", "ON_COURIER", 49, $there], ["DELIVERED", "DELIVERED", 54, $there]],
     refused: [["FROM_CONTAINER", "IN_WAREHOUSE", 22, $there], ["ON_DELIVERY_LIST", "ON_COURIER", 25, $there], ["DELIVERING_TRY", "ON_HOLD", 30, $there], ["RETURN", "BEING_TRANSPORTED", 34, $there],
       ["ON_ROUTE_LIST", "BEING_TRANSPORTED", 44, "Sorting centre"], ["ON_DELIVERY_LIST", "ON_COURIER", 56, "Sender's office"], ["DELIVERED", "DELIVERED", 60, "Sender's office"]]}[$way];
# What has happened to it by now, since a moment; times in milliseconds.
def happened($options; $from; $now): . as $label | ($options.speed // 1) as $speed | ($options.unclaimed_every // 12) as $unclaimed
  | [(["SAVED", "SAVED", 0, null] as [$code, $state, $h, $place] | {at: .bought_ms, code: $code, state: $state, place: $place}),
     (if .moving_ms == null then empty else life($unclaimed)[] as [$code, $state, $hours, $place] | {at: (.moving_ms + ($hours * 3600000 / $speed | floor)), code: $code, state: $state, place: $place} end)]
  | .[] | select(.at >= $from and .at <= $now) | . + {barcode: $label.barcode, zip: ($label.to.address.offloadPostcode // null)};
def local_time: time("epoch_ms") | time_text("%Y-%m-%dT%H:%M:%S%.3f%:z"; "Europe/Tallinn");
def feed: .request.params as $p | .options as $options | now_ms as $now
  | if $p.client != "71000" then .response = {status: 403, headers: {"Content-Type": "text/html"}, body: "<html><body>Forbidden</body></html>"}
    elif $p.from | test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T") | not then .response = {status: 400, headers: {"Content-Type": "text/html"}, body: "<html><body>Bad request</body></html>"}
    else ($p.from | time("iso_local"; "Europe/Tallinn") | time_text("epoch_ms"; "UTC")) as $from
      | ([.state.labels[] | happened($options; $from; $now)] | sort_by(.at) | map({packetCode: .barcode, eventCode: "PACKET_EVENT_\(.code)", stateCode: "PACKET_STATE_\(.state)", eventDate: (.at | local_time),
          eventSource: ((if .zip == null then {} else {"@zip": .zip} end) + {"#text": (.place // "")})})) as $events
      | .response = {status: 200, headers: {"Content-Type": "text/xml;charset=UTF-8"}, body: ({"xsd:events": {"@xmlns:xsd": "http://core.epteavitus.application.eestipost.ee/xsd", event: $events}} | to_xml)} end;
def told: {eventCode: "PACKET_EVENT_\(.code)", eventName: .code, eventDate: (.at | local_time), stateCode: "PACKET_STATE_\(.state)", location: .place};
def one_parcel: .request.params.barcode as $barcode | .options as $options | now_ms as $now | .state.labels[$barcode] as $label
  | if $label == null then refuse(404; "Resource not found"; "RESOURCE_NOT_FOUND"; "The 'Shipment' entity with id='\($barcode)' was not found!"; {})
    else answer(200; {barcode: $barcode, events: [$label | happened($options; 0; $now) | told]}) end;
def event_list: .options as $options | now_ms as $now | (.request.query.size // "100" | tonumber) as $size | (.request.query.fromTrackEventId // "0" | tonumber) as $from
  | ([.state.labels[] | happened($options; 0; $now)] | sort_by(.at) | to_entries | map(.key as $id | .value | told + {eventId: ($id + 1), barcode})) as $all
  | answer(200; [$all[] | select(.eventId > $from)] | {content: .[:$size], last: (length <= $size)});

# --- for tests
def counted: .state.made as $made | .options as $options | now_ms as $now | answer(200; {total: ([$made[]] | add // 0), by_reference: $made, twice: [$made | to_entries[] | select(.value > 1) | .key],
  labels: [.state.labels[] | {barcode, reference, channel, cod, moving: (.moving_ms != null), last: ([happened($options; 0; $now)] | last | .code)}]});
def on_label(f): .request.params.barcode as $barcode | .state.labels[$barcode] as $label
  | if $label == null then answer(404; {error: "no such label"}) else ($label | f) as $new | keep("labels"; $barcode; $new) | answer(200; $new) end;
# What Omniva's own books say, whatever it told us: which barcodes it gave, and the cash that it took. There is no cancelling.
def books: .options as $options | now_ms as $now | answer(200; {tells_cash: false, labels: [.state.labels[] | [happened($options; 0; $now) | .code] as $codes
  | {tracking_number: .barcode, reference, void: false, collected: (if .cod != null and any($codes[]; . == "DELIVERED") and all($codes[]; . != "RETURN") then .cod | tostring else null end)}]});
