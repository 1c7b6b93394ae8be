# Orders as order/read tells them, one a record. Prices of lines come without VAT, shipping with it; the order states no total.
# PHP on the other side: what is empty is [] where an object is meant, ids and numbers are texts or numbers, dates name no zone.

def text: if type == "number" then tostring elif type == "string" then trim | nonblank else null end;
def id: text | if . == "0" then null else . end;
def fields: if type == "object" then . else {} end;
def amount: text | if . == null then "0" else dec end;
def flag: . == true or text == "1";
def minus: dec | if startswith("-") then .[1:] elif money_cmp(.; "0") == 0 then . else "-" + . end;
def least: if money_cmp(.[0]; .[1]) <= 0 then .[0] else .[1] end;
def most: if money_cmp(.[0]; .[1]) >= 0 then .[0] else .[1] end;
def platform: $connection.base_url // "" | if test("emag\\.bg|-bg-api") then "bg" elif test("emag\\.hu") then "hu" else "ro" end;
def zone: $connection.timezone // {ro: "Europe/Bucharest", bg: "Europe/Sofia", hu: "Europe/Budapest"}[platform];
def moment: text | if . == null or startswith("0000") then null else time("%Y-%m-%d %H:%M:%S"; zone) end;
def land: (text | if . == null then null else country end) // (platform | ascii_upcase);

# Vouchers lie on lines, shipping and deposits, net and VAT apart, as negative amounts.
def vouchers: [list[] | objects | .value, .vat_value | amount] | money_sum | minus;
# So many pieces at a net price, with VAT, less vouchers; rounded to the minor unit.
def worth($net; $rate; $pieces; $off; $digits): money_mul(money_mul($net; $pieces); money_add("1"; $rate)) | money_sub(.; $off) | money_round(.; $digits);
def tax_in($gross; $rate; $digits): money_sub($gross; money_div($gross; money_add("1"; $rate))) | money_round(.; $digits);

def line($currency; $digits; $void): (.quantity | text | require("products.quantity") | dec) as $now
  | ([(.initial_qty | amount), $now] | most) as $ordered | (.storno_qty | amount | ltrimstr("-")) as $returned
  # A line that is out of the order keeps its quantity; a smaller quantity, or what came back, is gone.
  | (if $void or (.status | text) == "0" then $ordered else [[money_sub($ordered; $now), $returned] | most, $ordered] | least end) as $gone
  | money_sub($ordered; $gone) as $left | (.sale_price | text | require("products.sale_price") | dec) as $net | (.vat | amount) as $rate
  | money_mul($net; money_add("1"; $rate)) as $each
  | (if money_cmp($left; "0") == 0 then "0" else .product_voucher_split | vouchers end) as $off
  | worth($net; $rate; $left; $off; $digits) as $total
  | {external_id: (.id | id | require("products.id")), kind: "physical", name: (.name | text | if . == null then null else html_decode end),
     sku: first_of((if $connection.sku_from == "product_id" then .product_id elif $connection.sku_from == "part_number" then .part_number else empty end), .ext_part_number, .product_id | text),
     gtin: null, quantity: ($ordered | to_number_exact), cancelled_quantity: ($gone | to_number_exact),
     unit_price: money(money_round($each; 4); $currency), discount: money(money_round($off; $digits); $currency),
     total: money($total; $currency), tax: money(tax_in($total; $rate; $digits); $currency), tax_rate: (money_mul($rate; "100") | money_round(.; 2) | sub("\\.?0+$"; "")),
     attributes: ({product_id: (.product_id | id), part_number: (.part_number | text), part_number_key: (.part_number_key | text), reversible_vat: (if .reversible_vat_charging | flag then true else null end),
       serial_numbers: (.serial_numbers | if . == [] or . == "" then null else . end), vouchers: ([.product_voucher_split | list[] | objects | {name: (.voucher_name | text), offered_by: (.offered_by | text)} | select(. != {name: null, offered_by: null})] | if . == [] then null else . end)}
       | with_entries(select(.value != null)))};

# Deposits on bottles (SGR) are told on the line and owed beside it.
def deposits($currency; $digits; $void): . as $line | .recycle_warranties | list[] | objects | (.vat_rate | amount) as $rate
  | (if $void or ($line.status | text) == "0" then "0" else worth(.sale_price | amount; $rate; .quantity | amount; .recycle_warranty_voucher_split | vouchers; $digits) end | money_round(.; $digits)) as $total
  | {kind: "other", code: "recycle_warranty", title: (.product_name | text), total: money($total; $currency), tax: money(tax_in($total; $rate; $digits); $currency)};
# What it is for the VAT is not told: tax null.
def shipping($currency; $digits; $void): (.shipping_tax | text) as $told | if $told == null then empty else
  (if $void then "0" else money_sub($told | dec; .shipping_tax_voucher_split | vouchers) end | money_round(.; $digits)) as $total
  | {kind: "shipping", code: null, title: null, total: money($total; $currency), tax: (if money_cmp($total; "0") == 0 then money($total; $currency) else null end)} end;
# Vouchers that were not spread over lines and shipping (older orders).
def unspread($currency; $digits; $void): if any(.products | list[] | .product_voucher_split | list[]; true) or any(.shipping_tax_voucher_split | list[]; true) then empty
  else .vouchers | list[] | objects | select((.status | text) != "0") | (.sale_price | amount) as $net | (.sale_price_vat | amount) as $vat
    | {kind: "discount", code: (.voucher_id | id), title: (.voucher_name | text), total: money(if $void then "0.00" else money_round(money_add($net; $vat); $digits) end; $currency), tax: money(if $void then "0.00" else money_round($vat; $digits) end; $currency)} end;

def shape($prefix): . as $c | {street: $c["\($prefix)_street"], city: $c["\($prefix)_city"], suburb: $c["\($prefix)_suburb"], postal: $c["\($prefix)_postal_code"], country: $c["\($prefix)_country"]};
def address($name; $phone; $company): (.country | land) as $country | if (del(.country) | blank) then null else
  {name: $name, company: $company, line1: (.street | text), line2: null, postal_code: (.postal | text), city: (.city | text), region: (.suburb | text), country: $country, phone: ($phone | phone($country)), phone_raw: $phone, email: null} end;

(if type == "object" and has("isError") then error("not an order: an answer as a whole") elif type != "object" then error("not an order: expected an object") else . end)
| (.id | id | require("id")) as $id | (.status | text | require("status")) as $word | code("statuses"; $word).state as $row
| first_of((.products | list[] | .currency | text), {ro: "RON", bg: "EUR", hu: "HUF"}[platform]) as $currency | currency_digits($currency) as $digits
| (.payment_mode_id | text) as $mode | (.payment_status | flag) as $paid | ((.type | text) == "2") as $theirs | (.is_complete | . == false or text == "0" | not) as $complete
| ($row == "cancelled") as $void | (.details | fields) as $details | (.customer | fields) as $who | (.refunded_amount | amount) as $refunded
| (if $row != "open" then $row // "unknown" elif $complete | not then "on_hold" elif .cancellation_request | blank | not then "on_hold"
   elif $mode != "1" and ($paid | not) then "pending_payment" else "open" end) as $state
| [.products | require("products") | list[] | line($currency; $digits; $void)] as $lines
| [shipping($currency; $digits; $void), (.products | list[] | deposits($currency; $digits; $void)), unspread($currency; $digits; $void)] as $charges
| ([$lines[], $charges[] | .total.amount] | money_sum | money_round(.; $digits)) as $total | [$lines[], $charges[] | .tax] as $taxes
| (if $who.legal_entity | flag then $who.company | text else null end) as $company
| (first_of($who.billing_phone, $who.phone_1, $who.phone_2, $who.phone_3 | text)) as $phone | ($details.locker_id | text) as $locker
| {external_id: $id, external_number: $id, currency: $currency, placed_at: (.date | moment), source_updated_at: (.modified | moment),
   customer: {external_id: ($who.id | id), name: first_of($who.name, $who.billing_name | text), company: $company, email: ($who.email | text),
     phone: ($phone | phone($who.billing_country | land)), phone_raw: $phone, tax_id: (if $company == null then null else $who.code | text end)},
   ship_to: ($who | shape("shipping") | address(first_of($who.shipping_contact, $who.name | text); first_of($who.shipping_phone, $phone | text); $company)),
   bill_to: ($who | shape("billing") | address(first_of($who.billing_name, $who.name | text); $phone; $company)),
   delivery: {method_code: (.delivery_mode | text), mode: (if $locker != null or .delivery_mode == "pickup" then "pickup_point" else "home" end), carrier: null,
     pickup_point: (if $locker == null then null else {network: "emag", id: $locker, name: ($details.locker_name | text)} end)},
   payment: {method: (code("payments"; $mode).method // "unknown"), method_code: $mode, method_title: first_of(.detailed_payment_method, .payment_mode | text),
     status: (if ($void | not) and money_cmp($refunded; "0") > 0 then (if money_cmp($refunded; $total) >= 0 then "refunded" else "partially_refunded" end) elif $word == "5" then "refunded" elif $paid then "paid" else "unpaid" end),
     cod_amount: (if $mode == "1" and ($paid or $void or $word == "5" | not) and money_cmp($total; "0") > 0 then money($total; $currency) else null end)},
   lines: $lines, charges: $charges,
   totals: {total: money($total; $currency), tax: (if any($taxes[]; . == null) then null else money([$taxes[].amount] | money_sum | money_round(.; $digits); $currency) end), discount: money([$lines[].discount.amount] | money_sum | money_round(.; $digits); $currency)},
   deadlines: {ship_by: (.maximum_date_for_shipment | moment)},
   # The order is ours to ship only after eMAG has heard that it arrived.
   acceptance: (if $row == null then absent else {kind: "receipt", state: (if $theirs or $void or ($complete | not) then "not_needed" elif $word == "1" then "pending" else "accepted" end)} end),
   channel_state: $state, channel_status: $word, fulfilled_by: (if $theirs then "channel" else "merchant" end), note: (.observation | text),
   attributes: ({vendor_name: (.vendor_name | text), type: (.type | text), shipping_locality_id: ($who.shipping_locality_id | id), legal_entity: ($who.legal_entity | flag), parent_id: (.parent_id | id), courier_accounts: (.enforced_vendor_courier_accounts | if type == "array" then . else null end),
     courier_office_id: ($details.courier_external_office_id | id), cancellation: (.reason_cancellation | fields | if .id == null then null else {id, name} end), cancellation_request: (.cancellation_request | text), late_shipment: (if .late_shipment | flag then true else null end), weekend_delivery: (if .weekend_delivery | flag then true else null end)}
     | with_entries(select(.value != null)))}
| compact_absent
