# What makes a label: {orders: [{barcode, order-num, result-id}]} (create, 2.0), {result-ids} (1.0: no number yet), rows of a search or
# a batch, and {barcode, pdf}, as the step that reads the file puts it together.

def number: if . == null then null else tostring | trim | nonblank end;
def url: if . == null then null else "https://www.pochta.ru/tracking?barcode=\(.)" end;
def file: if .content_base64 | startswith("JVBERi0") then {kind: "label", format: "pdf", content_base64} else error("the label's file is no PDF") end;
def made($documents): (.barcode | number) as $number
  | {tracking_number: $number, tracking_url: ($number | url), documents: $documents,
     charges: (if ."total-rate-wo-vat" == null then [] else (."total-rate-wo-vat" | minor_to_major(.; 2)) as $net | (."total-vat" // 0 | minor_to_major(.; 2)) as $vat
       | [{kind: "shipping", title: null, total: money(money_add($net; $vat); "RUB"), tax: money($vat; "RUB")}] end)};

if type == "array" then .[] | made([])
elif type != "object" then error("not a label answer: expected an object")
elif has("pdf") then .pdf as $pdf | made([$pdf | file])
elif (.orders | type) == "array" and .orders != [] then .orders[] | made([])
elif (.["result-ids"] | type) == "array" and (has("batches") | not) then .["result-ids"][] | {barcode: null} | made([])
elif has("barcode") then made([])
else error("there is no label in the answer") end
