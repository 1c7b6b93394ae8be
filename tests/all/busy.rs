//! A gateway that never rests: what people change counts all the same.

use super::support::{Gateway, Warehouse};
use serde_json::{Value, json};

/// Changes of stock without an event between two of them are so many that a delivery under way has
/// long ended.
const QUIET: usize = 200;

#[tokio::test]
async fn a_deleted_subscription_gets_nothing_more_however_much_comes() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path(), &[]).await;
    let warehouse = Warehouse::start().await;
    let wanted = json!({"url": warehouse.url(), "event_types": ["stock.changed"]});
    let made = gateway.post("/v1/subscriptions", wanted).await;
    warehouse.trust(made["secret"].as_str().unwrap());
    let merchant = gateway.post("/v1/merchants", json!({"name": "M"})).await["id"].clone();
    let mut pieces = 0u64;
    let mut change = async || {
        pieces += 1;
        let levels: Vec<Value> = vec![json!({"sku": "MUG", "on_hand": pieces})];
        let body = json!({"merchant_id": merchant, "levels": levels});
        gateway.call("PUT", "/v1/stock-levels", Some(body)).await;
    };
    while warehouse.taken().is_empty() {
        change().await;
    }
    let path = format!("/v1/subscriptions/{}", made["id"].as_str().unwrap());
    let deleted = gateway.try_call("DELETE", &path, None).await.unwrap();
    assert_eq!(deleted.status, 204);
    let limit = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    let (mut told, mut quiet) = (warehouse.taken().len(), 0);
    while quiet < QUIET {
        change().await;
        let now = warehouse.taken().len();
        quiet = if now == told { quiet + 1 } else { 0 };
        told = now;
        assert!(
            tokio::time::Instant::now() < limit,
            "it is told for ever: {told}"
        );
    }
}
