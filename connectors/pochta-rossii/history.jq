# getOperationHistory (SOAP 1.2): all that is known of one number. The check of a connection asks for one that is nobody's.
{"soap:Envelope": {"@xmlns:soap": "http://www.w3.org/2003/05/soap-envelope", "@xmlns:oper": "http://russianpost.org/operationhistory", "@xmlns:data": "http://russianpost.org/operationhistory/data",
    "@xmlns:soapenv": "http://schemas.xmlsoap.org/soap/envelope/", "soap:Header": null,
  "soap:Body": {"oper:getOperationHistory": {
    "data:OperationHistoryRequest": {"data:Barcode": (.input.numbers?[0]? // "RA644000001RU"), "data:MessageType": "0", "data:Language": "RUS"},
    "data:AuthorizationHeader": {"@soapenv:mustUnderstand": "1", "data:login": "{tracking_login}", "data:password": "{tracking_password}"}}}}}
