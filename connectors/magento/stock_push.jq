# Stock levels as source items. Magento subtracts its own reservations from what it is told.
def less($what): if $what == null then . else money_sub(.; $what) end;
(.connection.source_code // "default") as $source
| {sourceItems: [.input.levels[] | .unavailable as $gone | .buffer as $buffer
    | (.on_hand | require("on_hand") | dec | less($gone) | less($buffer) | if money_cmp(.; "0") < 0 then "0" else . end) as $left
    | {sku: (.sku | require("sku")), source_code: $source, quantity: ($left | to_number_exact), status: (if money_cmp($left; "0") > 0 then 1 else 0 end)}]}
