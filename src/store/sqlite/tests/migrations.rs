//! Databases of older programs come up right.

use super::conformance::support::*;
use super::options;
use crate::canonical::connection::Merchant;
use crate::canonical::event::SnapshotKind;
use crate::canonical::{FulfillmentOrderId, LineId, MerchantId, ParcelId, ShipmentId};
use crate::flow::change::{ChangeSet, OrderState};
use crate::store::query::ShipmentFilter;

use crate::store::sql::cache::SnapshotKey;
use crate::store::sql::conn::Conn;
use crate::store::sql::keys;
use crate::store::sqlite;
use crate::store::sqlite::migrate::{self, MIGRATIONS};
use crate::store::vault::{self, Vault};
use crate::store::{Scope, Store, StoreError, StoreOptions};
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use std::sync::Arc;

#[test]
fn every_schema_that_landed_migrates() {
    let now = at(0);
    for landed in 0..=MIGRATIONS.len() {
        let mut conn = rusqlite::Connection::open_in_memory().unwrap();
        for sql in &MIGRATIONS[..landed] {
            conn.execute_batch(sql).unwrap();
        }
        conn.pragma_update(None, "user_version", landed as u32)
            .unwrap();
        migrate::migrate(&mut conn, now).unwrap();
        assert_eq!(migrate::version(&conn).unwrap(), MIGRATIONS.len());
        migrate::migrate(&mut conn, now).unwrap();
    }
    let mut newer = rusqlite::Connection::open_in_memory().unwrap();
    newer.pragma_update(None, "user_version", 999).unwrap();
    assert!(matches!(
        migrate::migrate(&mut newer, now),
        Err(StoreError::Corrupt(_))
    ));
}

#[test]
fn landed_schemas_never_change() {
    use sha2::{Digest, Sha256};
    // The SHA-256 of each schema/*.sql: a landed one is never edited, a new one is added.
    let landed: [&str; MIGRATIONS.len()] = [
        "61662f024eee77b98a6a96c23d23e80e8cc6bebc271899d24defd3a584a0e7a5",
        "92235a80108f715f1af2facb7853a7361355dbd1167fd39147442fc81adbe9f9",
        "8a00ac27ec2c642befedba381a656856bb47447eccdb80094cad70ccb4001823",
        "a3033664d055d0317b66b3163266cd3eac3d75bbe50d3f107667b3a24098163b",
        "4ed4fb1ecd6ecb70de0f8d47fbbcba46299ecfb56b10b30acf6750aaf326e9bf",
        "616b660c2ad58fba2df9fa0d86161bbaede7c5135f3bc25ce9848961a80d277d",
        "a01768b483611913609e5bec1734f30f4b989b2dfeb1da5818b60df673734d4f",
        "35c6fca6a385305d701203a0aa417b65e347a5082c711fb16e49a5ccc57f85c2",
        "452b8fcd73277055dfc6254acdec5125d9bc507622c57aff25d5bafa8c83fada",
    ];
    for (sql, expected) in MIGRATIONS.iter().zip(landed) {
        assert_eq!(hex::encode(Sha256::digest(sql.as_bytes())), expected);
    }
}

/// What the first program stored of an order that the warehouse shipped by itself.
struct Old {
    merchant: MerchantId,
    state: OrderState,
    shipment: Value,
}

fn old_order(bench: &Bench, number: &str) -> Old {
    let mut state = bench.order(number);
    let part = bench.part(&state, None);
    let order = state.order.meta.id;
    let shipment = json!({
        "id": ShipmentId::new(), "order_id": order, "merchant_id": bench.merchant,
        "fulfillment_order_id": part.id, "connection_id": null, "carrier": "carrier",
        "service": null, "direction": "outbound", "status": "handed_over",
        "shipment_ref": format!("box-{number}"),
        "lines": [{"line_id": LineId::new(), "quantity": 1}],
        "parcels": [{
            "id": ParcelId::new(), "tracking_number": number, "tracking_url": null,
            "weight_g": 500, "length_mm": null, "width_mm": null, "height_mm": null,
            "sscc": null, "label": null,
        }],
        "cod": null, "created_at": at(0), "updated_at": at(0), "version": 1,
    });
    state.fulfillment_orders = vec![part];
    Old {
        merchant: bench.merchant,
        state,
        shipment,
    }
}

/// Makes a database as a program with so many schemas left it.
fn old_database(options: &StoreOptions, schemas: usize, merchant: &Merchant, orders: &[Old]) {
    let conn = sqlite::connect(&options.path).unwrap();
    for sql in &MIGRATIONS[..schemas] {
        conn.execute_batch(sql).unwrap();
    }
    conn.pragma_update(None, "user_version", schemas as u32)
        .unwrap();
    let hash_key = vault::random();
    let wrapped = options.master_key.wrap(&hash_key, b"hash_key");
    conn.execute(
        "INSERT INTO meta (name, value) VALUES ('hash_key', ?)",
        [wrapped],
    )
    .unwrap();
    let vault = Vault::new(options.master_key.clone(), &hash_key).unwrap();
    conn.execute(
        "INSERT INTO merchants (id, name, data) VALUES (?, ?, ?)",
        params![
            merchant.id.as_bytes(),
            merchant.name,
            serde_json::to_string(merchant).unwrap()
        ],
    )
    .unwrap();
    let (key, wrapped) = keys::insert_key(Conn::Sqlite(&conn), &vault, merchant.id, at(0)).unwrap();
    vault.load(key, merchant.id, &wrapped, true).unwrap();
    for old in orders {
        old_rows(&conn, &vault, old);
    }
}

fn old_rows(conn: &Connection, vault: &Vault, old: &Old) {
    let put = |kind: SnapshotKind, id: uuid::Uuid, json: Vec<u8>| {
        let at = SnapshotKey::new(kind, id, 1);
        let key = vault.of_merchant(old.merchant).unwrap();
        let sealed = key.seal("snapshots", &at.row(), &json);
        conn.execute(
            "INSERT INTO snapshots (object_id, kind, version, sealed) VALUES (?, ?, 1, ?)",
            params![id.as_bytes(), at.kind, sealed],
        )
        .unwrap();
    };
    let (meta, facts) = (&old.state.order.meta, &old.state.order.facts);
    let merchant = old.merchant.as_bytes();
    put(
        SnapshotKind::Order,
        meta.id.uuid(),
        old.state.order.to_json().unwrap(),
    );
    conn.execute(
        "INSERT INTO orders (id, merchant_id, connection_id, external_id, status, updated_at, lock,
           version) VALUES (?, ?, ?, ?, 'open', 0, 1, 1)",
        params![
            meta.id.as_bytes(),
            merchant,
            meta.connection_id.as_bytes(),
            facts.external_id.text()
        ],
    )
    .unwrap();
    let part = &old.state.fulfillment_orders[0];
    put(
        SnapshotKind::FulfillmentOrder,
        part.id.uuid(),
        serde_json::to_vec(part).unwrap(),
    );
    conn.execute(
        "INSERT INTO fulfillment_orders (id, order_id, merchant_id, status, location, cut_off_at,
           priority, request_pending, remaining, active, updated_at, version)
         VALUES (?, ?, ?, 'closed', 'ath', 0, 0, 0, 0, 0, 0, 1)",
        params![part.id.as_bytes(), meta.id.as_bytes(), merchant],
    )
    .unwrap();
    let id: ShipmentId = old.shipment["id"].as_str().unwrap().parse().unwrap();
    put(
        SnapshotKind::Shipment,
        id.uuid(),
        old.shipment.to_string().into_bytes(),
    );
    let part: FulfillmentOrderId = part.id;
    conn.execute(
        "INSERT INTO shipments (id, order_id, merchant_id, fulfillment_order_id, shipment_ref,
           status, updated_at, version) VALUES (?, ?, ?, ?, ?, 'handed_over', 0, 1)",
        params![
            id.as_bytes(),
            meta.id.as_bytes(),
            merchant,
            part.as_bytes(),
            old.shipment["shipment_ref"].as_str()
        ],
    )
    .unwrap();
}

#[tokio::test]
async fn a_database_with_orders_and_shipments_comes_up_right() {
    // Makers of rows belong to a bench, which needs a store of its own.
    let aside = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(sqlite::open(options(&aside)).unwrap());
    let bench = Bench::new(&store).await;
    let merchant = store.merchant(Scope::All, bench.merchant).await;
    let merchant = merchant.unwrap().unwrap();
    let orders = ["N1", "N2", "N1-again"].map(|number| old_order(&bench, number));
    for schemas in 1..=2 {
        let folder = tempfile::tempdir().unwrap();
        let options = options(&folder);
        old_database(&options, schemas, &merchant, &orders);
        for _ in 0..2 {
            let store = sqlite::open(options.clone()).unwrap();
            let found = store.order(Scope::All, orders[0].state.order.meta.id).await;
            let found = found.unwrap().unwrap();
            assert_eq!(found.order, orders[0].state.order);
            assert_eq!(
                json!(found.shipments[0].id),
                orders[0].shipment["id"],
                "read with what it lacked"
            );
            assert!(found.shipments[0].packed && found.tracking.is_empty());
            let filter = ShipmentFilter {
                tracking_number: Some("N2".to_owned()),
                ..Default::default()
            };
            let listed = store.shipments(Scope::All, filter, page(9)).await.unwrap();
            assert_eq!(parsed(&listed.data[0]), orders[1].shipment);
            // And it is written on.
            let set = ChangeSet {
                track: vec![(found.shipments[0].parcels[0].id, Some(at(1)))],
                states: vec![found],
                ..ChangeSet::of(merchant.id)
            };
            store.apply(vec![set]).await.unwrap().remove(0).unwrap();
            store.close().await;
        }
    }
}

#[tokio::test]
async fn shipments_of_an_erased_merchant_do_not_stop_a_migration() {
    let aside = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(sqlite::open(options(&aside)).unwrap());
    let bench = Bench::new(&store).await;
    let merchant = store.merchant(Scope::All, bench.merchant).await;
    let merchant = merchant.unwrap().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let options = options(&folder);
    old_database(&options, 1, &merchant, &[old_order(&bench, "N1")]);
    let conn = sqlite::connect(&options.path).unwrap();
    conn.execute("DELETE FROM data_keys", []).unwrap();
    drop(conn);
    let store = sqlite::open(options).unwrap();
    let listed = store
        .shipments(Scope::All, Default::default(), page(9))
        .await;
    assert!(listed.unwrap().data.is_empty());
}
