# The answer of the call that makes a label: {number, price}; and {number, file}, as the next step puts it together.
(if .file != null then .number else (.number | require("number")) end) as $number
| {tracking_number: $number, tracking_url: "https://track.hornpost.example/\($number)",
   documents: (if .file != null then [{kind: "label", format: "pdf", content_base64: .file.content_base64}] else [] end),
   charges: (if .price == null then [] else [{kind: "shipping", title: null, tax: null, total: {amount: .price, currency: "EUR"}}] end)}
