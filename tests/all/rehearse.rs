//! Another version of a connector's folder: tried on what was received, and kept away from a
//! connection until somebody moves it.

use super::support::gateway::{Gateway, TOKEN};
use super::support::orders;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Copies the built-in shop's folder; with this behind the end of its order mapping.
fn folder(dir: &Path, more: &str) -> PathBuf {
    let from = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("connectors/woocommerce");
    let to = dir.join("woocommerce");
    std::fs::create_dir_all(&to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
    let order = to.join("order.jq");
    let text = std::fs::read_to_string(&order).unwrap();
    std::fs::write(order, format!("{text}{more}")).unwrap();
    to
}

async fn rehearse(gateway: &Gateway, connection: &str, with: &Path) -> (Option<i32>, Value) {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_crossdock"))
        .args([
            "rehearse",
            "--json",
            "--since",
            "1d",
            "--connection",
            connection,
            "--with",
        ])
        .arg(with)
        .env("CROSSDOCK_URL", gateway.url(""))
        .env("CROSSDOCK_TOKEN", TOKEN)
        .output()
        .await
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let json = serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), json)
}

/// The version of the folder that mapped this order.
async fn order_came(gateway: &Gateway, hook: &str, id: u64) -> String {
    let body = orders::order(id, 1).to_string();
    assert_eq!(gateway.webhook(hook, &body).await, Some(200));
    let id = id.to_string();
    let of_order = |event: &Value| {
        event["type"] == "order.received" && event["data"]["order"]["external_id"] == id.as_str()
    };
    let events = gateway.wait_for_event(of_order).await;
    let event = events.into_iter().find(of_order).unwrap();
    event["data"]["order"]["mapping_version"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn another_version_is_compared_before_it_is_used() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path(), &[]).await;
    let (connection, hook) = gateway.shop("http://127.0.0.1:9", "active").await;
    for id in [1, 2] {
        order_came(&gateway, &hook, id).await;
    }
    let other = tempfile::tempdir().unwrap();

    let same = folder(&other.path().join("same"), "");
    let (code, found) = rehearse(&gateway, &connection, &same).await;
    assert_eq!(
        (code, &found["records"], &found["same"]),
        (Some(0), &json!(2), &json!(2))
    );
    assert_eq!(found["differences"], json!([]));

    let cheaper = " | if .external_id == \"2\" then .totals.total.amount = \"1.00\" else . end\n";
    let cheaper = folder(&other.path().join("cheaper"), cheaper);
    let (code, found) = rehearse(&gateway, &connection, &cheaper).await;
    assert_eq!(
        (code, &found["different"]),
        (Some(1), &json!(1)),
        "{found:#}"
    );
    let changed = &found["differences"][0];
    assert_eq!(changed["external_id"], "2");
    let first = &changed["differences"][0];
    assert_eq!(
        (&first["path"], &first["after"]),
        (&json!("orders[0].totals.total.amount"), &json!("1.00"))
    );
    let money = &found["money"][0]["total"];
    assert_ne!(money["before"], money["after"], "{found:#}");

    let blind = folder(&other.path().join("blind"), " | error(\"no\")\n");
    let (code, found) = rehearse(&gateway, &connection, &blind).await;
    assert_eq!((code, &found["different"]), (Some(1), &json!(2)));
    assert_ne!(
        found["differences"][0]["differences"][0]["path"],
        Value::Null
    );
    // Nothing was changed by all that.
    let orders = gateway.get("/v1/orders").await;
    assert_eq!(orders["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_connection_keeps_to_its_version_whatever_is_installed() {
    let (data, installed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    folder(installed.path(), "");
    let dir = installed.path().display().to_string();
    let env = [("CROSSDOCK_CONNECTORS_DIR", dir.as_str())];
    let gateway = Gateway::start(data.path(), &env).await;
    let (connection, hook) = gateway.shop("http://127.0.0.1:9", "active").await;
    let first = order_came(&gateway, &hook, 1).await;
    let path = format!("/v1/connections/{connection}");
    let unknown = json!({"connector_version": "0123456789abcdef"});
    let refused = gateway
        .try_call("PATCH", &path, Some(unknown))
        .await
        .unwrap();
    assert_eq!(refused.status, 422, "{}", refused.json);
    assert!(
        refused.json.to_string().contains(&first),
        "{}",
        refused.json
    );
    let kept = json!({"connector_version": first});
    let view = gateway.call("PATCH", &path, Some(kept)).await;
    assert_eq!(view["connector_version"], first.as_str());

    folder(
        installed.path(),
        "# another version\n | .external_number = \"another\"\n",
    );
    assert!(gateway.stop().await.success());
    let gateway = Gateway::start(data.path(), &env).await;
    let installed_now = gateway.get("/v1/connectors/woocommerce").await;
    assert_ne!(installed_now["version"], first.as_str());
    assert_eq!(order_came(&gateway, &hook, 2).await, first);
    let free = json!({"connector_version": null});
    gateway.call("PATCH", &path, Some(free)).await;
    assert_eq!(
        order_came(&gateway, &hook, 3).await,
        installed_now["version"]
    );
}
