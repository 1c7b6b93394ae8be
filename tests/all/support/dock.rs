//! A gateway with a shop whose orders are packed here, and a carrier account.

use super::courier::{self, Courier};
use super::gateway::{Answer, Gateway};
use super::orders;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What the later starts of the same gateway need.
pub struct Dock {
    pub data: tempfile::TempDir,
    pub hook: String,
    pub account: String,
    connectors: PathBuf,
}

impl Dock {
    /// A merchant with an active shop and its own account at this carrier.
    pub async fn with(courier: &Courier) -> (Self, Gateway) {
        Self::with_folders(courier, &courier::folders()).await
    }

    pub async fn with_folders(courier: &Courier, folders: &Path) -> (Self, Gateway) {
        Self::on(tempfile::tempdir().unwrap(), courier, folders).await
    }

    /// With this data directory.
    pub async fn on(data: tempfile::TempDir, courier: &Courier, folders: &Path) -> (Self, Gateway) {
        let connectors = folders.to_owned();
        let dir = connectors.display().to_string();
        let gateway = Gateway::start(data.path(), &[("CROSSDOCK_CONNECTORS_DIR", &dir)]).await;
        let (shop, hook) = gateway.shop("http://127.0.0.1:9", "active").await;
        let shop = gateway.get(&format!("/v1/connections/{shop}")).await;
        let merchant = shop["merchant_id"].clone();
        let account = gateway
            .post("/v1/connections", courier.connection(&merchant))
            .await;
        let dock = Self {
            data,
            hook,
            account: account["id"].as_str().unwrap().to_owned(),
            connectors,
        };
        (dock, gateway)
    }

    /// The same gateway once more; `None` when it died before it was ready.
    pub async fn restart(&self, env: &[(&str, &str)]) -> Option<Gateway> {
        let dir = self.connectors.display().to_string();
        let mut all = vec![("CROSSDOCK_CONNECTORS_DIR", dir.as_str())];
        all.extend(env);
        Gateway::try_start(self.data.path(), &all).await
    }

    /// An order comes; its part at the warehouse.
    pub async fn order(&self, gateway: &Gateway, order: Value) -> Value {
        let id = order["id"].to_string();
        let body = order.to_string();
        assert_eq!(gateway.webhook(&self.hook, &body).await, Some(200));
        let events = gateway
            .wait_for_event(|event| {
                event["type"] == "fulfillment_order.submitted"
                    && event["data"]["order"]["external_id"] == id.as_str()
            })
            .await;
        let of_order = |event: &&Value| {
            event["type"] == "fulfillment_order.submitted"
                && event["data"]["order"]["external_id"] == id.as_str()
        };
        let event = events.iter().find(of_order).unwrap();
        event["data"]["fulfillment_order"].clone()
    }

    pub async fn plain_order(&self, gateway: &Gateway, id: u64) -> Value {
        self.order(gateway, orders::order(id, 1)).await
    }

    /// `ship` with so many parcels; `None` when the gateway did not answer.
    pub async fn ship(
        &self,
        gateway: &Gateway,
        part: &Value,
        parcels: usize,
        wait: u64,
    ) -> Option<Answer> {
        let parcels: Vec<Value> = (0..parcels).map(|_| json!({"weight_g": 900})).collect();
        let path = format!(
            "/v1/fulfillment-orders/{}/ship?wait={wait}",
            part["id"].as_str().unwrap()
        );
        let body = json!({
            "shipment_ref": format!("W-{}", part["id"].as_str().unwrap()),
            "parcels": parcels, "carrier_connection_id": self.account,
        });
        gateway.try_call("POST", &path, Some(body)).await
    }
}

/// Waits until a shipment's status is one of these.
pub async fn settled(gateway: &Gateway, shipment: &str, wanted: &[&str]) -> Value {
    let path = format!("/v1/shipments/{shipment}");
    let limit = tokio::time::Instant::now() + super::gateway::PATIENCE;
    loop {
        let now = gateway.get(&path).await;
        if wanted.contains(&now["status"].as_str().unwrap()) {
            return now;
        }
        assert!(
            tokio::time::Instant::now() < limit,
            "not {wanted:?}: {now:#}"
        );
        // A long poll of the feed is the pause: it ends when something happened.
        gateway.get("/v1/events?after=999999999&wait=1").await;
    }
}

/// The tracking numbers of a shipment, in the order of its parcels.
pub fn numbers(shipment: &Value) -> Vec<String> {
    let parcels = shipment["parcels"].as_array().unwrap();
    parcels
        .iter()
        .filter_map(|parcel| parcel["tracking_number"].as_str().map(str::to_owned))
        .collect()
}
