# createLabel: {label, …}; createLabels: {results: [{label, error}]}; and {label, pdf}, as the step that reads the file puts it together.

def text: if type == "number" then tostring elif type == "string" then trim | nonblank else null end;
def number: text | if . == "0" then null else . end;
def file: if .content_base64 | startswith("JVBERi0") then {kind: "label", format: "pdf", content_base64} else error("the label's file is no PDF") end;

def labels: if has("results") then .results | list[] | .label | objects else .label | require("label") end;
.pdf as $pdf | labels | (.shipmentNumber | number) as $number | (.pdfURL | text) as $url
| {tracking_number: $number, tracking_url: (if $number == null then null else "https://www.econt.com/services/track-shipment/\($number)" end),
   documents: (if $pdf != null then [$pdf | file] elif $url != null then [{kind: "label", format: "pdf", url: $url}] else [] end),
   charges: (if .totalPrice == null then [] else [{kind: "shipping", title: null, tax: null, total: money(.totalPrice; (.currency | text) // "EUR")}] end)}
