# A shipment as a fulfillment of WooCommerce 10.1 and later; it has room for one tracking number, so several are joined.
.input as $in | [$in.tracking[] | .tracking_number | values] as $numbers
| {status: "fulfilled", is_fulfilled: true, meta_data: ([
    {key: "_items", value: [$in.lines[] | {item_id: (.external_id | tonumber), qty: .quantity}]},
    {key: "_crossdock_shipment", value: $in.shipment.id},
    (if $numbers == [] then empty else {key: "_tracking_number", value: ($numbers | join(", "))} end),
    ($in.tracking[0].carrier // empty | {key: "_shipment_provider", value: .}),
    ($in.tracking[0].tracking_url // empty | {key: "_tracking_url", value: .})])}
