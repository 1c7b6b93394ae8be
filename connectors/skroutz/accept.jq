# How an order is accepted: what a person chose (.input.choice), else by the settings, always out of what the order offers now.
# Greek is compared without accents and capitals.
def plain: transliterate | ascii_downcase;
def begins: [.label | strings | capture("(?<time>[0-9]{2}:[0-9]{2}) *- *[0-9]{2}:[0-9]{2}.* (?<day>[0-9]{2}/[0-9]{2}/[0-9]{2})$") | "\(.day) \(.time)" | time("%d/%m/%y %H:%M"; "Europe/Athens")][0];

.now as $now | .connection as $c | (.input.choice // {}) as $choice | .steps.order.accept as $offer | ($c.pickup_location // "" | plain) as $wanted
| ($now | time_add_s((($c.pickup_after_hours // 0) * 3600) | floor)) as $from
| [$offer.pickup_location[]?] as $places | [$offer.pickup_window[]?] as $windows
| {pickup_location: ($choice.pickup_location // ([$places[] | select($wanted != "" and (.id == $c.pickup_location or (.label | strings | plain | contains($wanted))))] + $places | .[0].id)),
   # The earliest that leaves time to pack; the last when none does.
   pickup_window: ($choice.pickup_window // ([$windows[] | select(begins as $at | $at == null or $at >= $from)] + [$windows[-1] | values] | .[0].id)),
   number_of_parcels: ($choice.number_of_parcels // 1)}
