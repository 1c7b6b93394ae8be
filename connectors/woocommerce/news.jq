# News of a parcel as a note. Shipment and kind of news in brackets are what a later look-up finds again.
.input as $in | .connection as $c | [$in.tracking[] | [.carrier, .tracking_number, .tracking_url] | map(values) | join(" ")] as $tracking
| ({out_for_delivery: "Your parcel is being delivered today. {tracking}", failed_attempt: "The courier could not hand your parcel over. {tracking}",
    available_for_pickup: "Your parcel is ready for you to collect. {tracking}", delivered: "Your parcel was delivered. {tracking}",
    returned: "The parcel came back to the sender. {tracking}"} + ($c.news_texts // {} | if type == "string" then parse_json else . end))[$in.status] as $text
| {note: "\($text // $in.status | split("{tracking}") | join($tracking | join(", "))) (\($in.shipment.shipment_ref), \($in.status))",
   customer_note: ($c.customer_news // "out_for_delivery, available_for_pickup, delivered" | split(",") | map(trim) | index($in.status) != null)}
