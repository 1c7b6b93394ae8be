//! What customers, shops and the network do: orders, edits, cancellations, refunds; webhooks lost,
//! doubled and out of order; couriers that are slow, broken, or lose their answers.

use super::city::{City, Party};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Default)]
pub struct Happened {
    pub orders: u32,
    pub edits: u32,
    pub cancellations: u32,
    pub refunds: u32,
    pub faults: BTreeMap<&'static str, u32>,
}

pub struct Street<'c> {
    city: &'c City,
    rng: StdRng,
    /// (shop, order id), newest last.
    made: Vec<(usize, String)>,
    /// Steps until a courier works again.
    courier_down: u32,
    warehouse_down: u32,
    pub happened: Happened,
}

impl<'c> Street<'c> {
    pub fn new(city: &'c City, seed: u64) -> Self {
        Self {
            city,
            rng: StdRng::seed_from_u64(seed),
            made: Vec::new(),
            courier_down: 0,
            warehouse_down: 0,
            happened: Happened::default(),
        }
    }

    fn chance(&mut self, percent: f64) -> bool {
        self.rng.random_bool((percent / 100.0).clamp(0.0, 1.0))
    }

    pub async fn happens(&mut self, step: u32) {
        self.network(step).await;
        // Four steps an hour; people order by day.
        let hour = (step / 4 + 6) % 24;
        let per_step = f64::from(self.city.scale.orders) / 64.0;
        let busy = if (7..23).contains(&hour) { 100.0 } else { 15.0 };
        for shop in 0..self.city.shops.len() {
            if self.chance(busy * per_step) {
                self.order(shop).await;
            }
        }
        let shops = f64::from(u32::try_from(self.city.shops.len()).unwrap());
        if self.chance(10.0 * shops) {
            self.change().await;
        }
    }

    async fn order(&mut self, shop: usize) {
        let body = json!({"count": 1, "quiet": true});
        let party = &self.city.shops[shop];
        let (status, made) = self.city.control(party, "POST", "/_sim/orders", body).await;
        assert_eq!(status, 201, "{made}");
        for id in made["ids"].as_array().unwrap() {
            self.made.push((shop, id.to_string()));
            self.happened.orders += 1;
        }
        // Bank transfers arrive sooner or later.
        if self.chance(60.0)
            && let Some((_, id)) = self.made.last().cloned()
        {
            let path = format!("/_sim/orders/{id}/status/processing");
            let order = self
                .city
                .control(party, "GET", "/_sim/state", Value::Null)
                .await
                .1;
            if order["state"]["orders"][&id]["status"] == "on-hold" {
                self.city.control(party, "POST", &path, Value::Null).await;
            }
        }
    }

    /// Something happens to an order that was placed within the last hours.
    async fn change(&mut self) {
        let recent = self.made.len().min(8 * self.city.shops.len());
        if recent == 0 {
            return;
        }
        let at = self.made.len() - 1 - self.rng.random_range(0..recent);
        let (shop, id) = self.made[at].clone();
        let party = &self.city.shops[shop];
        let state = self
            .city
            .control(party, "GET", "/_sim/state", Value::Null)
            .await
            .1;
        let order = state["state"]["orders"][&id].clone();
        if !["processing", "on-hold"].contains(&order["status"].as_str().unwrap_or_default()) {
            return;
        }
        match self.rng.random_range(0..10) {
            0..=4 => {
                let floor = self.rng.random_range(1..20);
                let mut shipping = order["shipping"].clone();
                shipping["address_2"] = json!(format!("c/o neighbour, floor {floor}"));
                let path = format!("/_sim/orders/{id}/edit");
                self.city
                    .control(party, "POST", &path, json!({"shipping": shipping}))
                    .await;
                self.happened.edits += 1;
            }
            5..=7 => {
                let path = format!("/_sim/orders/{id}/status/cancelled");
                self.city.control(party, "POST", &path, Value::Null).await;
                self.happened.cancellations += 1;
            }
            _ if order["payment_method"] == "stripe" && order["refunds"] == json!([]) => {
                let path = format!("/_sim/orders/{id}/refund");
                self.city.control(party, "POST", &path, Value::Null).await;
                self.happened.refunds += 1;
            }
            _ => {}
        }
    }

    async fn fault(&mut self, party: usize, courier: bool, name: &'static str, fault: Value) {
        let parties: &[Party] = if courier {
            &self.city.couriers
        } else {
            &self.city.shops
        };
        let party = &parties[party % parties.len()];
        let (status, said) = self
            .city
            .control(party, "POST", "/_sim/faults", fault)
            .await;
        assert!((200..300).contains(&status), "{said}");
        *self.happened.faults.entry(name).or_default() += 1;
    }

    async fn network(&mut self, _step: u32) {
        let which = self.rng.random_range(0..1_000);
        if self.chance(15.0) {
            let (name, fault) = match self.rng.random_range(0..3) {
                0 => (
                    "webhook doubled",
                    json!({"double_webhooks": true, "times": 2}),
                ),
                1 => (
                    "webhooks out of order",
                    json!({"reorder_webhooks": true, "times": 1}),
                ),
                _ => ("webhook lost", json!({"drop_webhooks": true, "times": 1})),
            };
            self.fault(which, false, name, fault).await;
        }
        if self.chance(6.0) {
            let (name, fault) = match self.rng.random_range(0..3) {
                0 => ("shop answers 500", json!({"status": 500, "times": 2})),
                1 => (
                    "shop answers 429",
                    json!({"status": 429, "headers": {"retry-after": "60"}, "times": 1}),
                ),
                _ => (
                    "shop's answer lost",
                    json!({"drop_answer": true, "times": 1}),
                ),
            };
            self.fault(which, false, name, fault).await;
        }
        if self.chance(12.0) {
            let (name, fault) = match self.rng.random_range(0..3) {
                0 => ("courier answers 500", json!({"status": 500, "times": 1})),
                1 => (
                    "courier's web page",
                    json!({"status": 502, "headers": {"content-type": "text/html"}, "body": "<html>busy</html>", "times": 1}),
                ),
                _ => (
                    "courier's answer lost",
                    json!({"drop_answer": true, "times": 1}),
                ),
            };
            self.fault(which, true, name, fault).await;
        }
        self.outages(which).await;
    }

    async fn outages(&mut self, which: usize) {
        if self.courier_down > 0 {
            self.courier_down -= 1;
            if self.courier_down == 0 {
                for courier in &self.city.couriers {
                    self.city
                        .control(courier, "DELETE", "/_sim/faults", Value::Null)
                        .await;
                }
            }
        } else if self.chance(1.0) {
            self.courier_down = self.rng.random_range(2..10);
            self.fault(
                which,
                true,
                "courier down",
                json!({"status": 503, "times": 100_000}),
            )
            .await;
        }
        if self.warehouse_down > 0 {
            self.warehouse_down -= 1;
            if self.warehouse_down == 0 {
                self.city.warehouse.answer(200);
            }
        } else if self.chance(1.0) {
            self.warehouse_down = self.rng.random_range(2..12);
            self.city.warehouse.answer(503);
            *self.happened.faults.entry("warehouse down").or_default() += 1;
        }
    }

    /// Nothing goes wrong any more.
    pub async fn ends(&mut self) {
        for party in self.city.couriers.iter().chain(&self.city.shops) {
            self.city
                .control(party, "DELETE", "/_sim/faults", Value::Null)
                .await;
        }
        self.city.warehouse.answer(200);
        self.city.settle().await;
    }
}
