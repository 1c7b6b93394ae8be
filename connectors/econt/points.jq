# One row of getOffices. Mobile stations, rows without a code and rows without an address are none.

def text: if type == "number" then tostring elif type == "string" then trim | nonblank else null end;
def code: text | if . == "0" then null else . end;
# Hours are moments on an arbitrary day; only the time of day in Bulgaria counts.
def clock: text | if . == null then null elif test("^[0-9]{1,2}:[0-9]{2}") then (if test("^[0-9]:") then "0" + . else . end)[:5]
  elif test("^-?[0-9]+$") then tonumber | time("epoch_ms") | time_text("%H:%M"; $connection.timezone // "Europe/Sofia") else null end;
def open($days; $from; $to): ($from | clock) as $from | ($to | clock) as $to | if $from == null or $to == null or $from == $to then empty else $days[] | {day: ., from: $from, to: $to} end;
def degrees: text | if . == null then null else tonumber end;
def geo: if type != "object" or .confidence == 0 then null else {lat: (.latitude | degrees), lon: (.longitude | degrees)}
  | if .lat == null or .lon == null or .lat == 0 and .lon == 0 then null else . end end;
# " Габрово ул. Брянска 15" is told beside the city "Габрово".
def without_city($city): text | if . == null or $city == null then . else ltrimstr($city) | sub("^[ ,]+"; "") | nonblank end;

.code as $own | (.address // {}) as $a | ($a.city // {}) as $c | (($c.name | text) // ($c.nameEn | text)) as $city
| if (.isMPS == true) or ($own | code) == null or ($city == null and ($a.fullAddress | text) == null) then empty else
  first_of($c.country | objects | .code2, .code3, .nameEn, .name | text // "" | country) as $country
  | {network: "econt", point_id: ($own | code), name: ((.name | text) // (.nameEn | text)),
     kind: (if .isAPS == true then "locker" elif (.partnerCode | text) != null then "parcel_shop" else "carrier_depot" end),
     address: {line1: (($a.fullAddress | without_city($city)) // join_text([($a.street | text), ($a.num | text)]; " ") // ($a.other | text) // ($a.quarter | text)),
       street: ($a.street | text), house_number: (if ($a.street | text) == null then null else $a.num | text end), district: ($a.quarter | text),
       postal_code: (($c.postCode | code) // ($a.zip | code)), city: $city, region: ($c.regionName | text), country: $country,
       phone: ([.phones | list[] | text | values][0] | if . == null then null else phone($country // "BG") end), phone_raw: ([.phones | list[] | text | values][0]), email: ([.emails | list[] | text | values][0])},
     geo: ($a.location | geo),
     opening: [open([1, 2, 3, 4, 5]; .normalBusinessHoursFrom; .normalBusinessHoursTo), open([6]; .halfDayBusinessHoursFrom; .halfDayBusinessHoursTo), open([7]; .sundayBusinessHoursFrom; .sundayBusinessHoursTo)]}
  end
