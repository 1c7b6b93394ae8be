//! A packer's desk: a gateway with a shop and a carrier account, and calls by any token.

use crate::support::Gateway;
use crate::support::courier::Courier;
use crate::support::dock::Dock;
use crate::support::gateway::{Answer, PATIENCE, TOKEN};
use crate::support::orders;
use serde_json::{Value, json};

pub struct Desk {
    pub courier: Courier,
    pub dock: Dock,
    pub gateway: Gateway,
}

impl Desk {
    pub async fn at(courier: &'static str) -> Self {
        let courier = Courier::start(courier).await;
        let (dock, gateway) = Dock::with(&courier).await;
        Self {
            courier,
            dock,
            gateway,
        }
    }

    /// A paid order; its part at the warehouse.
    pub async fn part(&self, id: u64) -> Value {
        self.dock.plain_order(&self.gateway, id).await
    }

    pub async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        let body = (method != "GET").then_some(body);
        self.gateway.try_call(method, path, body).await.unwrap()
    }

    /// `ship?wait=8` with these parcels.
    pub async fn ship(&self, part: &Value, reference: &str, parcels: Value) -> Answer {
        let path = format!("/v1/fulfillment-orders/{}/ship?wait=8", text(&part["id"]));
        let body = json!({"shipment_ref": reference, "parcels": parcels, "carrier_connection_id": self.dock.account});
        self.call("POST", &path, body).await
    }

    pub async fn shipment(&self, id: &str) -> Value {
        self.gateway.get(&format!("/v1/shipments/{id}")).await
    }

    /// A token of this scope for a merchant.
    pub async fn token(&self, scope: &str, merchant: &Value) -> String {
        let body = json!({"name": scope, "scope": scope, "merchant_id": merchant});
        text(&self.gateway.post("/v1/tokens", body).await["token"]).to_owned()
    }
}

/// The bytes of a label: status, media type, content.
pub async fn bytes(gateway: &Gateway, token: &str, path: &str) -> (u16, String, Vec<u8>) {
    let request = gateway.http.get(gateway.url(path)).bearer_auth(token);
    let answer = request.timeout(PATIENCE).send().await.unwrap();
    let kind = answer.headers().get("content-type");
    let kind = kind.map_or("", |kind| kind.to_str().unwrap()).to_owned();
    let status = answer.status().as_u16();
    (status, kind, answer.bytes().await.unwrap().to_vec())
}

/// The same as the administrator.
pub async fn label(desk: &Desk, id: &str, query: &str) -> (u16, String, Vec<u8>) {
    let path = format!("/v1/shipments/{id}/label{query}");
    bytes(&desk.gateway, TOKEN, &path).await
}

/// A call by another token.
pub async fn call_as(
    gateway: &Gateway,
    token: &str,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> Answer {
    let mut request = gateway
        .http
        .request(method.parse().unwrap(), gateway.url(path))
        .bearer_auth(token)
        .timeout(PATIENCE);
    if let Some(body) = body {
        request = request
            .header("content-type", "application/json")
            .body(body.to_string());
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let json = serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null);
    Answer { status, json }
}

pub fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
}

/// Status and code of an error; its paths.
pub fn error(answer: &Answer) -> (u16, &str, Vec<&str>) {
    let fields = answer.json["fields"].as_array().into_iter().flatten();
    (
        answer.status,
        answer.json["code"].as_str().unwrap_or_default(),
        fields.map(|field| text(&field["path"])).collect(),
    )
}

/// An order that is paid at the door.
pub fn cod_order(id: u64) -> Value {
    let mut order = orders::order(id, 1);
    order["payment_method"] = json!("cod");
    order["payment_method_title"] = json!("Cash on delivery");
    order["date_paid"] = Value::Null;
    order["date_paid_gmt"] = Value::Null;
    order
}
