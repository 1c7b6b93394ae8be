# One order, or one notification {event, order} → one canonical order. Mozello's prices are net or gross by the
# shop's settings; which of the two, only the sum tells (see README).
(.order // .) as $order
| (if $order != . then .event else null end) as $event
| $order
| (.currency // $connection.currency) as $currency
| def part($amount; $percent; $net):
    if $net then with_tax($amount; $percent // 0; $currency) else ($amount | dec) end;
  def text_or_null: if blank then null else . end;
  def address:
    if type != "object" or (.address | blank) then null else {
      line1: .address,
      city: .city,
      region: (.province_code | text_or_null),
      postal_code: .zip,
      country: (.country_code | country),
    } end;

  (.order_id | require("order_id")) as $id
| if (.cart | type) != "array" or .total == null or .payment_status == null then
    # A notification may carry less than the order.
    if $event == "ORDER_DELETED" then {external_id: $id, channel_state: "cancelled"} else {external_id: $id, details_missing: true} end
  else
    money_sub(money_add(.subtotal; .shipping_price // 0); .discount_amount // 0) as $plain
  | (.taxes // 0) as $taxes
  | (money_cmp($plain; .total) != 0 and money_cmp(money_add($plain; $taxes); .total) == 0) as $net
  | ($event == "ORDER_DELETED") as $deleted
  | (.payment_method as $method | $connection.cod_methods | split(",") | any(. == $method)) as $cod
  | (if .shipping_method // "" | startswith("omniva") then "omniva" else null end) as $network
  | {
      external_id: $id,
      external_number: $id,
      placed_at: (.created_at | time("iso_local"; "Europe/Riga")),
      currency: $currency,
      customer: {
        name: .name,
        company: (.company | text_or_null),
        email: .email,
        phone: (.phone | phone("LV")),
        phone_raw: .phone,
        tax_id: (.vat_id | text_or_null),
      },
      bill_to: (address | if . == null then null else . + {name: $order.name, company: ($order.company | text_or_null)} end),
      ship_to: ((.shipping | address) // address
        | if . == null then null else . + {name: $order.name, company: ($order.company | text_or_null),
            phone: ($order.phone | phone("LV")), phone_raw: $order.phone, email: $order.email} end),
      delivery: {
        method_code: .shipping_method,
        carrier: $network,
        mode: (if .shipping.pickup_point_id | blank then "home" else "pickup_point" end),
        pickup_point: (if .shipping.pickup_point_id | blank then null else {network: $network, id: .shipping.pickup_point_id} end),
      },
      payment: {
        method: (if $cod then "cod" else "prepaid" end),
        method_code: .payment_method,
        status: (if .payment_status == "paid" then "paid" else "unpaid" end),
        cod_amount: (if $cod and .payment_status != "paid" and ($deleted | not) then money(.total; $currency) else null end),
      },
      lines: [.cart | to_entries[] | .key as $at | .value
        | part(.product_value; .tax_inclusive_percent // .tax_exclusive_percent; $net) as $total
        | {
          external_id: "\(.product_variant_handle // .product_handle):\($at + 1)",
          sku: (.product_sku | text_or_null),
          name: .product_name,
          quantity: .product_quantity,
          cancelled_quantity: (if $deleted then .product_quantity else 0 end),
          unit_price: money(part(.product_price_discounted // .product_price; .tax_inclusive_percent // .tax_exclusive_percent; $net); $currency),
          tax: (if $deleted then money("0"; $currency) elif $net then money(money_sub($total; .product_value); $currency) else null end),
          total: money(if $deleted then "0" else $total end; $currency),
          weight_g: .weight,
        }],
      charges: (if $deleted then [] else [
        (part(.shipping_price; .shipping_tax_inclusive_percent // .shipping_tax_exclusive_percent; $net) as $shipping
          | {kind: "shipping", code: .shipping_method, total: money($shipping; $currency),
            tax: (if $net then money(money_sub($shipping; .shipping_price); $currency) else null end)}),
        (if money_cmp(.discount_amount // 0; 0) == 0 then empty else
          {kind: "discount", code: (.discount_code | text_or_null), tax: null,
            total: money(money_neg(part(.discount_amount; .cart[0] | .tax_inclusive_percent // .tax_exclusive_percent; $net)); $currency)} end)
      ] end),
      totals: {total: money(if $deleted then "0" else .total end; $currency), tax: money(if $deleted then "0" else .taxes end; $currency)},
      channel_state: (
        if $deleted then "cancelled"
        elif .dispatched or .archived then "fulfilled"
        elif .payment_status == "pending" and $cod then "open"
        else code("statuses"; .payment_status).state
        end // "unknown"),
      channel_status: "\(.payment_status)\(if .dispatched then ",dispatched" else "" end)\(if .archived then ",archived" else "" end)",
      note: (.notes | text_or_null),
      details_missing: false,
    }
  | money_sub(.totals.total.amount; [.lines[], .charges[] | .total.amount] | money_sum) as $rest
  | minor_to_major(1 + (.lines | length); 2) as $most
  | if money_cmp($rest; 0) != 0 and money_cmp($rest; $most) <= 0 and money_cmp(money_neg($rest); $most) <= 0 then
      .charges += [{kind: "rounding", tax: null, total: money($rest; $currency)}]
    else . end
  end
