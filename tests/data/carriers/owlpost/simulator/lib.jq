# State: {made: [{number, reference, pdf}], scans: [{number, code, at}]}.
def make: .request.body as $b | (.state.made | length) as $n
  | [$b.parcels | to_entries[] | {number: "OW\(100000 + $n + .key)", reference: $b.reference, pdf: ("%PDF-1.4 owl" | @base64)}] as $new
  | {state: (.state + {made: (.state.made + $new)}), response: {status: 201, body: {shipments: [$new[] | {number, pdf}]}}};
