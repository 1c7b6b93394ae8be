# One parcel: {number, scans: [{code, at, town}]}.
{tracking_number: .number, related: [], cod: null,
 events: [.scans[] | {status: ({"made": "pre_transit", "taken": "in_transit", "out": "out_for_delivery", "given": "delivered"}[.code] // "unknown"),
   carrier_code: .code, occurred_at: .at, place: {name: null, city: .town, country: "GR", geo: null}}]}
