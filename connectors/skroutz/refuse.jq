# Why an order is refused: a reason of ours (or the channel's own number) for each line, where the order offers it; else in words, for the whole.
def number: {out_of_stock: 1, wrong_price: 2, limited_quantity: 4, discontinued: 5, wrong_category: 6}[.] // (tonumber? // null);

.input as $in | [.steps.order.reject.line_item_rejection_reasons[]?] as $offered
| ([$in.lines[]?] | map(. + {id: (.reason // $in.reason | tostring | number)})) as $lines
| if $lines != [] and all($lines[]; .id as $id | any($offered[]; .id == $id)) then
    {line_items: [$lines[] | .id as $id | {id: .external_id, reason_id: $id}
      + (if any($offered[]; .id == $id and .requires_available_quantity) then {available_quantity: (.available // 0)} else {} end)]}
  else {rejection_reason_other: ($in.note // ($in.reason | gsub("_"; " ")))} end
