# One parcel of a shipment: {number, pdf} or, when it was asked for, {number, zpl}.
{tracking_number: (.number | require("number")), tracking_url: null, charges: [],
 documents: [if .zpl != null then {kind: "label", format: "zpl", content_base64: .zpl} else {kind: "label", format: "pdf", content_base64: (.pdf | require("pdf"))} end]}
