# A note to the customer. The shipment's own number in brackets is what a later look-up finds again.
.input as $in | [$in.tracking[] | [.carrier, .tracking_number, .tracking_url] | map(values) | join(" ")] as $tracking
| (.connection.note_text // "Your parcel is on its way. {tracking}" | split("{tracking}") | join($tracking | join(", "))) as $text
| {note: "\($text) (\($in.shipment.shipment_ref))", customer_note: true}
