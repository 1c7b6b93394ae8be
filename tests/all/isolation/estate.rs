//! Everything that a merchant can have, made through a whole gateway.

use crate::support::Gateway;
use crate::support::courier::Courier;
use crate::support::dock::settled;
use crate::support::gateway::{PATIENCE, SECRET};
use crate::support::orders;
use regex::Regex;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A merchant's belongings.
pub struct Estate {
    /// Prefix of the id, or a word → id or text.
    ids: BTreeMap<&'static str, String>,
    /// Texts and ids that nobody else may be told.
    pub markers: BTreeSet<String>,
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}

impl Estate {
    /// What is known under this prefix or word.
    pub fn id(&self, kind: &str) -> String {
        let found = self.ids.get(kind);
        found.unwrap_or_else(|| panic!("no {kind}")).clone()
    }

    /// Shop, carrier account, orders (one shipped, one open), label, cash, stock, subscription,
    /// deliveries and a problem.
    pub async fn furnish(gateway: &Gateway, courier: &Courier, name: &str, first: u64) -> Self {
        let mut ids = BTreeMap::new();
        let body = json!({"name": format!("{name} Handel")});
        let merchant = gateway.post("/v1/merchants", body).await;
        ids.insert("mer", text(&merchant["id"]));
        ids.insert("name", text(&merchant["name"]));
        let shop = shop(gateway, &merchant["id"], name).await;
        let hook = format!("/hooks/{shop}");
        ids.insert("con", shop);
        let account = courier.connection(&merchant["id"]);
        ids.insert(
            "account",
            text(&gateway.post("/v1/connections", account).await["id"]),
        );
        let subscription = json!({
            "url": format!("http://127.0.0.1:9/{name}-warehouse"), "merchant_id": merchant["id"],
            "from": "start",
        });
        ids.insert(
            "sub",
            text(&gateway.post("/v1/subscriptions", subscription).await["id"]),
        );
        let mut estate = Self {
            ids,
            markers: BTreeSet::new(),
        };
        for text in [format!("{name} Handel"), format!("{name}-warehouse")] {
            estate.markers.insert(text);
        }
        estate.sell(gateway, &hook, name, first).await;
        estate.stock(gateway, name).await;
        estate.puzzle(gateway, &hook, name, first + 9).await;
        let replay = json!({
            "subscription_id": estate.id("sub"), "from": "2020-01-01T00:00:00Z",
            "to": "2100-01-01T00:00:00Z",
        });
        gateway.post("/v1/replays", replay).await;
        estate
    }

    async fn sell(&mut self, gateway: &Gateway, hook: &str, name: &str, first: u64) {
        for (n, kind) in [(first, "shipped"), (first + 1, "open")] {
            let order = order(n, name);
            assert_eq!(gateway.webhook(hook, &order.to_string()).await, Some(200));
            let part = gateway.submitted(&n.to_string()).await;
            self.ids.insert(
                if kind == "open" { "open_ful" } else { "ful" },
                part.clone(),
            );
            let part = gateway.get(&format!("/v1/fulfillment-orders/{part}")).await;
            self.ids.insert("lin", text(&part["lines"][0]["line_id"]));
            self.ids.insert(
                if kind == "open" { "open_ord" } else { "ord" },
                text(&part["order_id"]),
            );
        }
        self.ids.insert("external_id", first.to_string());
        for marker in [
            format!("{name}@example.test"),
            format!("{name} Beispiel"),
            format!("{name}-MUG"),
            format!("{name}-W1"),
        ] {
            self.markers.insert(marker);
        }
        self.ids.insert("q", format!("{name}@example.test"));
        self.ids.insert("sku", format!("{name}-MUG"));
        self.ids.insert("shipment_ref", format!("{name}-W1"));
        let body = json!({
            "shipment_ref": format!("{name}-W1"), "parcels": [{"weight_g": 900}],
            "carrier_connection_id": self.id("account"),
        });
        let path = format!("/v1/fulfillment-orders/{}/ship?wait=8", self.id("ful"));
        let shipped = gateway.post(&path, body).await;
        let shipment = settled(gateway, &text(&shipped["id"]), &["purchased"]).await;
        self.ids.insert("shp", text(&shipment["id"]));
        let parcel = &shipment["parcels"][0];
        self.ids.insert("par", text(&parcel["id"]));
        self.ids
            .insert("tracking", text(&parcel["tracking_number"]));
    }

    async fn stock(&mut self, gateway: &Gateway, name: &str) {
        let body = json!({
            "merchant_id": self.id("mer"),
            "levels": [{"sku": format!("{name}-MUG"), "on_hand": 7, "location": format!("{name}-depot")}],
        });
        gateway.call("PUT", "/v1/stock-levels", Some(body)).await;
        self.ids.insert("location", format!("{name}-depot"));
        self.markers.insert(format!("{name}-depot"));
    }

    /// A delivery that cannot be mapped.
    async fn puzzle(&mut self, gateway: &Gateway, hook: &str, name: &str, id: u64) {
        let mut broken = order(id, name);
        broken.as_object_mut().unwrap().remove("line_items");
        broken["total"] = json!("much");
        assert_eq!(gateway.webhook(hook, &broken.to_string()).await, Some(200));
        let event = gateway
            .wait_for_event(|event| event["type"] == "problem.opened")
            .await;
        assert!(!event.is_empty());
    }

    /// Waits for what comes by itself (directories, problems), and finds the ids of the rest.
    pub async fn found(&mut self, gateway: &Gateway) {
        let limit = tokio::time::Instant::now() + PATIENCE;
        loop {
            // One a network, whoever's account it was read with.
            let all = gateway.get("/v1/pickup-points/directories").await;
            let read = !all["data"].as_array().unwrap().is_empty();
            if read && !self.problems(gateway).await.is_empty() {
                break;
            }
            let every = gateway.get("/v1/problems").await;
            assert!(tokio::time::Instant::now() < limit, "{all} {every}");
            // A long poll of the feed is the pause.
            gateway.get("/v1/events?after=999999999&wait=1").await;
        }
        let problem = self.problems(gateway).await.remove(0);
        self.ids.insert("prb", text(&problem["id"]));
        let shop = self.id("con");
        let first = async |path: String| {
            let list = gateway.get(&path).await;
            text(&list["data"][0]["id"])
        };
        let inbox = first(format!("/v1/inbox?connection_id={shop}")).await;
        self.ids.insert("inb", inbox);
        let delivery = format!("/v1/deliveries?subscription_id={}", self.id("sub"));
        let delivery = gateway.get(&delivery).await;
        self.ids.insert("dlv", text(&delivery["data"][0]["id"]));
        self.ids
            .insert("evt", text(&delivery["data"][0]["event_id"]));
        let job = first(format!("/v1/jobs?connection_id={shop}")).await;
        self.ids.insert("job", job);
        self.ids
            .insert("req", "req_0123456789abcdef0123456789abcdef".into());
        let token = gateway
            .post(
                "/v1/tokens",
                json!({"name": "t", "scope": "merchant", "merchant_id": self.id("mer")}),
            )
            .await;
        self.ids.insert("tok", text(&token["id"]));
        self.ids.insert("token", text(&token["token"]));
        let ids = Regex::new("[a-z]{3}_[0-9a-f]{32}").unwrap();
        let all = json!(self.dump(gateway).await).to_string();
        let found = ids.find_iter(&all).map(|found| found.as_str().to_owned());
        self.markers.extend(found);
        let own = self.ids.iter().filter(|(_, id)| ids.is_match(id));
        let own: Vec<String> = own.map(|(_, id)| id.clone()).collect();
        self.markers.extend(own);
        self.markers.insert(self.id("tracking"));
        self.markers.remove(&self.id("req"));
    }

    async fn problems(&self, gateway: &Gateway) -> Vec<Value> {
        let path = format!("/v1/problems?connection_id={}", self.id("con"));
        let mut all = gateway.get(&path).await["data"].as_array().unwrap().clone();
        all.retain(|problem| problem["class"] == "broken_contract");
        all
    }

    /// A token that is bound to the merchant.
    pub async fn token(&self, gateway: &Gateway, scope: &str) -> String {
        let body = json!({"name": scope, "scope": scope, "merchant_id": self.id("mer")});
        text(&gateway.post("/v1/tokens", body).await["token"])
    }

    /// All that the administrator and the merchant itself see of it, but for what moves by itself.
    pub async fn dump(&self, gateway: &Gateway) -> BTreeMap<String, Value> {
        let (merchant, shop) = (self.id("mer"), self.id("con"));
        let mut all = BTreeMap::new();
        for path in [
            format!("/v1/merchants/{merchant}"),
            format!("/v1/orders?merchant_id={merchant}"),
            format!("/v1/orders/{}", self.id("ord")),
            format!("/v1/orders/{}", self.id("open_ord")),
            format!("/v1/fulfillment-orders?merchant_id={merchant}"),
            format!("/v1/shipments?merchant_id={merchant}"),
            format!("/v1/cod/items?merchant_id={merchant}"),
            format!("/v1/cod/statement?merchant_id={merchant}"),
            format!("/v1/stock-levels?merchant_id={merchant}"),
            format!("/v1/inbox?connection_id={shop}"),
        ] {
            let value = gateway.get(&path).await;
            all.insert(path, value);
        }
        for (path, kept) in [
            (format!("/v1/connections/{shop}"), KEPT),
            (format!("/v1/connections/{}", self.id("account")), KEPT),
            (
                format!("/v1/subscriptions/{}", self.id("sub")),
                &["id", "url", "state", "event_types", "merchant_id"],
            ),
        ] {
            let value = gateway.get(&path).await;
            all.insert(path, only(&value, kept));
        }
        for (path, kept) in [
            (
                format!(
                    "/v1/deliveries?limit=500&subscription_id={}",
                    self.id("sub")
                ),
                ["id", "event_id"].as_slice(),
            ),
            (
                format!("/v1/problems?subject={shop}"),
                &["id", "code", "status", "connection_id"],
            ),
        ] {
            let value = gateway.get(&path).await;
            let rows = value["data"].as_array().unwrap().iter();
            all.insert(path, rows.map(|row| only(row, kept)).collect());
        }
        if self.ids.contains_key("token") {
            // By its own token: to the depot's a label counts as printed.
            for path in [
                format!("/v1/shipments/{}/label", self.id("shp")),
                format!("/v1/inbox/{}/payload", self.id("inb")),
            ] {
                let request = gateway.http.get(gateway.url(&path));
                let answer = request.bearer_auth(self.id("token")).send().await.unwrap();
                let bytes = answer.error_for_status().unwrap().bytes().await.unwrap();
                all.insert(path, json!(String::from_utf8_lossy(&bytes)));
            }
        }
        all
    }
}

/// What of a connection does not move by itself.
const KEPT: &[&str] = &[
    "id",
    "merchant_id",
    "connector",
    "name",
    "settings",
    "credentials_set",
    "contracts",
    "state",
    "release_from",
];

fn only(value: &Value, kept: &[&str]) -> Value {
    let all = value.as_object().unwrap().iter();
    let some = all.filter(|(name, _)| kept.contains(&name.as_str()));
    Value::Object(some.map(|(k, v)| (k.clone(), v.clone())).collect())
}

async fn shop(gateway: &Gateway, merchant: &Value, name: &str) -> String {
    let body = json!({
        "merchant_id": merchant, "connector": "woocommerce", "name": format!("{name} Laden"),
        "state": "active", "release_from": "2020-01-01T00:00:00Z",
        "settings": {"base_url": "http://127.0.0.1:9"},
        "credentials": {
            "consumer_key": "ck_1111111111111111111111111111111111111111",
            "consumer_secret": "cs_2222222222222222222222222222222222222222",
            "webhook_secret": SECRET,
        },
    });
    text(&gateway.post("/v1/connections", body).await["id"])
}

/// An order that is to be paid at the door.
fn order(id: u64, name: &str) -> Value {
    let mut order = orders::order(id, 1);
    for address in ["billing", "shipping"] {
        order[address]["last_name"] = json!("Beispiel");
        order[address]["first_name"] = json!(name);
        order[address]["email"] = json!(format!("{name}@example.test"));
    }
    order["line_items"][0]["sku"] = json!(format!("{name}-MUG"));
    order["payment_method"] = json!("cod");
    order["date_paid"] = Value::Null;
    order["date_paid_gmt"] = Value::Null;
    order
}
