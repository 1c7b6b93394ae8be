# awb/save: {isError, results: {reservation_id, awb: [{emag_id, awb_number, awb_barcode}]}}; and {number, file}, as the step that
# reads a file puts it together. One waybill has one number, whatever the number of its parcels.

def text: if type == "number" then tostring elif type == "string" then trim | nonblank else null end;
# PDF, or ZPL as it is or once more in base64.
def document: .content_base64 as $b | if $b | startswith("JVBERi0") then {kind: "label", format: "pdf", content_base64: $b}
  elif $b | startswith("XlhB") then {kind: "label", format: "zpl", content_base64: $b}
  elif ($b | @base64d | startswith("XlhB")) then {kind: "label", format: "zpl", content_base64: ($b | @base64d)} else error("the label's file is neither PDF nor ZPL") end;
if has("file") then {tracking_number: (.number | text), documents: [.file | document]}
elif .isError != false then error("not a label: an error answer")
else .results | require("results") | list[0] | .awb | require("results.awb") | list[0] | {tracking_number: ((.awb_number // .awb_barcode) | text | require("awb_number")), documents: []} end
| . + {tracking_url: null, charges: []}
