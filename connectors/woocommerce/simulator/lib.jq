# WooCommerce as its callers see it. State: {next, made, orders, refunds, notes, trackings, fulfillments, webhooks}, each by order
# id. A step takes the whole input and gives it back changed; `.hooks` collects what is to be sent, `.response` the answer.

def one_from($list): . as $x | any($list[]; . == $x);
def gmt: .now[:19];
def site_time: .now | time_text("%Y-%m-%dT%H:%M:%S"; "Europe/Riga");
def done: {state, response: (.response // {status: 200}), webhooks: (.hooks // [])};
def wc_error($status; $code; $message): {status: $status, body: {code: $code, message: $message, data: {status: $status}}};
def answer($status; $body): .response = {status: $status, body: $body};
def refuse($status; $code; $message): .response = wc_error($status; $code; $message);
def known($id): .state.orders[$id];
def for_order(f): .request.params.id as $id | if known($id) == null then refuse(404; "woocommerce_rest_shop_order_invalid_id"; "Invalid ID.") else f end;
def kept($what; $id): .state[$what][$id] // [];
def keep($what; $id; $value): .state = .state + {($what): (.state[$what] + {($id): $value})};
def fresh: .state.next = .state.next + 1;
def hook($topic; $body): .hooks = (.hooks // []) + [{topic: $topic, body: $body}];
# Stores an order as changed now and tells it.
def store($topic; $order): gmt as $gmt | site_time as $site | ($order + {date_modified: $site, date_modified_gmt: $gmt}) as $order
  | keep("orders"; $order.id | tostring; $order) | hook($topic; $order);
def fields: (.request.query._fields // "") as $fields | if $fields == "" then . else
  ($fields | split(",")) as $names | .response.body |= (if type == "array" then map(with_entries(select(.key | one_from($names)))) else with_entries(select(.key | one_from($names))) end) end;

# --- calls
def page($all): .request.query as $q | ($q.per_page // "10" | tonumber) as $size | ($q.page // "1" | tonumber) as $page | ($all | length) as $count
  | if $size < 1 or $size > 100 then .response = {status: 400, body: {code: "rest_invalid_param", message: "Invalid parameter(s): per_page",
      data: {status: 400, params: {per_page: "per_page must be between 1 (inclusive) and 100 (inclusive)"}}}}
    else ((($count + $size - 1) / $size) | floor) as $pages | .request.url as $url
    | .response = {status: 200, body: $all[($page - 1) * $size : $page * $size],
        headers: ({"X-WP-Total": "\($count)", "X-WP-TotalPages": "\($pages)"} + if $page < $pages then {Link: "<\($url)?page=\($page + 1)>; rel=\"next\""} else {} end)} end;
def bound($name): .request.query[$name] // null | if . == null then null else .[:19] end;
def orders_list: .request.query as $q | bound("modified_after") as $after | bound("modified_before") as $before | bound("after") as $made_after | bound("before") as $made_before
  | ($q.status // "any" | split(",")) as $statuses | [($q.include // "") | split(",")[] | select(. != "")] as $include
  | [.state.orders[] | select(($after == null or .date_modified_gmt > $after) and ($before == null or .date_modified_gmt < $before)
      and ($made_after == null or .date_created_gmt > $made_after) and ($made_before == null or .date_created_gmt < $made_before)
      and ($include == [] or (.id | tostring | one_from($include)))
      and (if $statuses == ["any"] then .status | one_from(["trash", "checkout-draft", "auto-draft"]) | not else .status | one_from($statuses) end))]
  | sort_by(if $q.orderby == "modified" then [.date_modified_gmt, .id] elif $q.orderby == "id" then [.id] else [.date_created_gmt, .id] end)
  | (if ($q.order // "desc") == "desc" then reverse else . end) as $found | $found;
def orders_page: orders_list as $found | page($found) | fields;
def status_change($order; $to): gmt as $gmt | site_time as $site
  | $order + {status: $to} + (if ($to == "completed") and $order.date_completed_gmt == null then {date_completed: $site, date_completed_gmt: $gmt} else {} end)
  + (if ($to | one_from(["processing", "completed"])) and $order.date_paid_gmt == null and ($order.payment_method != "cod" or $to == "completed") then {date_paid: $site, date_paid_gmt: $gmt} else {} end);
def order_put: for_order(.request.params.id as $id | .request.body as $body | known($id) as $old
  | ($body.status // $old.status) as $status
  | if $status | one_from(["pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed", "trash"]) | not then
      .response = {status: 400, body: {code: "rest_invalid_param", message: "Invalid parameter(s): status", data: {status: 400, params: {status: "status is not one of the known statuses."}}}}
    else status_change($old; $status) as $new
    | store("order.updated"; $new + ($body | with_entries(select(.key | one_from(["billing", "shipping", "customer_note", "transaction_id", "meta_data"]))))) | answer(200; known($id)) end);
def order_delete: for_order(.request.params.id as $id | known($id) as $old
  | if .request.query.force == "true" then .state.orders |= del(.[$id]) else keep("orders"; $id; $old + {status: "trash"}) end
  | hook("order.deleted"; {id: $old.id}) | answer(200; $old + {status: "trash"}));
def negative: if startswith("-") or (money_cmp(.; "0") == 0) then . else "-" + . end;
# What a refund of these lines ({id, quantity, refund_total, refund_tax?}) and this amount looks like.
def refund($id; $amount; $reason; $lines): known($id) as $order | fresh | .state.next as $rid | gmt as $gmt
  | [$lines[] as $l | $order.line_items[] | select(.id == ($l.id | tonumber)) | {id: ($rid * 1000 + .id), name, product_id, variation_id, quantity: (0 - ($l.quantity // 0)),
      tax_class, subtotal: ($l.refund_total // "0.00" | negative), subtotal_tax: "0.00", total: ($l.refund_total // "0.00" | negative),
      total_tax: ([$l.refund_tax[]?.refund_total] | money_sum | money_round(.; 2) | negative), taxes: [], sku, price,
      meta_data: [{id: ($rid * 1000 + .id), key: "_refunded_item_id", value: "\(.id)"}]}] as $items
  | {id: $rid, date_created: $gmt, date_created_gmt: $gmt, amount: $amount, reason: $reason, refunded_by: 1, refunded_payment: false, meta_data: [], line_items: $items, shipping_lines: [], fee_lines: [], tax_lines: []} as $refund
  | (kept("refunds"; $id) + [$refund]) as $all | keep("refunds"; $id; $all)
  | (money_cmp([$all[].amount] | money_sum; $order.total) >= 0) as $whole
  | store("order.updated"; $order + {refunds: [$all[] | {id, reason, total: "-\(.amount)"}]} + if $whole then {status: "refunded"} else {} end)
  | answer(201; $refund);
def refund_post: for_order(.request as $r | refund($r.params.id; $r.body.amount; $r.body.reason // ""; $r.body.line_items // []));
def note_post: for_order(fresh | .state.next as $id | gmt as $gmt | .request as $r
  | {id: $id, author: "system", date_created: $gmt, date_created_gmt: $gmt, note: $r.body.note, customer_note: ($r.body.customer_note // false)} as $note
  | keep("notes"; $r.params.id; kept("notes"; $r.params.id) + [$note]) | answer(201; $note));
def notes_get: for_order(.request as $r | kept("notes"; $r.params.id) as $all
  | answer(200; [$all[] | select($r.query.type != "customer" or .customer_note)]));
def tracking_post: for_order(.request as $r | if ($r.body.tracking_number // "") == "" then refuse(400; "rest_missing_callback_param"; "Missing parameter(s): tracking_number") else
  ($r.body | {tracking_id: uuid5("url"; "\($r.params.id)/\(.tracking_number)") | gsub("-"; "")} + {tracking_provider: (.tracking_provider // .custom_tracking_provider // ""),
     tracking_link: (.custom_tracking_link // ""), tracking_number, date_shipped: (.date_shipped // "")}) as $one
  | keep("trackings"; $r.params.id; kept("trackings"; $r.params.id) + [$one]) | answer(201; $one) end);
def fulfillment_post: for_order(fresh | .state.next as $fid | gmt as $gmt | .request as $r | known($r.params.id) as $order
  | {id: $fid, entity_type: "WC_Order", entity_id: $r.params.id, status: ($r.body.status // "unfulfilled"), is_fulfilled: ($r.body.is_fulfilled // false), date_updated: $gmt, date_deleted: null, meta_data: $r.body.meta_data} as $one
  | keep("fulfillments"; $r.params.id; kept("fulfillments"; $r.params.id) + [$one])
  | ([kept("fulfillments"; $r.params.id)[].meta_data[] | select(.key == "_items") | .value[].qty] | add // 0) as $sent
  | (if $sent >= ([$order.line_items[].quantity] | add // 0) then "fulfilled" else "partially_fulfilled" end) as $word
  | keep("orders"; $r.params.id; $order + {meta_data: ([$order.meta_data[] | select(.key != "_fulfillment_status")] + [{id: $fid, key: "_fulfillment_status", value: $word}])})
  | answer(201; $one));
def public_hook: del(.secret, .failures);
def hook_saved($hook): keep("webhooks"; "\($hook.id)"; $hook)
  # A ping without topic and signature: the webhook stays off unless it is answered with exactly 200.
  | if $hook.status == "active" then .hooks = (.hooks // []) + [{url: $hook.delivery_url, form: {webhook_id: "\($hook.id)"}, target: {id: $hook.id, ping: true}}] else . end;
def hook_post: fresh | .state.next as $id | gmt as $gmt | .request.body as $b
  | if ($b.delivery_url // "" | test("^https?://") | not) then refuse(400; "woocommerce_rest_webhook_invalid_delivery_url"; "Webhook delivery URL must be a valid URL starting with http:// or https://.")
    elif ($b.topic // "" | test("^(order|product|customer|coupon)\\.(created|updated|deleted|restored)$|^action\\.") | not) then refuse(400; "woocommerce_rest_webhook_topic_invalid"; "Webhook topic must be valid.")
    else {id: $id, name: ($b.name // "Webhook"), status: ($b.status // "active"), topic: $b.topic, resource: ($b.topic | split(".")[0]), event: ($b.topic | split(".")[1]), delivery_url: $b.delivery_url,
          secret: ($b.secret // "unset"), failures: 0, date_created_gmt: $gmt, date_modified_gmt: $gmt} as $hook | hook_saved($hook) | answer(201; $hook | public_hook) end;
def hook_put: .request as $r | .state.webhooks[$r.params.id] as $old
  | if $old == null then refuse(404; "woocommerce_rest_shop_webhook_invalid_id"; "Invalid ID.")
    else ($old + ($r.body | with_entries(select(.key | one_from(["name", "status", "topic", "delivery_url", "secret"])))) + {failures: 0}) as $new | hook_saved($new) | answer(200; $new | public_hook) end;
def hook_delete: .request.params.id as $id | .state.webhooks[$id] as $old | .state.webhooks |= del(.[$id]) | answer(200; $old | public_hook);
def targets: .topic as $topic | [.state.webhooks[] | select(.topic == $topic and .status == "active") | {url: .delivery_url, secret, id}];
def hook_headers: (.topic | split(".")) as $parts | {"User-Agent": "WooCommerce/11.0.1 Hookshot (WordPress/7.1)", "X-WC-Webhook-Source": "http://shop.simulated/", "X-WC-Webhook-Topic": .topic,
  "X-WC-Webhook-Resource": $parts[0], "X-WC-Webhook-Event": $parts[1], "X-WC-Webhook-ID": "\(.target.id)",
  # The same for all deliveries of one second, as in the real one.
  "X-WC-Webhook-Delivery-ID": (uuid5("dns"; "\(.target.id)/\(.now)") | gsub("-"; ""))};
def delivered: "\(.target.id)" as $id | .state.webhooks[$id] as $hook | .status as $status
  | if $hook == null then .state elif .target.ping and $status != 200 then keep("webhooks"; $id; $hook + {status: "disabled"}) | .state
    elif $status != null and $status >= 200 and $status < 303 then keep("webhooks"; $id; $hook + {failures: 0}) | .state
    else keep("webhooks"; $id; $hook + {failures: ($hook.failures + 1)} + if $hook.failures + 1 > 5 then {status: "disabled"} else {} end) | .state end;
def index: {name: "Simulated shop", namespaces: ["wc/v1", "wc/v2", "wc/v3"], routes: ({"/wc/v3/orders": {}, "/wc/v3/orders/(?P<id>[\\d]+)": {}, "/wc/v3/orders/(?P<order_id>[\\d]+)/refunds": {}}
  + (if .options.fulfillments then {"/wc/v3/orders/(?P<order_id>[\\d]+)/fulfillments": {}} else {} end)
  + (if .options.shipment_tracking then {"/wc/v2/orders/(?P<order_id>[\\d]+)/shipment-trackings": {}} else {} end))};

# --- made orders: the same seed gives the same shop
def people: [
  {f: "Μαρία", l: "Παπαδοπούλου", a: "Ερμού 18", c: "Αθήνα", z: "105 63", s: "I", k: "GR", p: "+30 6912345678"}, {f: "Jānis", l: "Bērziņš", a: "Brīvības iela 41-7", c: "Rīga", z: "LV-1010", s: "", k: "LV", p: "+371 21234567"},
  {f: "Георги", l: "Димитров", a: "бул. Витоша 89, ет. 3", c: "София", z: "1408", s: "BG-22", k: "BG", p: "0881234567"}, {f: "Jürgen", l: "Weiß", a: "Schloßstraße 12", c: "Köln", z: "50667", s: "DE-NW", k: "DE", p: "01512 3456789"},
  {f: "Νίκος", l: "Γεωργίου", a: "Τσιμισκή 101", c: "Θεσσαλονίκη", z: "546 22", s: "B", k: "GR", p: "6987654321"}, {f: "Līga", l: "Ozoliņa", a: "\"Kalnāji\", Ķeipenes pagasts", c: "Ogres novads", z: "LV-5062", s: "", k: "LV", p: "29123456"},
  {f: "Елена", l: "Стоянова", a: "ж.к. Люлин, бл. 344, вх. Б", c: "Пловдив", z: "4000", s: "BG-16", k: "BG", p: "+359 88 765 4321"}, {f: "Käthe", l: "Müller & Söhne", a: "Am Wörthersee 3", c: "München", z: "80331", s: "DE-BY", k: "DE", p: "+49 89 12345678"}];
def goods: [{id: 11, v: 0, n: "Mug &amp; saucer", sku: "MUG-1", p: 990, m: []}, {id: 12, v: 121, n: "T-shirt - M, Blue", sku: "TEE-M-BLU", p: 1950, m: [["pa_size", "m"], ["pa_color", "blue"]]},
  {id: 12, v: 122, n: "T-shirt - L, Red", sku: "TEE-L-RED", p: 1950, m: [["pa_size", "l"], ["pa_color", "red"]]}, {id: 13, v: 0, n: "Ελαιόλαδο 1 λ", sku: "OIL-1L", p: 1240, m: []}, {id: 14, v: 0, n: "Rupjmaize 400 g", sku: "BREAD-400", p: 285, m: []},
  {id: 15, v: 0, n: "Розово масло 5 мл", sku: "ROSE-5", p: 3490, m: []}, {id: 16, v: 0, n: "Lebkuchen, 6 Stück", sku: "LEBK-6", p: 649, m: []}, {id: 17, v: 0, n: "Gift box", sku: "", p: 1500, m: [["Message", "Daudz laimes!"]]}];
def taxed($cents; $rate): (($cents * $rate + (100 + $rate) / 2) / (100 + $rate) | floor) as $tax | {net: minor_to_major($cents - $tax; 2), tax: minor_to_major($tax; 2), cents: $cents, t: $tax};
def tax_rate: {GR: 24, LV: 21, BG: 20, DE: 19}[.];
def random($salt): (.seed % 100003 * 7919 + .state.made * 104729 + $salt * 1299709) as $x | ($x * $x + $x) % 1000003 | if . < 0 then 0 - . else . end;
def pick($list; $salt): $list[random($salt) % ($list | length)];
def ways($k): {GR: ["stripe", "cod", "bacs"], LV: ["stripe", "cod", "stripe"], BG: ["cod", "cod", "stripe"], DE: ["stripe", "bacs", "stripe"]}[$k];
# The first order is paid on delivery, so that whoever watches sees cash come in.
def make: .state.made = .state.made + 1 | fresh | .state.next as $id | gmt as $gmt | site_time as $site | (if .state.made == 1 then [people[] | select(.k == "BG")][0] else pick(people; 1) end) as $who | ($who.k | tax_rate) as $rate
  | (if .state.made == 1 then "cod" else pick(ways($who.k); 2) end) as $pay | (1 + random(3) % 3) as $n | random(4) as $r4 | (random(5) % 4) as $r5 | (.state.made % 2 == 0 and $who.k == "LV") as $locker
  | [goods | to_entries[] | select((.key + $r4) % 8 < $n) | .value] as $bought
  | [$bought | to_entries[] | (.key + $r5 + 1) as $q | .key as $i | .value | taxed(.p * $q; $rate) as $sum | {id: ($id * 10 + $i), name: .n, product_id: .id, variation_id: .v, quantity: $q, tax_class: "", subtotal: $sum.net, subtotal_tax: $sum.tax,
      total: $sum.net, total_tax: $sum.tax, taxes: [{id: 1, total: $sum.tax, subtotal: $sum.tax}], meta_data: [.m | to_entries[] | {id: ($id * 100 + .key), key: .value[0], value: .value[1], display_key: .value[0], display_value: .value[1]}],
      sku, price: (.p / 100), image: {id: "", src: ""}, parent_name: null, x: $sum}] as $lines
  | taxed(if $locker then 320 else 450 end; $rate) as $ship | taxed(200; $rate) as $fee | (if $pay == "cod" then [$fee] else [] end) as $fees
  | ([$lines[].x, $ship, $fees[]] | {total: (map(.cents) | add), tax: (map(.t) | add)}) as $sum
  | {first_name: $who.f, last_name: $who.l, company: "", address_1: $who.a, address_2: "", city: $who.c, state: $who.s, postcode: $who.z, country: $who.k, phone: $who.p} as $person
  | ({stripe: ["processing", "Card (Stripe)"], cod: ["processing", "Cash on delivery"], bacs: ["on-hold", "Direct bank transfer"]}[$pay]) as $how
  | {id: $id, parent_id: 0, status: $how[0], currency: "EUR", version: "11.0.1", prices_include_tax: true, date_created: $site, date_modified: $site, discount_total: "0.00", discount_tax: "0.00",
     shipping_total: $ship.net, shipping_tax: $ship.tax, cart_tax: minor_to_major($sum.tax - $ship.t; 2), total: minor_to_major($sum.total; 2), total_tax: minor_to_major($sum.tax; 2), customer_id: 0, order_key: "wc_order_made\($id)",
     billing: ($person + {email: "customer\($id)@example.com"}), shipping: $person, payment_method: $pay, payment_method_title: $how[1], transaction_id: "", customer_ip_address: "", customer_user_agent: "", created_via: "checkout", customer_note: (if $r4 % 5 == 0 then "Lūdzu, piezvaniet pirms piegādes" else "" end),
     date_completed: null, date_paid: (if $pay == "stripe" then $site else null end), cart_hash: "", number: "\($id)",
     meta_data: (if $locker then [{id: $id, key: "_omnivalt_terminal_id", value: "92\($r5 + 10)"}] else [] end), line_items: ($lines | map(del(.x))),
     tax_lines: [{id: ($id * 10 + 9), rate_code: "\($who.k)-VAT-1", rate_id: 1, label: "VAT", compound: false, tax_total: minor_to_major($sum.tax - $ship.t; 2), shipping_tax_total: $ship.tax, rate_percent: $rate, meta_data: []}],
     shipping_lines: [{id: ($id * 10 + 7), method_title: (if $locker then "Omniva parcel terminal" else "Courier" end), method_id: (if $locker then "omnivalt" else "flat_rate" end), instance_id: "1", total: $ship.net, total_tax: $ship.tax, taxes: [], meta_data: []}],
     fee_lines: [$fees[] | {id: ($id * 10 + 8), name: "Cash on delivery fee", tax_class: "", tax_status: "taxable", amount: .net, total: .net, total_tax: .tax, taxes: [], meta_data: []}], coupon_lines: [], refunds: [],
     payment_url: "", is_editable: false, needs_payment: false, needs_processing: true, date_created_gmt: $gmt, date_modified_gmt: $gmt, date_completed_gmt: null, date_paid_gmt: (if $pay == "stripe" then $gmt else null end), currency_symbol: "€"}
  as $order | store("order.created"; $order);

# --- what happens to orders by themselves, and on request
def recent($statuses): [([.state.orders[]] | .[-30:])[] | select(.status | one_from($statuses))];
def one_of($list; $salt): if $list == [] then null else pick($list; $salt) end;
def edit($id; $change): known($id) as $old | store("order.updated"; $old + ($change // {shipping: ($old.shipping + {address_2: "c/o neighbour, floor \(.state.made % 9 + 1)"}), customer_note: "Please leave it with the neighbour"}));
def set_status($id; $to): known($id) as $old | status_change($old; $to) as $new | store("order.updated"; $new);
def one_piece($line): money_round(money_div($line.total; "\($line.quantity)"); 2) as $net | money_round(money_div($line.total_tax; "\($line.quantity)"); 2) as $tax
  | {amount: money_add($net; $tax), lines: [{id: $line.id, quantity: 1, refund_total: $net, refund_tax: [{id: 1, refund_total: $tax}]}]};
def refund_piece($id): known($id) as $order | one_piece($order.line_items[0]) as $one | refund($id; $one.amount; "One piece is sold out"; $one.lines);
def life: .state.made as $n
  | if $n % 5 == 0 then one_of(recent(["on-hold"]); 11) as $o | if $o == null then . else set_status("\($o.id)"; "processing") end
    elif $n % 7 == 0 then one_of(recent(["processing", "on-hold"]); 12) as $o | if $o == null then . else edit("\($o.id)"; null) end
    elif $n % 11 == 0 then one_of([recent(["processing"])[] | select(.refunds == [] and .payment_method == "stripe")]; 13) as $o | if $o == null then . else refund_piece("\($o.id)") end
    elif $n % 13 == 0 then one_of(recent(["processing", "on-hold"]); 14) as $o | if $o == null then . else set_status("\($o.id)"; "cancelled") end
    else . end;
def generate: .request.body as $b | .state.made as $before | .state.next as $first
  | reduce [range(0; 1000)][: ($b.count // 1)][] as $i (.; make | if $b.quiet then . else life end)
  | .state.made as $after | answer(201; {made: ($after - $before), ids: [.state.orders[] | select(.id > $first) | .id]});
def act_on(f): for_order(f | .request.params.id as $id | answer(200; known($id)));
