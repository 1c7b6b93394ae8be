# What shops and their plugins say in words: cash on delivery, carriers, pickup points.

# Does a payment method, in small letters, say cash on delivery?
def says_cash_on_delivery: test("(^|[^a-z])cod([^a-z]|$)|cash.?on.?delivery|econt_payment|nachnahme|contrassegno|ramburs|pobrani|dob[ií]rk|ut[aá]nv[eé]t|lunamaks|p[eē]c(ap)?maks|piegādes br|saņemšan|pristatymo metu|antikatavol|ντικαταβολ|ΝΤΙΚΑΤΑΒΟΛ|аложен|при доставк|при получении|ісляплат");

# The carrier that a text names, or null.
def carrier_in_text: [. // "" | ascii_downcase | capture("(^|[^a-z])(?<n>omniva|venipak|econt|speedy|box.?now|smartpost|itella|lp.?express|unisend|latvijas.pasts|packet|inpost|paczkomat|sameday|easybox|geniki|postnord|(dpd|gls|dhl|ups|usps|acs|elta|fedex)([^a-z]|$))").n
  | gsub("[^a-z]"; "") | {smartpost: "itella", packet: "packeta", paczkomat: "inpost", easybox: "sameday"}[.] // .][0];

# Does a delivery method say parcel machine or pickup point?
def says_pickup_point: . // "" | ascii_downcase | test("locker|parcel.?(machine|terminal|shop|point)|pick.?up.?point|pakom[aā]t|pa[sš]tomat|pakiautoma|paczkomat|packstation|автомат");

# Pickup points in an object of extra fields: plugins keep them under names like these, as an id or as JSON; those of the
# list $extra first.
def pickup_point_words: "(locker|terminal|parcel_?(machine|shop|point)|pick_?up_?point|service_?point|packetery_point|paczkomat|pudo|(econt|speedy)_office|(^|_)pp)";
def pickup_points_in($extra): def word: if type == "number" then tostring elif type == "string" then html_decode | nonblank else null end; def id: word | if . == "0" then null else . end;
  if $extra == [] and (keys_unsorted | join(" ") | ascii_downcase | test(pickup_point_words) | not) then [] else [to_entries[] | (.key | ascii_downcase) as $k | .key as $key
  | select(($k | test("\(pickup_point_words)(_?(id|code|key|number|data|details|info|meta))?$") and (test("stripe|payment|reader|pos_") | not)) or any($extra[]; . == $key))
  | (.value | if type == "string" and startswith("{") then (try parse_json catch null) else . end)
  | if type == "object" then {key: $k, id: ([.id, .code, .locker_id, .point_id, .pickup_point_id | id | values] | .[0]), name: ([.name, .title | word | values] | .[0]), own: false}
    else {key: $k, id: id, name: null, own: any($extra[]; . == $key)} end | select(.id != null and .id != "no")] | sort_by(.own | not) end;
