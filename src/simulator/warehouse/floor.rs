//! The work itself: taking fulfillment orders on, shipping them, answering what is asked of them.

use super::{Floor, text};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Answers to one fulfillment order that are refused before it is given up.
const TRIES: u32 = 20;
/// Pause after an answer that was refused.
const PAUSE: Duration = Duration::from_millis(500);
/// What is listened to.
const TYPES: &str = "fulfillment_order.submitted,fulfillment_order.change_requested";

impl Floor {
    /// Takes a fulfillment order on and ships it.
    pub(super) async fn work(&self, id: &str) {
        let number = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let nth = |every: u64| every > 0 && number.is_multiple_of(every);
        tokio::time::sleep(self.options.accept_after).await;
        if nth(self.options.reject_every) {
            let body = |order: &Value| json!({"revision": revision(order), "reason": "other", "note": "Simulated: turned down"});
            if self.tell(id, "reject", &["submitted"], body).await {
                self.counters.count(|c| &c.rejected);
            }
            return;
        }
        let body = |order: &Value| json!({"revision": revision(order), "wms_ref": format!("WMS-{number}")});
        if !self.tell(id, "accept", &["submitted"], body).await {
            return;
        }
        self.counters.count(|c| &c.accepted);
        let taken_on = self.read(id).await;
        if let Some(order) = &taken_on {
            self.promise(order).await;
        }
        tokio::time::sleep(self.options.ship_after).await;
        if nth(self.options.short_every) {
            let body = |order: &Value| {
                let line = order
                    .pointer("/lines/0/line_id")
                    .cloned()
                    .unwrap_or_default();
                json!({"revision": revision(order), "lines": [{"line_id": line, "quantity": 1}], "note": "Simulated: one piece missing"})
            };
            if self.tell(id, "short", &["in_progress"], body).await {
                self.counters.count(|c| &c.short);
            }
        }
        if self.ship(id, number).await
            && let Some(order) = &taken_on
        {
            self.take_out(order).await;
        }
    }

    /// Packs it. Where a carrier is planned the gateway buys the label, and the packer waits for it;
    /// else the warehouse ships with a number of its own.
    async fn ship(&self, id: &str, number: u64) -> bool {
        let body = |order: &Value| {
            let reference = format!("SHIP-{}", tail(id));
            let weight = 400 + number % 30 * 100;
            if text(order, "/carrier_plan/connection_id").is_empty() {
                json!({"revision": revision(order), "shipment_ref": reference, "carrier": "Simulated courier",
                    "parcels": [{"weight_g": weight, "tracking_number": format!("SIM{}", tail(id).to_uppercase())}]})
            } else {
                json!({"revision": revision(order), "shipment_ref": reference,
                    "parcels": [{"weight_g": weight, "length_mm": 300, "width_mm": 200, "height_mm": 100}]})
            }
        };
        if !self
            .tell(id, "ship?wait=8", &["in_progress", "submitted"], body)
            .await
        {
            return false;
        }
        self.counters.count(|c| &c.shipped);
        self.hand_over(id).await;
        true
    }

    /// Prints the labels of a fulfillment order and hands its parcels over.
    async fn hand_over(&self, id: &str) {
        let path = format!("/v1/shipments?fulfillment_order_id={id}");
        let Some(found) = self.get(&path).await else {
            return;
        };
        for shipment in found
            .get("data")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let (shipment_id, carrier) = (text(shipment, "/id"), text(shipment, "/connection_id"));
            if carrier.is_empty() || text(shipment, "/documents/0/id").is_empty() {
                continue;
            }
            if self.print(shipment_id).await {
                self.counters.count(|c| &c.printed);
            }
            let list = json!({"carrier_connection_id": carrier, "shipment_ids": [shipment_id], "handed_over": true});
            if self.post("/v1/manifests", &list).await == Some(true) {
                self.counters.count(|c| &c.handed_over);
            }
        }
    }

    /// Fetches a label, as a printer would.
    async fn print(&self, shipment: &str) -> bool {
        let request = self
            .http
            .get(format!(
                "{}/v1/shipments/{shipment}/label",
                self.options.gateway
            ))
            .bearer_auth(self.options.token.expose_secret());
        match request.send().await {
            Ok(answer) => answer.status().is_success(),
            Err(_) => false,
        }
    }

    /// Answers what the channel asks of a fulfillment order.
    pub(super) async fn answer_request(&self, id: &str) {
        for _ in 0..TRIES {
            let Some(order) = self.read(id).await else {
                return;
            };
            if text(&order, "/request/state") != "pending" {
                return;
            }
            let answer = if self.options.agrees {
                "accept"
            } else {
                "refuse"
            };
            let path = format!(
                "/v1/fulfillment-orders/{id}/requests/{}/{answer}",
                text(&order, "/request/id")
            );
            if self
                .post(&path, &json!({"revision": revision(&order)}))
                .await
                == Some(true)
            {
                self.counters.count(|c| &c.answered);
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Tells the gateway something about a fulfillment order as it is now, while it is in one of these states.
    async fn tell(
        &self,
        id: &str,
        what: &str,
        while_in: &[&str],
        body: impl Fn(&Value) -> Value,
    ) -> bool {
        for _ in 0..TRIES {
            if let Some(order) = self.read(id).await {
                if text(&order, "/request/state") == "pending" {
                    self.answer_request(id).await;
                } else if !while_in.contains(&text(&order, "/status")) {
                    return false;
                } else if self
                    .post(
                        &format!("/v1/fulfillment-orders/{id}/{what}"),
                        &body(&order),
                    )
                    .await
                    == Some(true)
                {
                    return true;
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.counters.count(|c| &c.given_up);
        false
    }

    async fn read(&self, id: &str) -> Option<Value> {
        self.get(&format!("/v1/fulfillment-orders/{id}")).await
    }

    async fn get(&self, path: &str) -> Option<Value> {
        let request = self
            .http
            .get(format!("{}{path}", self.options.gateway))
            .bearer_auth(self.options.token.expose_secret());
        let answer = request
            .send()
            .await
            .ok()
            .filter(|answer| answer.status().is_success())?;
        serde_json::from_slice(&answer.bytes().await.ok()?).ok()
    }

    /// True when it was taken, false when refused, `None` when nobody answered.
    async fn post(&self, path: &str, body: &Value) -> Option<bool> {
        self.send(reqwest::Method::POST, path, body).await
    }

    /// As [`Floor::post`], by another method.
    pub(super) async fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        body: &Value,
    ) -> Option<bool> {
        let request = self
            .http
            .request(method, format!("{}{path}", self.options.gateway))
            .bearer_auth(self.options.token.expose_secret());
        let answer = request
            .header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
            .ok()?;
        let status = answer.status();
        if !status.is_success() {
            tracing::debug!(
                path,
                status = status.as_u16(),
                "the gateway refused the warehouse's answer"
            );
        }
        Some(status.is_success())
    }
}

/// Long-polls the feed from its beginning.
pub(super) async fn read_feed(floor: Arc<Floor>) {
    let mut after = "0".to_owned();
    loop {
        let Some(page) = floor
            .get(&format!(
                "/v1/events?after={after}&wait=20&limit=200&types={TYPES}"
            ))
            .await
        else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        for event in page
            .get("data")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            super::hear(&floor, event);
        }
        match page.get("next") {
            Some(Value::String(next)) => after.clone_from(next),
            Some(Value::Number(next)) => after = next.to_string(),
            _ => tokio::time::sleep(PAUSE).await,
        }
    }
}

fn revision(order: &Value) -> Value {
    order.get("revision").cloned().unwrap_or_default()
}

/// The last twelve characters of an id: enough to tell two apart.
fn tail(id: &str) -> &str {
    id.get(id.len().saturating_sub(12)..).unwrap_or(id)
}
