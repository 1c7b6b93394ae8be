# The Orders API as its callers see it. State: {next, made, hook, orders: {code: order}, live: [codes that may still change by themselves],
# accepted: {code: how often}}. An order has `sim`: {voucher_at, downloads}, which nobody is shown.
# Options: voucher_s (a voucher comes so long after accepting; 0), slot_s (length of a pickup window; 10800), accept_s (time to answer;
# 86400), set_as_ready (the shop must set orders ready; false), dispatch (picked up by itself once ready and the window has begun; true).

def one_of($list): . as $x | any($list[]; . == $x);
def answer($status; $body): .response = {status: $status, body: $body};
def refuse($status; $code; $message): answer($status; {errors: [{code: $code, messages: [$message]}]});
def option($name; $default): .options[$name] | if . == null then $default else . end;
def epoch: .now | time_text("epoch_s"; "UTC");
def local($s): $s | time("epoch_s") | time_text("%Y-%m-%dT%H:%M:%S%:z"; "Europe/Athens");
def at: time("rfc3339") | time_text("epoch_s"; "UTC");
def known($code): .state.orders[$code];
def keep($code; $order): .state = .state + {orders: (.state.orders + {($code): $order})};
def final: one_of(["rejected", "expired", "cancelled", "delivered", "returned"]);

# What may be chosen now: the next windows; their ids go stale as time goes on.
def weekday: ["Δευ", "Τρί", "Τετ", "Πέμ", "Παρ", "Σάβ", "Κυρ"][. - 1];
def window($slot; $length): ($slot * $length) as $from | local($from) as $a | local($from + $length) as $b
  | {id: ($slot % 100000), label: "\($a[11:16]) - \($b[11:16]), \($from | time("epoch_s") | time_text("%u"; "Europe/Athens") | tonumber | weekday) \($a[8:10])/\($a[5:7])/\($a[2:4])", from: $a, to: $b};
def windows: option("slot_s"; 10800) as $length | ((epoch / $length) | floor) as $slot | [1, 2, 3, 4][] | window($slot + .; $length);
def places: [{id: "sIm0Thes", label: "Αγίου Δημητρίου 11, Τ.Κ. 54632, Θεσσαλονίκη"}, {id: "sIm1Athn", label: "Πειραιώς 100, Τ.Κ. 11854, Αθήνα"}];
def reasons: [{id: 1, label: "Εκτός αποθέματος στο κατάστημα ή στον προμηθευτή", requires_available_quantity: false}, {id: 2, label: "Λάθος καταχωρημένη τιμή(ες)", requires_available_quantity: false},
  {id: 4, label: "Περιορισμένα τεμάχια", requires_available_quantity: true}, {id: 5, label: "To προϊόν καταργήθηκε", requires_available_quantity: false}];
def shown($order): [windows | del(.from, .to)] as $windows | $order | del(.sim)
  | if .state == "open" then . + {accept_options: {number_of_parcels: [1, 2], pickup_location: places, pickup_window: $windows}, reject_options: {line_item_rejection_reasons: reasons}} else . end;

# Changes an order and tells it, with what changed.
def tell($event; $code; $changes): shown(known($code)) as $order | .now as $now
  | .hooks = (.hooks // []) + [{topic: $event, body: ({event_type: $event, event_time: local($now | at), order: $order} + if $changes == null then {} else {changes: $changes} end)}];
def watched: ["state", "expires_at", "dispatch_until", "courier", "courier_voucher", "courier_tracking_codes", "pickup_window", "number_of_parcels", "pickup_address"];
def told_states: ["accepted", "rejected", "expired", "dispatched", "cancelled", "partially_returned", "returned"];
def change($code; $with): known($code) as $old | keep($code; $old + $with) | known($code) as $new
  | ([watched[] as $k | select($old[$k] != $new[$k]) | {($k): {old: $old[$k], new: $new[$k]}}] | add) as $changes
  # Delivered and on its way back are told by nobody: only a look shows them.
  | if $changes == null or ($changes.state != null and ($new.state | one_of(told_states) | not)) then . else tell("order_updated"; $code; $changes) end;

# --- what happens by itself
def base: .request.url // "" | capture("^(?<b>https?://[^/]+)").b // "http://localhost";
def live($code): epoch as $now | known($code) as $o
  | if $o.state == "open" and ($o.expires_at | at) <= $now then change($code; {state: "expired"})
    elif $o.state == "accepted" and $o.courier_voucher == null and $o.fulfilled_by_skroutz != true and $o.store_pickup != true and $o.sim.voucher_at <= $now then
      [range(0; 10)][: ($o.number_of_parcels // 1)] as $parcels
      | change($code; {courier_voucher: "\($o.sim.base)/vouchers/\($code).pdf", courier_tracking_codes: [$parcels[] | "SLM\($code | gsub("[^0-9]"; ""))\(.)"]})
    elif $o.state == "accepted" and $o.is_ready_for_dispatch == true and option("dispatch"; true) and ($o.pickup_window.from | at) <= $now then change($code; {state: "dispatched"})
    else . end;
def life: reduce .state.live[] as $code (.; live($code)) | .state.live = [.state as $s | .state.live[] | select($s.orders[.].state | final | not)];
def done: {state, response: (.response // {status: 200}), webhooks: (.hooks // [])};

# --- calls
def demo: {code: "DEMO-OPEN", state: "open", customer: {id: "user1234", first_name: "John", last_name: "Doe", address: {street_name: "Πανεπιστημίου", street_number: "4", zip: "12345", city: "Αθήνα", region: "Αττικής", country_code: "GR", pickup_from_collection_point: false}},
  invoice: false, comments: "", courier: "CourierCenter", courier_voucher: null, courier_tracking_codes: [], line_items: [{id: "d1", shop_uid: "10", product_name: "Demo", quantity: 1, unit_price: 10, total_price: 10, price_includes_vat: true, serial_numbers: null}],
  created_at: "2021-06-24T13:08:30+03:00", expires_at: "2021-06-25T13:08:30+03:00", dispatch_until: "2021-06-28T13:08:30+03:00", express: false, fulfilled_by_skroutz: false, paid_by_user: true, payment_method: "card", store_pickup: false, fees: {}};
def for_order(f): .request.params.code as $code | if known($code) == null then refuse(404; "order_error"; "Order not found") else f end;
# Both headers are required; what was due before the call has happened.
def call(f): if .request.headers.accept // "" | contains("application/vnd.skroutz+json") | not then refuse(406; "not_acceptable"; "Unknown version")
  elif .request.params.code == "DEMO-OPEN" then if .request.method == "GET" then shown(demo) as $o | answer(200; {order: $o}) else answer(200; {success: true}) end
  else life | for_order(f) end;
def show: .request.params.code as $code | shown(known($code)) as $order | answer(200; {order: $order});
def not_open($order; $wanted): if $order.state == $wanted then "Order already \($wanted)." elif $order.state == "accepted" then "Order already accepted." elif $order.state == "rejected" then "Order already rejected." else "Order is \($order.state)." end;
def accept: .request as $r | $r.params.code as $code | known($code) as $o | ($r.body | if type == "object" then . else {} end) as $b | epoch as $now | [windows] as $windows | base as $base
  | ([$windows[] | select(.id == $b.pickup_window)][0]) as $window | ([places[] | select(.id == $b.pickup_location)][0]) as $place
  | if $o.state != "open" then refuse(422; "order_status"; not_open($o; "accepted"))
    elif $o.express then refuse(422; "order_status"; "Express orders are accepted automatically.")
    elif $place == null then refuse(422; "pickup_location"; "Pickup location is not included in the list")
    elif $window == null then refuse(422; "pickup_window"; "Pickup window is not included in the list")
    elif ($b.number_of_parcels // 1) | one_of([1, 2]) | not then refuse(422; "number_of_parcels"; "Number of parcels is not included in the list")
    else option("voucher_s"; 0) as $wait | .state.accepted = (.state.accepted + {($code): ((.state.accepted[$code] // 0) + 1)})
      | change($code; {state: "accepted", pickup_window: ($window | {from, to}), pickup_address: $place.label, number_of_parcels: ($b.number_of_parcels // 1), sim: ($o.sim + {voucher_at: ($now + $wait), base: $base})})
      | live($code) | answer(200; {success: true}) end;
def wrong_reason($order): . as $l | ([reasons[] | select(.id == $l.reason_id)][0]) as $reason | ([$order.line_items[] | select(.id == $l.id)][0]) as $line
  | $reason == null or $line == null or ($reason.requires_available_quantity and ($l.available_quantity | type != "number" or . < 0 or . >= $line.quantity));
def reject: .request as $r | $r.params.code as $code | known($code) as $o | ($r.body | if type == "object" then . else {} end) as $b | ($b.rejection_reason_other // "") as $words | ($b.line_items // []) as $lines
  | if $o.state != "open" then refuse(422; "order_status"; not_open($o; "rejected"))
    elif $words == "" and $lines == [] then refuse(422; "rejection_reason"; "Rejection reason can't be blank")
    elif any($lines[]; wrong_reason($o)) then refuse(422; "line_items"; "Line items are invalid")
    else change($code; {state: "rejected", rejection_info: {reason: (if $words == "" then reasons[0].label else $words end), actor: "merchant"},
      line_items: [$o.line_items[] | .id as $id | ([$lines[] | select(.id == $id)][0].reason_id) as $why | if $why == null then . else . + {rejection_reason: ([reasons[] | select(.id == $why)][0].label)} end]})
      | answer(200; {success: true}) end;
def set_ready($to): .request.params.code as $code | known($code) as $o
  | if $o.state == "accepted" and $o.set_as_ready_required == true and ($o.is_ready_for_dispatch == true) != $to and $o.fulfilled_by_skroutz != true and $o.store_pickup != true and $o.fulfillment_mode != "fbm"
    then keep($code; $o + {is_ready_for_dispatch: $to}) | answer(200; {success: true})
    else refuse(422; "order_error"; if $to then "Order is not eligible to be marked as ready" else "Order is not eligible for undo" end) end;
def tracking: .request as $r | $r.params.code as $code | known($code) as $o | [$r.body.tracking_details[]?] as $all
  | if $o.fulfillment_mode != "fbm" then refuse(422; "order_error"; "Order is not eligible for tracking details")
    elif $all == [] or any($all[]; .courier | one_of(["acs", "dhl", "geniki_taxydromiki", "dpd", "gls"]) | not) then refuse(422; "tracking_details"; "Tracking details are invalid")
    else change($code; {courier_tracking_codes: [$all[].tracking_code]}) | answer(200; {success: true}) end;
def trigger: .request.params as $p | tell(if $p.event == "creation" then "new_order" else "order_updated" end; $p.code; null) | answer(200; {success: true});
# To read it marks the order ready, in shops that need not say so.
def voucher: life | (.request.params.file | rtrimstr(".pdf")) as $code | known($code) as $o
  | if $o == null or $o.courier_voucher == null then .response = {status: 404, headers: {"content-type": "text/html"}, body: "<html>Not found</html>"}
    else keep($code; $o + {sim: ($o.sim + {downloads: (($o.sim.downloads // 0) + 1)})} + if $o.set_as_ready_required == true then {} else {is_ready_for_dispatch: true} end)
      | .response = {status: 200, headers: {"content-type": "application/pdf"}, body: "%PDF-1.4\n% voucher \($o.courier_tracking_codes | join(" "))\n%%EOF\n"} end;

# --- made orders: the same seed gives the same shop
def people: [["Ελένη", "Δοκιμαστικού", "Λεωφ. Νίκης", "23Α", "546 23", "Θεσσαλονίκη"], ["Γιώργος", "Παραδειγμάτης", "Ερμού", "18", "105 63", "Αθήνα"], ["Μαρία-Άννα", "Τεστίδου", "Κορίνθου", "201", "262 21", "Πάτρα"],
  ["Ιωάννης", "Δείγμας", "25ης Αυγούστου", "7", "712 02", "Ηράκλειο"], ["Zoë", "O’Sample", "Καπνικαρέας", "4", "105 56", "Αθήνα"], ["Δέσποινα", "Εφευρεμένου", "Μητροπόλεως", "39", "546 24", "Θεσσαλονίκη"]];
def goods: [["2201", "2201-42", "Παπούτσι πεζοπορίας 42", 8990], ["905", null, "Φακοί επαφής – 6 τμχ", 1250], ["310", null, "Ελαιόλαδο 1 λ", 1240], ["77", "77-M", "Μπλούζα \"Αιγαίο\" M", 1950], ["1010", null, "Βραστήρας 1,7 λ", 2490], ["640", null, "Καφές ελληνικός 200 g", 385]];
def random($salt): (.seed % 100003 * 7919 + .state.made * 104729 + $salt * 1299709) as $x | ($x * $x + $x) % 1000003 | if . < 0 then 0 - . else . end;
def euro: minor_to_major(.; 2) | to_number_exact;
def make($with): .state.made = .state.made + 1 | .state.next = .state.next + 1 | epoch as $now | .state.made as $n | random(1) as $a | random(2) as $b | random(3) as $c
  | "\(local($now)[2:10] | gsub("-"; ""))-\(.state.next)" as $code | people[$a % 6] as $who | ($n % 5 == 0) as $point | ($n % 4 == 1) as $cash
  | [[0, 1, 2][: 1 + $b % 2][] as $i | goods[($c + $i * 5) % 6] as $g | (1 + ($b + $i) % 3) as $q
      | {id: "L\($n)x\($i)", shop_uid: $g[0], product_name: $g[2], quantity: $q, unit_price: ($g[3] | euro), total_price: ($g[3] * $q | euro), price_includes_vat: true, commission: (($g[3] * $q * 8 / 100 | floor) | euro), commission_rate: 8, island_vat_discount_applied: false, serial_numbers: null, tags: []}
        + if $g[1] == null then {} else {shop_variation_uid: $g[1]} end] as $lines
  | option("accept_s"; 86400) as $accept | option("set_as_ready"; false) as $ready
  | ({code: $code, state: "open", customer: {id: "c\($a)", first_name: $who[0], last_name: $who[1], address: (if $point then {street_name: "", street_number: "", zip: "", city: "", region: "", country_code: "", pickup_from_collection_point: true, collection_point_address: "Skroutz Point: \($who[2]) \($who[3]), \($who[5])"}
       else {street_name: $who[2], street_number: $who[3], zip: $who[4], city: $who[5], region: $who[5], country_code: "GR", pickup_from_collection_point: false} end)},
     invoice: false, uploaded_invoice_file: null, invoice_document: "receipt", comments: (if $b % 7 == 0 then "Παράδοση στο γραφείο" else "" end), courier: "Skroutz Last Mile", courier_voucher: null, courier_tracking_codes: [], line_items: $lines,
     created_at: local($now), expires_at: local($now + $accept), dispatch_until: local($now + $accept * 2), express: false, gift_wrap: ($b % 11 == 0), fulfilled_by_skroutz: false, fbs_delivery_note: null, fbs_delivery_note_url: null,
     paid_by_user: ($cash | not), payment_method: (if $cash then "cash_on_delivery" else "card" end), store_pickup: false, fees: {}, fulfillment_mode: "core", set_as_ready_required: $ready, is_ready_for_dispatch: false, sim: {}} + $with) as $order
  | keep($code; $order) | .state.live = .state.live + [$code] | tell("new_order"; $code; null);
def open_ones: [.state as $s | .state.live[] | select($s.orders[.].state == "open")];
# Some customers think again before the shop has answered.
def thoughts: .state.made as $n | open_ones as $open | if $n % 9 == 0 and $open != [] then change($open[0]; {state: "cancelled"}) else . end;
def generate: life | (.request.body | if type == "object" then . else {} end) as $b | .state.next as $first
  | reduce ([range(0; 1000)][: ($b.count // 1)][]) as $i (.; make($b.with // {}) | if $b.quiet then . else thoughts end)
  | answer(201; {codes: [.state.orders[].code | select((split("-")[1] | tonumber) > $first)]});
