# A shipment as a history row: the status when nothing is left to ship, and the comment with the numbers. The shipment's id is the key
# under which the extension does it once; its own number in brackets is what people look for.
.input as $in | .connection as $c | [$in.tracking[] | [.carrier, .tracking_number, .tracking_url] | map(values) | join(" ")] as $tracking
| ($c.comment_text // "Your parcel is on its way. {tracking}" | split("{tracking}") | join($tracking | join(", "))) as $text
| {order_id: $in.order.external_id, order_status_id: (if $in.complete and ($c.shipped_status // "") != "" then $c.shipped_status else null end),
   comment: "\($text | trim)\(if $in.shipment.shipment_ref == null then "" else " (\($in.shipment.shipment_ref))" end)", notify: ($c.notify != false), idempotency_key: $in.shipment.id}
