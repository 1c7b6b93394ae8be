# Source items: what lies at a source. Reservations of orders are kept elsewhere, so that nobody learns here what is free,
# except that nothing is where the row says out of stock.
{sku: (.sku | tostring), location: .source_code, on_hand: (.quantity | require("quantity") | to_number_exact)}
+ if .status == 0 then {available: 0} else {} end
