# Orders. Shapes: the order of webhooks and REST (snake_case, `admin_graphql_api_id`), the order of GraphQL (camelCase), each
# alone or in {order}, {orders}, {data: …}; {"id": N} alone (orders/delete). GraphQL is first told in REST's words.

def text: if type == "number" then tostring elif type == "string" then nonblank else null end;
def tail: text | if . == null then null else split("/") | last end;
def nodes: if . == null then empty elif type == "array" then .[] elif (.nodes | isarray) then .nodes[] elif (.edges | isarray) then .edges[].node else error("a list is due") end;
def unchecked: if . == null then null else dec end;
# What the customer sees of a money bag; the shop's own currency where there is no other.
def bag: if . == null then null else .presentment_money // .presentmentMoney // .shop_money // .shopMoney end;
def amount: bag | if . == null then null else .amount | unchecked end;
def amount($plain): amount // ($plain | unchecked);
def size: ltrimstr("-");
def setting: if type == "string" then split(",") else list end | map(tostring | trim | select(. != ""));
def named: [.[]? | objects | {key: (.name // .key | tostring), value}] | from_entries;

def rest_address: if type != "object" then . else {first_name: .firstName, last_name: .lastName, name, company, address1, address2, city, zip, province,
  province_code: .provinceCode, country_code: (.countryCodeV2 // .countryCode), country, phone, latitude, longitude} end;
def rest_line: {id: (.id | tail), name, title, variant_title: .variantTitle, sku, quantity, current_quantity: .currentQuantity, requires_shipping: .requiresShipping,
  gift_card: .isGiftCard, price_set: .originalUnitPriceSet, variant_id: (.variant.id | tail), product_id: (.product.id | tail), barcode: .variant.barcode, group: .lineItemGroup.title,
  tax_lines: [.taxLines[]? | {rate, price_set: .priceSet}], discount_allocations: [.discountAllocations[]? | {amount_set: .allocatedAmountSet}], properties: .customAttributes};
def rest: if has("admin_graphql_api_id") or has("line_items") then . else {
  id: (.legacyResourceId // (.id | tail)), name, created_at: .createdAt, processed_at: .processedAt, updated_at: .updatedAt, cancelled_at: .cancelledAt, test, email, phone, note, tags,
  customer_locale: .customerLocale, taxes_included: .taxesIncluded, currency: .currencyCode, presentment_currency: .presentmentCurrencyCode, source_name: .sourceName,
  payment_gateway_names: .paymentGatewayNames, financial_status: (.displayFinancialStatus // "" | ascii_downcase | nonblank), payment_terms: .paymentTerms,
  fulfillment_status: {FULFILLED: "fulfilled", PARTIALLY_FULFILLED: "partial", RESTOCKED: "restocked"}[.displayFulfillmentStatus // ""], note_attributes: .customAttributes,
  company: (if .purchasingEntity.__typename == "PurchasingCompany" then .purchasingEntity.company // {} else null end), discount_codes: [.discountCodes[]? | {code: .}],
  customer: (.customer | if . == null then null else {id: .id, first_name: .firstName, last_name: .lastName, email: (.defaultEmailAddress.emailAddress // .email), phone: (.defaultPhoneNumber.phoneNumber // .phone)} end),
  shipping_address: (.shippingAddress | rest_address), billing_address: (.billingAddress | rest_address),
  total_price_set: .totalPriceSet, current_total_price_set: .currentTotalPriceSet, current_total_tax_set: (.currentTotalTaxSet // .totalTaxSet), current_total_discounts_set: .currentTotalDiscountsSet,
  current_total_duties_set: .currentTotalDutiesSet, current_total_additional_fees_set: .currentTotalAdditionalFeesSet, outstanding_set: .totalOutstandingSet, tip_set: .totalTipReceivedSet,
  line_items: (if .lineItems == null then null else [.lineItems | nodes | rest_line] end), more: ([.lineItems, .fulfillmentOrders | objects | .pageInfo.hasNextPage] | any),
  shipping_lines: [.shippingLines | nodes | {title, code, source, is_removed: .isRemoved, carrier_identifier: .carrierIdentifier, price_set: (.currentDiscountedPriceSet // .discountedPriceSet // .originalPriceSet),
    tax_lines: [.taxLines[]? | {price_set: .priceSet}]}],
  refunds: [.refunds[]? | {order_adjustments: [.orderAdjustments | nodes | {amount_set: .amountSet, tax_amount_set: .taxAmountSet}]}],
  parts: (if .fulfillmentOrders == null then null else [.fulfillmentOrders | nodes] end), transactions: [.transactions | nodes]} end;

def taxes: if .tax_lines == null then null else [.tax_lines[] | .price_set | amount] as $sets | [$sets, [.tax_lines[].price]] | transpose | map(.[0] // .[1] // "0" | dec) | money_sum end;
def discounts: [.discount_allocations[]? | .amount as $plain | .amount_set | amount($plain) // "0"] | money_sum;

# What was given back with pieces of a line; money alone stands in `order_adjustments`.
def returned: [.refunds[]? | .refund_line_items[]? | {of: (.line_item_id | text), quantity, total: (.subtotal as $p | .subtotal_set | amount($p)), tax: (.total_tax as $p | .total_tax_set | amount($p) // "0")}];

def line($o): (.id | tail | require("line_items.id")) as $id | (.quantity | require("line_items.quantity") | dec) as $quantity | (.price as $p | .price_set | amount($p) | require("line_items.price")) as $price
  | taxes as $all_tax | discounts as $off | ($all_tax // "0") as $tax | currency_digits($o.currency) as $digits
  | money_add(money_sub(money_mul($price; $quantity); $off); if $o.included then "0" else $tax end) as $full
  | [$o.returned[] | select(.of == $id)] as $back | ($back | map(.quantity | dec) | money_sum) as $taken
  | (if $o.void then $quantity elif .current_quantity != null then money_sub($quantity; .current_quantity | dec) else $taken end) as $gone | money_sub($quantity; $gone) as $left
  | (if money_cmp($left; "0") <= 0 then {total: "0", tax: "0"} elif money_cmp($gone; "0") == 0 then {total: $full, tax: $tax}
     elif money_cmp($taken; $gone) == 0 then {total: money_sub($full; [$back[] | .total, (if $o.included then "0" else .tax end)] | money_sum), tax: money_sub($tax; [$back[].tax] | money_sum)}
     else {total: money_round(money_div(money_mul($full; $left); $quantity); $digits), tax: money_round(money_div(money_mul($tax; $left); $quantity); $digits)} end) as $now
  | (if money_cmp($quantity; "0") <= 0 then null else money_div(money_add($full; $off); $quantity) | money_round(.; $digits) as $short | if money_cmp($short; .) == 0 then $short else money_round(.; 6) end end) as $each
  | {external_id: $id, kind: (if .gift_card == true or .requires_shipping == false then "digital" elif any($o.elsewhere[]; . == $id) then "service" else "physical" end),
     sku: (.sku | text), gtin: (if has("barcode") then .barcode | text else absent end), name: first_of(.name, join_name(.title; .variant_title) | text), quantity: ($quantity | to_number_exact), cancelled_quantity: ($gone | to_number_exact),
     unit_price: money($each; $o.currency), total: money($now.total; $o.currency), tax: (if $all_tax == null then null else money($now.tax; $o.currency) end),
     discount: (if $each == null then null else money_sub(money_mul($each; $left); $now.total) | money_round(.; $digits) | money(if startswith("-") then "0" else . end; $o.currency) end),
     tax_rate: (if [.tax_lines[]?] | length == 1 then .tax_lines[0].rate | if . == null then null else money_mul(dec; "100") end else null end),
     weight_g: (if .grams == null then absent else .grams end), expected_at: $o.expected[$id],
     attributes: ({product_id: (.product_id | tail), variant_id: (.variant_id | tail), bundle: (.group | text)} + (.properties // [] | named | with_entries(select(.key | startswith("_") | not))) | with_entries(select(.value != null)))}
  | compact_absent;

def charge($kind; $code; $title; $total; $tax; $o): {kind: $kind, code: $code, title: $title, total: money($total; $o.currency), tax: money($tax; $o.currency)};
def shipping($o): .code as $code | .title as $title | taxes as $tax | (.discounted_price // .price) as $p | (.current_discounted_price_set // .discounted_price_set // .price_set | amount($p) // "0") as $net
  | (if $o.void or .is_removed == true then {total: "0", tax: "0"} else {total: money_add($net; if $o.included then "0" else $tax // "0" end), tax: $tax} end)
  | charge("shipping"; $code; $title; .total; .tax; $o);
def fee($code; $set; $o): $set | amount | if . == null or is_zero_amount or $o.void then empty else charge("other"; $code; null; .; "0"; $o) end;

def address: if type != "object" or (del(.country, .country_code, .phone, .latitude, .longitude) | blank) then null else (.country_code // .country | country) as $country | (.phone | text) as $phone
  | {name: first_of(join_name(.first_name | text; .last_name | text), (.name | text)), company: (.company | text), line1: (.address1 | text), line2: (.address2 | text), postal_code: (.zip | text), city: (.city | text),
     region: (.province_code | text | if . == null or $country == null then . else "\($country)-\(.)" end), country: $country, phone: ($phone | phone($country // "")), phone_raw: $phone,
     geo: (if (.latitude | isnumber) and (.longitude | isnumber) then {lat: .latitude, lon: .longitude} else null end)} end;

def delivery($o; $notes): .shipping_lines[0] as $ship | "\($ship.code) \($ship.title) \($ship.source) \($ship.carrier_identifier)" as $how | [$o.parts[]? | .deliveryMethod.methodType | values] as $types
  | ($notes | pickup_points_in($connection.pickup_point_keys // [] | setting)) as $points
  | (if any($types[]; . == "PICK_UP" or . == "RETAIL") or ($ship.delivery_category == "pickup") then "collect"
     elif any($types[]; . == "PICKUP_POINT") or ($points | length) > 0 or ($how | says_pickup_point) then "pickup_point"
     elif ($ship == null) and all(.line_items[]?; .gift_card == true or .requires_shipping == false) then "digital" else "home" end) as $mode
  | {method_code: ($ship.code | text), method_title: ($ship.title | text), carrier: first_of(($how, $points[0].key) | carrier_in_text), mode: $mode,
     pickup_point: (if $mode != "pickup_point" then null else {network: first_of(($points[0].key, $how) | carrier_in_text), id: $points[0].id, name: $points[0].name} end)};

def payment($o; $stated): ([.payment_gateway_names[]? | tostring] | join(", ") | nonblank) as $names | (.total_outstanding | unchecked) as $shop_left
  | (.outstanding_set | amount) as $told | (.current_total_price // .total_price | unchecked) as $shop_total
  # REST tells what is outstanding in the shop's currency only.
  | (if $told != null then $told elif $shop_left == null then (if $stated.payment == "unpaid" then $o.total else "0" end) elif money_cmp($shop_left; "0") == 0 or $shop_total == null then $shop_left
     elif money_cmp($shop_left; $shop_total) == 0 then $o.total else money_round(money_div(money_mul($shop_left; $o.total); $shop_total); currency_digits($o.currency)) end) as $left
  | ([$connection.cod_gateways // [] | setting[] | ascii_downcase] as $more | any(.payment_gateway_names[]? | tostring; ascii_downcase as $n | ($n | says_cash_on_delivery) or any($more[]; . == $n))) as $cod
  | {method: (if $cod then "cod" elif .payment_terms != null then "on_account" elif $names != null or $stated.payment != "unpaid" or ($o.total | is_zero_amount) then "prepaid" else "unknown" end),
     method_code: $names, method_title: $names, status: $stated.payment,
     cod_amount: (if $cod and ($o.void | not) and money_cmp($left; "0") > 0 then money($left; $o.currency) else null end)};

def rounding($parts; $total; $tax; $o): ($parts | map(.total.amount) | money_sum) as $sum | [$parts[].tax | values | .amount] as $taxes | money_div("1"; ("1" + "0000"[:currency_digits($o.currency)])) as $unit
  | money_sub($total; $sum) as $off | (if $tax == null or ($taxes | length) < ($parts | length) then "0" else money_sub($tax; $taxes | money_sum) end) as $off_tax | money_mul($unit; $parts | length) as $most
  | if ($off | is_zero_amount) and ($off_tax | is_zero_amount) or any($off, $off_tax; money_cmp(size; $most) > 0) then empty
    else charge("rounding"; null; null; $off; $off_tax; $o) end;

def order: . as $in | (.id | tail | require("id")) as $id | (.financial_status | if . == null then null else code("financial"; .) end) as $fin
  | (.current_total_price_set // .total_price_set | bag) as $bag | ($bag.currency_code // $bag.currencyCode // .currency | require("currency")) as $currency
  | ($bag.amount // .current_total_price // .total_price | require("total_price") | dec) as $current
  | [.line_items | require("line_items")[] | . + {tipped: (.tip != null)}] as $items | (.parts // []) as $parts
  | [$items[] | select(.requires_shipping != false and .gift_card != true and (.tipped | not))] as $goods
  | returned as $returned | ($goods != [] and all($goods[]; (.id | tail) as $of | .current_quantity == 0 or (.current_quantity == null and money_cmp([$returned[] | select(.of == $of) | .quantity | dec] | money_sum; .quantity | dec) >= 0))) as $gone
  | [$parts[] | select(.status | . == "OPEN" or . == "IN_PROGRESS" or . == "ON_HOLD" or . == "SCHEDULED")] as $open | ($connection.location_id | tail) as $here
  | [$parts[] | select(.status != "CANCELLED") | (.assignedLocation.location.id | tail) == $here] as $ours
  | (if .cancelled_at != null or $fin.state == "cancelled" then "cancelled" elif .fulfillment_status == "fulfilled" then "fulfilled" elif $gone or .fulfillment_status == "restocked" then "cancelled"
     elif any($open[]; .status == "ON_HOLD") then "on_hold" elif .fulfillment_status == "partial" then "partially_fulfilled" else null end) as $known
  | {currency: $currency, included: (.taxes_included == true), void: ($known == "cancelled"), returned: $returned, parts: $parts, total: $current,
     elsewhere: (if $here == null then [] else [$open[] | (.assignedLocation.location.id | tail) as $at | .lineItems | nodes | select(.remainingQuantity > 0) | {at: $at, of: (.lineItem.id | tail)}]
       | [.[] | select(.at == $here) | .of] as $mine | [.[].of] - $mine end),
     expected: ([$open[] | select(.status == "SCHEDULED" and .fulfillAt != null) | (.fulfillAt | time("rfc3339")) as $at | .lineItems | nodes | {key: (.lineItem.id | tail), value: $at}] | from_entries)} as $o
  | payment($o; $fin // {payment: "unknown", state: "unknown"}) as $payment
  | (if $known != null then $known elif ($payment.method == "cod" or $payment.method == "on_account") and $fin.state == "pending_payment" then "open" else $fin.state // "unknown" end) as $state
  | [$items[] | select(.tipped | not) | line($o)] as $lines
  | ([.transactions[]? | select(.status == "SUCCESS" and ((.gateway // "") | test("gift_card|store_credit")) and (.kind == "SALE" or .kind == "CAPTURE")) | .amountSet | amount] | money_sum) as $credit
  | [(.shipping_lines[]? | shipping($o)), ($items[] | select(.tipped) | line($o) | charge("tip"; null; .name; .total.amount; .tax.amount?; $o)),
     fee("duties"; .current_total_duties_set; $o), fee("additional_fees"; .current_total_additional_fees_set; $o)] as $charges
  | ([$lines[], $charges[] | .total.amount] | money_sum) as $sum | money_sub($current; $sum) as $off
  | (.total_tip_received as $p | .tip_set | amount($p) // "0") as $tip
  | ([.refunds[]?.order_adjustments[]? | (.amount as $p | .amount_set | amount($p) // "0"), (.tax_amount as $p | .tax_amount_set | amount($p) // "0") | size] | money_sum) as $given
  # Money given back without goods touches neither lines nor totals.
  | (if $o.void then "0.00" elif (($off | is_zero_amount) or ($given | is_zero_amount) | not) and money_cmp(money_add($off; $given); "0") == 0 then $sum else $current end) as $total
  | (.current_total_tax as $p | .current_total_tax_set | amount($p) // (.total_tax | unchecked)) as $stated_tax | (if $o.void and $stated_tax != null then "0.00" else $stated_tax end) as $tax
  | ([if ($charges | any(.kind == "tip") | not) and money_cmp($tip; "0") > 0 and money_cmp($off; $tip) == 0 then charge("tip"; null; null; $tip; "0"; $o) else empty end,
      if money_cmp($credit; "0") > 0 and ($o.void | not) then charge("store_credit"; null; "Gift card"; money_neg($credit); "0"; $o) else empty end]) as $more
  | ([.note_attributes | named]) as [$notes] | .customer as $who | (.phone // $who.phone | text) as $phone | (.shipping_address | address) as $to | (.billing_address | address) as $bill
  | (if any($more[]; .kind == "store_credit") then money_sub($total; $credit) else $total end) as $due
  | {external_id: $id, external_number: ((.name | text) // (.order_number | text) // $id), currency: $currency, kind: (if .company != null then "wholesale" else "standard" end),
     placed_at: (.processed_at // .created_at | time("rfc3339")), source_updated_at: (.updated_at | time("rfc3339")), test: (.test == true),
     customer: ({external_id: ($who.id | tail), name: first_of(join_name($who.first_name | text; $who.last_name | text), $bill.name, $to.name), company: first_of((.company.name? | text), $bill.company), email: first_of((.email | text), (.contact_email | text), ($who.email | text)),
       phone: ($phone | phone($to.country // $bill.country // "")), phone_raw: $phone, language: (if has("customer_locale") then .customer_locale | text else absent end)} | compact_absent),
     ship_to: ($to // $bill), bill_to: $bill, delivery: delivery($o; $notes), payment: $payment, lines: $lines,
     charges: ([$charges[], $more[], (if $o.void then empty else rounding($lines + $charges + $more; $due; $tax; $o) end)]),
     totals: {total: money($due; $currency), tax: money($tax; $currency), discount: money(if $o.void then "0.00" else .current_total_discounts as $p | .current_total_discounts_set | amount($p) end; $currency)},
     channel_state: $state, channel_status: "\(.financial_status // "none")/\(.fulfillment_status // "unfulfilled")",
     fulfilled_by: (if $here != null and $ours != [] and ($ours | any | not) then "channel" elif $in.parts == null then absent else "merchant" end),
     deadlines: (if $in.parts == null then absent else {ship_by: ([$open[].fulfillBy | values | time("rfc3339")] | min)} end),
     # Holds, places and dates of what is to be shipped stand in the fulfillment orders only.
     details_missing: (if $state == "cancelled" or $state == "fulfilled" or $goods == [] then false elif $in.parts == null then (if $state == "open" or $state == "partially_fulfilled" then true else absent end)
       else .more == true or $parts == [] or ($here != null and ($ours | any) and any($open[]; .lineItems == null or .lineItems.pageInfo.hasNextPage == true)) end),
     note: (.note | text), tags: (.tags | if type == "string" then split(",") | map(trim | select(. != "")) else . // [] end),
     attributes: ($notes + {source_name: (.source_name | text), discount_codes: ([.discount_codes[]?.code | text] | if . == [] then null else join(", ") end)} | with_entries(select(.value != null)))}
  | compact_absent;

if type != "object" or has("errors") and (.data | blank) then error("not an order: expected an object without errors")
elif (.data | type) == "object" then .data | if (.orders | type) == "array" then error("not orders: a connection is due") else . end elif has("data") then error("not an order: data is empty") else . end
| if (.order | type) == "object" then .order | rest | order elif has("order") then error("not an order: there is none")
  elif .orders != null then .orders | nodes | rest | order
  elif keys == ["id"] then {external_id: (.id | tail | require("id")), channel_state: "cancelled", channel_status: "deleted"}
  else rest | order end
