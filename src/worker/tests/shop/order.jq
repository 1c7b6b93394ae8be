def money: {amount: tostring, currency: "EUR"};

if .status == "basket" then empty else
{
  external_id: (.id | tostring),
  external_number: .number,
  placed_at: .placed,
  source_updated_at: .changed,
  currency: "EUR",
  customer: {name: .buyer},
  ship_to: {name: .buyer, line1: "Street 1", postal_code: "LV-1010", city: "Riga", country: "LV"},
  payment: {method: "prepaid", status: "paid"},
  lines: [.items[] | {external_id: (.id | tostring), kind: "physical", sku: .sku, name: .sku, quantity: .count, unit_price: (.sum | money), total: (.sum | money)}],
  charges: [],
  totals: {total: (.total | require("total") | money)},
  channel_state: ({"new": "open", "void": "cancelled", "done": "fulfilled"}[.status] // "unknown"),
  channel_status: .status
} end
