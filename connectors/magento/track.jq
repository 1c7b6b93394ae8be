# A tracking number that a known shipment lacks. Magento knows links only for its own carriers.
.item as $t | ($t.carrier // "custom" | ascii_downcase) as $carrier
| {entity: {order_id: (.input.order.external_id | tonumber), parent_id: .steps.shipments[0].id, track_number: $t.tracking_number, title: ($t.carrier // "Courier"),
    carrier_code: (if $carrier | test("^(dhl|fedex|ups|usps)$") then $carrier else "custom" end), qty: 1, weight: 0, description: .input.shipment.shipment_ref}}
