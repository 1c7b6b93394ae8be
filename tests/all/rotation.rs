//! Keys and secrets change while nothing is lost: the master key (also when the change is cut off),
//! a shop's webhook secret, a subscriber's signing secret.

use super::support::gateway::{Gateway, LAST, SECRET, TOKEN};
use super::support::{Warehouse, orders};
use serde_json::json;
use std::path::Path;
use std::process::{Command, Output};

/// `crossdock key rotate` over this data directory.
fn rotate(data: &Path, env: &[(&str, &str)], flags: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossdock"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CROSSDOCK_")) {
        command.env_remove(name);
    }
    command
        .args(["key", "rotate"])
        .args(flags)
        .env("CROSSDOCK_DATA_DIR", data)
        .envs(env.iter().copied())
        .current_dir(data)
        .output()
        .unwrap()
}

fn key(data: &Path) -> String {
    std::fs::read_to_string(data.join("secret.key")).unwrap()
}

/// A store with an order in it, and the gateway stopped.
async fn furnished(data: &Path, env: &[(&str, &str)]) {
    let gateway = Gateway::start(data, env).await;
    let (_, hook) = gateway.shop("http://127.0.0.1:9", "observing").await;
    gateway.settled(&hook).await;
    assert!(gateway.stop().await.success());
}

/// What is sealed can be read.
async fn opens(data: &Path, env: &[(&str, &str)]) {
    let gateway = Gateway::start(data, env).await;
    let orders = gateway.get(&format!("/v1/orders?external_id={LAST}")).await;
    assert_eq!(orders["data"][0]["customer"]["email"], "eleni@example.test");
    assert!(gateway.stop().await.success());
}

#[tokio::test]
async fn another_master_key_takes_the_olds_place() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    furnished(data, &[]).await;
    let before = key(data);
    let done = rotate(data, &[], &[]);
    assert!(done.status.success(), "{done:?}");
    assert!(String::from_utf8_lossy(&done.stdout).starts_with("2 data key(s)"));
    let after = key(data);
    assert_ne!(before, after);
    assert!(!String::from_utf8_lossy(&done.stdout).contains(after.trim()));
    opens(data, &[]).await;
    // The old one opens nothing any more.
    std::fs::write(data.join("secret.key"), &before).unwrap();
    assert!(Gateway::try_start(data, &[]).await.is_none());
    assert!(!rotate(data, &[], &[]).status.success());
    std::fs::write(data.join("secret.key"), &after).unwrap();
    opens(data, &[]).await;
}

#[tokio::test]
async fn a_gateway_that_runs_keeps_its_key() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let gateway = Gateway::start(data, &[]).await;
    let before = key(data);
    let refused = rotate(data, &[], &[]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert_eq!(key(data), before);
    assert!(!data.join("secret.key.new").exists());
    assert!(gateway.stop().await.success());
    // Where there is no store there is nothing to rotate, and no key is made.
    let empty = tempfile::tempdir().unwrap();
    assert!(!rotate(empty.path(), &[], &[]).status.success());
    assert!(!empty.path().join("secret.key").exists());
}

#[tokio::test]
async fn a_key_of_the_settings_is_changed_by_whoever_set_it() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let (old, new) = (
        "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY=",
    );
    let with_old = [("CROSSDOCK_SECRET_KEY", old)];
    furnished(data, &with_old).await;
    let advice = rotate(data, &with_old, &[]);
    assert!(String::from_utf8_lossy(&advice.stderr).contains("--new-key"));
    let file = data.join("new");
    std::fs::write(&file, new).unwrap();
    let file = file.display().to_string();
    let same = data.join("same");
    std::fs::write(&same, old).unwrap();
    let same = same.display().to_string();
    assert!(
        !rotate(data, &with_old, &["--new-key", &same])
            .status
            .success()
    );
    let done = rotate(data, &with_old, &["--new-key", &file]);
    assert!(done.status.success(), "{done:?}");
    assert!(!data.join("secret.key").exists());
    assert!(Gateway::try_start(data, &with_old).await.is_none());
    opens(data, &[("CROSSDOCK_SECRET_KEY", new)]).await;
}

#[tokio::test]
async fn a_store_on_a_server_changes_its_key_too() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let url = super::postgres::server::fresh_url().await;
    let new = "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY=";
    let with = |key: &'static str| {
        let url = url.clone();
        [
            ("CROSSDOCK_STORE_URL", url),
            ("CROSSDOCK_SECRET_KEY", key.to_owned()),
        ]
    };
    let (old, with_new) = (with(super::support::gateway::KEY), with(new));
    let (old, with_new) = (
        old.each_ref().map(|(name, value)| (*name, value.as_str())),
        with_new
            .each_ref()
            .map(|(name, value)| (*name, value.as_str())),
    );
    let gateway = Gateway::start(data, &old).await;
    let (_, hook) = gateway.shop("http://127.0.0.1:9", "observing").await;
    gateway.settled(&hook).await;
    let file = data.join("new");
    std::fs::write(&file, new).unwrap();
    let flags = ["--new-key", &file.display().to_string()];
    let busy = rotate(data, &old, &flags);
    assert_eq!(busy.status.code(), Some(1), "{busy:?}");
    assert!(gateway.stop().await.success());
    #[cfg(feature = "failpoints")]
    {
        let mut cut: Vec<(&str, &str)> = old.to_vec();
        cut.push(("CROSSDOCK_FAILPOINT", "rotate.before_commit"));
        assert_eq!(rotate(data, &cut, &flags).status.code(), None);
        opens(data, &old).await;
    }
    let done = rotate(data, &old, &flags);
    assert!(done.status.success(), "{done:?}");
    assert!(String::from_utf8_lossy(&done.stdout).starts_with("2 data key(s)"));
    assert!(Gateway::try_start(data, &old).await.is_none());
    opens(data, &with_new).await;
}

#[cfg(feature = "failpoints")]
#[tokio::test]
async fn killed_in_the_middle_the_store_opens_all_the_same() {
    let points = crossdock::failpoint::ALL.iter();
    let points: Vec<_> = points
        .filter(|point| point.starts_with("rotate."))
        .collect();
    assert_eq!(points.len(), 3);
    for point in points {
        let data = tempfile::tempdir().unwrap();
        let data = data.path();
        furnished(data, &[]).await;
        let before = key(data);
        let killed = rotate(data, &[("CROSSDOCK_FAILPOINT", point)], &[]);
        assert_eq!(killed.status.code(), None, "{point}: {killed:?}");
        assert_eq!(key(data), before, "{point}");
        assert!(data.join("secret.key.new").exists(), "{point}");
        // What only reads finds the right key too, and leaves the files alone.
        let mut ledger = Command::new(env!("CARGO_BIN_EXE_crossdock"));
        ledger.arg("ledger").env("CROSSDOCK_DATA_DIR", data);
        let ledger = ledger.current_dir(data).output().unwrap();
        assert!(ledger.status.success(), "{point}: {ledger:?}");
        assert!(data.join("secret.key.new").exists(), "{point}");
        opens(data, &[]).await;
        assert!(!data.join("secret.key.new").exists(), "{point}");
        assert_eq!(key(data) != before, *point == "rotate.after_rewrap");
        assert!(rotate(data, &[], &[]).status.success(), "{point}");
        opens(data, &[]).await;
    }
}

#[cfg(feature = "failpoints")]
#[tokio::test]
async fn a_rotation_that_was_cut_off_is_taken_up_by_the_next() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    furnished(data, &[]).await;
    for point in crossdock::failpoint::ALL
        .iter()
        .filter(|p| p.starts_with("rotate."))
    {
        let killed = rotate(data, &[("CROSSDOCK_FAILPOINT", point)], &[]);
        assert_eq!(killed.status.code(), None, "{point}: {killed:?}");
        let done = rotate(data, &[], &[]);
        assert!(done.status.success(), "{point}: {done:?}");
        assert!(!data.join("secret.key.new").exists(), "{point}");
    }
    opens(data, &[]).await;
}

#[tokio::test]
async fn a_shops_new_secret_loses_no_delivery() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path(), &[]).await;
    let (id, hook) = gateway.shop("http://127.0.0.1:9", "observing").await;
    let body = |n: u64| orders::order(n, 1).to_string();
    let change = async |secret: &str, hours: u64| {
        let patch =
            json!({"credentials": {"webhook_secret": secret}, "former_secret_hours": hours});
        let path = format!("/v1/connections/{id}");
        gateway.try_call("PATCH", &path, Some(patch)).await.unwrap()
    };
    assert_eq!(change("next", 169).await.status, 422);
    let changed = change("the-next", 1).await;
    assert_eq!(changed.status, 200, "{}", changed.json);
    assert!(!changed.json.to_string().contains(SECRET));
    assert_eq!(gateway.signed(&hook, SECRET, &body(1)).await, Some(200));
    assert_eq!(gateway.signed(&hook, "the-next", &body(2)).await, Some(200));
    // The same again does not make the new one the former one.
    assert_eq!(change("the-next", 1).await.status, 200);
    assert_eq!(gateway.signed(&hook, SECRET, &body(3)).await, Some(200));
    // It has become known: at once.
    assert_eq!(change("the-third", 0).await.status, 200);
    assert_eq!(gateway.signed(&hook, "the-next", &body(4)).await, Some(401));
    assert_eq!(gateway.signed(&hook, SECRET, &body(4)).await, Some(401));
    assert_eq!(gateway.signed(&hook, "", &body(4)).await, Some(401));
    gateway.settled_with(&hook, "the-third").await;
}

#[tokio::test]
async fn a_subscribers_new_secret_loses_no_delivery() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path(), &[]).await;
    let warehouse = Warehouse::start().await;
    let body = json!({"url": warehouse.url(), "event_types": ["order.received"]});
    let subscription = gateway.post("/v1/subscriptions", body).await;
    warehouse.trust(subscription["secret"].as_str().unwrap());
    let path = format!(
        "/v1/subscriptions/{}/secret",
        subscription["id"].as_str().unwrap()
    );
    let refused = gateway
        .try_call("POST", &path, Some(json!({"former_hours": 999})))
        .await;
    assert_eq!(refused.unwrap().status, 422);
    let renewed = gateway.post(&path, json!({})).await;
    assert_ne!(renewed["secret"], subscription["secret"]);
    let (_, hook) = gateway.shop("http://127.0.0.1:9", "active").await;
    gateway.settled(&hook).await;
    // It knows the former secret only.
    warehouse.wait_for_distinct(1).await;
    assert!(warehouse.refused().is_empty());
    let audit = gateway.get("/v1/audit").await.to_string();
    assert!(audit.contains("subscription.secret"));
    assert!(!audit.contains(renewed["secret"].as_str().unwrap()));
    assert!(!audit.contains(TOKEN));
}
