# An order of the Orders API ({order}) or of a webhook ({event_type, order, changes}): the same object in both. A key that is
# missing means "none": the API leaves out what an order does not have.

def text: if type == "number" then tostring elif type == "string" then trim | nonblank else null end;
def lower: text // "" | ascii_downcase;
def moment: text | if . == null then null else time("rfc3339") end;
def eur: money(.; "EUR");
# Missing and zero are the same here.
def amount: if . == null then "0" else dec end;
# Written with a backslash and an n in most payloads.
def lines_of_text: text | if . == null then null else gsub("\\\\n"; "\n") end;
def told: with_entries(select(.value != null and .value != [] and .value != {}));

def vat_free: .price_includes_vat == false;
def line($void): (.size | objects // {}) as $size | (.quantity | require("line_items.quantity") | dec) as $quantity
  | (.unit_price | require("line_items.unit_price") | dec) as $each | (.total_price // money_mul($each; $quantity) | dec) as $total
  | money_sub(money_mul($each; $quantity); $total) as $off
  | {external_id: (.id | text | require("line_items.id")), kind: "physical", name: (.product_name | text),
     sku: first_of($size.shop_variation_uid, .shop_variation_uid, .shop_uid | text), gtin: first_of($size.ean, .ean | text),
     quantity: ($quantity | to_number_exact), cancelled_quantity: (if $void then $quantity | to_number_exact else 0 end),
     unit_price: ($each | eur), discount: (if $void or money_cmp($off; "0") < 0 then "0" else $off end | eur),
     total: (if $void then "0" else $total end | eur), tax: (if vat_free or $void then "0" | eur else null end),
     attributes: ({shop_uid: (.shop_uid | text), mpn: first_of($size.mpn, .mpn | text), size: join_text([$size.label, $size.value | text]; ": "), shop_size: ($size.shop_value | text),
       extra_info: (.extra_info | lines_of_text), serial_numbers: [.serial_numbers | strings | split(",")[] | trim | select(. != "")], tags,
       commission: (.commission | dec), commission_rate: (.commission_rate | dec), vat_ratio: (.vat_ratio | dec), readjusted_vat, island_vat_discount: .island_vat_discount_applied,
       rejection_reason, return_reason} | told)};

def address($name; $phone): {name: $name, company: null, line1: join_text([.street_name, .street_number | text]; " "), line2: null, street: (.street_name | text), house_number: (.street_number | text),
  postal_code: (.zip | text), city: (.city | text), region: (.region | text), country: (.country_code | text | if . == null then null else country end), phone: ($phone | phone("GR")), phone_raw: $phone, email: null};
def filled: objects | select([.street_name, .zip, .city | text] | any(.[]; . != null));

# Cash is taken by the marketplace's courier; everything else the marketplace has or waits for.
def payment($total; $void): (.payment_method | lower | gsub("[ -]"; "_")) as $how | (.paid_by_user == true) as $paid
  | {method: (if $how | test("cash|delivery|antikatavol") then "cod" else "prepaid" end), method_code: (.payment_method | text), method_title: null,
     status: (if $paid then "paid" elif .paid_by_user == false or ($how | test("cash|delivery|antikatavol")) then "unpaid" else "paid" end)}
  | .cod_amount = (if .method == "cod" and .status == "unpaid" and ($void | not) and money_cmp($total; "0") > 0 then $total | eur else null end);

def delivery($to): (.courier | text) as $courier | (.store_pickup == true) as $collect | ($to.pickup_from_collection_point == true) as $point
  | {method_code: null, method_title: $courier, carrier: $courier, mode: (if $collect then "collect" elif $point then "pickup_point" else "home" end),
     # The marketplace tells where it is in words only, and makes the label itself.
     pickup_point: (if $point and ($collect | not) then {network: null, id: null, name: ($to.collection_point_address | text)} else null end), instructions: null};

def kept: {commission: (.commission | dec), fees: (.fees | objects // {} | map_values(dec)), fulfillment_mode: (.fulfillment_mode | text), express, gift_wrap, custom: (.custom | text), courier: (.courier | text),
  courier_voucher: (.courier_voucher | text), courier_tracking_codes: [.courier_tracking_codes[]? | text], number_of_parcels, pickup_window, pickup_address: (.pickup_address | text),
  set_as_ready_required, is_ready_for_dispatch, fbs_delivery_note: (.fbs_delivery_note | text), fbs_delivery_note_url: (.fbs_delivery_note_url | text),
  invoice_document: (.invoice_document | text), invoice: (if .invoice == true then .invoice_details | objects // {} | {profession, doy, vat_exclusion_requested, vat_exclusion_verification_method} | told else null end),
  replacements, replaced: first_of(.replaced, .replaced_suborder | text), returns, rejected_by: (.rejection_info | objects // {} | .actor | text), rejection: (.rejection_info | objects // {} | .reason | text)} | told;

def order: (.code | text | require("order.code")) as $code | (.state | text | require("order.state")) as $state | code("states"; $state) as $known
  | ($known.channel_state == "cancelled") as $void | (.customer | objects // {}) as $who | ($who.address | objects // {}) as $to | (.invoice_details | objects // {}) as $bill
  | join_name($who.first_name | text; $who.last_name | text) as $name | (first_of($who.mobile, $who.phone | text)) as $phone
  | (.line_items | require("order.line_items") | [.[] | line($void)]) as $lines | (.shipping_cost | if $void then "0" else amount end) as $shipping
  | (if $void then "0" else money_add([$lines[].total.amount] | money_sum; $shipping) end) as $total | payment($total; $void) as $payment
  | (.express == true) as $express | (.fulfilled_by_skroutz == true) as $foreign
  | {external_id: $code, external_number: $code, currency: "EUR", placed_at: (.created_at | moment | require("order.created_at")),
     kind: (if first_of(.replaced, .replaced_suborder | text) != null then "replacement" else "standard" end),
     customer: {external_id: ($who.id | text), name: $name, company: ($bill.company | text), email: null, phone: ($phone | phone("GR")), phone_raw: $phone, tax_id: ($bill.vat_number | text), language: null},
     ship_to: ([$to | filled][0] | if . == null then null else address($name; $phone) end),
     bill_to: ([$bill.address | filled][0] | if . == null then null else address($name; null) + {company: ($bill.company | text)} end),
     delivery: delivery($to), payment: $payment, lines: $lines,
     charges: (if money_cmp($shipping; "0") > 0 then [{kind: "shipping", code: null, title: null, total: ($shipping | eur), tax: null}] else [] end),
     totals: {total: ($total | eur), tax: (if any($lines[]; .tax == null) or money_cmp($shipping; "0") > 0 then null else "0" | eur end)},
     deadlines: {accept_by: (.expires_at | moment), ship_by: (.dispatch_until | moment), deliver_by: null, cancel_until: null},
     # Express orders accept themselves; those in the marketplace's own depot are none of ours.
     acceptance: (if $state == "open" and ($express or $foreign) then {state: "not_needed", options: null}
       else {state: ($known.acceptance // absent), options: (if $state == "open" then {accept: .accept_options, reject: .reject_options} else null end)} | compact_absent end),
     channel_state: (if $state == "open" and $payment.method == "prepaid" and $payment.status == "unpaid" then "pending_payment" else $known.channel_state // "unknown" end),
     channel_status: $state, fulfilled_by: (if $foreign then "channel" else "merchant" end), test: ($code | startswith("DEMO-")),
     note: (.comments | text), internal_note: null, tags: [(select(.gift_wrap == true) | "gift_wrap"), (select($express) | "express")], attributes: kept};

if type != "object" then error("not an order: expected an object")
elif .errors != null then error("not an order: an error answer")
elif (.order | type) == "object" then .order | order
elif has("code") and has("line_items") then order
else error("not an order: no `order` in it") end
