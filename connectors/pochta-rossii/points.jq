# One row of delivery-point/findAll: post offices, points of partners and lockers that take online orders.

def text: if type == "number" then tostring elif type == "string" then trim | nonblank else null end;
def day: {"пн": 1, "вт": 2, "ср": 3, "чт": 4, "пт": 5, "сб": 6, "вс": 7}[.];
def opening: [list[] | strings | capture("^(?<d>пн|вт|ср|чт|пт|сб|вс), открыто: (?<from>[0-9]{2}:[0-9]{2}) ?- ?(?<to>[0-9]{2}:[0-9]{2})") | {day: (.d | day), from, to}];
def degrees: text | if . == null or is_zero_amount then null else to_number_exact end;

if type != "object" or has("delivery-point-index") == false then error("not a row of the list of points") else . end
| (if .closed == true then "" else .["delivery-point-index"] | text | require("delivery-point-index") end) as $index | .address as $a | (.latitude | degrees) as $lat | (.longitude | degrees) as $lon
| join_text([($a.street | text), join_text([($a.house | text), (if ($a.corpus | text) == null then null else "к. \($a.corpus | text)" end), (if ($a.building | text) == null then null else "стр. \($a.building | text)" end)]; " ")]; ", ") as $line
| if .closed == true or .["temporary-closed"] == true or $line == null and ($a.manualInput | text) == null then empty else
  {network: "pochta-rossii", point_id: $index, name: ((.["legal-short-name"] | text) // (.["brand-name"] | text)),
   kind: (.["delivery-point-type"] as $type | (.["brand-name"] | text) as $brand | if $type == "PICKUP_POINT" or ($type | tostring | test("APS|POSTAMAT|LOCKER")) or ($brand // "" | test("[Пп]остамат|[Пп]очтомат")) then "locker"
     elif $brand == null or ($brand | test("Почта России")) then "post_office" else "parcel_shop" end),
   address: {line1: ($line // ($a.manualInput | text)), street: ($a.street | text), house_number: (if ($a.street | text) == null then null else $a.house | text end), postal_code: (($a.index | text) // $index), city: ($a.place | text), region: ($a.region | text), country: "RU"},
   geo: (if $lat == null or $lon == null then null else {lat: $lat, lon: $lon} end), opening: (.["work-time"] | opening),
   max_weight_g: (.["weight-limit"] | if . == null then null else money_mul(.; "1000") | money_round(.; 0) | to_number_exact end),
   cod_allowed: (if .["cash-payment"] == null and .["card-payment"] == null then null else (.["cash-payment"] == true or .["card-payment"] == true) end)} end
