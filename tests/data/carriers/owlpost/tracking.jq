# One scan: {number, code, at}.
{tracking_number: .number, related: [], cod: null,
 events: [{status: ({"made": "pre_transit", "taken": "in_transit", "out": "out_for_delivery", "given": "delivered"}[.code] // "unknown"), carrier_code: .code, occurred_at: .at}]}
