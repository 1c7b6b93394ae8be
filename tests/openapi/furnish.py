"""A merchant with a shop, a carrier account and an order, so that not every id leads nowhere."""

import json
import os
import sys
import urllib.error
import urllib.request

BASE = sys.argv[1]
TOKEN = os.environ["SCHEMATHESIS_TOKEN"]


def post(path, body):
    request = urllib.request.Request(
        BASE + path,
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        sys.exit(f"{path}: {error.code} {error.read().decode()}")


merchant = post("/v1/merchants", {"name": "Example"})
shop = post(
    "/v1/connections",
    {
        "merchant_id": merchant["id"],
        "connector": "woocommerce",
        "name": "Shop",
        "state": "active",
        "settings": {"base_url": "https://shop.example"},
        "credentials": {
            "consumer_key": "ck_1111111111111111111111111111111111111111",
            "consumer_secret": "cs_2222222222222222222222222222222222222222",
            "webhook_secret": "whsec-made-up-0123456789",
        },
    },
)
eur = lambda amount: {"amount": amount, "currency": "EUR"}
post(
    "/v1/orders",
    {
        "connection_id": shop["id"],
        "source": "phone",
        "order": {
            "external_id": "1",
            "currency": "EUR",
            "customer": {"name": "Example Person", "email": "person@example.com"},
            "ship_to": {"name": "Example Person", "line1": "Road 1", "postal_code": "10563", "city": "Athens", "country": "GR"},
            "payment": {"method": "prepaid", "status": "paid"},
            "lines": [{"external_id": "1", "sku": "A", "name": "a", "quantity": 2, "unit_price": eur("1.00"), "total": eur("2.00")}],
            "charges": [],
        },
    },
)
post("/v1/subscriptions", {"url": "https://wms.example/in", "from": "start"})
