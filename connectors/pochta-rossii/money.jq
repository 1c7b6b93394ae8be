# PostalOrderEventsForMail (SOAP 1.2): the money order of a parcel that was handed over against cash.
{"soap:Envelope": {"@xmlns:soap": "http://www.w3.org/2003/05/soap-envelope", "@xmlns:oper": "http://russianpost.org/operationhistory", "@xmlns:data": "http://russianpost.org/operationhistory/data",
    "@xmlns:data1": "http://www.russianpost.org/RTM/DataExchangeESPP/Data", "@xmlns:soapenv": "http://schemas.xmlsoap.org/soap/envelope/", "soap:Header": null,
  "soap:Body": {"oper:PostalOrderEventsForMail": {
    "data:AuthorizationHeader": {"@soapenv:mustUnderstand": "1", "data:login": "{tracking_login}", "data:password": "{tracking_password}"},
    "data1:PostalOrderEventsForMailInput": {"@Barcode": .input.numbers[0], "@Language": "RUS"}}}}}
