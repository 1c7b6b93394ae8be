//! Labels from whole gateways and simulated carriers: bought in the second that the packer waits,
//! once, whatever is lost on the way.

use super::support::Gateway;
use super::support::courier::Courier;
use super::support::dock::{Dock, numbers, settled};
use serde_json::{Value, json};

#[tokio::test]
async fn a_label_is_there_while_the_packer_waits() {
    for name in ["hornpost", "owlpost"] {
        let courier = Courier::start(name).await;
        let (dock, gateway) = Dock::with(&courier).await;
        label_while_waiting(&courier, &dock, &gateway).await;
    }
}

/// A label is bought of this courier and is there when the call is answered.
pub async fn label_while_waiting(courier: &Courier, dock: &Dock, gateway: &Gateway) {
    let part = dock.plain_order(gateway, 1).await;
    let shipped = dock.ship(gateway, &part, 2, 8).await.unwrap();
    assert_eq!(shipped.status, 201, "{}", shipped.json);
    let shipment = settled(
        gateway,
        shipped.json["id"].as_str().unwrap(),
        &["purchased", "printed"],
    )
    .await;
    assert_eq!(numbers(&shipment), courier.made().await, "{shipment:#}");
    assert_eq!(numbers(&shipment).len(), 2);
    let label = gateway
        .http
        .get(gateway.url(&format!(
            "/v1/shipments/{}/label",
            shipment["id"].as_str().unwrap()
        )))
        .bearer_auth(super::support::gateway::TOKEN)
        .send()
        .await
        .unwrap();
    assert!(label.text().await.unwrap().starts_with("%PDF"));
    // Told again, it is the same shipment.
    let again = dock.ship(gateway, &part, 2, 8).await.unwrap();
    assert_eq!((again.status, &again.json["id"]), (200, &shipment["id"]));
    assert_eq!(courier.made().await.len(), 2);
    let jobs: Value = gateway.get("/v1/jobs?state=parked").await;
    assert_eq!(jobs["data"], json!([]));
}

#[tokio::test]
async fn a_lost_answer_is_looked_up_where_the_carrier_can_be_asked() {
    let courier = Courier::start("owlpost").await;
    let (dock, gateway) = Dock::with(&courier).await;
    let part = dock.plain_order(&gateway, 1).await;
    courier.lose_answers("shipments.post", 1).await;
    let shipped = dock.ship(&gateway, &part, 2, 0).await.unwrap();
    assert_eq!(shipped.status, 202, "{}", shipped.json);
    let id = shipped.json["id"].as_str().unwrap();
    let shipment = settled(&gateway, id, &["purchased", "printed"]).await;
    assert_eq!(numbers(&shipment), courier.made().await, "{shipment:#}");
    assert_eq!(courier.calls("shipments.post").await, 1, "bought once");
}

#[tokio::test]
async fn a_lost_answer_waits_for_a_person_where_it_cannot() {
    let courier = Courier::start("hornpost").await;
    let (dock, gateway) = Dock::with(&courier).await;
    let part = dock.plain_order(&gateway, 1).await;
    courier.lose_answers("labels.post", 1).await;
    let shipped = dock.ship(&gateway, &part, 1, 8).await.unwrap();
    let id = shipped.json["id"].as_str().unwrap();
    settled(&gateway, id, &["outcome_unknown"]).await;
    let problems = gateway
        .get(&format!("/v1/problems?status=open&subject={id}"))
        .await;
    let problem = problems["data"][0]["id"].as_str().unwrap();
    // Trying again would buy again: it is refused, and says what is needed.
    let retry = format!("/v1/problems/{problem}/retry");
    let refused = gateway
        .try_call("POST", &retry, Some(json!({})))
        .await
        .unwrap();
    assert!(refused.status >= 400, "{}", refused.json);
    assert!(refused.json.to_string().contains("/resolve"));
    assert_eq!(courier.calls("labels.post").await, 1);
    let number = courier.made().await.remove(0);
    let outcome = json!({"outcome": "purchased", "tracking_numbers": [number]});
    gateway
        .post(&format!("/v1/shipments/{id}/resolve"), outcome)
        .await;
    let shipment = settled(&gateway, id, &["purchased", "printed"]).await;
    assert_eq!(numbers(&shipment), courier.made().await);
    assert_eq!(courier.calls("labels.post").await, 1, "bought once");
}

#[tokio::test]
async fn a_number_that_another_shipment_has_waits_for_a_person() {
    let courier = Courier::start("hornpost").await;
    let (dock, gateway) = Dock::with(&courier).await;
    let part = dock.plain_order(&gateway, 1).await;
    courier.lose_answers("labels.post", 1).await;
    let shipped = dock.ship(&gateway, &part, 1, 0).await.unwrap();
    let first = shipped.json["id"].as_str().unwrap();
    settled(&gateway, first, &["outcome_unknown"]).await;
    // Typed wrong: it is the number of the courier's next label.
    let outcome = json!({"outcome": "purchased", "tracking_numbers": ["HP100001"]});
    gateway
        .post(&format!("/v1/shipments/{first}/resolve"), outcome)
        .await;
    settled(&gateway, first, &["purchased", "printed"]).await;
    let part = dock.plain_order(&gateway, 2).await;
    let shipped = dock.ship(&gateway, &part, 1, 0).await.unwrap();
    let second = shipped.json["id"].as_str().unwrap();
    let shipment = settled(&gateway, second, &["outcome_unknown"]).await;
    assert_eq!(shipment["failure"]["code"], "tracking_number_taken");
    assert_eq!(courier.made().await, ["HP100000", "HP100001"]);
    let problems = gateway
        .get(&format!("/v1/problems?status=open&subject={second}"))
        .await;
    assert_eq!(problems["data"][0]["code"], "label_outcome_unknown");
    assert_eq!(courier.calls("labels.post").await, 2, "bought once each");
}

#[cfg(feature = "failpoints")]
#[tokio::test]
async fn killed_at_every_point_of_a_purchase_no_label_is_bought_twice() {
    const POINTS: [&str; 4] = [
        "job.after_attempt",
        "job.before_report",
        "job.after_report",
        "job.before_result",
    ];
    for name in ["hornpost", "owlpost"] {
        for point in POINTS {
            let courier = Courier::start(name).await;
            let (dock, gateway) = Dock::with(&courier).await;
            let part = dock.plain_order(&gateway, 1).await;
            assert!(gateway.stop().await.success());
            let armed = [("CROSSDOCK_FAILPOINT", point)];
            if let Some(mut gateway) = dock.restart(&armed).await {
                dock.ship(&gateway, &part, 1, 0).await;
                gateway.ended().await;
            }
            let gateway = dock.restart(&[]).await.unwrap();
            let shipped = dock.ship(&gateway, &part, 1, 0).await.unwrap();
            let id = shipped.json["id"].as_str().unwrap();
            let ends = ["purchased", "printed", "outcome_unknown"];
            let shipment = settled(&gateway, id, &ends).await;
            let made = courier.made().await;
            assert!(made.len() <= 1, "{name} {point}: {made:?}");
            if shipment["status"] == "outcome_unknown" {
                assert_eq!(name, "hornpost", "{point}: it could have been asked");
            } else {
                assert_eq!(numbers(&shipment), made, "{name} {point}");
            }
        }
    }
}
