# A row of locations.json (Estonian address levels: A1 county, A2 municipality, A3 settlement or quarter, A4 place, A5 street,
# A6 name of a house, A7 number, A8 flat). Rows without street and house are no places ("first choice").

def hours: capture("^(?<h>[0-9]{1,2})([:.](?<m>[0-9]{2}))?$") | "\("0\(.h)"[-2:]):\(.m // "00")";
def day: {E: 1, T: 2, K: 3, N: 4, R: 5, L: 6, P: 7}[.];
# "E-R 9:00-18:00, L 10-15", Estonian weekdays. What is not of this form as a whole tells nothing.
def opening: (nonblank // "") as $text | "[ETKNRLP](?:-[ETKNRLP])? *[0-9]{1,2}(?:[:.][0-9]{2})? *- *[0-9]{1,2}(?:[:.][0-9]{2})?" as $part
  | if $text | test("^ *\($part)(?:[,; ]+\($part))*[,; ]*$") | not then [] else
    [$text | scan($part) | capture("^(?<a>.)(?:-(?<b>.))? *(?<f>[0-9:.]+) *- *(?<t>[0-9:.]+)$")
      | (.a | day) as $from | (.b // .a | day) as $to | range(8) as $day | select($day >= $from and $day <= $to) | {day: $day, from: (.f | hours), to: (.t | hours)}] end;
def degrees: nonblank | if . == null or is_zero_amount then null else to_number_exact end;
def quarter: test("linnaosa|priekšpilsēta|rajons|seniūnija|mikrorajons");

if type != "object" or (has("ZIP") and has("A0_NAME") | not) then error("not a row of the list of points") else . end
| (.ZIP | if . == null then null else tostring end | nonblank | require("ZIP")) as $zip
| join_text([.A5_NAME, .A6_NAME, join_text([.A7_NAME, .A8_NAME]; "-")]; " ") as $line
| if $line == null then empty else . end
| (.A3_NAME | nonblank) as $small | first_of((.A2_NAME, .A1_NAME) | nonblank) as $large
| (if $small == null or ($small | quarter) then [$large, $small] else [$small, (.A2_NAME | nonblank)] end) as [$city, $district]
| (.Y_COORDINATE | degrees) as $lat | (.X_COORDINATE | degrees) as $lon
| {network: "omniva", point_id: $zip, kind: (if "\(.TYPE)" == "1" then "post_office" else "locker" end), name: (.NAME | nonblank),
   address: {line1: $line, line2: (.A4_NAME | nonblank), postal_code: $zip, city: $city, district: $district, region: (.A1_NAME | nonblank), country: (.A0_NAME | country)},
   geo: (if $lat == null or $lon == null then null else {lat: $lat, lon: $lon} end), opening: (.SERVICE_HOURS | opening), cod_allowed: null}
