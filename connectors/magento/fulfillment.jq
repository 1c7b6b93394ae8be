# A shipment with its numbers. Of a bundle both are named: Magento takes the parts where they are shipped separately, else the parent,
# as often as all its parts are there, and passes over the others.
.input as $in | .connection as $c
| [$in.lines[] | {order_item_id: (.external_id | tonumber), qty: .quantity}] as $items
| [$in.lines[] | select(.attributes.bundle_item_id? != null)] as $parts
| [$parts | group_by(.attributes.bundle_item_id)[] | {order_item_id: (.[0].attributes.bundle_item_id | tonumber),
    qty: (if length < .[0].attributes.bundle_parts then 0 else map(money_div(.quantity; .attributes.per_bundle) | to_number_exact) | min | floor end)} | select(.qty > 0)] as $bundles
| {items: ($bundles + $items), notify: ($c.notify != false), appendComment: ($c.notify != false and $c.note_text != null),
   comment: {comment: ([$c.note_text // empty, "(\($in.shipment.shipment_ref))"] | join(" ")), is_visible_on_front: 0},
   tracks: [$in.tracking[] | (.carrier // "custom" | ascii_downcase) as $carrier | {track_number: .tracking_number, title: (.carrier // "Courier"),
     carrier_code: (if $carrier | test("^(dhl|fedex|ups|usps)$") then $carrier else "custom" end)}]}
+ if $c.source_code == null then {} else {arguments: {extension_attributes: {source_code: $c.source_code}}} end
