//! Databases of older programs come up right.

use super::super::migrate::{self, MIGRATIONS};
use super::super::{Connector, open};
use super::{aside, connected, options, server};
use crate::store::conformance::support::*;
use crate::store::sql::conn::Conn;
use crate::store::sql::value::params;
use crate::store::{Scope, Store, StoreError};
use std::sync::Arc;

#[test]
fn landed_schemas_never_change() {
    use sha2::{Digest, Sha256};
    // The SHA-256 of each schema/*.sql: a landed one is never edited, a new one is added.
    let landed: [&str; MIGRATIONS.len()] = [
        "57d0495f3c052e0099d0cd70ecc97af553a3e3948d11df55e7b1f486ca23a598",
        "22e5a811bae3fb58eb46f81ee6bf54e6524b94ee0b8b2efaf2ea158919ec4de4",
        "8de604e1a3d4de7b4c05f6b5146a4afd3cd1797997af19c1923810a089d80163",
        "2fecc0926e52e3004e28eda21bbb0d2f18f0bbaa35bf82537a6a8e021f320504",
    ];
    for (sql, expected) in MIGRATIONS.iter().zip(landed) {
        assert_eq!(hex::encode(Sha256::digest(sql.as_bytes())), expected);
    }
}

/// Makes a database as a program with so many schemas left it.
fn old_schema(connector: &Connector, schemas: usize) {
    let session = connector.session().unwrap();
    session
        .batch("CREATE TABLE crossdock_schemas (version bigint PRIMARY KEY, at bigint NOT NULL)")
        .unwrap();
    for (n, sql) in (1i64..).zip(&MIGRATIONS[..schemas]) {
        session.batch(sql).unwrap();
        let row = format!("INSERT INTO crossdock_schemas VALUES ({n}, 0)");
        session.batch(&row).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_schema_that_landed_migrates() {
    for landed in 0..=MIGRATIONS.len() {
        let url = server::fresh_url().await;
        let at = url.clone();
        aside(move || {
            let (_runtime, connector) = connected(&at);
            if landed > 0 {
                old_schema(&connector, landed);
            }
        })
        .await;
        let options = options();
        for _ in 0..2 {
            let store: Arc<dyn Store> = Arc::new(open(&url, options.clone(), true).unwrap());
            let health = store.health().await.unwrap();
            assert_eq!(health.schema_version as usize, MIGRATIONS.len());
            let bench = Bench::new(&store).await;
            bench.put(bench.shipped("1", "N1")).await;
            store.close().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_a_newer_program_is_refused() {
    let url = server::fresh_url().await;
    let at = url.clone();
    aside(move || {
        let (_runtime, connector) = connected(&at);
        old_schema(&connector, MIGRATIONS.len());
        let session = connector.session().unwrap();
        let row = "INSERT INTO crossdock_schemas VALUES (999, 0)";
        session.batch(row).unwrap();
        assert_eq!(migrate::version(Conn::Postgres(&session)).unwrap(), 999);
    })
    .await;
    for writes in [true, false] {
        let Err(StoreError::Corrupt(text)) = open(&url, options(), writes).map(|_| ()) else {
            panic!("opened")
        };
        assert!(text.contains("newer"), "{text}");
    }
}

/// Two shipments with one number, as two programs of the first schema could write at one moment:
/// the first one keeps it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_that_two_shipments_have_do_not_stop_a_migration() {
    let (url, options) = (server::fresh_url().await, options());
    let at = url.clone();
    aside(move || {
        let (_runtime, connector) = connected(&at);
        old_schema(&connector, 1);
        let session = connector.session().unwrap();
        let conn = Conn::Postgres(&session);
        let id = |n: u8| [n; 16];
        for (parcel, shipment, number) in
            [(1u8, 1u8, "N1"), (2, 1, "N1"), (3, 2, "N1"), (4, 2, "N2")]
        {
            conn.prepare_cached(
                "INSERT INTO parcels (id, shipment_id, order_id, merchant_id, connection_id,
                   tracking_number, status, since) VALUES (?, ?, ?, ?, ?, ?, 'unknown', 0)",
            )
            .unwrap()
            .execute(params![
                id(parcel),
                id(shipment),
                id(9),
                id(9),
                id(8),
                number
            ])
            .unwrap();
        }
    })
    .await;
    let store: Arc<dyn Store> = Arc::new(open(&url, options, true).unwrap());
    assert!(
        store
            .shipments(Scope::All, Default::default(), page(9))
            .await
            .is_ok()
    );
    store.close().await;
    aside(move || {
        let (_runtime, connector) = connected(&url);
        let session = connector.session().unwrap();
        let held = "SELECT substr(id::text, 1, 2) FROM parcels WHERE holds = 1 ORDER BY id";
        let rows = session.prepare(held).unwrap().query(&[]).unwrap();
        let held: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(held, ["01", "04"]);
    })
    .await;
}
