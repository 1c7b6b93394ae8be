# Russian Post as its callers see it. State: {next, orders: by barcode, made: how many orders by our number, deleted}. A step takes
# the whole input and gives it back changed; `.response` is the answer.

def one_from($list): . as $x | any($list[]; . == $x);
def done: {state, response: (.response // {status: 200})};
def answer($status; $body): .response = {status: $status, body: $body};
def keep($what; $id; $value): .state = .state + {($what): (.state[$what] + {($id): $value})};
def now_ms: .now | time_text("epoch_ms"; "UTC");

# --- orders
# Fourteen digits: an index, a month, a serial, a check digit over odd places thrice and even ones once.
def barcode: "80093011\("00000\(.)"[-5:])" as $n | ($n | split("") | map(tonumber)) as $d | (reduce range(13) as $i (0; . + $d[$i] * (if $i % 2 == 0 then 3 else 1 end))) as $sum | "\($n)\((10 - $sum % 10) % 10)";
def wrong: [(if .["mail-type"] | one_from(["POSTAL_PARCEL", "ONLINE_PARCEL", "ONLINE_COURIER", "EMS", "EMS_OPTIMAL", "EMS_RT", "BUSINESS_COURIER", "BUSINESS_COURIER_ES", "PARCEL_CLASS_1", "ECOM", "ECOM_MARKETPLACE"]) | not then ["ILLEGAL_MAIL_TYPE", "Вид РПО не поддерживается"] else empty end),
  (if .mass | type != "number" or . <= 0 then ["EMPTY_MASS", "Не указан вес отправления"] else empty end),
  (if .["ecom-data"] == null and (.["index-to"] | type) != "number" then ["EMPTY_INDEX_TO", "Почтовый индекс не указан"] else empty end),
  (if .["ecom-data"] == null and .["address-type-to"] == "DEFAULT" and (.["street-to"] // "") == "" then ["EMPTY_STREET_TO", "Не указана улица"] else empty end),
  (if (.["recipient-name"] // "") == "" then ["EMPTY_RECIPIENT_NAME", "Не указан получатель"] else empty end),
  (if .["postoffice-code"] != "109012" then ["ILLEGAL_POSTOFFICE_CODE", "Индекс места приема не найден в списке ОПС"] else empty end),
  (if (.payment // 0) > (.["insr-value"] // 0) then ["ILLEGAL_PAYMENT", "Сумма наложенного платежа больше объявленной ценности"] else empty end)]
  | map({code: .[0], description: .[1]});
def save($order): .state.next as $serial | ($serial | barcode) as $barcode | ($order["order-num"] // "") as $ref | now_ms as $now
  | .state.next = $serial + 1 | keep("made"; $ref; (.state.made[$ref] // 0) + 1)
  | keep("orders"; $barcode; $order + {id: (300000000 + $serial), barcode: $barcode, serial: $serial, bought_ms: $now, "total-rate-wo-vat": 16500, "total-vat": 3300})
  | .saved = .saved + [{barcode: $barcode, "order-num": $ref, "result-id": (300000000 + $serial)}];
def create: .request.body as $b | if ($b | type) != "array" then answer(400; {code: "1002", desc: "Ошибка разбора запроса"}) else . + {saved: [], errors: []}
  | reduce ($b | to_entries[]) as $e (.; ($e.value | wrong) as $wrong | if $wrong == [] then save($e.value) else .errors = .errors + [{"error-codes": $wrong, position: $e.key}] end)
  | answer(200; ({orders: .saved} | with_entries(select(.value != []))) + ({errors: .errors} | with_entries(select(.value != [])))) end;
def told: del(.serial, .bought_ms, .way, .batch);
def search($sent): (.request.query.query // "") as $q | [.state.orders[] | select((.barcode == $q or .["order-num"] == $q) and ((.batch != null) == $sent)) | told] as $found | answer(200; $found);
def delete($sent): (.request.body | if type == "array" then . else [] end) as $ids | .state.orders as $orders
  | [$ids | to_entries[] | .value as $id | select(any($orders[]; .id == $id and ((.batch != null) == $sent)) | not) | {"error-code": "NOT_FOUND", position: .key}] as $errors
  | [$orders[] | select(.id | one_from($ids)) | select((.batch != null) == $sent)] as $gone
  | .state.orders = ($orders | with_entries(select(.value.barcode as $b | any($gone[]; .barcode == $b) | not))) | .state.deleted = .state.deleted + [$gone[].barcode]
  | answer(200; (if $gone == [] then {} else {"result-ids": [$gone[].id]} end) + if $errors == [] then {} else {errors: $errors} end);

# --- addresses: what has an index and a house is read for certain
def clean: [.request.body[]? | (.["original-address"] // "") as $text | ($text | split(", ")) as $parts | first_of($text | capture("(?<i>[0-9]{6})").i) as $index
  | first_of($parts[1:][] | capture("^(?<street>[^0-9]*[^0-9 ,.]+[^0-9]*?)[ ,]*(?<house>[0-9]+[А-Яа-я]?)(?:[-, ]+(?:кв\\.? ?)?(?<room>[0-9]+))?$")) as $place
  | {id, "original-address": $text, "address-type": "DEFAULT"} + if $index == null or $place == null then {"quality-code": "UNDEF_04", "validation-code": "NOT_VALIDATED_HAS_UNPARSED_PARTS"}
    else {index: $index, place: $parts[1], region: (if ($parts | length) > 3 then $parts[1] else $parts[1] end), street: ($place.street | sub("[ ,]+$"; "")), house: $place.house, room: $place.room, "quality-code": "GOOD", "validation-code": "VALIDATED"} end] as $read
  | answer(200; $read);

# --- forms: one small PDF page
def pdf_text: transliterate | gsub("[^ -~]"; "") | gsub("(?<c>[()\\\\])"; "\\\(.c)");
def line($y; $size; $text): "BT /F1 \($size) Tf 20 \($y) Td (\($text | pdf_text)) Tj ET";
def pdf: [line(385; 18; "POCHTA ROSSII (simulated)"), line(362; 11; "\(.["mail-type"])  \(.mass) g"), line(335; 13; .["recipient-name"] // ""), line(318; 11; "\(.["index-to"] // .["ecom-data"]["delivery-point-index"] // "") \(.["place-to"] // "")"),
    line(301; 11; join_text([.["street-to"], .["house-to"], .["room-to"]]; " ") // ""), line(255; 13; if .payment == null then "" else "COD \(minor_to_major(.payment; 2)) RUB" end), line(130; 15; .barcode), line(30; 9; .["order-num"] // "")] | join("\n")
  | . as $content | ["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
      "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 298 420] /Resources << /Font << /F1 4 0 R >> >> /Contents 5 0 R >>", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>", "<< /Length \($content | length) >>\nstream\n\($content)\nendstream"]
  | reduce to_entries[] as {$key, $value} ({body: "%PDF-1.4\n", at: []}; .at = .at + [.body | length] | .body = .body + "\($key + 1) 0 obj\n\($value)\nendobj\n")
  | (.body | length) as $xref | ([.at[] | "\("0000000000\(.)"[-10:]) 00000 n \n"] | join("")) as $entries
  | "\(.body)xref\n0 6\n0000000000 65535 f \n\($entries)trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n\($xref)\n%%EOF\n";
def forms($sent): .request.params.id as $id | ([.state.orders[] | select((.id | tostring) == $id and ((.batch != null) == $sent))][0]) as $order
  | if $order == null then answer(404; {code: "1001", desc: "Заказ не найден"}) else .response = {status: 200, headers: {"content-type": "application/pdf"}, body: ($order | pdf)} end;

# --- a parcel's life: [type, attribute, their names, hours since it was ordered, where]
def way($every): .way // if $every > 0 and .serial % $every == 0 then "back" elif .["mail-type"] | test("EMS|COURIER") then "courier" else "office" end;
def life($every): ("\(.["index-to"] // .["ecom-data"]["delivery-point-index"] // 101000)") as $zip | way($every) as $way
  | [["28", null, "Присвоение идентификатора", "", 0, "109012"], ["1", "2", "Прием", "Партионный", 4, "109012"], ["8", "4", "Обработка", "Покинуло сортировочный центр", 12, "102102"], ["8", "3", "Обработка", "Прибыло в сортировочный центр", 30, "140980"],
     ["8", "2", "Обработка", "Прибыло в место вручения", 44, $zip]]
  + {office: [["8", "10", "Обработка", "Первичное извещение", 45, $zip], ["2", "1", "Вручение", "Вручение адресату", 60, $zip]],
     courier: [["8", "15", "Обработка", "Передано курьеру", 46, $zip], ["2", "1", "Вручение", "Вручение адресату", 50, $zip]],
     back: [["3", "1", "Возврат", "Истек срок хранения", 200, $zip], ["8", "2", "Обработка", "Прибыло в место вручения", 230, "109012"], ["2", "2", "Вручение", "Вручение отправителю", 236, "109012"]]}[$way];
def happened($options; $now): . as $order | ($options.speed // 1) as $speed | [life($options.unclaimed_every // 12)[] | . as [$type, $attr, $name, $text, $hours, $zip]
  | {type: $type, attr: $attr, name: $name, text: $text, zip: $zip, at: ($order.bought_ms + ($hours * 3600000 / $speed | floor))} | select(.at <= $now)];
def moscow: time("epoch_ms") | time_text("%Y-%m-%dT%H:%M:%S%.3f%:z"; "Europe/Moscow");
def record($order; $first): {"ns3:AddressParameters": ({"ns3:OperationAddress": {"ns3:Index": .zip, "ns3:Description": "ОПС \(.zip)"}} + if $first then {"ns3:CountryOper": {"ns3:Id": "643", "ns3:Code2A": "RU"}} else {} end),
  "ns3:FinanceParameters": (if $first then {"ns3:Payment": "\($order.payment // 0)", "ns3:Value": "\($order["insr-value"] // 0)"} else null end),
  "ns3:ItemParameters": (if $first then {"ns3:Barcode": $order.barcode, "ns3:MailType": (if $order["mail-type"] | test("EMS") then {"ns3:Id": "7", "ns3:Name": "Отправление EMS"} else {"ns3:Id": "47", "ns3:Name": "Посылка онлайн"} end), "ns3:Mass": "\($order.mass)"} else null end),
  "ns3:OperationParameters": ({"ns3:OperType": {"ns3:Id": .type, "ns3:Name": .name}} + (if .attr == null then {} else {"ns3:OperAttr": {"ns3:Id": .attr, "ns3:Name": .text}} end) + {"ns3:OperDate": (.at | moscow)})};
def spaces: {"@xmlns:ns3": "http://russianpost.org/operationhistory/data", "@xmlns:ns6": "http://www.russianpost.org/RTM/DataExchangeESPP/Data", "@xmlns:ns7": "http://russianpost.org/operationhistory"};
def envelope($status; $body): .response = {status: $status, headers: {"content-type": "application/soap+xml; charset=utf-8"}, body: ({"S:Envelope": {"@xmlns:S": "http://www.w3.org/2003/05/soap-envelope", "S:Body": $body}} | to_xml)};
def fault($name; $text): envelope(500; {"S:Fault": {"S:Code": {"S:Value": "S:Receiver"}, "S:Reason": {"S:Text": {"@xml:lang": "ru", "#text": $text}}, "S:Detail": {"ns3:\($name)": (spaces + {"#text": $text})}}});
def soap: .options as $options | now_ms as $now | .request.body as $raw | (try ($raw | parse_xml) catch {}) as $xml | ($xml.Envelope.Body // {} | if type == "object" then . else {} end) as $body
  | ($body.getOperationHistory // $body.PostalOrderEventsForMail // {}) as $asked | (($asked.OperationHistoryRequest.Barcode? // $asked.PostalOrderEventsForMailInput["@Barcode"]? // "") | tostring) as $number | .state.orders[$number] as $order
  | if $asked.AuthorizationHeader.login? != "simulatedLogin" or $asked.AuthorizationHeader.password? != "simulatedPassword" then fault("AuthorizationFault"; "Ошибка авторизации")
    elif $body.getOperationHistory != null then
      if $order == null then fault("OperationHistoryFault"; "Отправление не найдено") else ([$order | happened($options; $now)] | .[0]) as $events
        | envelope(200; {"ns7:getOperationHistoryResponse": (spaces + {"ns3:OperationHistoryData": {"ns3:historyRecord": [$events | to_entries[] | .key as $n | .value | record($order; $n == 0)]}})}) end
    else ([$order | objects | happened($options; $now)[]] | map(select(.type == "2" and .attr == "1")) | .[0]) as $handed | (24 * 3600000 / ($options.speed // 1) | floor) as $day
      | envelope(200; {"ns7:PostalOrderEventsForMailResponse": (spaces + {"ns6:PostalOrderEventsForMaiOutput": (if $handed == null or $order.payment == null then null else {PostalOrderEvent: [[$handed.at, "1", "Приём"], [$handed.at + $day, "3", "Оплата"] | . as [$at, $type, $name] | select($at <= $now)
          | {"@Number": "\($order.serial)", "@EventDateTime": ($at | moscow), "@EventType": $type, "@EventName": $name, "@SumPaymentForward": "\($order.payment)", "@CountryEventCode": "RU"}]} end)})}) end;

# --- points: made up, but for the towns
def points: [["101000", "г. Москва", 55.7558, 37.6173], ["190000", "г. Санкт-Петербург", 59.9343, 30.3351], ["630099", "г. Новосибирск", 55.0302, 82.9204], ["620014", "г. Екатеринбург", 56.8380, 60.5973], ["420111", "г. Казань", 55.7961, 49.1064], ["644001", "г. Омск", 54.9885, 73.3242]] as $towns
  | [range(24) as $n | $towns[$n % 6] as [$zip, $town, $lat, $lon] | ($n / 6 | floor) as $row | "\(($zip | tonumber) + $row)" as $index
  | {address: {addressType: "DEFAULT", house: "\(1 + $n * 3)", index: $index, place: $town, region: $town, street: ["ул. Ленина", "ул. Садовая", "пр-кт Мира", "ул. Вокзальная"][$row]}, "brand-name": (if $row == 3 then "Почтомат" else "Почта России" end), "card-payment": ($row != 3), "cash-payment": ($row < 2), closed: false, "temporary-closed": false,
     "delivery-point-index": $index, "delivery-point-type": (if $row == 3 then "PICKUP_POINT" else "DELIVERY_POINT" end), id: (30000 + $n), latitude: "\($lat + $row * 0.01)", longitude: "\($lon + $row * 0.01)", "legal-short-name": "\($town | ltrimstr("г. ") | ascii_upcase) \($index[-2:])",
     "weight-limit": (if $row == 3 then 5 else 15 end), "work-time": ["пн, открыто: 08:00 - 20:00", "вт, открыто: 08:00 - 20:00", "ср, открыто: 08:00 - 20:00", "чт, открыто: 08:00 - 20:00", "пт, открыто: 08:00 - 20:00", "сб, открыто: 09:00 - 18:00", "вс, выходной"]}];

# --- for tests
def counted: .state as $s | .options as $options | now_ms as $now | answer(200; {total: ([$s.made[]] | add // 0), by_reference: $s.made, deleted: $s.deleted,
  labels: [$s.orders[] | {barcode, reference: .["order-num"], payment, batch, last: ([happened($options; $now)[]] | last | "\(.type)/\(.attr)")}]});
def on_order(f): .request.params.barcode as $barcode | .state.orders[$barcode] as $order | if $order == null then answer(404; {error: "no such label"}) else ($order | f) as $new | keep("orders"; $barcode; $new) | answer(200; $new | told) end;
