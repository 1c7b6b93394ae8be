# Magento as its callers see it. State: {next, made, orders, shipments, sources, stock}, by id. A step takes the whole input and
# gives it back changed; `.response` is the answer. Which parts of a bundle go apart stands in `apart`, which is never told.

def clock: "\(.now[:10]) \(.now[11:19])";
def done: {state, response: (.response // {status: 200, body: ""})};
def fault($status; $message; $parameters): {status: $status, body: {message: $message, parameters: $parameters}};
def refuse($status; $message; $parameters): .response = fault($status; $message; $parameters);
def answer($status; $body): .response = {status: $status, headers: {"content-type": "application/json; charset=utf-8"}, body: ($body | if type == "object" or type == "array" then . else tojson end)};
def known($id): .state.orders[$id] | if . == null then null else del(.apart) end;
def for_order(f): .request.params.id as $id | if known($id) == null then refuse(404; "The entity that was requested doesn't exist. Verify the entity and try again."; {}) else f end;
def fresh: .state.next = .state.next + 1;
def keep($what; $id; $value): .state = .state + {($what): (.state[$what] + {($id): $value})};
def store($order): clock as $now | ($order.entity_id | tostring) as $id | .state.orders[$id].apart as $apart | keep("orders"; $id; {apart: $apart} + $order + {updated_at: $now});
def exact: if type == "string" then to_number_exact else . end;
def minus($a; $b): money_sub($a; $b) | exact;

# --- searchCriteria: groups are and-ed, the filters of one or-ed
def groups: [.request.query | to_entries[] | .value as $value | .key
    | capture("^searchCriteria\\[filter_?[gG]roups\\]\\[(?<group>[0-9]+)\\]\\[filters\\]\\[(?<filter>[0-9]+)\\]\\[(?<part>field|value|condition_?[tT]ype)\\]$") | . + {value: $value}]
  | group_by(.group) | map(group_by(.filter) | map([.[] | {key: (if .part | startswith("cond") then "type" else .part end), value}] | from_entries));
def compared($value): if type == "number" then [., ($value | tonumber)] else [(. // "" | tostring), $value] end;
def fits($filter): .[$filter.field] as $x | ($filter.type // "eq") as $type | ($filter.value // "") as $value
  | if $type == "eq" then ($x | tostring) == $value elif $type == "neq" then ($x | tostring) != $value
    elif $type == "in" then ($value | split(",")) as $all | any($all[]; . == ($x | tostring)) elif $type == "nin" then ($value | split(",")) as $all | all($all[]; . != ($x | tostring))
    elif $type == "null" then $x == null elif $type == "notnull" then $x != null
    else ($x | compared($value)) as [$a, $b] | if $type == "gteq" or $type == "from" then $a >= $b elif $type == "gt" then $a > $b elif $type == "lteq" or $type == "to" then $a <= $b elif $type == "lt" then $a < $b else false end end;
def sorts: [.request.query | to_entries[] | .value as $value | .key | capture("^searchCriteria\\[sort_?[oO]rders\\]\\[(?<n>[0-9]+)\\]\\[(?<part>field|direction)\\]$") | . + {value: $value}]
  | group_by(.n) | map([.[] | {key: .part, value}] | from_entries);
def fields: (.request.query.fields // "" | gsub("\\[[^\\]]*\\]"; "") | split(",") | map(select(. != ""))) as $names
  | if $names == [] then . else .response.body |= with_entries(select(.key as $k | any($names[]; . == $k))) end;
# A page past the end is the last page again.
def listed($all): . as $in | groups as $groups | sorts as $sorts | .request.query as $q | ($q["searchCriteria[currentPage]"] // $q["searchCriteria[current_page]"] // "1" | tonumber) as $asked
  | [$all[] | del(.apart) | . as $one | select(all($groups[]; . as $group | any($group[]; . as $f | $one | fits($f))))]
  | reduce ($sorts | reverse)[] as $sort (.; sort_by(.[$sort.field]) | if ($sort.direction // "ASC" | ascii_upcase) == "DESC" then reverse else . end)
  | . as $found | length as $count | ($q["searchCriteria[pageSize]"] // $q["searchCriteria[page_size]"] // "0" | tonumber) as $size
  | (if $size > 0 then (($count + $size - 1) / $size | floor) else 1 end) as $pages | (if $asked > $pages and $pages > 0 then $pages else $asked end) as $page
  | {items: (if $size > 0 then $found[($page - 1) * $size : $page * $size] else $found end), search_criteria: {filter_groups: [$groups[] | {filters: [.[] | {field, value, condition_type: (.type // "eq")}]}], page_size: $size, current_page: $asked}, total_count: $count}
  | . as $body | $in | answer(200; $body) | fields;

# --- what callers change
def settled: . as $o | (all($o.items[]; .is_virtual == 1 or .parent_item_id != null or .qty_shipped + .qty_canceled + .qty_refunded >= .qty_ordered)) as $sent
  | if $o.total_due == 0 and $sent then . + {state: "complete", status: "complete"} elif $o.state == "new" then . + {state: "processing", status: "processing"} else . end;
def cancel: .request.params.id as $id | known($id) as $o
  | if ($o.state == "new" or $o.state == "processing" or $o.state == "pending_payment" or $o.state == "holded") and ($o.total_paid // 0) == 0 and all($o.items[]; .qty_shipped == 0)
    then store($o + {state: "canceled", status: "canceled", total_canceled: $o.grand_total, items: [$o.items[] | . + {qty_canceled: .qty_ordered}]}) | answer(200; true) else answer(200; false) end;
def comment: .request as $r | known($r.params.id) as $o | clock as $now | fresh | .state.next as $n
  | if ($r.body.statusHistory.comment // "") == "" then refuse(400; "\"%fieldName\" is required. Enter and try again."; {fieldName: "statusHistory"})
    else store($o + {status_histories: ([$r.body.statusHistory + {created_at: $now, entity_id: $n, parent_id: $o.entity_id, status: $o.status}] + $o.status_histories)}) | answer(200; true) end;
def invoice: .request.params.id as $id | known($id) as $o | fresh | .state.next as $n
  | if $o.total_due == 0 or $o.state == "canceled" or $o.state == "closed" then refuse(400; "Invoice Document Validation Error(s):\nAn invoice cannot be created when an order has a status of \($o.status)"; {})
    else store($o + {total_paid: $o.grand_total, total_due: 0, items: [$o.items[] | . + {qty_invoiced: (.qty_ordered - .qty_canceled)}]} | settled) | answer(200; "\($n)") end;
def refund_piece: .request.params.id as $id | known($id) as $o | $o.items[0] as $first
  | ([$o.items[] | if .item_id == $first.item_id or .parent_item_id == $first.item_id then . + {qty_refunded: (.qty_refunded + 1)} else . end]) as $items
  | (all($items[] | select(.parent_item_id == null); .qty_refunded >= .qty_ordered)) as $whole
  | store($o + {items: $items, total_refunded: (if $whole then $o.grand_total else ($o.total_refunded // 0) + $first.price end)} + if $whole then {state: "closed", status: "closed"} else {} end) | answer(200; true);

# A shipment takes the rows that are asked for, all that are left when none is. Of a configurable the parent is asked for. Of a bundle
# the parent where all goes together (its parts are passed over), the parts where they go apart (the parent is passed over).
def parent_of($o): .parent_item_id as $of | [$o.items[] | select(.item_id == $of)][0];
def taken($o; $apart; $asked): [$o.items[] | select(.is_virtual != 1) | . as $row | parent_of($o) as $parent
  | (if .product_type == "bundle" then $apart elif $parent == null then false elif $parent.product_type == "bundle" then $apart | not else true end) as $passed
  | (if $passed and $parent != null then $parent.item_id else .item_id end) as $by | [$asked[] | select((.order_item_id | tostring) == ($by | tostring)) | .qty][0] as $qty
  | (.qty_ordered - .qty_shipped - .qty_canceled - .qty_refunded) as $left
  | {item_id, passed: $passed, left: $left, qty: (if $passed and $parent == null then 0 elif $asked == [] then $left elif $qty == null then 0 elif $passed then (if $parent.qty_ordered > 0 then $qty * .qty_ordered / $parent.qty_ordered | if . == floor then floor else . end else 0 end) else $qty end)}];
def ship: .request as $r | known($r.params.id) as $o | .state.orders[$r.params.id].apart as $apart | clock as $now | ($r.body.items // []) as $asked | taken($o; $apart == true; $asked) as $taken | .state.sources as $sources
  | [$asked[] | .order_item_id | tostring | select(. as $i | any($o.items[]; (.item_id | tostring) == $i) | not)] as $strange | ($r.body.arguments.extension_attributes.source_code // "default") as $source
  | if ($o.state == "new" or $o.state == "processing") | not then refuse(400; "Shipment Document Validation Error(s):\nA shipment cannot be created when an order has a status of \($o.status)"; {})
    elif $strange != [] then refuse(400; "Shipment Document Validation Error(s):\nThe shipment contains product item that is not part of the original order."; {})
    elif any($taken[]; .qty > .left) then refuse(400; "Shipment Document Validation Error(s):\nThe quantity to ship must not be greater than the unshipped quantity"; {})
    elif all($taken[]; .qty <= 0 or .passed) then refuse(400; "Shipment Document Validation Error(s):\nYou can't create a shipment without products."; {})
    elif all($sources[]; .source_code != $source) then refuse(400; "Source with code \"%code\" does not exist"; {code: $source})
    else fresh | .state.next as $n
      | keep("shipments"; "\($n)"; {entity_id: $n, order_id: $o.entity_id, increment_id: "\($n)", created_at: $now, items: [$taken[] | select(.qty > 0 and (.passed | not)) | {order_item_id: .item_id, qty}],
          tracks: [$r.body.tracks[]? | . + {entity_id: $n, parent_id: $n, order_id: $o.entity_id}], comments: [$r.body.comment // empty | . + {entity_id: $n, parent_id: $n, created_at: $now}], extension_attributes: {source_code: $source}})
      | store($o + {items: [$o.items[] | .item_id as $i | . + {qty_shipped: (.qty_shipped + ([$taken[] | select(.item_id == $i) | .qty][0] // 0))}]} | settled) | answer(200; "\($n)") end;
def track: .request.body.entity as $e | "\($e.parent_id)" as $id | .state.shipments[$id] as $s | fresh | .state.next as $n
  | if $s == null then refuse(404; "The entity that was requested doesn't exist. Verify the entity and try again."; {})
    elif ($e.track_number // "") == "" or ($e.carrier_code // "") == "" then refuse(400; "\"%fieldName\" is required. Enter and try again."; {fieldName: "track_number"})
    else ($e + {entity_id: $n}) as $track | keep("shipments"; $id; $s + {tracks: ($s.tracks + [$track])}) | answer(200; $track) end;
def stock_post: .request.body.sourceItems as $rows | .state.sources as $sources | [$rows[]? | select(.source_code as $c | all($sources[]; .source_code != $c))] as $strange
  | if ($rows | type) != "array" or $rows == [] then refuse(400; "Input data is empty"; {})
    elif $strange != [] then .response = {status: 400, body: {message: "Validation Failed", errors: [$strange[] | {message: "Source with code \"%code\" does not exist", parameters: {code: .source_code}}], parameters: []}}
    else reduce $rows[] as $row (.; keep("stock"; "\($row.source_code)/\($row.sku)"; $row)) | answer(200; []) end;

# --- made orders: the same seed gives the same shop
def people: [
  {f: "Μαρία", l: "Παπαδοπούλου", a: ["Ερμού 18"], c: "Αθήνα", z: "105 63", k: "GR", p: "+30 6912345678"}, {f: "Jānis", l: "Bērziņš", a: ["Brīvības iela 41-7"], c: "Rīga", z: "LV-1010", k: "LV", p: "+371 21234567"},
  {f: "Георги", l: "Димитров", a: ["бул. Витоша 89", "ет. 3"], c: "София", z: "1408", k: "BG", p: "0881234567"}, {f: "Jürgen", l: "Weiß", a: ["Schloßstraße 12"], c: "Köln", z: "50667", k: "DE", p: "01512 3456789"},
  {f: "Līga", l: "Ozoliņa", a: ["\"Kalnāji\", Ķeipenes pagasts"], c: "Ogres novads", z: "LV-5062", k: "LV", p: "29123456"}, {f: "Елена", l: "Стоянова", a: ["ж.к. Люлин, бл. 344, вх. Б"], c: "Пловдив", z: "4000", k: "BG", p: "+359 88 765 4321"},
  {f: "Иван", l: "Примеров", a: ["ул. Ленина 12-5"], c: "Новосибирск", z: "630099", k: "RU", p: "+7 916 123-45-67"}];
def goods: [{id: 11, n: "Mug & saucer", sku: "MUG-1", p: 990, t: "simple"}, {id: 12, n: "T-shirt", sku: "TEE-M-BLU", p: 1950, t: "configurable", of: [["T-shirt-M-Blue", "TEE-M-BLU", 1]]},
  {id: 13, n: "Ελαιόλαδο 1 λ", sku: "OIL-1L", p: 1240, t: "simple"}, {id: 14, n: "Rupjmaize 400 g", sku: "BREAD-400", p: 285, t: "simple"}, {id: 15, n: "Gift set", sku: "GIFTSET", p: 2900, t: "bundle", of: [["Soap", "SOAP", 2], ["Towel", "TOWEL", 1]]},
  {id: 16, n: "E-book", sku: "EBOOK", p: 499, t: "downloadable"}, {id: 17, n: "Lebkuchen, 6 Stück", sku: "LEBK-6", p: 649, t: "simple"}];
def taxed($cents; $rate): (($cents * $rate + (100 + $rate) / 2) / (100 + $rate) | floor) as $tax | {net: (minor_to_major($cents - $tax; 2) | exact), tax: (minor_to_major($tax; 2) | exact), gross: (minor_to_major($cents; 2) | exact), cents: $cents, t: $tax};
def tax_rate: {GR: 24, LV: 21, BG: 20, DE: 19, RU: 20}[.];
def random($salt): (.seed % 100003 * 7919 + .state.made * 104729 + $salt * 1299709) as $x | ($x * $x + $x) % 1000003 | if . < 0 then 0 - . else . end;
def pick($list; $salt): $list[random($salt) % ($list | length)];
def euros($cents): minor_to_major($cents; 2) | exact;
# The shop counts in dollars, its customers pay in euros or roubles.
def base($cents; $k): minor_to_major((if $k == "RU" then ($cents + 45) / 90 else ($cents * 11 + 5) / 10 end) | floor; 2) | exact;
def item($row; $id; $quantity; $sum; $rate; $now; $k): {item_id: $id, product_id: $row.id, product_type: $row.t, sku: $row.sku, name: $row.n, qty_ordered: $quantity, qty_canceled: 0, qty_invoiced: 0, qty_refunded: 0, qty_shipped: 0, is_qty_decimal: 0,
  is_virtual: (if $row.t == "downloadable" then 1 else 0 end), price: (if $quantity == 0 then 0 else money_round(money_div($sum.net; $quantity); 4) | exact end), price_incl_tax: (money_div($sum.gross; $quantity) | exact), row_total: $sum.net, row_total_incl_tax: $sum.gross, tax_amount: $sum.tax, tax_percent: $rate,
  base_row_total: base($sum.cents - $sum.t; $k), discount_amount: 0, discount_tax_compensation_amount: 0, amount_refunded: 0, weight: 1, store_id: 1, created_at: $now, updated_at: $now};
def make: fresh | .state.next as $id | clock as $now | pick(people; 1) as $who | ($who.k | tax_rate) as $rate
  | pick({GR: ["stripe", "cashondelivery", "banktransfer"], LV: ["stripe", "cashondelivery", "stripe"], BG: ["cashondelivery", "cashondelivery", "stripe"], DE: ["stripe", "banktransfer", "stripe"], RU: ["cashondelivery", "stripe", "cashondelivery"]}[$who.k]; 2) as $pay | $who.k as $k | (if $k == "RU" then 100 else 1 end) as $dear
  | (1 + random(3) % 3) as $n | random(4) as $r4 | (random(5) % 3) as $r5 | (.state.made % 2 == 0 and $who.k == "LV") as $locker
  | [[goods | to_entries[] | select((.key + $r4) % 7 < $n) | .value] | to_entries[] | (1 + (.key + $r5) % 3) as $q | ($id * 100 + .key * 10) as $i | .value as $row | taxed($row.p * $q * $dear; $rate) as $sum
      | item($row; $i; $q; $sum; $rate; $now; $k), ($row.of // [] | to_entries[] | .key as $k | .value as [$name, $sku, $each]
        | item({id: ($row.id * 10 + $k), t: "simple", sku: $sku, n: $name}; $i + $k + 1; $q * $each; taxed(0; $rate); 0; $now; $k) + {parent_item_id: $i})] as $items
  | [$items[] | select(.parent_item_id == null) | .sku as $sku | .qty_ordered as $q | goods[] | select(.sku == $sku) | taxed(.p * $q * $dear; $rate)] as $sums
  | all($items[]; .is_virtual == 1) as $virtual | (if $virtual then taxed(0; $rate) else taxed((if $locker then 320 else 450 end) * $dear; $rate) end) as $ship
  | ([$sums[], $ship] | {total: (map(.cents) | add), tax: (map(.t) | add)}) as $sum | (if $virtual and $pay == "cashondelivery" then "stripe" else $pay end) as $pay | ($pay == "stripe") as $paid
  | {stripe: "Card (Stripe)", cashondelivery: "Cash On Delivery", banktransfer: "Bank Transfer Payment"}[$pay] as $title
  | {city: $who.c, country_id: $who.k, email: "customer\($id)@example.com", firstname: $who.f, lastname: $who.l, parent_id: $id, postcode: $who.z, street: $who.a, telephone: $who.p} as $person
  | {entity_id: $id, increment_id: "0\($id)", state: (if $paid then "processing" else "new" end), status: (if $paid then "processing" else "pending" end), store_id: 1, store_name: "Main Website\nMain Website Store\nDefault Store View",
     created_at: $now, updated_at: $now, customer_email: $person.email, customer_is_guest: 1, is_virtual: (if $virtual then 1 else 0 end), order_currency_code: (if $k == "RU" then "RUB" else "EUR" end), base_currency_code: "USD", base_to_order_rate: (if $k == "RU" then 90 else 0.9091 end),
     grand_total: euros($sum.total), base_grand_total: base($sum.total; $k), subtotal: euros($sum.total - $sum.tax - $ship.cents + $ship.t), tax_amount: euros($sum.tax), discount_amount: 0, shipping_amount: $ship.net, shipping_tax_amount: $ship.tax, shipping_incl_tax: $ship.gross,
     shipping_discount_amount: 0, shipping_discount_tax_compensation_amount: 0, shipping_description: (if $locker then "Omniva - Parcel terminal" else "Flat Rate - Fixed" end), total_due: (if $paid then 0 else euros($sum.total) end), total_qty_ordered: ([$items[] | select(.parent_item_id == null) | .qty_ordered] | add),
     items: $items, billing_address: ($person + {address_type: "billing"}), payment: {method: $pay, additional_information: [$title], amount_ordered: euros($sum.total), parent_id: $id}, status_histories: [],
     extension_attributes: ({payment_additional_info: [{key: "method_title", value: $title}]} + (if $virtual then {} else {shipping_assignments: [{shipping: {address: ($person + {address_type: "shipping"}), method: (if $locker then "omnivaltshipping_PARCEL_TERMINAL" else "flatrate_flatrate" end)}, items: []}]} end)
       + if $locker then {omnivalt_parcel_terminal: "92\($r5 + 10)"} else {} end)}
  | . as $order | $order + if $paid then {total_paid: .grand_total} else {} end;
def made: .state.made = .state.made + 1 | make as $order | .state.next = $order.entity_id | store($order);

# --- what happens to orders by themselves
def recent($state): [([.state.orders[]] | .[-30:])[] | select(.state == $state and (.total_refunded // 0) == 0)];
def on($order; f): if $order == null then . else .request as $request | .request = {params: {id: "\($order.entity_id)"}, body: {}} | f | .request = $request end;
def life: .state.made as $n
  | if $n % 5 == 0 then ([recent("new")[] | select(.payment.method == "banktransfer")][0]) as $o | on($o; invoice)
    elif $n % 11 == 0 then ([recent("processing")[] | select(all(.items[]; .qty_shipped == 0))][0]) as $o | on($o; refund_piece)
    elif $n % 13 == 0 then (recent("new")[0]) as $o | on($o; cancel) else . end;
def generate: .request.body as $b | .state.made as $before | .state.next as $first
  | reduce [range(0; 1000)][: ($b.count // 1)][] as $i (.; made | if $b.quiet then . else life end)
  | .state.made as $after | answer(201; {made: ($after - $before), ids: [.state.orders[] | select(.entity_id > $first) | .entity_id]});
