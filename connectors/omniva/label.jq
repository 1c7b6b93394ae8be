# Labels, one output a barcode: what was registered (OMX, and the old SOAP answer) and the address cards that were made.

def url: {LT: "https://mano.omniva.lt/track/", LV: "https://mana.omniva.lv/track/"}[$context.input.receiver.country // ""] // "https://minu.omniva.ee/track/";
def parcel($card): (.barcode | nonblank | require("barcode")) as $barcode
  | {tracking_number: $barcode, tracking_url: (url + $barcode), charges: [], documents:
      # Cards that go by e-mail come without a file.
      [$card | nonblank | select(. != null) | {kind: "label", format: "pdf", content_base64: (split("\r") | join("") | split("\n") | join(""))}]};

(if type == "object" then .Envelope.Body? // . else . end)
| if type != "object" then error("not a label answer: expected an object") else . end
| (.businessToClientMsgResponse // .addrcardMsgResponse // .) as $answer
| if $answer | type != "object" then error("not a label answer") else $answer end
| [(.savedShipments[]? | parcel(null), (.consolidatedShipments[]? | parcel(null))),
   (.savedPacketInfo? | objects | .barcodeInfo | list[] | parcel(null)),
   (.successAddressCards | if type == "object" then .addressCardData | list else . // [] end | .[] | parcel(.fileData // .filedata))]
| if . == [] then error("there is no label in the answer") else .[] end
