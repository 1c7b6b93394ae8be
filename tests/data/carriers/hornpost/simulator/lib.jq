# State: {secret: [number], made: [{number, reference, cash}], void: [number], scans: {number: [scan]}, points, garbled: answers to spoil}.
def known($number): any(.state.made[]; .number == $number);
def made: .state.made | length;
def make: made as $n | "HP\(100000 + $n)" as $number | .request.body as $b
  | if $b.to == "Nowhere" then {response: {status: 422, body: {code: "bad_city", message: "no such town", fields: ["city"]}}}
    else {state: (.state + {made: (.state.made + [{number: $number, reference: $b.reference, cash: $b.cash}]),
            garbled: (if .state.garbled > 0 then .state.garbled - 1 else 0 end)}),
          response: {status: 201, body: (if .state.garbled > 0 then {label: $number} else {number: $number, price: "3.20"} end)}} end;
def void: .request.params.number as $n
  | if known($n) | not then {response: {status: 404, body: {code: "unknown"}}}
    elif .state.scans[$n] != null then {response: {status: 422, body: {code: "on_its_way", message: "the parcel is on its way", fields: []}}}
    else {state: (.state + {void: (.state.void + [$n])}), response: {status: 204}} end;
def file: .request.params.number as $n
  | if known($n) then {response: {headers: {"content-type": "application/pdf"}, body: "%PDF-1.4 label \($n)"}} else {response: {status: 404, body: {}}} end;
# A number that it does not want to be asked for spoils the whole question.
def tell: .state as $s | if any(.request.body.numbers[]; . as $n | any($s.secret[]; . == $n)) then {response: {status: 422, body: {code: "not_yours", message: "a number is not yours", fields: ["numbers"]}}} else
  {response: {body: {asked: .now, parcels: [.request.body.numbers[] as $n | {number: $n, scans: ($s.scans[$n] // [])}]}}} end;
def directory: (.request.query.page | tonumber) as $page | {response: {body: {points: .state.points[($page - 1) * 2 : $page * 2]}}};
def scan: .request.params.number as $n | .request.body as $b
  | {state: (.state + {scans: (.state.scans + {($n): ((.state.scans[$n] // []) + [{code: $b.code, at: ($b.at // .now), town: "Athens"}])})})};
