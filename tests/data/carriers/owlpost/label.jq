# One parcel of a shipment: {number, pdf}.
{tracking_number: (.number | require("number")), tracking_url: null, documents: [{kind: "label", format: "pdf", content_base64: (.pdf | require("pdf"))}], charges: []}
