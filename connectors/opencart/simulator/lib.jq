# A shop with our extension, as the gateway sees it. State: {next, made, orders, changed (UTC, by order id), hooks (by store id), stock (by
# product id), commands (order id by idempotency key)}. A step takes the whole input and gives it back changed; `.hooks` collects what is
# to be sent, `.response` the answer.

def one_from($list): . as $x | any($list[]; . == $x);
def site_time: .now | time_text("%Y-%m-%dT%H:%M:%S%:z"; "Europe/Riga");
def done: {state, response: (.response // {status: 200, body: {}}), webhooks: (.hooks // [])};
def failure($status; $code; $message): {status: $status, body: {error: {code: $code, message: $message}}};
def answer($body): .response = {status: 200, body: $body};
def refuse($status; $code; $message): .response = failure($status; $code; $message);
def keep($what; $key; $value): .state = .state + {($what): (.state[$what] + {($key): $value})};
def statuses: {"1": "Pending", "2": "Processing", "3": "Shipped", "5": "Complete", "7": "Canceled", "8": "Denied", "9": "Canceled Reversal", "10": "Failed",
  "11": "Refunded", "12": "Reversed", "13": "Chargeback", "14": "Expired", "15": "Processed", "16": "Voided", "21": "Handed over"};
# As a new shop has them.
def set: if one_from(["3", "5"]) then "complete" elif one_from(["1", "2", "12"]) then "processing" else "" end;
def tell($event; $order): site_time as $at | .hooks = (.hooks // []) + [{topic: $event, body: {event: $event, sent_at: $at, order: $order}}];
# Stores an order as changed now and tells it; an unfinished checkout is told to nobody.
def store($order): site_time as $at | ($order.order_id) as $id | .now as $now | ($order + {date_modified: $at, status_set: ($order.order_status_id | set), order_status: statuses[$order.order_status_id]}) as $order
  | keep("orders"; $id; $order) | keep("changed"; $id; $now) | if $order.order_status_id == "0" then . else tell("order.updated"; $order) end;
def moved($order; $by): reduce $order.products[] as $p (.; keep("stock"; $p.product_id; (.state.stock[$p.product_id] // 0) + $by * ($p.quantity | tonumber)));
# Sets a status as OpenCart does: goods leave the stock on entering the sets and come back on leaving them.
def set_status($id; $to): .state.orders[$id] as $order | site_time as $at | ($order.order_status_id | set) as $was | ($to | set) as $is
  | (if $was == "" and $is != "" then moved($order; -1) elif $was != "" and $is == "" then moved($order; 1) else . end)
  | store($order + {order_status_id: $to, histories: ($order.histories + [{order_status_id: $to, date_added: $at}])});

# --- calls
def ping: site_time as $at | .state.hooks as $hooks | answer({extension: "1.0.0", opencart: (if (.options.version | tostring) == "4" then "4.1.0.4" else "3.0.5.1" end), php: "8.2.36", now: $at, timezone: "Europe/Riga", currency: "EUR",
  stores: [{store_id: "0", name: "Simulated shop"}], statuses: [statuses | to_entries[] | {order_status_id: .key, name: .value, set: (.key | set)}],
  hooks: [$hooks | to_entries[] | {store_id: .key, url: .value.url}], waiting: 0});
def orders: .request.query as $q | ($q.modified_from // "" | if . == "" then "" else (try time("iso_local"; "UTC") catch "") end) as $from | ($q.after_id // "0" | tonumber) as $after
  | ($q.limit // "100" | tonumber | if . < 1 then 1 elif . > 100 then 100 else . end) as $limit | .state.changed as $changed
  | [.state.orders[] | select(.order_status_id != "0" and ($q.store_id == null or .store_id == $q.store_id)) | {at: $changed[.order_id], id: (.order_id | tonumber), order: .}
     | select(.at > $from or (.at == $from and .id > $after))] | sort_by([.at, .id]) as $found | ($found[:$limit]) as $page
  | {orders: [$page[].order], next: (if ($found | length) > $limit then {modified_from: $page[-1].at, after_id: $page[-1].id} else null end)};
def orders_page: orders as $page | answer($page);
def order_get: .state.orders[.request.query.order_id // ""] as $order | if $order == null then refuse(404; "order_missing"; "no such order") else answer($order) end;
def history: .request.body as $b | ($b.order_id // "" | tostring) as $id | .state.orders[$id] as $order | ($b.idempotency_key // "") as $key
  | ($b.order_status_id // "" | tostring | if . == "" then $order.order_status_id else . end) as $to
  | if $key == "" or ($key | length) > 100 then refuse(422; "idempotency_key_invalid"; "idempotency_key has 1 to 100 characters")
    elif $order == null then refuse(404; "order_missing"; "no such order")
    elif statuses[$to] == null then refuse(422; "status_unknown"; "the shop has no such order status")
    elif .state.commands[$key] != null then answer({order_id: $id, order_status_id: $order.order_status_id, repeated: true})
    elif ($order.order_status_id | set) != "" and ($to | set) == "" and ($b.allow_restock == true | not) then
      refuse(422; "would_restock"; "the status is in neither the processing nor the complete set: OpenCart would put the goods back in stock")
    else keep("commands"; $key; {order_id: $id, order_status_id: $to, comment: ($b.comment // ""), notify: ($b.notify == true)}) | set_status($id; $to)
      | answer({order_id: $id, order_status_id: $to, repeated: false}) end;
def goods: [{id: "71", n: "Krūze &amp; apakštase", m: "MUG", sku: "MUG-1", p: "8.1818", w: "420"}, {id: "72", n: "T-krekls, M, zils", m: "TEE-M", sku: "TEE-M-BLU", p: "16.1157", w: "180"},
  {id: "73", n: "Ελαιόλαδο 1 λ", m: "OIL-1L", sku: "OIL-1L", p: "10.2479", w: "1050"}, {id: "74", n: "Rupjmaize 400 g", m: "BREAD-400", sku: "", p: "2.3554", w: "410"},
  {id: "75", n: "Розово масло 5 мл", m: "ROSE-5", sku: "ROSE-5", p: "28.8430", w: "60"}, {id: "76", n: "Lebkuchen, 6 Stück", m: "LEBK", sku: "LEBK-6", p: "5.3636", w: "300"}];
def stock_row($row): [goods[] | select(.id == $row.product_id or ($row.product_id == null and (.sku == $row.sku or .sku == "" and .m == $row.sku))) | .id] as $ids
  | ($row | {sku, product_id} | with_entries(select(.value != null)))
  + if ($row.quantity | type) != "number" or ($row.quantity | floor) != $row.quantity then {error: {code: "quantity_invalid", message: "OpenCart counts whole pieces"}}
    elif $ids == [] then {error: {code: "product_missing", message: "no product has this SKU"}} else {product_id: $ids[0], quantity: $row.quantity} end;
def stock: .request.body.levels as $levels | if ($levels | type) != "array" or ($levels | length) > 500 then refuse(422; "levels_invalid"; "levels is a list of at most 500")
  else [$levels[] | . as $row | stock_row($row)] as $results | reduce ($results[] | select(.error == null)) as $r (.; keep("stock"; $r.product_id; $r.quantity)) | answer({results: $results}) end;
def hook: .request.body as $b | ($b.store_id // "-1" | tostring) as $store | ($b.url // "") as $url
  | if $url != "" and (($url | test("^https?://") | not) or ($b.secret // "" | length) < 8) then refuse(422; "hook_invalid"; "url is an http(s) address, secret has 8 to 255 characters")
    elif $url == "" then .state.hooks |= del(.[$store]) | answer({store_id: $store, url: ""})
    else keep("hooks"; $store; {url: $url, secret: $b.secret}) | answer({store_id: $store, url: $url}) end;

# --- made orders: the same seed gives the same shop
def people: [{f: "Jānis", l: "Bērziņš", a: "Brīvības iela 41-7", c: "Rīga", z: "LV-1010", k: "LV", n: "Latvia", p: "+371 21234567", g: "lv-lv", cur: "EUR", v: "1.00000000", d: "2"},
  {f: "Μαρία", l: "Παπαδοπούλου", a: "Ερμού 18", c: "Αθήνα", z: "105 63", k: "GR", n: "Greece", p: "6912345678", g: "el-gr", cur: "EUR", v: "1.00000000", d: "2"},
  {f: "Георги", l: "Димитров", a: "бул. Витоша 89, ет. 3", c: "София", z: "1408", k: "BG", n: "Bulgaria", p: "0881234567", g: "bg-bg", cur: "EUR", v: "1.00000000", d: "2"},
  {f: "Łukasz", l: "Wójcik", a: "ul. Długa 5/12", c: "Gdańsk", z: "80-827", k: "PL", n: "Poland", p: "+48 512 345 678", g: "pl-pl", cur: "PLN", v: "4.28150000", d: "2"},
  {f: "Réka", l: "Szűcs", a: "Váci út 76.", c: "Budapest", z: "1133", k: "HU", n: "Hungary", p: "+36 30 123 4567", g: "hu-hu", cur: "HUF", v: "391.50000000", d: "0"},
  {f: "Līga", l: "O&#039;Konora", a: "&quot;Kalnāji&quot;, Ķeipenes pagasts", c: "Ogres novads", z: "LV-5062", k: "LV", n: "Latvia", p: "29123456", g: "lv-lv", cur: "EUR", v: "1.00000000", d: "2"}];
def random($salt): (.seed % 100003 * 7919 + .state.made * 104729 + $salt * 1299709) as $x | ($x * $x + $x) % 1000003 | if . < 0 then 0 - . else . end;
def pick($list; $salt): $list[random($salt) % ($list | length)];
def prefixed($prefix; $person): $person | with_entries(.key = "\($prefix)_\(.key)");
def method($version; $kind; $code; $name): if $version == "4" then {"\($kind)_method": {code: (if $kind == "payment" then "\($code).\($code)" else $code end), name: $name}} else {"\($kind)_method": $name, "\($kind)_code": $code} end;
def make: .state.made = .state.made + 1 | .state.next = .state.next + 1 | "\(.state.next)" as $id | site_time as $at | (.options.version // "3" | tostring) as $version
  | pick(people; 1) as $who | pick(["cod", "cod", "stripe", "bank_transfer"]; 2) as $pay | (1 + random(3) % 3) as $n | random(4) as $r4 | random(5) as $r5 | ($who.k == "LV" and $r5 % 2 == 0) as $locker
  | [goods | to_entries[] | select((.key + $r4) % 6 < $n) | .key as $i | ((.key + $r5) % 3 + 1 | tostring) as $q | .value | (money_mul(.p; "0.21") | money_round(.; 4)) as $tax
     | {order_product_id: "\($id)\($i)", product_id: .id, name: .n, model: .m, quantity: $q, price: .p, total: money_mul(.p; $q), tax: $tax, reward: "0", sku, ean: "", upc: "", shipping: "1", weight_g: .w, options: []}] as $lines
  | (if $pay == "cod" then [{code: "cod_fee", title: "Maksa par pēcmaksu (COD)", value: "1.6529"}] else [] end) as $fee
  | (if $r4 % 4 == 0 then [{code: "coupon", title: "Kupons (MAIJS)", value: "-1.0000"}] else [] end) as $coupon
  | [{code: "shipping", title: "Piegāde", value: "3.7190"}, $fee[], $coupon[]] as $more | ([$lines[].total] | money_sum) as $sub | money_add($sub; [$more[].value] | money_sum) as $net
  | money_add([$lines[] | money_mul(.tax; .quantity)] | money_sum; money_mul([$more[].value] | money_sum; "0.21")) as $tax | (money_add($net; $tax) | money_round(.; 4)) as $total
  | ({stripe: "2", cod: "1", bank_transfer: "1"}[$pay]) as $status | {firstname: $who.f, lastname: $who.l, company: "", address_1: $who.a, address_2: "", city: $who.c, postcode: $who.z, country: $who.n, zone: "", zone_code: "", iso_code_2: $who.k, custom_field: []} as $person
  | ({order_id: $id, invoice_no: "0", invoice_prefix: "INV-2026-00", store_id: "0", store_name: "Simulated shop", store_url: "http://shop.simulated/", customer_id: "0", customer_group_id: "1", firstname: $who.f, lastname: $who.l,
      email: "customer\($id)@example.com", telephone: $who.p, custom_field: [], comment: (if $r4 % 5 == 0 then "Lūdzu, piezvaniet pirms piegādes" else "" end), total: $total, order_status_id: "0", order_status: null, language_id: "1", language_code: $who.g,
      currency_id: "3", currency_code: $who.cur, currency_value: $who.v, currency_decimal_place: $who.d, date_added: $at, date_modified: $at, products: $lines, vouchers: [],
      totals: ([{code: "sub_total", title: "Starpsumma", value: $sub}] + $more + [{code: "tax", title: "PVN 21%", value: ($tax | money_round(.; 4))}, {code: "total", title: "Kopā", value: $total}] | to_entries | map(.value + {sort_order: "\(.key + 1)"})), histories: []}
     + prefixed("payment"; $person) + prefixed("shipping"; $person) + method($version; "payment"; $pay; {stripe: "Bankas karte", cod: "Apmaksa saņemot", bank_transfer: "Bankas pārskaitījums"}[$pay])
     + (if $locker then method($version; "shipping"; "omniva_m.terminal_92\($r5 % 90 + 10)"; "Omniva pakomāts") else method($version; "shipping"; "flat.flat"; "Kurjers") end)) as $order
  | keep("orders"; $id; $order) | set_status($id; $status);

# --- what happens to orders by themselves, and on request
def recent($statuses): [([.state.orders[]] | .[-30:])[] | select(.order_status_id | one_from($statuses)) | .order_id];
def one_of($list; $salt): if $list == [] then null else pick($list; $salt) end;
def edit($id; $change): store(.state.orders[$id] + ($change // {shipping_address_2: "c/o neighbour, floor \(.state.made % 9 + 1)", comment: "Please leave it with the neighbour"}));
def deleted($id): .state.orders |= del(.[$id]) | .state.changed |= del(.[$id]) | tell("order.deleted"; {order_id: $id, deleted: true});
def waiting: [.state.orders[] | select(.order_status_id == "1" and ((.payment_code // .payment_method.code) | startswith("bank"))) | .order_id];
def life: .state.made as $n
  | if $n % 5 == 0 then one_of(waiting; 11) as $id | if $id == null then . else set_status($id; "2") end
    elif $n % 7 == 0 then one_of(recent(["1", "2"]); 12) as $id | if $id == null then . else edit($id; null) end
    elif $n % 13 == 0 then one_of(recent(["1", "2"]); 13) as $id | if $id == null then . else set_status($id; "7") end else . end;
def generate: .request.body as $b | .state.made as $before | .state.next as $first
  | reduce [range(0; 1000)][: ($b.count // 1)][] as $i (.; make | if $b.quiet then . else life end)
  | .state.made as $after | answer({made: ($after - $before), ids: [.state.orders[] | select((.order_id | tonumber) > $first) | .order_id]});
def for_order(f): .request.params.id as $id | if .state.orders[$id] == null then refuse(404; "order_missing"; "no such order") else f | .state.orders[$id] as $order | answer($order) end;
