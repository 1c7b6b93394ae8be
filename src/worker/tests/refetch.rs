//! Channels whose webhooks nothing proves: known by their address, believed in nothing but which
//! order is to be read; and read anew by the clock, since they have no list.

use super::jobs::{answers, mount};
use super::support::{House, MANIFEST, ORDER, order};
use crate::canonical::connection::ConnectionState;
use crate::canonical::inbox::Disposition;
use crate::ingress::{Headers, Reply, receive};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::time::Duration;
use wiremock::MockServer;

/// The test shop, with another proof and without a list.
fn manifest() -> String {
    let (start, end) = (
        MANIFEST.find("[operations.\"orders.pull\"]").unwrap(),
        MANIFEST.find("[operations.\"orders.get\"]").unwrap(),
    );
    let text = format!("{}{}", &MANIFEST[..start], &MANIFEST[end..]);
    let hooks = text.find("[webhooks]").unwrap();
    let text = text[..hooks]
        .replace(
            "[operations.\"orders.get\"]",
            "[operations.\"orders.get\"]\nreread = \"30m\"",
        )
        .replace("[credentials.webhook_secret]", "[settings.networks]")
        .replace(
            "required = true\n\n[transport]",
            "default = \"203.0.113.0/24\"\n\n[transport]",
        );
    format!(
        "{text}[webhooks]\nverify = {{ kind = \"ip_allow\", networks = \"networks\" }}\ntopic = {{ jq = \".topic\" }}\n\n[webhooks.topics]\nchanged = {{ refetch = true, key = \".order.id\" }}\n"
    )
}

struct From(&'static str);

impl Headers for From {
    fn value(&self, _: &str) -> Option<&[u8]> {
        None
    }
    fn peer(&self) -> Option<IpAddr> {
        self.0.parse().ok()
    }
}

async fn unproved() -> (MockServer, House) {
    let server = MockServer::start().await;
    let house = House::at(&server.uri(), ConnectionState::Active).await;
    house.folder(&manifest(), ORDER);
    house.registry.reload_if_changed();
    let refused = house.registry.catalogue().refused().to_vec();
    assert!(refused.is_empty(), "{refused:?}");
    house.set("networks", json!("203.0.113.0/24")).await;
    (server, house)
}

impl House {
    async fn hint(&self, from: &'static str, id: u64) -> Reply {
        let body = json!({"topic": "changed", "order": {"id": id, "total": "made up"}});
        let body = body.to_string().into();
        receive(&self.ingress, self.connection, None, &From(from), body).await
    }
}

async fn serve(server: &MockServer, id: u64, order: Value) {
    let at = format!("/orders/{id}");
    mount(server, "GET", &at, answers(200).set_body_json(order)).await;
}

#[tokio::test]
async fn a_hint_is_kept_and_the_order_is_read() {
    let (server, house) = unproved().await;
    serve(&server, 1, order(1, 1, "new")).await;
    assert_eq!(house.hint("198.51.100.1", 1).await.status, 403);
    assert_eq!(house.hint("203.0.113.9", 1).await.status, 200);
    assert_eq!(house.hint("203.0.113.9", 1).await.status, 200);
    house.apply().await;
    let records = house.records().await;
    assert_eq!(records.len(), 2, "what a stranger sent is not stored");
    assert!(records.iter().all(|record| {
        record.disposition == Disposition::Ignored && record.external_id.as_deref() == Some("1")
    }));
    assert!(
        house.order("1").await.is_none(),
        "nothing of it is believed"
    );
    assert_eq!(house.run_jobs().await, 1, "one read for both");
    house.apply().await;
    let state = house.order("1").await.unwrap();
    house.hint("203.0.113.9", 1).await;
    house.apply().await;
    let subject = house.records().await[0].subject.clone();
    assert_eq!(subject, Some(state.order.meta.id.to_string()));
}

#[tokio::test]
async fn a_hint_that_names_nothing_is_a_problem_of_its_own() {
    let (_server, house) = unproved().await;
    let body = json!({"topic": "changed", "order": {}}).to_string().into();
    receive(
        &house.ingress,
        house.connection,
        None,
        &From("203.0.113.9"),
        body,
    )
    .await;
    house.apply().await;
    assert_eq!(house.records().await[0].disposition, Disposition::Problem);
}

#[tokio::test]
async fn what_is_not_final_is_read_anew_by_the_clock() {
    let (server, house) = unproved().await;
    serve(&server, 1, order(1, 1, "new")).await;
    house.hint("203.0.113.9", 1).await;
    house.apply().await;
    house.run_jobs().await;
    house.apply().await;
    let settler = house.settler();
    settler.tick().await.unwrap();
    assert_eq!(house.run_jobs().await, 0, "it was read just now");
    server.reset().await;
    serve(&server, 1, order(1, 2, "void")).await;
    house.clock.advance(Duration::from_secs(31 * 60));
    settler.tick().await.unwrap();
    settler.tick().await.unwrap();
    assert_eq!(house.run_jobs().await, 1);
    house.apply().await;
    let status = house.order("1").await.unwrap().order.meta.status;
    assert_eq!(status, crate::canonical::order::OrderStatus::Cancelled);
    house.clock.advance(Duration::from_secs(31 * 60));
    settler.tick().await.unwrap();
    assert_eq!(house.run_jobs().await, 0, "it is final");
}
