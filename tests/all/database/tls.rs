//! TLS to the server: certificates are verified, and what is wrong is said in words.

use super::Database;
use crossdock::store::vault::MasterKey;
use crossdock::store::{self, StoreError, StoreOptions};
use std::path::PathBuf;

/// Over the network by TLS only.
const HBA: &str =
    "local all all trust\nhostssl all all 127.0.0.1/32 trust\nhostssl all all ::1/128 trust\n";

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/tls")
        .join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap()
}

struct Asker(StoreOptions);

impl Asker {
    async fn opens(&self, url: &str) {
        let store = store::open(url, self.0.clone()).unwrap();
        store.close().await;
    }
    /// Why it does not.
    fn refused(&self, url: &str) -> String {
        match store::open(url, self.0.clone()).map(|_| ()) {
            Err(StoreError::Unavailable(text) | StoreError::NotFound(text)) => {
                assert!(!text.contains("sesame"), "{text}");
                text
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_servers_certificate_is_verified() {
    let database = tokio::task::block_in_place(|| {
        let database = Database::made();
        database.put("server.crt", &text("cert.pem"));
        database.put("server.key", &text("key.pem"));
        database.put("pg_hba.conf", HBA);
        database.begin("-c ssl=on");
        database
    });
    let asker = Asker(StoreOptions::new(MasterKey::generate()));
    let (ours, ca) = (database.url("localhost"), file("ca.pem"));
    let root = format!("sslrootcert={}", ca.display());
    asker
        .opens(&format!("{ours}?sslmode=verify-full&{root}"))
        .await;
    // It is verified whatever the URL says of it; where TLS is offered it is used.
    asker.opens(&format!("{ours}?sslmode=require&{root}")).await;
    asker.opens(&format!("{ours}?sslmode=prefer&{root}")).await;
    // Neither a public authority nor the one that is named.
    let wrong = format!("sslrootcert={}", file("cert.pem").display());
    for query in [
        "sslmode=require".to_owned(),
        format!("sslmode=verify-full&{wrong}"),
    ] {
        let why = asker.refused(&format!("{ours}?{query}"));
        assert!(why.contains("certificate is not accepted"), "{why}");
        assert!(why.contains("sslrootcert"), "{why}");
    }
    let elsewhere = database.url("127.0.0.1");
    let why = asker.refused(&format!("{elsewhere}?sslmode=verify-full&{root}"));
    assert!(why.contains("certificate is not accepted"), "{why}");
    let why = asker.refused(&format!(
        "{ours}?sslmode=verify-full&sslrootcert=/nowhere.pem"
    ));
    assert!(why.contains("/nowhere.pem cannot be read"), "{why}");
    let why = asker.refused(&format!("{ours}?sslmode=disable"));
    assert!(why.contains("pg_hba.conf"), "{why}");
    // A server without TLS is not talked to when it is asked for.
    tokio::task::block_in_place(|| {
        database.cut();
        database.put("pg_hba.conf", "host all all 127.0.0.1/32 trust\n");
        database.begin("-c ssl=off");
    });
    let why = asker.refused(&format!("{ours}?sslmode=require&{root}"));
    assert!(
        why.contains("no TLS") && why.contains("does not support TLS"),
        "{why}"
    );
    asker.opens(&format!("{ours}?sslmode=prefer&{root}")).await;
    asker.opens(&ours).await;
}
