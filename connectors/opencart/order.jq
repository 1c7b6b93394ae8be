# Orders as they stand in OpenCart's tables (2 and 3: methods as texts with a code beside; 4: as {code, name}, or JSON text of it), with
# products, totals, vouchers and histories as our extension adds them; {order_id, deleted: true} for one that is gone.
# Amounts are net and in the shop's base currency; the customer pays them times currency_value.

def text: if type == "number" then tostring elif type == "string" then html_decode | nonblank else null end;
def id: text | if . == "0" then null else . end;
def lower: text // "" | ascii_downcase;
def amount($name): (if . == "" then null else . end) | require($name) | dec;
def size: ltrimstr("-");
def setting: if type == "string" then split(",") else list end | map(tostring | trim | select(. != ""));
# The extension tells the shop's offset; tables alone do not.
def moment: text | if . == null or startswith("0000") then null
  elif test("(Z|[+-][0-9]{2}:?[0-9]{2})$") or $connection.timezone != null then time("iso_local"; $connection.timezone // "UTC")
  else warn("no offset and no setting timezone: the shop's time read as UTC") | time("iso_local"; "UTC") end;
def method($row; $kind): $row["\($kind)_method"] | (if type == "string" and startswith("{") then parse_json else . end)
  | if type == "object" then {code: (.code | text), title: (.name | text)} else {code: ($row["\($kind)_code"] | text), title: text} end;

def cod_words: test("(^|[^a-z])cod([^a-z]|$)|cash.?on.?delivery|econt_payment|nachnahme|contrassegno|ramburs|pobrani|dob[ií]rk|ut[aá]nv[eé]t|lunamaks|pēcapmaks|piegādes br|saņemšan|pristatymo metu|antikatavol|ντικαταβολ|ΝΤΙΚΑΤΑΒΟΛ|аложен|при доставк|при получении|ісляплат");
def is_cod: .code as $code | ($connection.cod_methods // [] | setting | any(.[]; . as $known | $code == $known or ($code // "" | startswith("\($known).")))) or ("\($code | lower) \(.title | lower)" | cod_words);

# What the shop's status means: the merchant's words first, then the statuses that every shop begins with, then the two sets by which
# OpenCart itself tells goods that are promised from goods that left.
def status($cod): (.order_status_id | id) as $id | lookup("statuses"; $id // "") as $known
  | ($connection.status_map // {} | if type == "string" then parse_json else . end)[$id] as $own
  | {complete: {state: "fulfilled", payment: "paid"}, processing: {state: "open", payment: "paid"}}[.status_set // ""] as $set
  | (if $own != null then {state: $own, payment: ({pending_payment: "unpaid", on_hold: "unknown", cancelled: "unknown", unknown: "unknown"}[$own] // "paid")}
     elif $known != null then {state: (if $cod then $known.cod_state else $known.state end), payment: $known.payment}
     else $set // (code("statuses"; $id) | {state: "unknown", payment: "unknown"}) end)
  # What was shipped before it was refunded has left the shop: nothing is left to cancel.
  | .id = $id;

def region($country): text | if . == null or $country == null then . elif test("^[A-Z]{1,3}$") then "\($country)-\(.)" else . end;
def address($row; $kind; $contact): def field($name): $row["\($kind)_\($name)"] | text;
  if [field("firstname"), field("lastname"), field("company"), field("address_1"), field("city"), field("postcode")] | blank then null else
  ((field("iso_code_2") // field("country")) | if . == null then null else country end) as $country | ($row.telephone | text) as $phone
  | {name: join_name(field("firstname"); field("lastname")), company: field("company"), line1: field("address_1"), line2: field("address_2"),
     postal_code: field("postcode"), city: field("city"), region: first_of($row["\($kind)_zone_code"] | region($country), ($row["\($kind)_zone"] | text)), country: $country}
    + if $contact then {phone: ($phone | phone($country)), phone_raw: $phone, email: ($row.email | text)} else {} end end;

def line($currency; $digits; $rate; $void): (.quantity | amount("products.quantity")) as $quantity
  | (.price | amount("products.price")) as $net | (.tax | amount("products.tax")) as $tax
  | money_mul(gross($net; $tax); $rate) as $each | (money_mul($each; $quantity) | money_round(.; $digits)) as $total
  | ($each | money_round(.; $digits)) as $short
  | {external_id: (.order_product_id | id), sku: ((.sku | text) // (.model | text)), gtin: ((.ean | text) // (.upc | text)), name: (.name | text),
     kind: (if (.shipping | id) == null and .shipping != null then "digital" else "physical" end), quantity: ($quantity | to_number_exact),
     cancelled_quantity: (if $void then $quantity else "0" end | to_number_exact),
     unit_price: money(if money_cmp(money_mul($short; $quantity); $total) == 0 then $short else $each | money_round(.; 6) end; $currency), discount: money("0.00"; $currency),
     total: money(if $void then "0.00" else $total end; $currency),
     tax: money(if $void then "0.00" else money_mul(money_mul($tax; $quantity); $rate) | money_round(.; $digits) end; $currency),
     weight_g: (.weight_g | text | if . == null or . == "0" then null else to_number_exact end),
     attributes: ({product_id: (.product_id | id), master_id: (.master_id | id)} + ([.options[]? | {key: (.name | text // "option"), value: (.value | text)}] | from_entries) | with_entries(select(.value != null)))};

# A gift voucher that is bought goes by mail.
def voucher($currency; $digits; $rate; $void): (.amount | amount("vouchers.amount") | money_mul(.; $rate) | money_round(.; $digits)) as $total
  | {external_id: "voucher-\(.order_voucher_id | id // "")", sku: null, name: (.description | text), kind: "digital", quantity: 1, cancelled_quantity: (if $void then 1 else 0 end),
     unit_price: money($total; $currency), discount: money("0.00"; $currency), total: money(if $void then "0.00" else $total end; $currency), tax: money("0.00"; $currency)};

def charge_kind: .code as $code | "\(.code | lower) \(.title | lower)" as $words
  | if $code == "shipping" then "shipping" elif $code == "voucher" or $code == "credit" then "store_credit" elif $code == "handling" then "handling"
    elif $words | cod_words then "cod_fee" elif .net | startswith("-") then "discount" else "other" end;
# All rows of order_total but sums and taxes are charges. The tax rows tell the tax of everything; what is not the lines' is shared among
# the charges that bear tax, in proportion: exact where one rate holds, and what a coupon takes back of the lines' tax goes with the coupon.
def charges($lines_tax; $currency; $digits; $rate): [.totals | values | .[] | {code: (.code | text), title: (.title | text), net: (.value | amount("totals.value"))}] as $rows
  | [$rows[] | select(.code | . == "sub_total" or . == "tax" or . == "total" | not) | .kind = charge_kind | select(money_cmp(.net; "0") != 0 or .code == "shipping")] as $all
  | money_sub([$rows[] | select(.code == "tax") | .net] | money_sum; $lines_tax) as $left
  | [$all[] | select(.kind != "store_credit") | .net] as $bearing | ($bearing | money_sum) as $sum
  | (money_cmp($sum; "0") != 0 and (money_div($left; $sum) | money_cmp(.; "0") >= 0 and money_cmp(.; "0.5") <= 0)) as $one_rate
  | ([$all | to_entries[] | select(.value.kind != "store_credit") | .key][0]) as $first
  | $all | to_entries | map(.key as $i | .value | .tax = (if .kind == "store_credit" then "0" elif $one_rate then money_div(money_mul(.net; $left); $sum) | money_round(.; 8) elif $i == $first then $left else "0" end)
    | {kind, code, title, total: money(money_mul(gross(.net; .tax); $rate) | money_round(.; $digits); $currency), tax: money(money_mul(.tax; $rate) | money_round(.; $digits); $currency)});

def rounding($parts; $total; $tax; $currency; $digits): minor_to_major($parts | length; $digits) as $limit
  | money_sub($total; [$parts[].total.amount] | money_sum) as $off
  | (if $tax == null or any($parts[]; .tax == null) then null else money_sub($tax; [$parts[].tax.amount] | money_sum) end) as $off_tax
  | def small: money_cmp(. | size; $limit) <= 0;
  if ($off | small | not) or (money_cmp($off; "0") == 0 and ($off_tax == null or money_cmp($off_tax; "0") == 0)) then []
  else [{kind: "rounding", code: null, title: null, total: money($off; $currency), tax: (if $off_tax == null or ($off_tax | small | not) then null else money($off_tax; $currency) end)}] end;

def carrier_word: [lower | capture("(^|[^a-z])(?<n>omniva|venipak|econt|speedy|box.?now|smartpost|itella|lp.?express|unisend|latvijas.pasts|packet|inpost|paczkomat|sameday|easybox|geniki|postnord|nova.?posh?ta|cdek|(dpd|gls|dhl|ups|usps|acs|elta|fedex)([^a-z]|$))").n
  | gsub("[^a-z]"; "") | {smartpost: "itella", packet: "packeta", paczkomat: "inpost", easybox: "sameday"}[.] // .][0];
# Modules of carriers name the point in the code: omniva_m.terminal_9203.
def delivery($how; $digital): "\($how.code | lower) \($how.title | lower)" as $words | ($words | carrier_word) as $carrier
  | ([$how.code // "" | capture("[._](terminal|locker|office|parcel_?(shop|point|machine)|pick_?up_?point|service_?point|pudo|pp)_?(?<id>[0-9A-Za-z-]+)$").id][0]) as $point
  | (if $how.code // "" | test("^pickup(\\.|$)") then "collect" elif $point != null or ($words | test("locker|parcel.?(machine|terminal|shop|point)|pick.?up.?point|pakom[aā]t|pa[sš]tomat|pakiautoma|paczkomat|packstation|автомат|terminal_")) then "pickup_point"
     elif $how.code == null and $how.title == null then (if $digital then "digital" else "home" end) else "home" end) as $mode
  | {method_code: $how.code, method_title: $how.title, carrier: $carrier, mode: $mode, pickup_point: (if $mode == "pickup_point" then {network: $carrier, id: $point, name: $how.title} else null end)};

def order: (.order_id | id | require("order_id")) as $id | (.currency_code | text | require("currency_code")) as $currency
  | (.currency_value | amount("currency_value")) as $rate
  # A shop may show fewer digits than the currency has, and then that is what is paid.
  | ([currency_digits($currency), (.currency_decimal_place | text | if . == null then empty else tonumber end)] | min) as $digits
  | method(.; "payment") as $pay | ($pay | is_cod) as $cod | status($cod) as $s
  | (if $s.id == "11" and any(.histories[]?; .order_status_id | id | . == "3" or . == "5") then $s + {state: "fulfilled"} else $s end) as $s
  | ($s.state == "cancelled") as $void | (.total | amount("total") | money_mul(.; $rate) | money_round(.; $digits)) as $owed
  | (if $s.state == "pending_payment" and money_cmp($owed; "0") == 0 and $s.id != "10" then "open" else $s.state end) as $state
  | [(.products | require("products") | .[] | line($currency; $digits; $rate; $void)), (.vouchers | values | .[] | voucher($currency; $digits; $rate; $void))] as $lines
  | ([.products[] | money_mul(.tax | dec; .quantity | dec)] | money_sum) as $lines_tax
  | (if $void then "0.00" else $owed end) as $total
  | (if $void then "0.00" elif .totals == null then null else [.totals[] | select(.code == "tax") | .value | dec] | money_sum | money_mul(.; $rate) | money_round(.; $digits) end) as $tax
  | (if $void then [] else charges($lines_tax; $currency; $digits; $rate) end) as $charges
  | address(.; "shipping"; true) as $ship | address(.; "payment"; false) as $bill | (any($lines[]; .kind == "physical") | not) as $digital
  | (if $cod then "cod" elif $pay.code // "" | test("purchase_?order|on_?account"; "i") then "on_account" elif $pay.code != null or money_cmp($owed; "0") == 0 then "prepaid" else "unknown" end) as $how
  | (if $s.payment == "refunded" then "refunded" elif $how == "cod" then "unpaid" elif money_cmp($owed; "0") == 0 then "paid" else $s.payment end) as $paid
  | {external_id: $id, external_number: $id, currency: $currency, placed_at: (.date_added | moment), source_updated_at: (.date_modified | moment),
    customer: {external_id: (.customer_id | id), name: join_name(.firstname | text; .lastname | text), company: (.payment_company | text), email: (.email | text),
      phone: (.telephone | text | phone(($ship // $bill).country)), phone_raw: (.telephone | text),
      language: (.language_code | text | if . == null then null else split("-") | .[0] + (if .[1] == null then "" else "-" + (.[1] | ascii_upcase) end) end)},
    ship_to: (if $ship != null or $digital then $ship else address(.; "payment"; true) end), bill_to: $bill, delivery: delivery(method(.; "shipping"); $digital),
    payment: {method: $how, method_code: $pay.code, method_title: $pay.title, status: $paid,
      cod_amount: (if $how == "cod" and $paid == "unpaid" and $void == false and money_cmp($owed; "0") > 0 then money($owed; $currency) else null end)},
    lines: $lines, charges: (if $void or .totals == null then $charges else $charges + rounding($lines + $charges; $total; $tax; $currency; $digits) end),
    totals: {total: money($total; $currency), tax: money($tax; $currency)},
    channel_state: $state, channel_status: ((.order_status | text) // $s.id), note: (.comment | text),
    attributes: ({order_status_id: $s.id, store_id: (.store_id | text), invoice_no: (.invoice_no | id)} | with_entries(select(.value != null)))};

if type != "object" then error("not an order: expected an object")
elif .deleted == true then {external_id: (.order_id | id | require("order_id")), channel_state: "cancelled", channel_status: "deleted"}
# A checkout that was never finished.
elif (.order_id != null) and (.order_status_id | tostring) == "0" then empty
else order end
