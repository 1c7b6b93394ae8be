# Shopify as its callers see it. An order is kept once, in cents of the shop (orders by id), and shown in two shapes: REST's words
# in webhooks, GraphQL's in answers. A step takes the whole input and gives it back changed; `.hooks` collects what is to be sent,
# `.response` the answer.

def done: {state, response: (.response // {status: 200}), webhooks: (.hooks // [])};
def answer($status; $body): .response = {status: $status, body: $body};
def fresh: .state.next = .state.next + 1;
def hook($topic; $body): .hooks = (.hooks // []) + [{topic: $topic, body: $body}];
def tail: tostring | split("/") | last;
def gid($kind; $id): "gid://shopify/\($kind)/\($id)";
def one_from($list): . as $x | any($list[]; . == $x);

# --- what orders come to, in cents
def left: .quantity - .gone;
def share($cents; $rate): $cents * $rate / 100 | floor;
def tax_in($cents; $percent): ($cents * $percent + (100 + $percent) / 2) / (100 + $percent) | floor;
# Every amount in shop cents and in the customer's.
def line_cents($o; $n): {shop: (.cents * $n), seen: (share(.cents; $o.rate) * $n)};
def total: . as $o | ([.lines[] | line_cents($o; left)] + [{shop: .ship, seen: share(.ship; .rate)}] | {shop: (map(.shop) | add), seen: (map(.seen) | add)}) | if $o.cancelled != null then {shop: 0, seen: 0} else . end;
def placed: . as $o | [.lines[] | line_cents($o; .quantity)] + [{shop: .ship, seen: share(.ship; .rate)}] | {shop: (map(.shop) | add), seen: (map(.seen) | add)};
def tax_total: . as $o | if $o.cancelled != null then {shop: 0, seen: 0} else [.lines[] | line_cents($o; left)] + [{shop: .ship, seen: share(.ship; .rate)}]
  | {shop: (map(tax_in(.shop; $o.percent)) | add), seen: (map(tax_in(.seen; $o.percent)) | add)} end;
def open_part: .status | one_from(["OPEN", "IN_PROGRESS", "ON_HOLD", "SCHEDULED"]);
def financial: if .cancelled != null then (if .paid then "refunded" else "voided" end) elif .refunds != [] then "partially_refunded" elif .paid then (if .added then "partially_paid" else "paid" end) else "pending" end;
def shipped: [.parts[].lines[].left] as $left | if .fulfillments == [] or .cancelled != null then null elif all($left[]; . == 0) then "fulfilled" else "partial" end;
def outstanding: total as $t | if .cancelled != null then {shop: 0, seen: 0} elif .paid | not then $t else {shop: (.added // 0), seen: share(.added // 0; .rate)} end;
def zero: {shop: 0, seen: 0};

# --- REST's words
def bag($o): {shop_money: {amount: minor_to_major(.shop; 2), currency_code: "EUR"}, presentment_money: {amount: minor_to_major(.seen; 2), currency_code: $o.currency}};
def plain: minor_to_major(.shop; 2);
def rest_tax($o): {shop: tax_in(.shop; $o.percent), seen: tax_in(.seen; $o.percent)} as $t | [{price: ($t | plain), price_set: ($t | bag($o)), rate: ($o.percent / 100), title: "VAT"}];
def rest_line($o): line_cents($o; 1) as $each | line_cents($o; .quantity) as $all | {id, admin_graphql_api_id: gid("LineItem"; .id), current_quantity: left, fulfillable_quantity: left, fulfillment_service: "manual", fulfillment_status: null, gift_card: false,
  grams, name: .title, title, variant_title: null, price: ($each | plain), price_set: ($each | bag($o)), product_id: .item, variant_id: (.item + 1000), properties: [], quantity, requires_shipping: true, sku, taxable: true, total_discount: "0.00",
  tax_lines: ($all | rest_tax($o)), discount_allocations: []};
def rest: . as $o | total as $total | placed as $placed | tax_total as $tax | {shop: .ship, seen: share(.ship; .rate)} as $ship
  | {id, admin_graphql_api_id: gid("Order"; .id), name: "#\(.number)", order_number: .number, created_at: .created, processed_at: .created, updated_at: .updated, cancelled_at: .cancelled, cancel_reason: (if .cancelled == null then null else "other" end), test: false,
     currency: "EUR", presentment_currency: .currency, total_price: ($placed | plain), total_price_set: ($placed | bag($o)), current_total_price: ($total | plain), current_total_price_set: ($total | bag($o)), current_total_tax: ($tax | plain), current_total_tax_set: ($tax | bag($o)),
     current_total_discounts: "0.00", current_total_discounts_set: (zero | bag($o)), total_outstanding: (outstanding | plain), taxes_included: true, financial_status: financial, fulfillment_status: shipped,
     payment_gateway_names: [.gateway], payment_terms: null, email, contact_email: .email, phone: null, customer_locale: .locale, note: .note, note_attributes: .notes, tags: "", source_name: "web", discount_codes: [], company: null,
     customer: {id: (.id + 7), first_name: .address.first_name, last_name: .address.last_name, email, phone: null}, shipping_address: .address, billing_address: .address,
     line_items: [.lines[] | rest_line($o)], shipping_lines: [{id: (.id + 5), code: .way, title: .way, source: "shopify", carrier_identifier: null, price: ($ship | plain), price_set: ($ship | bag($o)), discounted_price: ($ship | plain), discounted_price_set: ($ship | bag($o)),
       tax_lines: ($ship | rest_tax($o)), discount_allocations: [], is_removed: false}],
     refunds: [.refunds[] | . as $r | {id, refund_line_items: [$o.lines[] | select(.id == $r.line) | line_cents($o; 1) | {id: ($r.id + 1), line_item_id: $r.line, quantity: 1, restock_type: "no_restock", subtotal: (.shop / 100), subtotal_set: bag($o),
       total_tax: (tax_in(.shop; $o.percent) / 100), total_tax_set: ({shop: tax_in(.shop; $o.percent), seen: tax_in(.seen; $o.percent)} | bag($o))}], order_adjustments: [], transactions: []}], fulfillments: []};

# --- GraphQL's words
def amount($cents): minor_to_major($cents; 2) | if endswith("0") then .[:-1] else . end;
def money($o): {shopMoney: {amount: amount(.shop), currencyCode: "EUR"}, presentmentMoney: {amount: amount(.seen), currencyCode: $o.currency}};
def taxes($o): [{rate: ($o.percent / 100), priceSet: ({shop: tax_in(.shop; $o.percent), seen: tax_in(.seen; $o.percent)} | money($o))}];
def page_of($all): {pageInfo: {hasNextPage: false, endCursor: null}, nodes: $all};
def gql_line($o): {id: gid("LineItem"; .id), name: .title, title, variantTitle: null, sku, quantity, currentQuantity: left, requiresShipping: true, isGiftCard: false, originalUnitPriceSet: (line_cents($o; 1) | money($o)), discountAllocations: [],
  taxLines: (line_cents($o; .quantity) | taxes($o)), customAttributes: [], product: {id: gid("Product"; .item)}, variant: {id: gid("ProductVariant"; .item + 1000), barcode: null}, lineItemGroup: null};
def gql_address: {firstName: .first_name, lastName: .last_name, name, company, address1, address2, zip, city, provinceCode: .province_code, countryCodeV2: .country_code, phone, latitude: null, longitude: null};
def gql_part: {id: gid("FulfillmentOrder"; .id), status, requestStatus: "UNSUBMITTED", fulfillAt: null, fulfillBy: null, assignedLocation: {location: {id: gid("Location"; .place)}}, deliveryMethod: {methodType: "SHIPPING"},
  lineItems: page_of([.lines[] | {id: gid("FulfillmentOrderLineItem"; .id), totalQuantity: .total, remainingQuantity: .left, lineItem: {id: gid("LineItem"; .of)}}])};
def gql: . as $o | {shop: .ship, seen: share(.ship; .rate)} as $ship
  | {id: gid("Order"; .id), legacyResourceId: "\(.id)", name: "#\(.number)", createdAt: .created, processedAt: .created, updatedAt: .updated, cancelledAt: .cancelled, test: false, email, phone: null, note, tags: [], customerLocale: .locale, sourceName: "web",
     taxesIncluded: true, currencyCode: "EUR", presentmentCurrencyCode: .currency, displayFinancialStatus: (financial | ascii_upcase), displayFulfillmentStatus: ({fulfilled: "FULFILLED", partial: "PARTIALLY_FULFILLED"}[shipped // ""] // "UNFULFILLED"),
     paymentGatewayNames: [.gateway], discountCodes: [], customAttributes: [.notes[] | {key: .name, value}], paymentTerms: null, purchasingEntity: {__typename: "Customer"},
     customer: {id: gid("Customer"; .id + 7), firstName: .address.first_name, lastName: .address.last_name, defaultEmailAddress: {emailAddress: .email}, defaultPhoneNumber: null},
     shippingAddress: (.address | gql_address), billingAddress: (.address | gql_address), totalPriceSet: (placed | money($o)), currentTotalPriceSet: (total | money($o)), currentTotalTaxSet: (tax_total | money($o)), currentTotalDiscountsSet: (zero | money($o)),
     currentTotalDutiesSet: null, currentTotalAdditionalFeesSet: null, totalOutstandingSet: (outstanding | money($o)), totalTipReceivedSet: (zero | money($o)),
     shippingLines: page_of([{title: .way, code: .way, source: "shopify", isRemoved: false, carrierIdentifier: null, currentDiscountedPriceSet: ((if .cancelled != null then zero else $ship end) | money($o)), taxLines: ($ship | taxes($o))}]),
     refunds: [.refunds[] | {orderAdjustments: page_of([])}], transactions: (if .paid then [{kind: "SALE", status: "SUCCESS", gateway: .gateway, amountSet: (placed | money($o))}] else [] end),
     lineItems: page_of([.lines[] | gql_line($o)]), fulfillmentOrders: page_of([.parts[] | gql_part]), fulfillments: [.fulfillments[] | {id: gid("Fulfillment"; .id), status, displayStatus: (.events[-1] // "FULFILLED"), trackingInfo}]};

# --- changes
def known($id): .state.orders[$id | tail];
def store($topic; $order): .now as $now | ($order + {updated: $now}) as $order | .state.orders = (.state.orders + {($order.id | tostring): $order}) | hook($topic; $order | rest);
def act_on(f): .request.params.id as $id | known($id) as $old | if $old == null then answer(404; {errors: "Not Found"}) else ($old | f) as $new | store(if $new.cancelled != $old.cancelled then "orders/cancelled" else "orders/updated" end; $new)
  | (if $new.cancelled != $old.cancelled then hook("orders/updated"; known($id) | rest) else . end) | answer(200; known($id) | rest) end;
# The first line loses a piece; of the parts the first that has it.
def lose($line): (first(.parts | to_entries[] | select(any(.value.lines[]; .of == $line and .left > 0)) | .key) // null) as $at
  | (if $at == null then . else .parts = [.parts | to_entries[] | .key as $i | .value | if $i == $at then .lines |= map(if .of == $line then . + {left: (.left - 1), total: (.total - 1)} else . end) else . end] end) | .lines |= map(if .id == $line then .gone = .gone + 1 else . end);
# An edit: a piece less of the first line, and another article, still to be paid.
def edit: (first(.lines[] | select(left > 0)) // null) as $line | (.id * 100 + 90 + (.lines | length)) as $new
  | if $line == null then . else lose($line.id) | .lines = .lines + [{id: $new, item: 9, title: "Gift wrap", sku: "WRAP", cents: 300, quantity: 1, gone: 0, grams: 20}] | .added = (if 300 > $line.cents then 300 - $line.cents else null end)
    | .parts = .parts + [{id: ($new + 1), status: "OPEN", place: 11, lines: [{id: ($new + 2), of: $new, total: 1, left: 1}]}] end;
def refund: (first(.lines[] | select(left > 0)) // null) as $line | if $line == null then . else lose($line.id) | .refunds = .refunds + [{id: (.id * 10 + (.refunds | length)), line: $line.id}] end;
def cancel($now): if .cancelled != null then . else .cancelled = $now | .lines |= map(.gone = .quantity) | .parts |= map(if open_part then .status = "CANCELLED" | .lines |= map(.left = 0) else . end) end;

# --- made orders: the same seed gives the same shop
def people: [
  {f: "Μαρία", l: "Παπαδοπούλου", a: "Ερμού 18", c: "Αθήνα", z: "105 63", k: "GR", p: "+30 6912345678", t: 24, m: "EUR", r: 100, g: "el"}, {f: "Jānis", l: "Bērziņš", a: "Brīvības iela 41-7", c: "Rīga", z: "LV-1010", k: "LV", p: "+371 21234567", t: 21, m: "EUR", r: 100, g: "lv"},
  {f: "Ewa", l: "Wiśniewska", a: "ul. Piękna 3 m. 4", c: "Warszawa", z: "00-539", k: "PL", p: "+48 601 234 567", t: 23, m: "PLN", r: 425, g: "pl"}, {f: "Jürgen", l: "Weiß", a: "Schloßstraße 12", c: "Köln", z: "50667", k: "DE", p: "01512 3456789", t: 19, m: "EUR", r: 100, g: "de"},
  {f: "Елена", l: "Стоянова", a: "ж.к. Люлин, бл. 344, вх. Б", c: "Пловдив", z: "4000", k: "BG", p: "+359 88 765 4321", t: 20, m: "EUR", r: 100, g: "bg"}, {f: "Oliver", l: "Smith", a: "1 High Street", c: "Leeds", z: "LS1 4AP", k: "GB", p: "+44 7400 123456", t: 20, m: "GBP", r: 86, g: "en"}];
def goods: [{item: 1, title: "Mug", sku: "MUG-1", cents: 990, grams: 350}, {item: 2, title: "T-shirt - M / Blue", sku: "TEE-M-BLU", cents: 1950, grams: 180}, {item: 3, title: "Ελαιόλαδο 1 λ", sku: "OIL-1L", cents: 1240, grams: 1100}, {item: 4, title: "Rupjmaize 400 g", sku: "BREAD-400", cents: 285, grams: 400},
  {item: 5, title: "Розово масло 5 мл", sku: "ROSE-5", cents: 3490, grams: 40}, {item: 6, title: "Lebkuchen, 6 Stück", sku: "LEBK-6", cents: 649, grams: 300}];
def random($salt): (.seed % 100003 * 7919 + .state.made * 104729 + $salt * 1299709) as $x | ($x * $x + $x) % 1000003 | if . < 0 then 0 - . else . end;
def make: .state.made = .state.made + 1 | fresh | .state.next as $id | .now as $now | .state.made as $n | people[random(1) % 6] as $who | (1 + random(2) % 3) as $count | random(3) as $from | (random(4) % 3) as $more
  | [goods | to_entries[] | select((.key + $from) % 6 < $count) | .value] as $bought
  | [$bought | to_entries[] | .value + {id: ($id * 100 + .key), quantity: (.key % 2 + 1 + $more), gone: 0}] as $lines
  | ($n % 4 == 0 and ($lines[0].quantity > 1)) as $split | ($n % 3 == 1 and $who.k == "LV") as $locker | (($who.k | one_from(["GR", "BG", "PL"])) and $n % 2 == 0) as $cod
  | def part($k; $list): {id: ($id * 10 + $k), status: "OPEN", place: 11, lines: $list};
    def piece($k; $n): {id: (.id * 10 + $k), of: .id, total: $n, left: $n};
  {id: $id, number: (1000 + $n), created: $now, updated: $now, cancelled: null, lines: $lines, ship: (if $locker then 320 else 450 end), rate: $who.r, currency: $who.m, percent: $who.t, paid: ($cod | not), added: null,
   gateway: (if $cod then "Cash on Delivery (COD)" else "shopify_payments" end), way: (if $locker then "Omniva parcel terminal" else "Courier" end), email: "customer\($id)@example.com", locale: $who.g, note: null,
   notes: (if $locker then [{name: "omniva_terminal_id", value: "92\($more + 10)"}] else [] end), refunds: [], fulfillments: [],
   address: {first_name: $who.f, last_name: $who.l, name: "\($who.f) \($who.l)", company: null, address1: $who.a, address2: null, city: $who.c, zip: $who.z, province: null, province_code: null, country: null, country_code: $who.k, phone: $who.p, latitude: null, longitude: null},
   parts: (if $split then [part(1; [$lines[0] | piece(1; 1)]), part(2; [($lines[0] | piece(2; .quantity - 1)), ($lines[1:][] | piece(1; .quantity))])] else [part(1; [$lines[] | piece(1; .quantity)])] end)} as $order
  | store("orders/create"; $order);
def recent: [([.state.orders[]] | .[-30:])[] | select(.cancelled == null and .fulfillments == [])];
def life: .state.made as $n | .now as $now | recent as $all | (if $all == [] then null else $all[random(11) % ($all | length)] end) as $o
  | if $o == null then . elif $n % 7 == 0 then ($o | edit) as $new | store("orders/updated"; $new) elif $n % 9 == 0 and $o.paid then ($o | refund) as $new | store("orders/updated"; $new)
    elif $n % 13 == 0 then ($o | cancel($now)) as $new | store("orders/updated"; $new) else . end;
def generate: .request.body as $b | .state.made as $before | .state.next as $first
  | reduce [range(0; 1000)][: ($b.count // 1)][] as $i (.; make | if $b.quiet then . else life end)
  | .state.made as $after | answer(201; {made: ($after - $before), ids: [.state.orders[] | select(.id > $first) | .id]});

# --- calls: each answers one field; what is not selected is cut off behind them
def user_errors($field; $errors): {data: {($field): {userErrors: $errors, fulfillment: null, inventoryAdjustmentGroup: null, webhookSubscription: null}}};
def top_error($field; $code; $message): {errors: [{message: $message, path: [$field], extensions: {code: $code}}], data: {($field): null}};

def orders_page: .request.body.variables as $v | (.request.graphql.sizes[0] // 50) as $size | (($v.query // "") | [capture("updated_at:>='?(?<t>[0-9TZ:.+-]+)").t] | .[0] // "" | sub("\\.[0-9]+Z$"; "Z")) as $since
  | ([.state.orders[] | . + {mark: "\(.updated)|\(.id)"} | select(.updated >= $since)] | sort_by(.mark) | [.[] | select($v.after == null or .mark > $v.after)]) as $found | $found[:$size] as $page
  | answer(200; {data: {orders: {pageInfo: {hasNextPage: (($found | length) > $size), endCursor: ($page | if . == [] then null else last.mark end)}, nodes: [$page[] | gql]}}});
def fulfillment_create($input): [$input.lineItemsByFulfillmentOrder[] | {part: (.fulfillmentOrderId | tail), lines: (.fulfillmentOrderLineItems // null)}] as $asked
  | first(.state.orders[] | select(any(.parts[]; (.id | tostring) | one_from([$asked[].part])))) // null | . as $o | $asked as $asked
  | if $o == null then null else [$asked[] | . as $a | first($o.parts[] | select((.id | tostring) == $a.part)) // null | . as $p
      | if $p == null then "Fulfillment order does not exist." elif $p.status | one_from(["OPEN", "IN_PROGRESS"]) | not then "Fulfillment order \($p.id) has an unfulfillable status= \($p.status | ascii_downcase)."
        elif any($a.lines // [] | .[]; .id as $id | .quantity as $q | any($p.lines[]; (.id | tostring) == ($id | tail) and .left < $q)) then "Invalid fulfillment order line item quantity requested." else empty end] as $refused
    | {order: $o, asked: $asked, refused: $refused} end;
def fulfill($input): fulfillment_create($input) as $x | if $x == null then answer(200; top_error("fulfillmentCreate"; "RESOURCE_NOT_FOUND"; "invalid id"))
  elif $x.refused != [] then answer(200; user_errors("fulfillmentCreate"; [$x.refused[] | {code: null, field: ["fulfillment"], message: .}]))
  else fresh | .state.next as $id | ($input.trackingInfo // {}) as $t | [($t.numbers // [$t.number | values])[]] as $numbers
  | ($x.order | .parts |= map(. as $p | (first($x.asked[] | select(.part == ($p.id | tostring))) // null) as $a | if $a == null then . else
      .lines |= map(. as $l | .left = .left - (if $a.lines == null then .left else [$a.lines[] | select((.id | tail) == ($l.id | tostring)) | .quantity] | add // 0 end))
      | .status = (if all(.lines[]; .left == 0) then "CLOSED" else "IN_PROGRESS" end) end)
    | .fulfillments = .fulfillments + [{id: $id, status: "SUCCESS", events: [], trackingInfo: [$numbers | to_entries[] | {number: .value, company: $t.company, url: (($t.urls // [])[.key] // null)}]}]) as $new
  | store("orders/updated"; $new) | (if $new | shipped == "fulfilled" then hook("orders/fulfilled"; $new | rest) else . end)
  | answer(200; {data: {fulfillmentCreate: {fulfillment: {id: gid("Fulfillment"; $id), status: "SUCCESS"}, userErrors: []}}}) end;
def event($e): ($e.fulfillmentId | tail) as $id | (first(.state.orders[] | select(any(.fulfillments[]; (.id | tostring) == $id))) // null) as $o
  | if $o == null then answer(200; top_error("fulfillmentEventCreate"; "RESOURCE_NOT_FOUND"; "invalid id"))
    else ($o | .fulfillments |= map(if (.id | tostring) == $id then .events = .events + [$e.status] else . end)) as $new | .state.orders = (.state.orders + {($o.id | tostring): $new})
    | answer(200; {data: {fulfillmentEventCreate: {fulfillmentEvent: {id: gid("FulfillmentEvent"; $id)}, userErrors: []}}}) end;
def order_cancel($v): known($v.id) as $o | .now as $now | def refused($m): answer(200; {data: {orderCancel: {job: null, orderCancelUserErrors: [{code: "INVALID", field: ["orderId"], message: $m}]}}});
  if $o == null then refused("Order does not exist") elif $o.cancelled != null then refused("Order has already been cancelled") elif $o.fulfillments != [] then refused("Cannot cancel an order with fulfilled items")
  else ($o | cancel($now)) as $new | store("orders/updated"; $new) | answer(200; {data: {orderCancel: {job: {id: gid("Job"; $o.id)}, orderCancelUserErrors: []}}}) end;
def set_stock: .request.body.variables.input as $in | "inventorySetQuantities" as $f
  | if .request.graphql.text | contains("@ idempotent") | not then answer(200; top_error($f; "BAD_REQUEST"; "The @idempotent directive is required for this mutation but was not provided."))
    elif any($in.quantities[]; has("changeFromQuantity") | not) then answer(200; top_error($f; "INVALID_FIELD_ARGUMENTS"; "InventoryQuantityInput must include the following argument: changeFromQuantity."))
    else [$in.quantities | to_entries[] | select((.value.inventoryItemId | tail) as $i | any(goods[]; "\(.item)" == $i) | not) | {code: "INVALID_INVENTORY_ITEM", field: ["input", "quantities", "\(.key)", "inventoryItemId"], message: "The specified inventory item could not be found."}] as $wrong
    | if $wrong != [] then answer(200; user_errors($f; $wrong)) else .state.stock = (.state.stock + ([$in.quantities[] | {key: (.inventoryItemId | tail), value: .quantity}] | from_entries))
      | answer(200; {data: {($f): {inventoryAdjustmentGroup: {id: gid("InventoryAdjustmentGroup"; 1)}, userErrors: []}}}) end end;
def subscribe($v): ($v.subscription.uri // "") as $uri | if $uri | test("^https?://") | not then answer(200; user_errors("webhookSubscriptionCreate"; [{field: ["webhookSubscription", "uri"], message: "Address is invalid"}]))
  elif any(.state.hooks[]; .topic == $v.topic and .uri == $uri) then answer(200; user_errors("webhookSubscriptionCreate"; [{field: ["webhookSubscription", "uri"], message: "Address for this topic has already been taken"}]))
  else fresh | .state.next as $id | .state.hooks = (.state.hooks + {"\($id)": {id: $id, topic: $v.topic, uri: $uri, failures: 0}})
  | answer(200; {data: {webhookSubscriptionCreate: {webhookSubscription: {id: gid("WebhookSubscription"; $id)}, userErrors: []}}}) end;
def order_get: known(.request.body.variables.id) as $o | answer(200; {data: {order: ($o | if . == null then null else gql end)}});
def items: .request.body.variables.query as $q | answer(200; {data: {inventoryItems: page_of([goods[] | select(.sku as $s | ($q // "") | contains("\"\($s)\"")) | {id: gid("InventoryItem"; .item), sku}])}});
def hooks: [.state.hooks[] | {id: gid("WebhookSubscription"; .id), topic, uri}] as $all | answer(200; {data: {webhookSubscriptions: page_of($all)}});
def shop: answer(200; {data: {shop: {name: "Simulated shop", myshopifyDomain: "simulated.myshopify.com", currencyCode: "EUR", ianaTimezone: "Europe/Riga"},
  currentAppInstallation: {accessScopes: [{handle: "read_orders"}, {handle: "write_merchant_managed_fulfillment_orders"}, {handle: "write_inventory"}]}}});
def unknown: (.request.graphql.field // "") as $field | answer(200; {errors: [{message: "Field '\($field)' doesn't exist on type 'QueryRoot'", path: ["query", $field], extensions: {code: "undefinedField"}}]});

# Points: a bucket that refills by a twentieth each second; lists cost by what they ask for.
def cost: .request.graphql as $g | [$g.sizes[]] as $n | if $g.kind == "mutation" then 10 elif $g.field == "orders" and $n != [] then $n[0] * (1 + ([$n[1:][] | . / 8] | add // 0)) | ceil else 2 + ([$n[] | . / 8 | ceil] | add // 0) end;
def priced(f): (.now | time_text("epoch_s"; "UTC")) as $now | (.options.points // 2000) as $most | ($most / 20) as $rate | .state.at as $at
  | ([(.state.points // $most) + ($now - $at) * $rate, $most] | min) as $there
  | if .request.graphql == null then answer(400; {errors: {query: "Required parameter missing or invalid"}})
    else ([cost, $most] | min) as $cost | def spent($left; $actual): {cost: {requestedQueryCost: $cost, actualQueryCost: $actual, throttleStatus: {maximumAvailable: $most, currentlyAvailable: $left, restoreRate: $rate}}};
      .state.at = $now | if $there < $cost then .state.points = $there | answer(200; {errors: [{message: "Throttled", extensions: {code: "THROTTLED"}}], extensions: spent($there; null)})
      else .state.points = $there - $cost | f | .response.body = (.response.body + {extensions: spent($there - $cost; $cost)}) end end;

# --- webhooks
def topic_word: ascii_downcase | sub("_"; "/");
def targets: .topic as $topic | [.state.hooks[] | select(.topic | topic_word == $topic) | {url: .uri, secret: "shpss_simulated_client_secret", id}];
def hook_headers: {"X-Shopify-Webhook-Id": uuid5("dns"; "\(.seed)/\(.target.id)/\(.delivery)"), "X-Shopify-Topic": .topic, "X-Shopify-Shop-Domain": "simulated.myshopify.com", "X-Shopify-API-Version": "2026-07", "X-Shopify-Triggered-At": .now, "User-Agent": "Shopify-Captain-Hook"};
# After eight failures in a row the subscription is gone.
def delivered: "\(.target.id)" as $id | .state.hooks[$id] as $hook | .status as $status
  | if $hook == null then .state elif $status != null and $status >= 200 and $status < 300 then .state.hooks = (.state.hooks + {($id): ($hook + {failures: 0})}) | .state
    elif $hook.failures + 1 >= 8 then .state.hooks |= del(.[$id]) | .state else .state.hooks = (.state.hooks + {($id): ($hook + {failures: ($hook.failures + 1)})}) | .state end;
