# {order}: an accepted order with its voucher; {order, pdf}: the same with the voucher's bytes, as the step that reads it puts them together.
def text: if type == "number" then tostring elif type == "string" then trim | nonblank else null end;
def file: if .content_base64 | startswith("JVBERi0") then {kind: "label", format: "pdf", content_base64} else error("the voucher is no PDF") end;

if .errors != null then error("not a label: an error answer") else . end
| .pdf as $pdf | .order | require("order") | (.courier_voucher | text) as $url | [.courier_tracking_codes[]? | text | values] as $numbers
| (if $pdf != null then [$pdf | file] elif $url != null then [{kind: "label", format: "pdf", url: $url}] else [] end) as $papers
# One file for all parcels; each number is one of them.
| (if $numbers == [] then null else $numbers[] end)
| {tracking_number: ., tracking_url: null, documents: $papers, charges: []}
