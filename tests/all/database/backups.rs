//! Backups of both stores, made under load and restored elsewhere.
//!
//! What always holds here: what was acknowledged before the backup began is in it, its ledger adds
//! up, and it goes on with the same master key and with no other.

use crate::durability::{adds_up, each_once, revision, set_up};
use crate::postgres::server;
use crate::support::gateway::{KEY, elsewhere};
use crate::support::{Gateway, Warehouse};
use crossdock::store::vault::MasterKey;
use crossdock::store::{self, StoreOptions};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use tempfile::TempDir;
use tokio::sync::watch;

const SENDERS: u64 = 4;
/// Another key than any.
const OTHER: &str = "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY=";

/// The newest revision that was acknowledged, by order.
type Taken = Mutex<BTreeMap<u64, u32>>;

/// Sends revisions of an order until the gateway is gone.
async fn send(gateway: &Gateway, hook: &str, id: u64, taken: &Taken, count: &watch::Sender<u64>) {
    for n in 1..3_000 {
        if gateway.webhook(hook, &revision(id, n)).await != Some(200) {
            return;
        }
        taken.lock().unwrap().insert(id, n);
        count.send_modify(|count| *count += 1);
    }
}

/// Loads a gateway over `from`, backs up in the middle, goes on, kills it; what was acknowledged
/// before the backup began, and the shop's hook.
async fn backed_up<F>(from: &Path, back_up: F) -> (BTreeMap<u64, u32>, String)
where
    F: FnOnce() + Send + 'static,
{
    let warehouse = Warehouse::start().await;
    let hook = set_up(from, &warehouse).await;
    let gateway = Gateway::start(from, &[]).await;
    let (taken, count) = (Taken::default(), watch::channel(0).0);
    let sending = (1..=SENDERS).map(|id| send(&gateway, &hook, id, &taken, &count));
    let pid = gateway.pid();
    let backing_up = async {
        let mut seen = count.subscribe();
        seen.wait_for(|n| *n >= 60).await.unwrap();
        let before = taken.lock().unwrap().clone();
        tokio::task::spawn_blocking(back_up).await.unwrap();
        // It was no pause, and it is over.
        let enough = *seen.borrow_and_update() + 20;
        seen.wait_for(|n| *n >= enough).await.unwrap();
        crate::support::gateway::signal("-KILL", &pid);
        before
    };
    let (before, _) = tokio::join!(backing_up, futures_util::future::join_all(sending));
    assert_eq!(before.len() as u64, SENDERS);
    gateway.kill().await;
    (before, hook)
}

/// `revision 17`
fn number(note: &serde_json::Value) -> u32 {
    let note = note.as_str().unwrap();
    note.strip_prefix("revision ").unwrap().parse().unwrap()
}

/// A gateway goes on over what was restored to `place`.
async fn goes_on(place: &Path, hook: &str, before: &BTreeMap<u64, u32>, url: &str, key: &str) {
    let wrong = Gateway::try_start(place, &[("CROSSDOCK_SECRET_KEY", OTHER)]).await;
    assert!(wrong.is_none(), "opened with another master key");
    let log = std::fs::read_to_string(place.join("log")).unwrap_or_default();
    assert!(log.contains("the master key is not the one"), "{log}");
    let gateway = Gateway::start(place, &[]).await;
    // Its shop's secret opens: what is signed with it is taken.
    adds_up(&gateway.settled(hook).await);
    for (id, n) in before {
        let list = gateway.get(&format!("/v1/orders?external_id={id}")).await;
        let found = list["data"].as_array().unwrap();
        assert_eq!(found.len(), 1, "order {id}");
        assert!(
            number(&found[0]["note"]) >= *n,
            "{} of order {id}",
            found[0]["note"]
        );
    }
    each_once(&gateway, before.keys().copied()).await;
    // What came after the backup is told again by the shop, as everything it has no answer to.
    let newest = *before.values().max().unwrap() + 1_000;
    for id in before.keys() {
        let told = gateway.webhook(hook, &revision(*id, newest)).await;
        assert_eq!(told, Some(200));
    }
    for id in before.keys() {
        let (id, note) = (id.to_string(), format!("revision {newest}"));
        gateway
            .wait_for_event(|event| {
                let order = &event["data"]["order"];
                order["external_id"] == id.as_str() && order["note"] == note.as_str()
            })
            .await;
    }
    assert!(gateway.stop().await.success());
    let options = StoreOptions::new(MasterKey::from_base64(key).unwrap());
    let store = store::open_read_only(url, options).unwrap();
    let counted = store.recount_ledger().await.unwrap();
    let ledger = store.ledger(store::Scope::All, Default::default()).await;
    assert_eq!(ledger.unwrap(), counted);
    store.close().await;
}

fn crossdock(data: &Path, args: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossdock"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CROSSDOCK_")) {
        command.env_remove(name);
    }
    command
        .args(args)
        .env("CROSSDOCK_DATA_DIR", data)
        .envs(elsewhere(data))
        .current_dir(data)
        .output()
        .unwrap()
}

#[tokio::test]
async fn a_backup_of_the_embedded_store_goes_on_elsewhere() {
    let (from, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (data, copy) = (from.path().to_owned(), from.path().join("copy.db"));
    let to = copy.display().to_string();
    let (before, hook) = backed_up(from.path(), move || {
        let done = crossdock(&data, &["store", "backup", &to]);
        assert!(done.status.success(), "{done:?}");
        assert!(String::from_utf8_lossy(&done.stdout).contains("looked through"));
        let again = crossdock(&data, &["store", "backup", &to]);
        assert_eq!(again.status.code(), Some(1), "it writes over nothing");
    })
    .await;
    let mode = std::os::unix::fs::PermissionsExt::mode(&copy.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert!(!from.path().join("copy.db.part").exists());
    let database = place.path().join("crossdock.db");
    std::fs::copy(&copy, &database).unwrap();
    // Without its key it is nothing, and no new key is made for it.
    assert!(Gateway::try_start(place.path(), &[]).await.is_none());
    assert!(!place.path().join("secret.key").exists());
    let key = std::fs::read_to_string(from.path().join("secret.key")).unwrap();
    std::fs::write(place.path().join("secret.key"), &key).unwrap();
    let url = format!("sqlite://{}", database.display());
    goes_on(place.path(), &hook, &before, &url, &key).await;
}

#[tokio::test]
async fn what_cannot_be_backed_up_is_said() {
    let data = tempfile::tempdir().unwrap();
    let said = |args: &[&str]| {
        let done = crossdock(data.path(), args);
        assert_eq!(done.status.code(), Some(1));
        String::from_utf8_lossy(&done.stderr).into_owned()
    };
    let copy = data.path().join("copy.db").display().to_string();
    assert!(said(&["store", "backup", &copy]).contains("no database"));
    assert!(
        !data.path().join("secret.key").exists(),
        "and no key is made"
    );
    let gateway = Gateway::start(data.path(), &[]).await;
    assert!(said(&["store", "backup", "nowhere/copy.db"]).contains("nowhere"));
    assert!(gateway.stop().await.success());
    std::fs::write(data.path().join("secret.key"), OTHER).unwrap();
    assert!(said(&["store", "backup", &copy]).contains("master key"));
    assert!(!data.path().join("copy.db").exists());
    std::fs::write(data.path().join("store-url"), server::fresh_url().await).unwrap();
    assert!(!said(&["store", "backup", &copy]).is_empty());
}

/// A client's program, on one of the server's databases: from beside the server's, where packages
/// put it, or from the path.
fn postgres(program: &str, args: &[&str]) {
    let packaged = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut places: Vec<PathBuf> = packaged.flatten().map(|v| v.path().join("bin")).collect();
    places.sort();
    places.insert(0, server::programs());
    let mut found = places.iter().map(|place| place.join(program));
    let found = found.find(|file| file.exists());
    server::run(Command::new(found.unwrap_or(program.into())).args(args));
}

#[tokio::test]
async fn a_backup_of_a_store_on_a_server_goes_on_elsewhere() {
    let (from, place) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let url = server::fresh_url().await;
    std::fs::write(from.path().join("store-url"), &url).unwrap();
    let (base, options) = url.split_once("&options=").unwrap();
    let schema = options.rsplit_once("%3D").unwrap().1.to_owned();
    let dump = from.path().join("dump").display().to_string();
    let (database, file) = (base.to_owned(), dump.clone());
    let (before, hook) = backed_up(from.path(), move || {
        // As docs/operate.md says.
        postgres(
            "pg_dump",
            &["-Fc", "-n", &schema, "-d", &database, "-f", &file],
        );
    })
    .await;
    let name = format!("r_{}", uuid::Uuid::now_v7().simple());
    let other = base.replace("/postgres?", &format!("/{name}?"));
    postgres(
        "psql",
        &["-q", "-d", base, "-c", &format!("CREATE DATABASE {name}")],
    );
    postgres("pg_restore", &["--exit-on-error", "-d", &other, &dump]);
    let restored = format!("{other}&options={options}");
    std::fs::write(place.path().join("store-url"), &restored).unwrap();
    goes_on(place.path(), &hook, &before, &restored, KEY).await;
}
