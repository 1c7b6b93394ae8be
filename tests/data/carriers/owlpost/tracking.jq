# One scan: {number, code, at, paid}.
{tracking_number: .number, related: [], cod: (if .paid == null then null else {amount: {amount: .paid, currency: "EUR"}, status: "collected"} end),
 events: [{status: ({"made": "pre_transit", "taken": "in_transit", "out": "out_for_delivery", "given": "delivered"}[.code] // "unknown"), carrier_code: .code, occurred_at: .at}]}
