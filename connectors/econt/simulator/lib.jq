# Econt's JSON services as their callers see them. State: {next, labels: {number: label}, made: {reference: how many labels}}.
# A label knows its whole life from the start; what has happened is what lies before now. Options: day_s (seconds that one day of
# a parcel's life takes; 86400), refused_every (each so many-th parcel is refused and goes back; 15, 0 for none),
# hand_over ("control": a parcel moves when a control says that it was handed over).

def one_of($list): . as $x | any($list[]; . == $x);
def text: if type == "number" then tostring elif type == "string" then trim | nonblank else null end;
def answer($status; $body): .response = {status: $status, body: $body};
def done: {state, response: (.response // {status: 200})};
def now_ms: .now | time_text("epoch_ms"; "UTC");
def error_of($type; $message; $fields; $inner): {type: $type, message: $message, fields: $fields, innerErrors: $inner};
def refuse($error): answer(517; $error);
# The real service hides what it has to say: blank, then whose fault, then the reason.
def fault($whose; $type; $message; $fields): error_of("ExInvalidParam"; " "; []; [if $whose == null then error_of($type; $message; $fields; []) else error_of("ExInvalidParam"; $whose + ": "; []; [error_of($type; $message; $fields; [])]) end]);
def number_of: to_number_exact;

# --- places: [name, English name, post code, latitude, longitude, offices, lockers]
def cities: [
  ["Русе", "Ruse", "7000", "43.8356", "25.9657", 10, 4], ["Габрово", "Gabrovo", "5300", "42.8742", "25.3187", 6, 2], ["Пловдив", "Plovdiv", "4000", "42.1354", "24.7453", 24, 8], ["София", "Sofia", "1000", "42.6977", "23.3219", 40, 20],
  ["Варна", "Varna", "9000", "43.2141", "27.9147", 22, 8], ["Бургас", "Burgas", "8000", "42.5048", "27.4626", 18, 6], ["Стара Загора", "Stara Zagora", "6000", "42.4258", "25.6345", 12, 4], ["Плевен", "Pleven", "5800", "43.4170", "24.6067", 9, 3],
  ["Сливен", "Sliven", "8800", "42.6817", "26.3229", 7, 2], ["Добрич", "Dobrich", "9300", "43.5726", "27.8273", 7, 2], ["Шумен", "Shumen", "9700", "43.2712", "26.9361", 7, 2], ["Перник", "Pernik", "2300", "42.6052", "23.0378", 6, 2],
  ["Хасково", "Haskovo", "6300", "41.9344", "25.5556", 6, 2], ["Ямбол", "Yambol", "8600", "42.4842", "26.5035", 5, 2], ["Пазарджик", "Pazardzhik", "4400", "42.1928", "24.3336", 6, 2], ["Благоевград", "Blagoevgrad", "2700", "42.0209", "23.0943", 7, 2],
  ["Велико Търново", "Veliko Tarnovo", "5000", "43.0757", "25.6172", 8, 3], ["Враца", "Vratsa", "3000", "43.2102", "23.5529", 5, 2], ["Видин", "Vidin", "3700", "43.9962", "22.8679", 4, 1], ["Асеновград", "Asenovgrad", "4230", "42.0125", "24.8772", 4, 1],
  ["Кърджали", "Kardzhali", "6600", "41.6338", "25.3777", 4, 1], ["Кюстендил", "Kyustendil", "2500", "42.2839", "22.6911", 4, 1], ["Казанлък", "Kazanlak", "6100", "42.6244", "25.3929", 5, 1], ["Димитровград", "Dimitrovgrad", "6400", "42.0596", "25.5941", 3, 1],
  ["Ловеч", "Lovech", "5500", "43.1370", "24.7142", 4, 1], ["Силистра", "Silistra", "7500", "44.1171", "27.2606", 3, 1], ["Дупница", "Dupnitsa", "2600", "42.2650", "23.1153", 3, 1], ["Търговище", "Targovishte", "7700", "43.2512", "26.5722", 3, 1],
  ["Разград", "Razgrad", "7200", "43.5258", "26.5241", 3, 1], ["Смолян", "Smolyan", "4700", "41.5774", "24.7011", 3, 1], ["Монтана", "Montana", "3400", "43.4085", "23.2257", 4, 1], ["Банско", "Bansko", "2770", "41.8383", "23.4885", 2, 1]];
def greek: [["Αθήνα", "Athina", "10431", "37.9838", "23.7275", 12], ["Θεσσαλονίκη", "Thessaloniki", "54624", "40.6401", "22.9444", 8], ["Πάτρα", "Patra", "26221", "38.2466", "21.7346", 4]];
def kinds: {office: {from: 1000, cities: cities, count: 5}, locker: {from: 950000, cities: cities, count: 6}, partner: {from: 15000, cities: greek, count: 5}};
# A code says city and which of it, so that no list is searched.
def office($code): ($code | text // "") as $c | if $c | test("^[0-9]{4,6}$") | not then null else ($c | tonumber) as $n
  | (if $n < 15000 then "office" elif $n < 950000 then "partner" else "locker" end) as $kind | kinds[$kind] as $k | ($n - $k.from) as $at
  | if $at < 0 then null else $k.cities[$at / 40 | floor] as $city | ($at % 40) as $i
    | if $city == null or $i >= $city[$k.count] then null else {code: $c, kind: $kind, i: $i, city: $city, name: (if $kind == "locker" then "Еконтомат \($city[0]) \($i + 1)" elif $kind == "partner" then "ACS \($city[1] | ascii_upcase) \($i + 1)" else "\($city[0]) \($i + 1)" end)} end end end;
def country_of($kind): if $kind == "partner" then {id: 1084, code2: "GR", code3: "GRC", name: "Гърция", nameEn: "Greece", isEU: true} else {id: 1033, code2: "BG", code3: "BGR", name: "България", nameEn: "Bulgaria", isEU: true} end;
def city_row($c; $i; $kind): {id: ($i + 1), country: country_of($kind), postCode: $c[2], name: $c[0], nameEn: $c[1], regionName: $c[0], regionNameEn: $c[1], phoneCode: null, location: null, expressCityDeliveries: false};
# Moments of some day in July: only the time of day counts.
def hour($h; $m): 1627506000000 + ($h * 60 + $m) * 60000;
def row: .city as $c | (.kind == "locker") as $locker | (if .kind == "partner" then "Οδός \(.i + 1)" else "ул. Примерна \(.i + 1)" end) as $line
  | {id: (.code | tonumber), code, isMPS: (.kind == "office" and .i % 40 == 39), isAPS: $locker, name, nameEn: (.name | transliterate), phones: ["+359 87 000 0000"], emails: ["office@example.com"],
     address: {id: null, city: city_row($c; .i; .kind), fullAddress: " \($c[0]) \($line)", quarter: null, street: (if .kind == "partner" then null else "ул. Примерна" end), num: (if .kind == "partner" then "" else "\(.i + 1)" end), other: (if .kind == "partner" then $line else "" end),
       location: {latitude: (money_add($c[3]; money_mul("0.0031"; .i)) | number_of), longitude: (money_sub($c[4]; money_mul("0.0017"; .i)) | number_of), confidence: 3}, zip: null},
     info: "", currency: "EUR", language: null, normalBusinessHoursFrom: (if $locker then hour(0; 0) else hour(8; 30) end), normalBusinessHoursTo: (if $locker then hour(23; 59) else hour(18; 30) end),
     halfDayBusinessHoursFrom: (if $locker then hour(0; 0) else hour(9; 0) end), halfDayBusinessHoursTo: (if $locker then hour(23; 59) else hour(13; 0) end), sundayBusinessHoursFrom: (if $locker then hour(0; 0) else null end), sundayBusinessHoursTo: (if $locker then hour(23; 59) else null end),
     shipmentTypes: ["courier"], partnerCode: (if .kind == "partner" then "ACS" else "" end), hubCode: $c[2], hubName: $c[0], hubNameEn: $c[1], isDrive: false};
def rows($kind): kinds[$kind] as $k | $k.cities | to_entries[] | .key as $c | .value as $city | range(40) | select(. < $city[$k.count]) | office("\($k.from + $c * 40 + .)") | row;
def get_offices: (.request.body.countryCode? // "BGR") as $country | if $country | one_of(["BGR", "BG"]) then answer(200; {offices: [rows("office"), rows("locker")]})
  elif $country | one_of(["GRC", "GR"]) then answer(200; {offices: [rows("partner")]}) else answer(200; {offices: []}) end;
def get_cities: (.request.body.countryCode? // "BGR") as $country | if $country | one_of(["GRC", "GR"]) then answer(200; {cities: [greek | to_entries[] | city_row(.value; .key; "partner")]})
  else answer(200; {cities: [cities | to_entries[] | city_row(.value; .key; "office")]}) end;

# --- what a label must tell: faults, the first of which is answered
def party($whose; $client; $address; $code):
  (if ($client.name | text) == null then fault($whose; "ExInvalidParam"; "Невалидно име."; ["name"]) else empty end),
  (if [$client.phones | list[] | text | select(. != null and test("^[+]?[0-9]{6,15}$"))] == [] then fault($whose; "ExInvalidParam"; "Невалиден телефон."; ["phones"]) else empty end),
  (if ($code | text) != null then (if office($code) == null then fault($whose; "ExInvalidCity"; "Невалидно населено място."; ["officeCode"]) else empty end)
   else ($address.city.name? | text) as $city | ($address.city.postCode? | text) as $post | ([cities[], greek[]] | map(select(.[0] == $city or .[1] == $city))) as $known
     | if $city == null then fault($whose; "ExInvalidCity"; "Невалидно населено място."; ["city"])
       elif $post == null or ($post | test("^[0-9]{4,5}$") | not) or $known != [] and all($known[]; .[2][:1] != $post[:1]) then fault($whose; "ExInvalidCity"; "Несъответствие между населено място и пощенски код."; ["postCode"])
       elif ($address.fullAddress | text) == null and (($address.street | text) == null or ($address.num | text) == null) and (($address.quarter | text) == null or ($address.other | text) == null) then fault($whose; "ExInvalidAddress"; "Невалиден адрес."; ["street", "num"])
       else empty end end);
def positive: type == "number" and (tostring | money_cmp(.; "0") > 0);
def faults: . as $l | ($l.services // {}) as $s | (office($l.receiverOfficeCode).kind == "locker") as $locker | ($l.shipmentType | text // "" | ascii_downcase) as $type | ($l.weight // 0 | tostring) as $kg
  | party("подател"; $l.senderClient; $l.senderAddress; $l.senderOfficeCode), party("получател"; $l.receiverClient; $l.receiverAddress; $l.receiverOfficeCode),
    (if $type | one_of(["document", "pack", "post_pack", "pallet", "cargo", "documentpallet", "big_letter", "small_letter", "money_transfer", "pp"]) | not then fault(null; "ExInvalidParam"; "Невалиден вид пратка."; ["shipmentType"]) else empty end),
    (if $l.packCount | positive | not then fault(null; "ExInvalidParam"; "Невалиден брой пакети."; ["packCount"]) else empty end),
    (if money_cmp($kg; "0") < 0 or $type == "document" and money_cmp($kg; "0.5") > 0 or $type == "post_pack" and money_cmp($kg; "20") > 0 then fault(null; "ExInvalidParam"; "Невалидно тегло."; ["weight"]) else empty end),
    (if $locker and $type == "cargo" then error_of("ExInvalidParam"; "Не може да подготвяте карго пратки от/до Еконтомат!"; []; []) else empty end),
    (if $s.cdAmount != null and ($s.cdAmount | positive | not) then fault(null; "ExInvalidParam"; "Невалидна сума на наложен платеж."; ["cdAmount"]) else empty end),
    (if $s.cdAmount != null and ($s.cdCurrency | one_of(["EUR", "BGN"]) | not) then fault(null; "ExInvalidParam"; "Невалидна валута на наложен платеж."; ["cdCurrency"]) else empty end),
    (if $s.cdAmount != null and ($s.cdType // "get" | ascii_downcase | one_of(["get", "give"]) | not) then fault(null; "ExInvalidParam"; "Невалиден вид на наложен платеж."; ["cdType"]) else empty end),
    (if $s.declaredValueAmount != null and ($s.declaredValueCurrency | text) == null then fault(null; "ExInvalidParam"; "Невалидна валута на обявена стойност."; ["declaredValueCurrency"]) else empty end),
    (if ($l.paymentSenderMethod | text) == null and ($l.paymentReceiverMethod | text) == null then fault(null; "ExInvalidParam"; "Не е посочен платец."; ["paymentSenderMethod"]) else empty end);

# --- prices in cents of EUR; labels in leva are turned into EUR
def cash: if .services.cdAmount == null then null elif .services.cdCurrency == "BGN" then money_round(money_div(.services.cdAmount; "1.95583"); 2) else money_round(.services.cdAmount; 2) end;
def price: . as $l | (.weight // 0 | tostring) as $kg | ([["1", 455], ["5", 714], ["10", 1061], ["20", 1480], ["99999", 2106]] | map(select(money_cmp($kg; .[0]) <= 0))[0][1]) as $base
  | [{type: "C", description: "Куриерска услуга", count: 1, paymentSide: "SENDER", cents: ($base + if ($l.receiverOfficeCode | text) == null then 120 else 0 end)},
     (cash | if . == null then empty else {type: "CD", description: "Наложен платеж", count: 1, paymentSide: "SENDER", cents: ([50, (major_to_minor(.; 2) * 12 / 1000 | floor)] | max)} end)];
def money_of: minor_to_major(.; 2) | number_of;

# --- the life of a parcel: minutes of a parcel's time → what happens
def refused_one($next; $every): $every > 0 and $next % $every == $every - 1;
def story($l; $back; $second): (($l.receiverOfficeCode | text) != null) as $office | (if $office then office($l.receiverOfficeCode) else null end) as $to
  | (if ($l.senderOfficeCode | text) != null then office($l.senderOfficeCode) else null end) as $from | ($to.city[0] // $l.receiverAddress.city.name) as $there | ($from.city[0] // $l.senderAddress.city.name) as $here
  | [{at: 0, t: "prepared", bg: "Очаква предаване към Еконт", en: "Awaiting delivery to Econt"},
     (if $from != null then {at: 240, t: "in_pickup_office", bg: "Приета в офис", en: "Accepted in office", office: $from.name, code: $from.code, city: $here} else {at: 240, t: "in_pickup_courier", bg: "Приета от куриер", en: "In pick up courier", city: $here} end),
     {at: 480, t: "courier_direction", bg: "Пътува по линия", en: "In route", city: $here},
     {at: 720, t: "arrival_departure_from_hub", bg: "Постъпила за обработка в Логистичен център", en: "Arrival departure from hub", office: "Логистичен център", city: $there}]
  + (if $office then [{at: 1200, t: "in_delivery_office", bg: "Пристигнала в офис", en: "Arrived in office", office: $to.name, code: $to.code, city: $there}]
     else [{at: 1200, t: "in_delivery_office", bg: "В офис на предаващ куриер", en: "In delivery courier's office", office: "Куриерски офис", code: "9999", city: $there}, {at: 1320, t: "in_delivery_courier", bg: "В куриер", en: "In courier", city: $there}]
       + (if $back or $second then [{at: 1440, t: "first_try", bg: (if $back then "Получателят отказва пратката" else "Получателят отсъства" end), en: "First try", city: $there}] else [] end)
       + (if $second then [{at: 1560, t: "in_delivery_courier", bg: "В куриер", en: "In courier", city: $there}] else [] end) end)
  + (if $back then [{at: 1560, t: "is_returning_to_sender", bg: "Връщане на пратката", en: "Is returning to sender", city: $there}, {at: 1800, t: "courier_direction", bg: "Пътува по линия", en: "In route", city: $there},
        {at: 2400, t: "returned_to_sender", bg: "Върната и доставена към подател", en: "Returned to sender", city: $here}]
     else [{at: 1680, t: "client", bg: "Доставена", en: "Delivered", office: $to.name, code: $to.code, city: $there}] end);
def ms($minutes): $minutes * (.options.day_s // 86400) * 1000 / 1440 | floor;
# A life that begins at a moment.
def begun($life; $at): . as $in | [$life[] | . as $e | $e + {ms: ($at + ($in | ms($e.at)))}];
def happened($now): [.events[] | select(.ms <= $now)];
def accepted($now): any(happened($now)[]; .t != "prepared");

def url_of($path): .request.headers.host as $host | "http://\($host)\($path)";
def label_answer($l; $lines): {shipmentNumber: null, storageOfficeName: null, storagePersonName: null, createdTime: now_ms, sendTime: null, deliveryTime: null, shipmentType: ($l.shipmentType | ascii_downcase), packCount: $l.packCount, weight: $l.weight, shipmentDescription: $l.shipmentDescription,
  cdCollectedAmount: 0, cdCollectedCurrency: "", cdCollectedTime: null, cdPaidAmount: 0, cdPaidCurrency: "", cdPaidTime: null, totalPrice: ([$lines[].cents] | add | money_of), currency: "EUR", senderDueAmount: ([$lines[].cents] | add | money_of), receiverDueAmount: 0, otherDueAmount: 0,
  deliveryAttemptCount: 0, previousShipmentNumber: "", services: [$lines[] | {type, description, count, paymentSide, price: (.cents | money_of), currency: "EUR"}], lastProcessedInstruction: null, nextShipments: [], trackingEvents: [], pdfURL: "", expectedDeliveryDate: (now_ms + ms(1680)), warnings: "", shortDeliveryStatus: null, shortDeliveryStatusEn: null};
def create($l; $answered; $lines): (.seed % 100000 * 100000 + 1050000000000 + .state.next | tostring) as $number | .state.next as $next | now_ms as $born | ($l.orderNumber | text // "") as $order | (.options.refused_every // 15) as $every
  | story($l; refused_one($next; $every); $next % 7 == 6) as $life | (.options.hand_over == "control") as $waits
  | (if $waits then begun($life[:1]; $born) else begun($life; $born) end) as $events
  | ($born + ms(1680 + 2880)) as $paid
  | .state.labels = .state.labels + {($number): {number: $number, order: $order, born: $born, label: $l, cash: ($l | cash), life: $life, events: $events, paid: $paid, answer: $answered, deleted: null}}
  | .state.made = .state.made + {($order): ((.state.made[$order] // 0) + 1)} | .state.next = $next + 1
  | answer(200; {label: ($answered + {shipmentNumber: $number, pdfURL: url_of("/ee/api_export.php?exportMethod=printLoading&loading_num=\($number)&_key=\("\($number)" | .[-6:])")}), blockingPaymentURL: null, courierRequestID: null, payAfterAcceptIgnored: null});
def create_label: .request.body as $b | if ($b | type) != "object" or ($b.label | type) != "object" then refuse(error_of("ExInvalidParam"; "Липсва товарителница."; ["label"]; [])) else $b.label as $l | ($b.mode // "create") as $mode
  | (first($l | faults) // null) as $fault
  | if $mode | one_of(["validate", "calculate", "create", "calculate_with_block"]) | not then refuse(error_of("ExInvalidParam"; "Невалиден режим."; ["mode"]; []))
    elif $fault != null then refuse($fault)
    else ($l | price) as $lines | label_answer($l; $lines) as $answered
      | if $mode == "create" then create($l; $answered; $lines) else answer(200; {label: (if $mode == "validate" then $answered + {totalPrice: null} else $answered end), blockingPaymentURL: null, courierRequestID: null}) end end end;

# --- what is told of it later
def status_of($now): . as $label | happened($now) as $seen | $seen[-1] as $last | (first($seen[] | select(.t == "client")) // null) as $delivered | ($label.cash != null) as $cash
  | .answer + {shipmentNumber: .number, createdTime: .born, sendTime: ([$seen[] | select(.t | one_of(["prepared", "canceled"]) | not)][0].ms), deliveryTime: $delivered.ms, senderDeliveryType: (if ($label.label.senderOfficeCode | text) == null then "door" else "office" end), senderOfficeCode: ($label.label.senderOfficeCode | text), receiverDeliveryType: (if ($label.label.receiverOfficeCode | text) == null then "door" else "office" end), receiverOfficeCode: ($label.label.receiverOfficeCode | text),
     deliveryAttemptCount: ([$seen[] | select(.t == "first_try")] | length), lastProcessedInstruction: (if any($seen[]; .t == "is_returning_to_sender") then "return" else null end), storageOfficeName: $last.office,
     shortDeliveryStatus: $last.bg, shortDeliveryStatusEn: $last.en,
     trackingEvents: [$seen[] | {isReceipt: false, destinationType: .t, destinationDetails: .bg, destinationDetailsEn: .en, officeName: .office, officeNameEn: (.office | transliterate), cityName: .city, cityNameEn: (.city | transliterate), countryCode: (if .city == null then "" else "BGR" end), officeCode: .code, time: .ms}]}
  + (if $cash and $delivered != null then {cdCollectedAmount: ($label.cash | number_of), cdCollectedCurrency: "EUR", cdCollectedTime: $delivered.ms} else {} end)
  + (if $cash and $delivered != null and $label.paid <= $now then {cdPaidAmount: ($label.cash | number_of), cdPaidCurrency: "EUR", cdPaidTime: $label.paid} else {} end);
def unknown_number($n): error_of("ExNotFound"; "Не е намерена пратка с номер \($n)."; []; []);
def get_statuses: now_ms as $now | .state.labels as $labels | answer(200; {shipmentStatuses: [.request.body.shipmentNumbers | list[] | text // "" | . as $n | $labels[$n] | if . == null then {status: null, error: unknown_number($n)} else {status: status_of($now), error: null} end]});
def delete_labels: now_ms as $now | reduce (.request.body.shipmentNumbers | list[] | text // "") as $n (. + {results: []}; .state.labels[$n] as $label
    | (if $label == null then unknown_number($n) elif $label.deleted != null then error_of("ExInvalidParam"; "Пратката вече е изтрита."; []; [])
       elif $label | accepted($now) then error_of("ExInvalidParam"; "Пратката е приета от Еконт и не може да бъде изтрита."; []; []) else null end) as $error
    | .results = .results + [{shipmentNum: $n, error: $error}]
    | if $error != null then . else .state.labels = .state.labels + {($n): ($label + {deleted: $now, events: [($label | happened($now))[], {at: 0, ms: $now, t: "canceled", bg: "Анулирана преди изпращане", en: "Cancelled before sending"}]})} end)
  | .results as $results | answer(200; {results: $results});
def get_profiles: answer(200; {profiles: [{client: {id: 1, name: "Simulated Ltd", nameEn: "Simulated Ltd", phones: ["+359880000000"], email: "sender@example.com", clientNumber: "SIM1001", juridicalEntity: true}, addresses: [], cdPayOptions: [{num: "CD100001", method: "bank", moneyTransfer: false, express: false}], instructionTemplates: []}]});

# --- the file: one page with the number as an interleaved 2 of 5 barcode that scanners read
def digit_bars: ["nnwwn", "wnnnw", "nwnnw", "wwnnn", "nnwnw", "wnwnn", "nwwnn", "nnnww", "wnnwn", "nwnwn"];
def bars($number): ("0" + $number | split("")) as $d | "nnnn" + ([range(0; 14; 2) | digit_bars[$d[.] | tonumber] as $a | digit_bars[$d[. + 1] | tonumber] as $b | range(5) | $a[.:. + 1] + $b[.:. + 1]] | join("")) + "wnn";
def drawn($number): reduce (bars($number) | split("") | to_entries[]) as $bar ({x: 24, out: ""}; (if $bar.value == "w" then 4 else 2 end) as $w | (if $bar.key % 2 == 0 then .out = .out + "\(.x) 150 \($w) 60 re f\n" else . end) | .x = .x + $w) | .out;
def shown: transliterate // "" | gsub("[()\\\\]"; " ") | .[:48];
def line($y; $size; $text): "BT /F1 \($size) Tf 20 \($y) Td (\($text | shown)) Tj ET\n";
def pdf: . as $label | .label as $l | ("ECONT (simulated)" as $title | line(228; 12; $title) + drawn(.number) + line(136; 12; .number) + line(112; 9; "From: \($l.senderClient.name // "")") + line(96; 10; "To: \($l.receiverClient.name // "")")
    + line(80; 9; (if ($l.receiverOfficeCode | text) != null then "Office \($l.receiverOfficeCode)" else "\($l.receiverAddress.city.postCode // "") \($l.receiverAddress.city.name // "")" end)) + line(64; 9; "Ref: \(.order)") + line(48; 9; "Parcels: \($l.packCount), \($l.weight) kg")
    + (if $label.cash == null then "" else line(32; 10; "COD \($label.cash) EUR") end)) as $page
  | ["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>", "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 283 255] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>", "<< /Length \($page | length) >>\nstream\n\($page)endstream", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
  | reduce to_entries[] as $o ({text: "%PDF-1.4\n", at: []}; .at = .at + [.text | length] | .text = .text + "\($o.key + 1) 0 obj\n\($o.value)\nendobj\n")
  | (.text | length) as $xref | .text + "xref\n0 6\n0000000000 65535 f \n" + ([.at[] | ("0000000000\(.)" | .[-10:]) + " 00000 n \n"] | join("")) + "trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n\($xref)\n%%EOF\n";
def print_loading: .request.query as $q | .state.labels[$q.loading_num // ""] as $label
  | if $label == null or $q._key != ($label.number | .[-6:]) then .response = {status: 404, headers: {"content-type": "text/html; charset=utf-8"}, body: "<html><body>Not found</body></html>"}
    else ($label | pdf) as $file | .response = {status: 200, headers: {"content-type": "application/pdf"}, body: $file} end;

# --- for tests and demos
def counts: .state as $s | answer(200; {labels: ($s.labels | length), made: $s.made, deleted: [$s.labels[] | select(.deleted != null) | .number]});
# What the courier's own books say, whatever it told us: which labels it made, and the cash that it took at the door.
def books: now_ms as $now | answer(200; {tells_cash: true, labels: [.state.labels[] | {tracking_number: .number, reference: .order, void: (.deleted != null),
  collected: (if .cash != null and any(happened($now)[]; .t == "client") then .cash else null end)}]});
def with_label(f): .request.params.number as $n | if .state.labels[$n] == null then answer(404; {error: "no such label"}) else f end;
# What lies ahead is dropped, this happens now.
def move: now_ms as $now | .request.params as $p | with_label(.state.labels[$p.number] as $label | {client: ["Доставена", "Delivered"], is_returning_to_sender: ["Връщане на пратката", "Is returning to sender"], returned_to_sender: ["Върната и доставена към подател", "Returned to sender"], in_pickup_courier: ["Приета от куриер", "In pick up courier"], failed_delivery: ["Получателят отказва пратката", "Failed delivery"], destroy: ["Унищожена", "Destroyed"]}[$p.event] as $words
  | if $words == null then answer(400; {error: "client, is_returning_to_sender, returned_to_sender, in_pickup_courier, failed_delivery or destroy"})
    else ($label + {events: [($label | happened($now))[], {at: 0, ms: $now, t: $p.event, bg: $words[0], en: $words[1]}], paid: (if $p.event == "client" then $now + ms(2880) else $label.paid end)}) as $moved
      | .state.labels = .state.labels + {($p.number): $moved} | answer(200; $moved | status_of($now)) end);
# The warehouse hands it over: its life begins.
def hand_over: now_ms as $now | .request.params.number as $n | with_label(.state.labels[$n] as $label
  | if $label.deleted != null or ($label | accepted($now)) then answer(409; {error: "deleted, or on its way"})
    else ($label + {events: [$label.events[:1][], begun($label.life[1:]; $now)[]], paid: ($now + ms(1680 + 2880))}) as $moved | .state.labels = .state.labels + {($n): $moved} | answer(200; {number: $n}) end);
