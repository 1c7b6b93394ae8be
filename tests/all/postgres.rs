//! Whole gateways over PostgreSQL: what the embedded store does there it does here.

use super::durability::load::killed_under_load;
use super::fulfilment::{of, shipped_from};
use super::labels::label_while_waiting;
use super::support::courier::{self, Courier};
use super::support::dock::Dock;
use super::support::gateway::{Gateway, elsewhere};
use serde_json::json;
use std::path::Path;
use tempfile::TempDir;

#[path = "../../src/store/postgres/tests/server.rs"]
pub mod server;

/// Deaths under load; the embedded store has more of them.
const ROUNDS: u64 = 8;

/// The data directory of gateways whose store is a schema of its own on the server.
async fn data() -> TempDir {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("store-url"), server::fresh_url().await).unwrap();
    data
}

#[actix_web::test]
async fn an_order_comes_is_shipped_and_its_shop_is_told() {
    let (shop, state) = shipped_from(data().await, json!({"fulfillments": true})).await;
    assert_eq!(of(&state, "fulfillments").len(), 1);
    shop.handle.stop().await;
}

#[tokio::test]
async fn a_label_is_there_while_the_packer_waits() {
    let courier = Courier::start("hornpost").await;
    let (dock, gateway) = Dock::on(data().await, &courier, &courier::folders()).await;
    label_while_waiting(&courier, &dock, &gateway).await;
}

#[tokio::test]
async fn kill_nine_under_load_loses_nothing() {
    killed_under_load(data().await, ROUNDS).await;
}

/// A command of the binary over that store; what it printed.
fn command(data: &Path, args: &[&str]) -> String {
    let done = std::process::Command::new(env!("CARGO_BIN_EXE_crossdock"))
        .args(args)
        .env("CROSSDOCK_DATA_DIR", data)
        .env_remove("CROSSDOCK_URL")
        .envs(elsewhere(data))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{args:?}: {text}{said}");
    text
}

#[tokio::test]
async fn an_embedded_store_goes_on_as_a_copy() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path(), &[]).await;
    let (_, hook) = gateway.shop("http://127.0.0.1:9", "active").await;
    for id in 1..=3 {
        let order = super::support::orders::order(id, 0).to_string();
        assert_eq!(gateway.webhook(&hook, &order).await, Some(200));
    }
    let ledger = gateway.settled(&hook).await;
    let events = gateway.all_events().await;
    assert!(gateway.stop().await.success());
    let from = format!("sqlite://{}", data.path().join("crossdock.db").display());
    let url = server::fresh_url().await;
    let copy = ["store", "copy", "--from", &from, "--to", &url];
    assert!(command(data.path(), &copy).contains("snapshots"));
    // The key goes along; the file stays where it was.
    std::fs::write(data.path().join("store-url"), &url).unwrap();
    let key = std::fs::read_to_string(data.path().join("secret.key")).unwrap();
    let key = [("CROSSDOCK_SECRET_KEY", key.trim())];
    let gateway = Gateway::start(data.path(), &key).await;
    assert_eq!(gateway.all_events().await, events);
    assert_eq!(gateway.get("/v1/ledger").await["data"], ledger["data"]);
    let order = super::support::orders::order(4, 0).to_string();
    assert_eq!(gateway.webhook(&hook, &order).await, Some(200));
    gateway
        .wait_for_event(|e| {
            e["type"] == "order.received" && e["data"]["order"]["external_id"] == "4"
        })
        .await;
    assert!(gateway.stop().await.success());
}

#[tokio::test]
async fn commands_work_beside_no_gateway() {
    let data = data().await;
    assert!(command(data.path(), &["migrate"]).contains("has schema 4"));
    let gateway = Gateway::start(data.path(), &[]).await;
    let (_, hook) = gateway.shop("http://127.0.0.1:9", "active").await;
    let order = super::support::orders::order(7, 0).to_string();
    assert_eq!(gateway.webhook(&hook, &order).await, Some(200));
    gateway
        .wait_for_event(|e| e["type"] == "order.received")
        .await;
    assert!(gateway.stop().await.success());
    assert!(command(data.path(), &["ledger"]).contains('1'));
}
