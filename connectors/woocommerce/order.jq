# Orders. Shapes: an order as the REST API and the webhooks tell it; {"id": N} alone (order.deleted);
# {order, refunds}, as orders.get puts it together. Item ids are unique over all kinds of items of a shop.

def text: if type == "number" then tostring elif type == "string" then html_decode | nonblank else null end;
def id: text | if . == "0" then null else . end;
def lower: text // "" | ascii_downcase;
# A list setting: a JSON list, or a text with commas between.
def setting: if type == "string" then split(",") else list end | map(tostring | trim | select(. != ""));
def metas: [.meta_data[]? | objects | {key: (.key | tostring), value}] | from_entries;
def meta($names): . as $all | first_of($names[] | $all[.] | text);
def amount($name): (if . == "" then null else . end) | require($name) | dec;
def tax: if . == "" then null else dec end;
def size: dec | ltrimstr("-");
# The API tells UTC without a mark; very old shops tell site time only.
def moment($utc; $local): [$utc, $local | nonblank | if . != null and startswith("0000") then null else . end] as [$utc, $local]
  | if $utc != null or $local == null then $utc | time("iso_local"; "UTC")
    elif $connection.timezone == null then $local | warn("no UTC time and no setting timezone: site time read as UTC") | time("iso_local"; "UTC")
    else $local | time("iso_local"; $connection.timezone) end;

# What refunds take back: of which item, how many, how much. Money given back on a line without taking pieces
# back touches the payment only, so it is not here.
def taken_back: [.[]? | (.line_items[]? | {goods: true, item: .}), ((.shipping_lines[]?, .fee_lines[]?) | {goods: false, item: .})
  | .goods as $goods | .item | {of: (metas._refunded_item_id | id), quantity: (.quantity // 0 | size),
      total: (.total | tax // "0" | size), tax: (.total_tax | tax // "0" | size)}
  | select(.of != null and ($goods | not) or money_cmp(.quantity; "0") > 0)];

# What an item costs now, gross, less what was taken back; nothing when the order is void.
def price($name; $back; $void): (.id | id) as $id | (.total | amount("\($name).total")) as $net | (.total_tax | tax) as $tax
  | ($back // [] | map(select(.of == $id))) as $mine | ($mine | map(.tax) | money_sum) as $tax_back
  | if $void then {total: "0.00", tax: "0.00"}
    else {total: money_sub(gross($net; $tax); money_add($mine | map(.total) | money_sum; $tax_back)),
          tax: (if $tax == null then null else money_sub($tax; $tax_back) end)} end;

# Bundles, composites, mix and match: a part names its container by id, or by the container's cart key.
def with_parents: map(. + {m: metas}) | . as $all | map(. + {parent: (
    ([.bundled_by, .composite_parent | list[] | id | values][0])
    // ((.m | meta(["_bundled_by", "_composite_parent", "_mnm_container"])) as $key | if $key == null then null else
        first_of($all[] | select([.m._bundle_cart_key, .m._composite_cart_key, .m._mnm_cart_key] | any(. == $key)) | .id | id) end))});

def line($currency; $back; $void; $rates; $containers; $digital): (.id | id) as $id
  | (.quantity | amount("line_items.quantity")) as $quantity | price("line_items"; $back; $void) as $now
  | gross(.total | dec; .total_tax | tax) as $paid | gross(.subtotal | tax // "0"; .subtotal_tax | tax) as $before
  | (if money_cmp($before; $paid) > 0 then $before else $paid end) as $worth
  | (if $void then $quantity elif $back == null then null else $back | map(select(.of == $id) | .quantity) | money_sum end) as $gone
  | currency_digits($currency) as $digits
  | (if money_cmp($quantity; "0") <= 0 then null else money_div($worth; $quantity) | money_round(.; $digits) as $short
       | if money_cmp(money_mul($short; $quantity); $worth) == 0 then $short else money_round(.; 6) end end) as $each
  | (if $each == null then null else money_sub(money_mul($each; money_sub($quantity; $gone // "0")); $now.total)
       | money_round(.; $digits) | if money_cmp(.; "0") < 0 then "0.00" else . end end) as $discount
  | [.taxes[]? | objects | select(money_cmp(.total | tax // "0"; "0") != 0) | .id | id] as $taxed
  | {external_id: $id, parent_external_id: .parent, sku: (.sku | text), gtin: (.global_unique_id | text), name: (.name | text),
     kind: (if any($containers[]; . == $id) then "bundle" elif $digital then "digital" else "physical" end),
     quantity: ($quantity | to_number_exact), cancelled_quantity: (if $gone == null then absent else $gone | to_number_exact end),
     unit_price: money($each; $currency), discount: money($discount; $currency),
     total: money($now.total; $currency), tax: money($now.tax; $currency),
     tax_rate: (if ($taxed | length) == 1 then $rates[$taxed[0]] else null end),
     attributes: ({product_id: (.product_id | id), variation_id: (.variation_id | id)}
       + ([.meta_data[]? | objects | select(.key | type == "string" and (startswith("_") | not))
           | {key: (.display_key | text) // .key, value: (.display_value // .value | if type == "string" then html_decode | strip_tags else . end)}]
         | from_entries))}
  | compact_absent;

def charge($kind; $code; $title; $currency; $back; $void): price($kind; $back; $void)
  | {kind: $kind, code: $code, title: $title, total: money(.total; $currency), tax: money(.tax; $currency)};
def fee($payment_title; $currency; $back; $void): (.name | text) as $name | ($name | lower) as $n
  | charge(if ($n | says_cash_on_delivery) or ($n != "" and $n == ($payment_title | lower)) then "cod_fee"
      elif .total | tax // "0" | startswith("-") then "discount" elif $n | test("handling|packag|packing") then "handling"
      elif $n | test("gift.?wrap") then "gift_wrap" elif $n | test("(^|[^a-z])tip([^a-z]|$)") then "tip" else "other" end;
      null; $name; $currency; $back; $void);

def region($country): text | if . == null or $country == null or . == $country then .
  elif test("^[A-Z]{1,3}$") then "\($country)-\(.)" elif test("^\($country)[0-9]+$") then "\($country)-\(.[2:])" else . end;
def filled: objects | select(del(.country, .state, .email, .phone) | blank | not);
def address($phone; $email): (.country | text | . // "" | country // text) as $country | ((.phone | text) // $phone) as $raw
  | {name: join_name(.first_name | text; .last_name | text), company: (.company | text), line1: (.address_1 | text), line2: (.address_2 | text),
     postal_code: (.postcode | text), city: (.city | text), region: (.state | region($country)), country: $country,
     phone: ($raw | phone($country)), phone_raw: $raw, email: ((.email | text) // $email)};

def delivery($m; $digital): [.shipping_lines[]?] as $all | $all[0] as $ship | ($all | map(metas) | add // {}) as $sm
  | "\($ship.method_id | lower) \($ship.method_title | lower)" as $how | ($m._omnivalt_method | lower) as $omniva
  | ($m + $sm) as $metas | ($metas | pickup_points_in($connection.pickup_point_keys // [] | setting)) as $points
  | first_of(($how, $points[0].key) | carrier_in_text) as $carrier
  | (if $how | test("^(local_pickup|pickup_location)") then "collect" elif $digital then "digital"
     elif $omniva == "omnivalt_c" or ($how | startswith("omnivalt_c ")) then "home"
     elif ($points | length) > 0 or ("\($how) \($omniva)" | contains("omnivalt_pt") or says_pickup_point) then "pickup_point"
     elif $ship == null then absent else "home" end) as $mode
  | {method_code: ($ship.method_id | text), method_title: ($ship.method_title | text), carrier: $carrier, mode: $mode,
     pickup_point: (if $mode != "pickup_point" then null else
       {network: first_of(($points[0].key | carrier_in_text), $carrier), id: $points[0].id,
        name: first_of(($points[].name), ($metas | to_entries[] | select(.key | ascii_downcase | test("\(pickup_point_words)_?(name|title|label)$")) | .value | text))} end)}
  | compact_absent;

def payment($currency; $refunded; $state): "\(.payment_method | lower) \(.payment_method_title | lower)" as $how | (.payment_method | lower) as $code
  | (if ($connection.cod_methods // [] | setting | any(.[]; ascii_downcase == $code)) or ($how | says_cash_on_delivery) then "cod"
     elif $code | test("purchase_?order|on_?account|invoice_gateway|^invoice$") then "on_account"
     elif $code != "" or (.date_paid_gmt // .date_paid) != null or money_cmp(.total; "0") == 0 then "prepaid" else "unknown" end) as $method
  | money_sub(.total; $refunded) as $left | ((.date_paid_gmt // .date_paid | nonblank) != null) as $paid
  | (if .status == "refunded" or (money_cmp($refunded; "0") > 0 and money_cmp($left; "0") <= 0) then "refunded"
     elif money_cmp($refunded; "0") > 0 and ($paid or $method != "cod") then "partially_refunded"
     elif $paid or ($method == "prepaid" and money_cmp(.total; "0") == 0) then "paid"
     elif (metas | ._stripe_charge_captured == "no" or ._intention_status == "requires_capture") then "authorized" else "unpaid" end) as $status
  | {method: $method, method_code: (.payment_method | text), method_title: (.payment_method_title | text), status: $status,
     cod_amount: (if $method == "cod" and $status == "unpaid" and $state != "cancelled" and money_cmp($left; "0") > 0 then money($left; $currency) else null end)};

def state($slug): (.date_completed_gmt // .date_completed) as $completed | (($connection.status_map // {} | if type == "string" then parse_json else . end)[$slug]) // code("statuses"; $slug).state // "unknown"
  # What was completed before it was refunded has left the shop: nothing is left to cancel.
  | if $slug == "refunded" and $completed != null then "fulfilled" else . end;

def rounding($parts; $total; $tax; $currency): if $tax == null then null else
  (if $total | contains(".") then "0.01" else "1" end) as $unit | money_mul($unit; $parts | length) as $limit
  | money_sub($total; [$parts[].total.amount] | money_sum) as $off | [$parts[].tax | if . == null then null else .amount end] as $taxes
  | (if any($taxes[]; . == null) then null else money_sub($tax; $taxes | money_sum) end) as $off_tax
  | def small: money_cmp(. | size; $limit) <= 0;
  if (money_cmp($tax; "0") == 0) or ($off | small | not) or (money_cmp($off; "0") == 0 and ($off_tax == null or money_cmp($off_tax; "0") == 0)) then null
  else {kind: "rounding", code: null, title: null, total: money($off; $currency),
        tax: (if $off_tax == null or ($off_tax | small | not) then null else money($off_tax; $currency) end)} end end;

def order($refunds): metas as $m | (.status | require("status") | ltrimstr("wc-")) as $slug | state($slug) as $stated
  | (.id | id | require("id")) as $id | (.currency | text | require("currency")) as $currency | (.total | amount("total")) as $stated_total
  | [.refunds[]?] as $told | ([$told[] | .total // .amount // 0 | size] | money_sum) as $refunded
  | ($stated == "cancelled") as $void | payment($currency; $refunded; $stated) as $payment
  | (if $refunds != null then $refunds | taken_back elif $told == [] then [] else null end) as $back
  | (.needs_processing == false and ([.shipping_lines[]?] | length == 0)) as $digital
  | (.line_items | require("line_items") | [.[]?] | with_parents) as $all
  # Some shops tell one item twice; its total counts once.
  | (reduce $all[] as $l ([]; if $l.id != null and any(.[]; .id == $l.id) then . else . + [$l] end)) as $items
  | ([.tax_lines[]? | objects | {key: (.rate_id | tostring), value: (.rate_percent | text)}] | from_entries) as $rates
  | [$items[].parent | values] as $containers | [$items[] | line($currency; $back; $void; $rates; $containers; $digital)] as $lines
  | [(.shipping_lines[]? | charge("shipping"; .method_id | text; .method_title | text; $currency; $back; $void)),
     (.payment_method_title as $title | .fee_lines[]? | fee($title; $currency; $back; $void)),
     (.gift_cards[]? | {total: money_neg(.amount | amount("gift_cards.amount")), total_tax: "0.00"}
       | charge("store_credit"; null; "Gift card"; $currency; []; $void))] as $charges
  | [($items[], .shipping_lines[]?, .fee_lines[]?) | .id | id] as $ids | ($back // [] | map(select(.of as $of | any($ids[]; . == $of)))) as $gone
  | (if $void then "0.00" else money_sub($stated_total; [$gone[] | .total, .tax] | money_sum) end) as $total
  | (.total_tax | tax | if . == null then null elif $void then "0.00" else money_sub(.; [$gone[].tax] | money_sum) end) as $tax
  | ([.shipping, .billing | filled]) as $addresses | (.billing | objects // {}) as $bill
  | first_of((.shipping.phone | text), ($m | meta(["_shipping_phone"])), ($bill.phone | text)) as $phone
  | (if $stated == "on_hold" and $payment.method == "prepaid" and $payment.status == "unpaid" and (.payment_method | lower | test("bacs|che(que|ck)|bank|wire|transfer|money_?order"))
     then "pending_payment" else $stated end) as $state
  | if $state == "draft" then empty else {external_id: $id, external_number: ((.number | text) // $id), currency: $currency,
    placed_at: moment(.date_created_gmt; .date_created), source_updated_at: moment(.date_modified_gmt; .date_modified),
    customer: ({external_id: (.customer_id | id), name: first_of([$bill, .shipping | objects][] | join_name(.first_name | text; .last_name | text)),
      company: ($bill.company | text), email: ($bill.email | text), phone: ($bill.phone | text | phone($bill.country // "" | country)), phone_raw: ($bill.phone | text),
      tax_id: ($m | meta(["_billing_vat_number", "billing_vat_number", "_vat_number", "vat_number", "_billing_vat", "_billing_eu_vat_number", "_billing_tax_id", "_billing_afm", "_billing_nip"])),
      language: ($m | meta(["wpml_language", "trp_language", "_wp_locale"]) // absent | if type == "string" then gsub("_"; "-") else . end)} | compact_absent),
    ship_to: ($addresses[0] | if . == null then null else address($phone; $bill.email | text) end),
    bill_to: ($bill | [filled][0] | if . == null then null else address(null; null) end),
    delivery: delivery($m; $digital), payment: $payment, lines: $lines,
    charges: ([$charges[], (if $void then empty else rounding($lines + $charges; $total; $tax; $currency) | values end)]),
    totals: {total: money($total; $currency), tax: money($tax; $currency),
      discount: (if $void then money("0.00"; $currency) else money(gross(.discount_total | tax // "0"; .discount_tax | tax); $currency) end)},
    channel_state: $state, channel_status: .status, note: (.customer_note | text),
    details_missing: (if $void or $refunds != null then false elif .refunds == null then absent else $told != [] end),
    attributes: ({created_via: (.created_via | text), transaction_id: (.transaction_id | text), econt_customer_info_id: ($m._customer_info_id | id),
      coupons: ([.coupon_lines[]? | .code | text] | if . == [] then null else . end)} | with_entries(select(.value != null)))}
    | compact_absent end;

if type != "object" then error("not an order: expected an object")
elif (.order | type) == "object" and (.refunds | type) == "array" then .refunds as $refunds | .order | order($refunds)
elif keys == ["id"] then {external_id: (.id | id | require("id")), channel_state: "cancelled", channel_status: "trash"}
else order(null) end
