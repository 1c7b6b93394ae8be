# An order of the shop: one object, the same in webhooks and lists.
def money: {amount: tostring, currency: ($connection.currency // "EUR")};

if .status == "basket" then empty else
{
  external_id: (.id | tostring),
  external_number: .number,
  placed_at: .placed,
  source_updated_at: .changed,
  currency: ($connection.currency // "EUR"),
  customer: {name: .buyer.name, email: .buyer.email},
  ship_to: (.address | if . == null then null else {name: .name, line1: .street, postal_code: .zip, city: .city, country: .country} end),
  lines: [.items[] | {
    external_id: (.id | tostring),
    sku: .sku,
    name: .title,
    quantity: .count,
    unit_price: (.price | money),
    discount: null,
    tax: null,
    total: (.sum | money),
  }],
  charges: [if .shipping == null then empty else {kind: "shipping", tax: null, total: (.shipping | money)} end],
  totals: {total: (.total | money)},
  channel_state: ({"new": "open", "waiting": "pending_payment", "done": "fulfilled", "void": "cancelled"}[.status] // "unknown"),
  channel_status: .status,
} end
