# Orders, as GET /V1/orders tells them one by one or as a list. Amounts are in the order's currency (those with base_ are the
# shop's own), net, and mostly before the discount. What is empty Magento leaves out.

def text: if type == "number" then tostring elif type == "string" then html_decode | trim | nonblank else null end;
def id: text | if . == "0" then null else . end;
def lower: text // "" | ascii_downcase;
def amount: if . == null or . == "" then "0" else dec end;
def size: dec | ltrimstr("-");
def some: money_cmp(.; "0") > 0;
def utc: text | if . == null or startswith("0000") then null else time("iso_local"; "UTC") end;
def setting: if type == "string" then split(",") else list end | map(tostring | trim | select(. != ""));
def least($a; $b): if money_cmp($a; $b) < 0 then $a else $b end;

# What a row costs as ordered: gross, after discount. row_total is before the discount, but after it in some shops: the price tells.
def ordered: (.qty_ordered | require("items.qty_ordered") | dec) as $quantity | (.discount_amount | amount) as $discount
  | money_mul(.price | amount; $quantity) as $full | (if .row_total != null then .row_total | dec elif .parent_item_id != null then "0" else $full end) as $row
  | (if ($discount | some) and money_cmp(money_sub($row; money_sub($full; $discount)) | size; money_sub($row; $full) | size) < 0 then $row else money_sub($row; $discount) end) as $net
  | (.tax_amount | amount) as $tax
  | {quantity: $quantity, tax: $tax, total: ([$net, $tax, (.discount_tax_compensation_amount | amount), (.weee_tax_applied_row_amount | amount)] | money_sum)};
def gone: least(.qty_ordered | amount; money_add(.qty_canceled | amount; .qty_refunded | amount));
def share($left; $whole; $digits): if money_cmp($left; $whole) == 0 then . elif $left | some | not then "0.00" else money_round(money_div(money_mul(.; $left); $whole); $digits) end;
def kind: if .product_type == "bundle" or (.parts != [] and .product_type != "configurable") then "bundle" elif .product_type == "virtual" then "service" elif .is_virtual == 1 or .is_virtual == true or .product_type == "downloadable" then "digital" else "physical" end;

# Rows with what they belong to. Of a configurable the parent is the line, of a bundle parent and parts are. Where the parts have
# prices (dynamic bundles) the parent's is their sum and counts for nothing.
def rows: [.items | require("items") | if type == "array" then .[] else error("items: expected an array") end] as $all | [$all[] | (.item_id | id | require("items.item_id")) as $id | (.parent_item_id | id) as $of
  | first_of($all[] | select((.item_id | id) == $of)) as $parent | select($parent == null or $parent.product_type != "configurable")
  | [$all[] | select((.parent_item_id | id) == $id)] as $parts | . + {id: $id, bundle: $parent, parts: $parts, size: ([$all[] | select($of != null and (.parent_item_id | id) == $of)] | length)}
  | (if kind == "bundle" and any($parts[]; .row_total | amount | some) then . + {price: 0, row_total: 0, discount_amount: 0, tax_amount: 0, discount_tax_compensation_amount: 0, price_incl_tax: 0} else . end)
  | . + {ordered: ordered}];

# One line, and beside it (`was`) what it cost as ordered.
def line($currency; $void): currency_digits($currency) as $digits | .ordered as $o | (if $void then $o.quantity else gone end) as $gone | money_sub($o.quantity; $gone) as $left
  | ($o.total | share($left; $o.quantity; $digits)) as $total
  | (if ($o.quantity | some | not) or (money_cmp($o.total; "0") == 0 and (.bundle != null or .price_incl_tax == 0)) then "0.00"
     elif (.discount_amount | amount | some) and .price_incl_tax != null and money_cmp(money_mul(.price_incl_tax | dec; $o.quantity); $o.total) >= 0 then .price_incl_tax | dec
     else money_div($o.total; $o.quantity) | money_round(.; $digits) as $short | if money_cmp(money_mul($short; $o.quantity); $o.total) == 0 then $short else money_round(.; 6) end end) as $each
  | {was: $o, line: {external_id: .id, parent_external_id: (if .bundle == null then null else .bundle.item_id | id end), sku: (.sku | text), name: (.name | text), kind: kind,
     quantity: ($o.quantity | to_number_exact), cancelled_quantity: ($gone | to_number_exact), unit_price: money($each; $currency),
     discount: (money_sub(money_mul($each; $left); $total) | money_round(.; $digits) | if some then . else "0.00" end | money(.; $currency)),
     total: money($total; $currency), tax: money($o.tax | share($left; $o.quantity; $digits); $currency), tax_rate: (.tax_percent | if . == null then null else dec end),
     attributes: ({product_id: (.product_id | id), product_type: (.product_type | text), variant: (if .product_type == "configurable" then .parts[0].name | text else null end)}
       + (if .bundle == null then {} else {bundle_item_id: (.bundle.item_id | id), bundle_parts: .size, per_bundle: (.bundle.qty_ordered | amount | if some then money_div($o.quantity; .) else "1" end)} end)
       + ([.product_option.extension_attributes.custom_options[]? | {key: "option_\(.option_id)", value: (.option_value | tostring)}] | from_entries) | with_entries(select(.value != null)))}};

def region($country): (.region_code | text) as $code | if $code != null and ($code | startswith("\($country)-")) then $code
  elif $code != null and ($code | test("^[A-Z]{2}$")) and $country != "AT" then "\($country)-\($code)" else (.region | text) // $code end;
def filled: objects | select([.street[]?, .city, .postcode, .lastname, .company | text] | any(. != null));
def address($email): (.country_id | text | . // "" | country // text) as $country | [.street | if type == "string" then split("\n") else list end | .[] | text | values] as $street
  | {name: join_name(join_name(.firstname | text; .middlename | text); .lastname | text), company: (.company | text), line1: $street[0], line2: join_text($street[1:]; ", "),
     postal_code: (.postcode | text), city: (.city | text), region: region($country), country: $country, phone: (.telephone | text | phone($country)), phone_raw: (.telephone | text),
     email: ((.email | text) // $email)};

def cod_words: test("(^|[^a-z])cod([^a-z]|$)|cash.?on.?delivery|nachnahme|contrassegno|ramburs|pobrani|dob[ií]rk|ut[aá]nv[eé]t|lunamaks|ντικαταβολ|аложен|при получении|ісляплат");
def payment($currency; $word): .payment as $p | ($p.method | lower) as $code | (.total_due | amount) as $due | (.total_refunded | amount) as $refunded
  | first_of((.extension_attributes.payment_additional_info[]? | select(.key == "method_title") | .value | text), ($p.additional_information | list[0] | text)) as $title
  | (if any($connection.cod_methods // [] | setting[]; ascii_downcase == $code) or ("\($code) \($title | lower)" | cod_words) then "cod"
     elif $code | test("purchase_?order|company_?credit|on_?account|net_?terms") then "on_account" elif $code == "" then "unknown" else "prepaid" end) as $method
  | (if $refunded | some then (if money_cmp($refunded; .total_paid | amount) >= 0 then "refunded" else "partially_refunded" end)
     elif ($due | some | not) and (.state != "canceled" or (.total_paid | amount | some)) then "paid" elif $p.amount_authorized | amount | some then "authorized" else "unpaid" end) as $status
  | {method: $method, method_code: ($p.method | text), method_title: $title, status: $status,
     cod_amount: (if $method == "cod" and $status == "unpaid" and $word != "canceled" and ($due | some) then money($due; $currency) else null end)};

# Pickup points: modules keep them in extension attributes of the order, its address or its shipping.
def carrier_word: [lower | capture("(^|[^a-z])(?<n>omniva|venipak|econt|speedy|box.?now|smartpost|itella|lp.?express|unisend|latvijas.pasts|packet|inpost|paczkomat|sameday|easybox|geniki|postnord|(dpd|gls|dhl|ups|usps|acs|elta|fedex)([^a-z]|$))").n
  | gsub("[^a-z]"; "") | {smartpost: "itella", packet: "packeta", paczkomat: "inpost", easybox: "sameday"}[.] // .][0];
def points($extra): [objects | to_entries[] | .key as $key | select((.key | ascii_downcase | test("boxnow_(id|locker)|(locker|terminal|parcel_?(machine|shop|point)|pick_?up_?point|service_?point|pudo|(econt|speedy)_office)(_?(id|code|number|data))?$")) or any($extra[]; . == $key))
  | (.value | if type == "string" and startswith("{") then (try parse_json catch null) else . end)
  | if type == "object" then {key: $key, id: first_of(.id, .code, .locker_id, .point_id, .boxnowLockerId | id), name: first_of(.name, .title, .boxnowLockerName | text)} else {key: $key, id: id, name: null} end | select(.id != null)];
def delivery($digital): .extension_attributes as $ext | $ext.shipping_assignments[0].shipping as $ship | ($connection.pickup_point_keys // [] | setting) as $extra
  | [($ext, $ship.extension_attributes, $ship.address.extension_attributes, .billing_address.extension_attributes | points($extra)[])] as $points
  | "\($ship.method | lower) \(.shipping_description | lower)" as $how | first_of(($how, $points[0].key) | carrier_word) as $carrier
  | (if $digital then "digital" elif $how | test("^(instore_|storepickup|freestorepickup)") then "collect"
     elif $points != [] or ($how | test("locker|parcel.?(machine|terminal|shop|point)|pick.?up.?point|pakom[aā]t|pa[sš]tomat|pakiautoma|paczkomat|packstation|автомат")) then "pickup_point" else "home" end) as $mode
  | {method_code: ($ship.method | text), method_title: (.shipping_description | text), carrier: $carrier, mode: $mode,
     pickup_point: (if $mode == "pickup_point" then {network: first_of(($points[0].key | carrier_word), $carrier), id: $points[0].id, name: $points[0].name}
       elif $mode == "collect" and $ext.pickup_location_code != null then {network: null, id: ($ext.pickup_location_code | text), name: null} else null end)};

def charge($kind; $code; $title; $total; $tax; $currency): {kind: $kind, code: $code, title: $title, total: money($total; $currency), tax: money($tax; $currency)};
# What shipping costs as ordered and now.
def shipping: [.shipping_amount, .shipping_tax_amount, .shipping_discount_tax_compensation_amount | amount] as $plus | (.shipping_tax_amount | amount) as $tax | money_sub($plus | money_sum; .shipping_discount_amount | amount) as $total
  | {total: $total, tax: $tax, left: money_sub($total; [.shipping_refunded, .shipping_tax_refunded, .shipping_discount_tax_compensation_refunded | amount] | money_sum), left_tax: money_sub($tax; .shipping_tax_refunded | amount)};
# Gift wrap, gift cards, store credit, points: Adobe Commerce.
def extras($currency): .extension_attributes as $e
  | [("gw_price", "gw_items_price", "gw_card_price" | . as $key | ($e["\($key)_incl_tax"] // $e[$key] | amount) as $gross | select($gross | some) | charge("gift_wrap"; $key; null; $gross; money_sub($gross; $e[$key] | amount); $currency)),
     ("gift_cards_amount", "customer_balance_amount", "reward_currency_amount" | . as $key | ($e[$key] | amount) as $of | select($of | some) | charge("store_credit"; $key; null; money_neg($of); "0.00"; $currency))];
# What all this leaves open is a fee when an attribute of a module says just that, or rounding when it is tiny; else it stays open, to be seen.
def rest($parts; $total; $tax; $currency; $cod): money_sub($total; [$parts[].total] | money_sum) as $off | money_sub($tax; [$parts[].tax] | money_sum) as $off_tax | money_mul("0.01"; $parts | length) as $limit
  | first_of(.extension_attributes | objects | to_entries[] | select(($off | some) and (.key | startswith("base_") | not)) | select(.value | type == "number" or (type == "string" and test("^[0-9]+([.][0-9]+)?$")))
      | select(money_cmp(.value | dec; $off) == 0 or money_cmp(money_add(.value | dec; $off_tax); $off) == 0) | .key) as $fee
  | if $fee != null then [charge(if $cod or ($fee | test("cod|cash|payment")) then "cod_fee" else "other" end; $fee; null; $off; $off_tax; $currency)]
    elif all($off, $off_tax; money_cmp(.; "0") == 0) or any($off, $off_tax; money_cmp(size; $limit) > 0) then [] else [charge("rounding"; null; null; $off; $off_tax; $currency)] end;

# Orders that are paid at the door stay new until they are invoiced; what was sent before it was refunded has left the shop.
def state($goods; $paid; $method): any($goods[]; .sent | some) as $begun | ($begun and all($goods[]; money_cmp(.sent; .left) >= 0)) as $shipped | .state as $word | code("states"; $word).canonical as $known
  | if $known == "open" or ($word == "new" and ($paid or $method == "cod" or $method == "on_account")) then (if $shipped then "fulfilled" elif $begun then "partially_fulfilled" else "open" end)
    elif $word == "closed" and $begun then "fulfilled" else $known // "unknown" end;

def order: (.entity_id | id | require("entity_id")) as $id | (.order_currency_code | text | require("order_currency_code")) as $currency | (.grand_total | require("grand_total") | dec) as $stated
  | (.state | text | require("state")) as $word | (.tax_amount | amount) as $tax | rows as $rows
  | [$rows[] | select(kind == "physical") | {left: money_sub(.qty_ordered | dec; gone), sent: (if money_cmp(.qty_shipped | amount; "0") == 0 and .bundle != null then money_mul(.bundle.qty_shipped | amount; .qty_ordered | dec) else .qty_shipped | amount end)}] as $goods
  | . + {total_due: (.total_due // money_sub($stated; .total_paid | amount))} | payment($currency; $word) as $payment | state($goods; .total_due | amount | some | not; $payment.method) as $state | ($state == "cancelled") as $void
  | [$rows[] | line($currency; $void)] as $all | [$all[].line] as $lines | shipping as $ship | extras($currency) as $extras | .extension_attributes.shipping_assignments[0].shipping as $how
  | rest([$all[].was, $ship, ($extras[] | {total: .total.amount, tax: .tax.amount})]; $stated; $tax; $currency; $payment.method == "cod") as $rest
  | ([$goods[]] == [] and $rows != [] or .is_virtual == 1) as $digital | .billing_address as $bill | ([$how.address, $bill | filled][0]) as $to | (.customer_email | text) as $email
  | first_of((.customer_taxvat, $bill.vat_id, $to.vat_id) | text) as $tax_id
  | {external_id: $id, external_number: ((.increment_id | text) // $id), currency: $currency, placed_at: (.created_at | utc), source_updated_at: (.updated_at | utc),
    customer: {external_id: (.customer_id | id), name: first_of(join_name(.customer_firstname | text; .customer_lastname | text), ($bill, $to | objects | join_name(.firstname | text; .lastname | text))), company: ($bill.company | text),
      email: $email, phone: ($bill.telephone | text | phone($bill.country_id // "" | country)), phone_raw: ($bill.telephone | text), tax_id: $tax_id},
    ship_to: (if $to == null then null else $to | address($email) end), bill_to: (if [$bill | filled] == [] then null else $bill | address($email) end),
    delivery: delivery($digital), payment: $payment, lines: $lines,
    charges: (if $void then [] else [(if $digital and ($ship.total | some | not) then empty else charge("shipping"; $how.method | text; .shipping_description | text; $ship.left; $ship.left_tax; $currency) end), $extras[], $rest[]] end),
    totals: (if $void then {total: money("0.00"; $currency), tax: money("0.00"; $currency), discount: money("0.00"; $currency)} else
      {total: money(money_sub($stated; [(money_sub($ship.total; $ship.left)), ($all[] | money_sub(.was.total; .line.total.amount))] | money_sum); $currency),
       tax: money(money_sub($tax; [(money_sub($ship.tax; $ship.left_tax)), ($all[] | money_sub(.was.tax; .line.tax.amount))] | money_sum); $currency), discount: money(.discount_amount | amount | size; $currency)} end),
    channel_state: $state, channel_status: ((.status | text) // $word), note: (.customer_note | text),
    attributes: ((if .base_currency_code == $currency then {} else {base_currency: (.base_currency_code | text), base_total: (.base_grand_total | text), base_to_order_rate: (.base_to_order_rate | text)} end)
      + {store_id: (.store_id | id), coupon_code: (.coupon_code | text), gift_message: (.extension_attributes.gift_message.message? | text), original_number: (.original_increment_id | text),
         replaces: (.relation_parent_real_id | text), replaced_by: (.relation_child_real_id | text)} | with_entries(select(.value != null)))};

if type != "object" then error("not an order: expected an object")
# A list without what stands beside it (`fields=items[…]`).
elif .entity_id == null and (.items | type) == "array" and any(.items[]; type == "object" and has("increment_id")) then .items[] | order
else order end
