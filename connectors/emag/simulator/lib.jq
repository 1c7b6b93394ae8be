# eMAG's seller API as its callers see it. State: {next, made, orders: {id: order}, awbs: {emag_id: waybill}, stock: {offer: value}}.
# HTTP 200 also for refusals: `isError` tells. Options: ip_blocked (the account's list lacks the caller's address: every call is
# refused with 200), unfinished_every (each so many-th order is incomplete at first; 0).

def one_of($list): . as $x | any($list[]; . == $x);
def text: if type == "number" then tostring elif type == "string" then trim | nonblank else null end;
def done: {state, response: (.response // {status: 200})};
def envelope($error; $messages; $results): {isError: $error, messages: $messages, errors: [], results: $results};
def limits: {"X-RateLimit-Limit-3second": "1", "X-RateLimit-Remaining-3second": "0"};
def ok($results): .response = {status: 200, headers: limits, body: envelope(false; []; $results)};
def refuse($status; $message): .response = {status: $status, headers: limits, body: envelope(true; [$message]; [])};
def guarded(f): if .options.ip_blocked then refuse(200; "Invalid vendor ip") else f end;
def local: .now | time_text("%Y-%m-%d %H:%M:%S"; "Europe/Bucharest");
def body: .request.body | if type == "object" then . else {} end;
def known($id): .state.orders["\($id)"];
def stored($id; $order): local as $now | .state.orders = .state.orders + {"\($id)": ($order + {modified: $now})};

# --- orders
def number_in($name): body[$name] | text;
def found: body as $b | (if ($b.type | text) == "2" then 2 else 3 end) as $type
  | ([$b.status // empty | if type == "array" then .[] else . end | tostring]) as $statuses
  # Filters below `data` are passed over in silence.
  | [.state.orders[] | select(.type == $type and ($b.id == null or (.id | tostring) == ($b.id | tostring)) and ($statuses == [] or (.status | tostring | one_of($statuses)))
      and ($b.modifiedAfter == null or .modified >= $b.modifiedAfter) and ($b.modifiedBefore == null or .modified <= $b.modifiedBefore)
      and ($b.createdAfter == null or .date >= $b.createdAfter) and ($b.createdBefore == null or .date <= $b.createdBefore)
      and ($b.payment_mode_id == null or .payment_mode_id == $b.payment_mode_id) and ($b.is_complete == null or .is_complete == $b.is_complete))]
  | sort_by(.id) | reverse;
def size: [(number_in("itemsPerPage") // "100" | tonumber), 100] | min;
def order_read: found as $all | size as $size | ((number_in("currentPage") // "1" | tonumber) - 1) as $page | ok($all[$page * $size : $page * $size + $size]);
def order_count: found as $all | size as $size | ($all | length) as $n | .response = {status: 200, headers: limits, body: {isError: false, messages: [], results: {noOfItems: $n, noOfPages: (($n + $size - 1) / $size | floor), itemsPerPage: $size}}};
def acknowledge: .request.params.id as $id | known($id) as $order | if $order == null then refuse(200; "Order not found")
  elif $order.type != 3 then refuse(400; "Order cannot be acknowledged.") elif $order.status == 0 then refuse(400; "Order is canceled.")
  elif $order.status != 1 then refuse(400; "Order is already in progress.") else stored($id; $order + {status: 2}) | ok([]) end;
def moves: {"2": [2, 3, 4, 0], "3": [3, 4, 0], "4": [3, 4, 0], "0": [0, 2, 3, 4], "1": [], "5": []};
# What is wrong with an order that is sent back.
def fault($order): known($order.id) as $old | if $old == null then "Order \($order.id) does not exist"
  elif $order.type == null then "type is mandatory" elif ($order.products | type) != "array" or ($order.customer | type) != "object" then "All fields of the order must be sent"
  elif $order.status | one_of(moves["\($old.status)"]) | not then "Order \($order.id) cannot go from status \($old.status) to \($order.status)"
  elif $old.payment_mode_id == 3 and any($order.products[]; . as $p | any($old.products[]; .id == $p.id and .quantity > $p.quantity)) then "Products of orders paid by card cannot be reduced" else null end;
def order_save: (body.data | if type == "array" then . else [] end) as $orders | [. as $in | $orders[] as $o | $in | fault($o) | values] as $faults
  | if $orders == [] then refuse(200; "No data") elif $faults != [] then refuse(200; $faults[0])
    else reduce $orders[] as $o (.; known($o.id) as $old | ($o + {status: ($o.status | tonumber)} | del(.cancellation_reason)) as $new
      | stored($o.id; $old + $new + (if $new.status == 0 then {reason_cancellation: {id: ($o.cancellation_reason // 34), name: "The eMAG Marketplace partner requested the order cancellation"}} else {} end))) | ok([]) end;

# --- waybills
def short($text; $least): ($text | text) == null or ($text | length) < $least or ($text | length) > 255;
def party($p; $who): if ($p | type) != "object" then "\($who) is required" elif short($p.name; 3) then "\($who) name must have between 3 and 255 characters"
  elif $p.phone1 // "" | test("^[+]?[0-9]{8,11}$") | not then "\($who) phone1 must have between 8 and 11 digits"
  elif $p.address_id != null then null elif ($p.locality_id | type) != "number" then "\($who) locality_id is invalid" elif short($p.street; 3) then "\($who) street must have between 3 and 255 characters" else null end;
def awb_fault($d): known($d.order_id) as $order | if $order == null then "Order does not exist or is not yours"
  elif $order.status | one_of([2, 3, 4]) | not then "AWB cannot be issued for an order in status \($order.status)" elif $order.enforced_vendor_courier_accounts == [] then "AWB cannot be issued from Marketplace for this order"
  else party($d.sender; "Sender") // party($d.receiver; "Receiver") // (if $d.receiver.locality_id | tostring != ($order.customer.shipping_locality_id | tostring) then "Receiver locality does not belong to the order" elif $d.is_oversize | one_of([0, 1]) | not then "is_oversize is required" elif ($d.cod | type) != "number" then "cod is required"
    elif ($d.parcel_number // 0) + ($d.envelope_number // 0) <= 0 then "envelope_number and parcel_number cannot be both 0" elif $order.delivery_mode == "pickup" and $d.locker_id != $order.details.locker_id then "locker_id is not the order's" else null end) end;
def padded($n; $width): "000000000\($n)" | .[0 - $width:];
# Every call makes one more: there is no key.
def awb_save: (body.data | if type == "array" then .[0] else . end) as $d | (if ($d | type) != "object" then "No data" else awb_fault($d) end) as $fault
  | if $fault != null then refuse(200; $fault) else .state.next as $n | (($d.parcel_number // 0) + ($d.envelope_number // 0)) as $count | "4EMG\(padded($n % 100000000; 8))" as $number | local as $now
    | [range(0; 1000)][: $count] as $places | [$places[] | {emag_id: ($n + 1 + .), awb_number: $number, awb_barcode: "\($number)\(padded(. + 1; 3))"}] as $awb
    | .state.next = $n + $count + 1 | .state.awbs = .state.awbs + ([$awb[] | . as $a | {key: "\(.emag_id)", value: ($a + {reservation_id: $n, order_id: $d.order_id, cod: $d.cod, receiver: $d.receiver, locker_id: $d.locker_id, observation: $d.observation, weight: $d.weight, count: $count, at: $now})}] | from_entries)
    | known($d.order_id) as $order | stored($d.order_id; $order + {status: 4, finalization_date: $now}) | ok({reservation_id: $n, awb: $awb}) end;
def awb_read: body as $b | ok([.state.awbs[] | select("\(.emag_id)" == "\($b.emag_id)" or "\(.reservation_id)" == "\($b.reservation_id)") | {emag_id, order_id, type: 3, weight, awb: [{emag_id, awb_number, awb_barcode}], status: [{code: "AWB", name: "Issued", description: "AWB issued"}], courier: [{courier_account_id: 5186, courier_name: "SAMEDAY"}]}]);
def shown: transliterate // "" | gsub("[()\\\\]"; " ") | .[:48];
def row($y; $size; $text): "BT /F1 \($size) Tf 20 \($y) Td (\($text | shown)) Tj ET\n";
def pdf: . as $a | (row(228; 12; "eMAG (simulated)") + row(200; 18; .awb_barcode) + row(176; 10; "AWB \(.awb_number)") + row(150; 10; "To: \(.receiver.name)") + row(134; 9; .receiver.street) + (if .locker_id == null then "" else row(118; 9; "Locker \(.locker_id)") end)
    + row(96; 9; "Order \(.order_id)") + row(80; 9; .observation // "") + (if .cod == 0 then "" else row(56; 10; "COD \(.cod)") end)) as $page
  | ["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>", "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 298 420] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>", "<< /Length \($page | length) >>\nstream\n\($page)endstream", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
  | reduce to_entries[] as $o ({text: "%PDF-1.4\n", at: []}; .at = .at + [.text | length] | .text = .text + "\($o.key + 1) 0 obj\n\($o.value)\nendobj\n")
  | (.text | length) as $xref | .text + "xref\n0 6\n0000000000 65535 f \n" + ([.at[] | padded(.; 10) + " 00000 n \n"] | join("")) + "trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n\($xref)\n%%EOF\n";
def zpl: "^XA^CI28^FO40,40^A0N,50^FD\(.awb_barcode)^FS^FO40,120^A0N,30^FD\(.receiver.name | shown)^FS^FO40,170^A0N,30^FD\(.receiver.street | shown)^FS^XZ";
def awb_file: .request.query as $q | .state.awbs[$q.emag_id // ""] as $awb | if $awb == null then refuse(200; "AWB not found")
  elif $q.awb_format == "ZPL" then .response = {status: 200, headers: {"content-type": "text/plain"}, body: ($awb | zpl)}
  else .response = {status: 200, headers: {"content-type": "application/pdf"}, body: ($awb | pdf)} end;

# --- offers, addresses
def offer_save: (body.data | if type == "array" then . else [] end) as $offers | if $offers == [] then refuse(200; "No data") elif ($offers | length) > 50 then refuse(200; "Maximum 50 entities per request")
  elif any($offers[]; (.id | type) != "number" or .id < 1 or .id > 16777215) then refuse(200; "Product id must be an integer between 1 and 16777215")
  else .state.stock = .state.stock + ([$offers[] | {key: "\(.id)", value: .stock[0].value}] | from_entries) | ok([]) end;
def addresses: ok([{address_id: "7001", country_id: 1, country_code: "RO", address_type_id: 1, locality_id: 8801, suburb: "Ilfov", city: "Voluntari", address: "Str. Retururilor nr. 1", zipcode: "077190", quarter: "", floor: "", is_default: true},
  {address_id: "7002", country_id: 1, country_code: "RO", address_type_id: 2, locality_id: 8801, suburb: "Ilfov", city: "Voluntari", address: "Str. Depozitului nr. 3", zipcode: "077190", quarter: "", floor: "", is_default: true}]);
def courier_accounts: ok([{account_id: 5186, account_display_name: "Sameday", courier_account_type: 2, courier_name: "SAMEDAY", courier_account_properties: [0, 2], created: "2024-01-10 10:00:00", status: 1, pickup_country_code: "RO"},
  {account_id: 5187, account_display_name: "Old", courier_account_type: 2, courier_name: "CARGUS", courier_account_properties: [0], created: "2020-01-10 10:00:00", status: 0, pickup_country_code: "RO"}]);

# --- made orders: the same seed gives the same orders
def people: [{n: "Ștefan Ionescu", s: "Str. Lalelelor nr. 12, bl. B2, ap. 7", c: "Cluj-Napoca", r: "Cluj", l: 5301, z: "400001"}, {n: "Ana-Maria Țurcanu", s: "Bd. Unirii nr. 45, et. 3", c: "Iași", r: "Iași", l: 6402, z: ""},
  {n: "Mihai Bălan", s: "Aleea Trandafirilor nr. 3", c: "Sectorul 3", r: "București", l: 43, z: "031234"}, {n: "Ioana Dragomir", s: "Str. Gării nr. 1A", c: "Timișoara", r: "Timiș", l: 9120, z: "300166"}, {n: "Károly Szabó", s: "Str. Kossuth nr. 9", c: "Târgu Mureș", r: "Mureș", l: 7815, z: ""}];
def goods: [{id: 101, n: "Cană ceramică 300 ml", k: "MUG-1", net: 1983, v: "0.2100"}, {id: 102, n: "Tricou bumbac, mărimea M", k: "TEE-M-BLU", net: 4545, v: "0.2100"}, {id: 103, n: "Ulei de măsline 1 l", k: "OIL-1L", net: 3604, v: "0.1100"}, {id: 104, n: "Carte de bucate", k: "BOOK-7", net: 4414, v: "0.1100"}, {id: 105, n: "Apă minerală 6 x 0,5 l", k: "WATER-6", net: 1351, v: "0.1100", sgr: 6}];
def random($salt): (.seed % 100003 * 7919 + .state.made * 104729 + $salt * 1299709) as $x | ($x * $x + $x) % 1000003 | if . < 0 then 0 - . else . end;
def pick($list; $salt): $list[random($salt) % ($list | length)];
def price($cents): minor_to_major($cents; 2) + "00";
def make: .state.made = .state.made + 1 | .state.next = .state.next + 10 | .state.next as $id | local as $now | pick(people; 1) as $who | (1 + random(3) % 3) as $n | random(4) as $r4 | .state.made as $made
  | pick([1, 3, 1, 3, 2]; 2) as $mode | ($made % 3 == 0) as $locker | ($made % 4 == 0) as $voucher | (random(6) % 40 + 9000) as $box | (.options.unfinished_every // 0) as $unfinished
  | [goods | to_entries[] | select((.key + $r4) % 5 < $n) | .value] as $bought
  | [$bought | to_entries[] | .key as $i | .value | {id: ($id + $i), product_id: "\(.id)", mkt_id: (60000000 + .id), name: .n, status: 1, ext_part_number: .k, part_number: .k, part_number_key: "D\(.id)XSIM", currency: "RON", quantity: (1 + ($r4 + $i) % 2), initial_qty: (1 + ($r4 + $i) % 2), storno_qty: 0,
      sale_price: price(.net), original_price: price(.net), vat: .v, retained_amount: 0, reversible_vat_charging: 0, created: $now, modified: $now, details: [], attachments: [], serial_numbers: [], recycle_warranties: (if .sgr == null then [] else [{quantity: .sgr, sale_price: 0.5, vat_rate: 0, product_name: "Taxa SGR plastic", recycle_warranty_voucher_split: []}] end),
      product_voucher_split: (if $voucher and $i == 0 then [{voucher_id: 900, value: -4.1322, vat_value: -0.8678, vat: 0.21, offered_by: "eMAG", voucher_name: "Voucher 5 lei"}] else [] end)}] as $products
  | {id: $id, vendor_name: "Simulated SRL", type: 3, parent_id: null, date: $now, modified: $now, payment_mode: {"1": "RAMBURS", "2": "OP", "3": "CARD"}["\($mode)"], detailed_payment_method: {"1": "RAMBURS", "2": "OP", "3": "CARD_ONLINE"}["\($mode)"], payment_mode_id: $mode, payment_status: (if $mode == 3 then 1 else 0 end),
     delivery_mode: (if $locker then "pickup" else "courier" end), observation: (if $r4 % 5 == 0 then "Vă rog sunați înainte" else null end), status: 1, is_complete: (if $unfinished > 0 and $made % $unfinished == 0 then 0 else 1 end), products: $products, shipping_tax: (if $locker then 9.99 else "19.99" end), shipping_tax_voucher_split: [],
     vouchers: (if $voucher then [{voucher_id: 900, voucher_name: "Voucher 5 lei", status: 1, sale_price: "-4.1322", sale_price_vat: "-0.8678", vat: "0.21", created: $now, modified: $now, issue_date: $now[:10]}] else [] end), proforms: [], attachments: [], cashed_co: null, cashed_cod: 0, cancellation_request: null, reason_cancellation: {id: null, name: null},
     has_editable_products: 1, refunded_amount: "0", refund_status: null, maximum_date_for_shipment: ($now | time("%Y-%m-%d %H:%M:%S"; "Europe/Bucharest") | time_add_s(172800) | time_text("%Y-%m-%d %H:%M:%S"; "Europe/Bucharest")), late_shipment: 0, emag_club: 0, finalization_date: null, weekend_delivery: 0, enforced_vendor_courier_accounts: null,
     details: (if $locker then {locker_id: uuid5("dns"; "locker\($box)"), locker_name: "easybox \($who.c) \($box)", locker_delivery_eligible: 1} else [] end),
     customer: {id: (20000000 + $id % 1000), mkt_id: 1, name: $who.n, company: $who.n, gender: "", phone_1: "07001234\(10 + $r4 % 90)", phone_2: "", phone_3: "", registration_number: "", code: "", email: "\($id)abcdef@emag.example", legal_entity: 0, is_vat_payer: 0, bank: "", iban: "", fax: "", liable_person: "", created: $now, modified: $now,
       billing_name: $who.n, billing_phone: "07001234\(10 + $r4 % 90)", billing_country: "RO", billing_suburb: $who.r, billing_city: $who.c, billing_locality_id: $who.l, billing_street: $who.s, billing_postal_code: $who.z,
       shipping_contact: $who.n, shipping_phone: "07001234\(10 + $r4 % 90)", shipping_country: "RO", shipping_suburb: $who.r, shipping_city: $who.c, shipping_locality_id: "\($who.l)", shipping_street: (if $locker then "\($who.s) [EasyBox #\($box)]" else $who.s end), shipping_postal_code: $who.z}} as $order
  | stored($id; $order);
def generate: (.request.body | if type == "object" then .count else null end // 1) as $count | .state.next as $first | reduce [range(0; 1000)][: $count][] as $i (.; make) | .response = {status: 201, body: {ids: [.state.orders[] | select(.id > $first) | .id]}};
# What the buyer or eMAG does: cancel, request_cancel, pay, complete, lock (no courier account may be used), return.
def happen: .request.params as $p | known($p.id) as $order | {cancel: {status: 0, reason_cancellation: {id: 2, name: "Cancelled by the client"}}, request_cancel: {cancellation_request: "The client asks to cancel"}, pay: {payment_status: 1}, complete: {is_complete: 1}, lock: {enforced_vendor_courier_accounts: []}, return: {status: 5, refund_status: 1}}[$p.what] as $change
  | if $order == null or $change == null then refuse(404; "no such order, or nothing that happens") else stored($p.id; $order + $change) | ok([]) end;
