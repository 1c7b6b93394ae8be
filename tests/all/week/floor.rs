//! What the warehouse does: takes work on, packs, prints, hands over, and answers what is asked.

use super::city::City;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub struct Done {
    pub by: BTreeMap<String, u32>,
}

impl Done {
    pub fn one(&mut self, what: &str) {
        *self.by.entry(what.to_owned()).or_default() += 1;
    }
}

pub struct Floor<'c> {
    city: &'c City,
    rng: StdRng,
    /// How often a fulfillment order was shipped or tried to be: its next `shipment_ref`.
    refs: BTreeMap<String, u32>,
    /// Labels bought ahead of packing: `shipment_ref` and parcels, by fulfillment order.
    ahead: BTreeMap<String, (String, Vec<Value>)>,
    pub done: Done,
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

impl<'c> Floor<'c> {
    pub fn new(city: &'c City, seed: u64) -> Self {
        Self {
            city,
            rng: StdRng::seed_from_u64(seed ^ 0x00f1_0012),
            refs: BTreeMap::new(),
            ahead: BTreeMap::new(),
            done: Done::default(),
        }
    }

    fn chance(&mut self, percent: f64) -> bool {
        self.rng.random_bool(percent / 100.0)
    }

    /// A quarter of an hour at the depot: open from 8 to 18, hand-over at 17.
    pub async fn works(&mut self, step: u32) {
        let hour = (step / 4 + 6) % 24;
        if (8..18).contains(&hour) {
            self.work_list().await;
            self.labels().await;
        }
        if hour == 17 && step % 4 == 3 {
            self.hand_over().await;
        }
    }

    /// Everything that is left is done at once.
    pub async fn finishes(&mut self, step: u32) {
        if step < 48 {
            self.work_list().await;
            self.labels().await;
            if step % 12 == 11 {
                self.hand_over().await;
            }
        } else {
            self.labels().await;
        }
    }

    async fn post(&mut self, what: &str, path: &str, body: Value) -> (u16, Value) {
        let (status, answer) = self.city.call("POST", path, body).await;
        assert!(status < 500, "{path}: {status} {answer}");
        let outcome = match status {
            200..=299 => what.to_owned(),
            422 => format!("{what}: {} {}", text(&answer, "code"), answer["fields"]),
            _ => format!("{what}: {}", text(&answer, "code")),
        };
        self.done.one(&outcome);
        (status, answer)
    }

    async fn work_list(&mut self) {
        let list = self
            .city
            .all("/v1/fulfillment-orders?awaiting=accept,ship,answer&sort=cut_off_at")
            .await;
        for part in list {
            if text(&part["request"], "state") == "pending" {
                self.answer(&part).await;
            } else if text(&part, "status") == "submitted" {
                self.accept(&part).await;
            } else {
                self.pack(&part).await;
            }
        }
    }

    async fn answer(&mut self, part: &Value) {
        if self.chance(25.0) {
            return; // Later.
        }
        let yes = self.chance(70.0);
        let path = format!(
            "/v1/fulfillment-orders/{}/requests/{}/{}",
            text(part, "id"),
            text(&part["request"], "id"),
            if yes { "accept" } else { "refuse" }
        );
        let what = if yes {
            "request accepted"
        } else {
            "request refused"
        };
        self.post(
            what,
            &path,
            json!({"revision": part["revision"], "note": "week"}),
        )
        .await;
    }

    async fn accept(&mut self, part: &Value) {
        let path = |what: &str| format!("/v1/fulfillment-orders/{}/{what}", text(part, "id"));
        if self.chance(2.0) {
            let body =
                json!({"revision": part["revision"], "reason": "other", "note": "damaged goods"});
            self.post("rejected", &path("reject"), body).await;
        } else if self.chance(75.0) {
            let seen = json!({"revision": part["revision"]});
            let (status, _) = self.post("accepted", &path("accept"), seen).await;
            if status < 300 && self.chance(20.0) {
                self.label_ahead(text(part, "id")).await;
            }
        }
    }

    fn reference(&mut self, part: &str) -> String {
        let n = self.refs.entry(part.to_owned()).or_default();
        *n += 1;
        format!("W-{}-{n}", &part[part.len() - 8..])
    }

    /// Some depots print the label first and pack then.
    async fn label_ahead(&mut self, part: &str) {
        let reference = self.reference(part);
        let parcels = vec![json!({"weight_g": 900})];
        let body =
            json!({"fulfillment_order_id": part, "shipment_ref": reference, "parcels": parcels});
        let (status, _) = self.post("label ahead", "/v1/shipments", body).await;
        if status < 300 {
            self.ahead.insert(part.to_owned(), (reference, parcels));
        }
    }

    async fn pack(&mut self, part: &Value) {
        let id = text(part, "id").to_owned();
        if !self.chance(55.0) {
            return;
        }
        if self.chance(3.0) {
            let line = part["lines"]
                .as_array()
                .unwrap()
                .iter()
                .find(|l| l["remaining"].as_f64() > Some(0.0));
            if let Some(line) = line {
                let body = json!({"revision": part["revision"], "lines": [{"line_id": line["line_id"], "quantity": 1}]});
                self.post("short", &format!("/v1/fulfillment-orders/{id}/short"), body)
                    .await;
            }
            return;
        }
        let ahead = self.ahead.remove(&id);
        let whole = ahead.is_some();
        let (reference, parcels) = match ahead {
            Some(label) => label,
            None => (self.reference(&id), self.boxes()),
        };
        // A stale revision now and then: the gateway must say so.
        let revision = if self.chance(3.0) {
            json!(1)
        } else {
            part["revision"].clone()
        };
        let partial = !whole && self.chance(6.0) && part["lines"].as_array().unwrap().len() > 1;
        let mut body = json!({"revision": revision, "shipment_ref": reference, "parcels": parcels});
        if partial {
            let first = part["lines"]
                .as_array()
                .unwrap()
                .iter()
                .find(|l| l["remaining"].as_f64() > Some(0.0));
            if let Some(line) = first {
                body["lines"] =
                    json!([{"line_id": line["line_id"], "quantity": line["remaining"]}]);
            }
        }
        let path = format!("/v1/fulfillment-orders/{id}/ship");
        let (status, _) = self.post("shipped", &path, body.clone()).await;
        if status < 300 && self.chance(10.0) {
            // The answer was lost on the way to the WMS: it tells again.
            self.post("shipped again", &path, body).await;
        }
    }

    fn boxes(&mut self) -> Vec<Value> {
        (0..1 + u32::from(self.chance(8.0)))
            .map(|p| json!({"weight_g": 400 + 137 * (p + 1), "length_mm": 300, "width_mm": 200, "height_mm": 100}))
            .collect()
    }

    /// Labels that need somebody.
    async fn labels(&mut self) {
        for shipment in self.city.all("/v1/shipments?status=outcome_unknown").await {
            self.look_at_the_courier(&shipment).await;
        }
        for shipment in self.city.all("/v1/shipments?status=failed").await {
            self.try_anew(&shipment).await;
        }
        for problem in self.city.all("/v1/problems?status=open").await {
            if text(&problem, "code") == "label_outdated" {
                let id = text(&problem, "subject").to_owned();
                self.post(
                    "replaced",
                    &format!("/v1/shipments/{id}/replace"),
                    json!({}),
                )
                .await;
            }
        }
        for shipment in self.city.all("/v1/shipments?status=purchased").await {
            let id = text(&shipment, "id");
            if self.chance(1.0) {
                self.post(
                    "voided",
                    &format!("/v1/shipments/{id}/void"),
                    json!({"reason": "torn"}),
                )
                .await;
            } else if self.chance(3.0) {
                // The customer calls: the address on the label is wrong.
                let floor = self.rng.random_range(1..20);
                let set = json!({"set": {"ship_to.line2": format!("Entrance B, floor {floor}")}, "reason": "the customer called"});
                let path = format!("/v1/orders/{}", text(&shipment, "order_id"));
                let (status, _) = self.city.call("PATCH", &path, set).await;
                self.done
                    .one(&format!("address mended after the label: {status}"));
            } else if self.chance(50.0) {
                let (status, _) = self
                    .city
                    .call("GET", &format!("/v1/shipments/{id}/label"), Value::Null)
                    .await;
                self.done.one(if status == 200 {
                    "printed"
                } else {
                    "no label to print yet"
                });
            }
        }
    }

    /// The answer was lost: a person looks into the courier's own list.
    async fn look_at_the_courier(&mut self, shipment: &Value) {
        let reference = text(shipment, "reference");
        let courier = self
            .city
            .couriers
            .iter()
            .find(|c| c.connection == text(shipment, "connection_id"));
        let books = super::checks::books(self.city, courier.unwrap()).await;
        let made = books.labels.iter().filter(|label| label.of(reference));
        let numbers: Vec<String> = made.map(|label| label.number.clone()).collect();
        let parcels = shipment["parcels"].as_array().unwrap();
        let known = |number: &String| {
            parcels
                .iter()
                .any(|p| p["tracking_number"] == number.as_str())
        };
        let unknown: Vec<&String> = numbers.iter().filter(|n| !known(n)).collect();
        let path = format!("/v1/shipments/{}/resolve", text(shipment, "id"));
        let body = if unknown.is_empty() {
            json!({"outcome": "not_purchased"})
        } else {
            json!({"outcome": "purchased", "tracking_numbers": numbers})
        };
        let what = if unknown.is_empty() {
            "resolved: not purchased"
        } else {
            "resolved: purchased"
        };
        self.post(what, &path, body).await;
    }

    /// The carrier refused it: the operator mends the address, the packer sends the same `ship` again.
    async fn try_anew(&mut self, shipment: &Value) {
        if !shipment["replaced_by"].is_null() || !shipment["replaces"].is_null() {
            return;
        }
        let part = text(shipment, "fulfillment_order_id");
        let fields = &shipment["failure"]["fields"];
        self.done.one(&format!(
            "label failed: {}",
            text(&shipment["failure"], "code")
        ));
        if fields != &json!([]) {
            let path = format!("/v1/orders/{}", text(shipment, "order_id"));
            let body = json!({"set": {"ship_to.phone": "+359888123456"}, "reason": "the carrier wants a phone"});
            let (status, answer) = self.city.call("PATCH", &path, body).await;
            assert!(status < 500, "{answer}");
        }
        let now = self
            .city
            .ask(
                "GET",
                &format!("/v1/fulfillment-orders/{part}"),
                Value::Null,
            )
            .await;
        let parcels: Vec<Value> = shipment["parcels"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| json!({"weight_g": p["weight_g"]}))
            .collect();
        let body = json!({"revision": now["revision"], "shipment_ref": shipment["shipment_ref"], "lines": shipment["lines"], "parcels": parcels});
        self.post(
            "shipped anew",
            &format!("/v1/fulfillment-orders/{part}/ship"),
            body,
        )
        .await;
    }

    /// The courier has it: its parcels begin to travel.
    async fn moves(&mut self, courier: usize, listed: &Value) {
        let party = &self.city.couriers[courier];
        let path = format!("/v1/shipments/{}", text(listed, "shipment_id"));
        let shipment = self.city.ask("GET", &path, Value::Null).await;
        let parcels = shipment["parcels"].as_array().unwrap();
        let numbers: BTreeSet<&str> = parcels
            .iter()
            .map(|parcel| text(parcel, "tracking_number"))
            .collect();
        for number in numbers {
            let path = format!("/_sim/labels/{number}/hand-over");
            let (status, said) = self.city.control(party, "POST", &path, Value::Null).await;
            assert_eq!(status, 200, "{number}: {said}");
        }
    }

    async fn hand_over(&mut self) {
        for courier in 0..self.city.couriers.len() {
            let body = json!({"carrier_connection_id": self.city.couriers[courier].connection, "handed_over": true});
            let (_, answer) = self.post("lists", "/v1/manifests", body).await;
            for shipment in answer["shipments"].as_array().into_iter().flatten() {
                self.done.one("handed over");
                self.moves(courier, shipment).await;
            }
        }
    }
}
