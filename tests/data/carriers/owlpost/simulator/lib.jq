# State: {made: [{number, reference, pdf or zpl}], scans: [{number, code, at, paid}]}.
def make: .request.body as $b | (.state.made | length) as $n
  | [$b.parcels | to_entries[] | {number: "OW\(100000 + $n + .key)", reference: $b.reference} + (if $b.format == "zpl" then {zpl: ("^XA^FDowl^FS^XZ" | @base64)} else {pdf: ("%PDF-1.4 owl" | @base64)} end)] as $new
  | {state: (.state + {made: (.state.made + $new)}), response: {status: 201, body: {shipments: [$new[] | {number, pdf, zpl}]}}};
