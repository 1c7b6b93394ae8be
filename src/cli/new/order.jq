# One order of the provider → one canonical order. Amounts are gross. A key left out means "this
# payload does not tell", null means "known to be none".
{
  external_id: (.id | tostring),
  external_number: .number,
  placed_at: .created_at,
  source_updated_at: .updated_at,
  currency: $connection.currency,
  customer: {name: .customer.name, email: .customer.email},
  ship_to: {
    name: .customer.name,
    line1: .address.street,
    postal_code: .address.postal_code,
    city: .address.city,
    country: .address.country,
  },
  lines: [.items[] | {
    external_id: (.id | tostring),
    sku: .sku,
    name: .title,
    quantity: .quantity,
    unit_price: money(.price; $connection.currency),
    discount: null,
    tax: null,
    total: money(.total; $connection.currency),
  }],
  charges: [{kind: "shipping", tax: null, total: money(.shipping; $connection.currency)}],
  totals: {total: money(.total; $connection.currency)},
  channel_state: ({"open": "open", "paid": "open", "cancelled": "cancelled"}[.status] // "unknown"),
  channel_status: .status,
}
