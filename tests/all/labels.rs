//! Labels from whole gateways and simulated carriers: bought in the second that the packer waits,
//! once, whatever is lost on the way.

use super::support::courier::Courier;
use super::support::dock::{Dock, numbers, settled};
use serde_json::{Value, json};

#[tokio::test]
async fn a_label_is_there_while_the_packer_waits() {
    for name in ["hornpost", "owlpost"] {
        let courier = Courier::start(name).await;
        let (dock, gateway) = Dock::with(&courier).await;
        let part = dock.plain_order(&gateway, 1).await;
        let shipped = dock.ship(&gateway, &part, 2, 8).await.unwrap();
        assert_eq!(shipped.status, 201, "{name}: {}", shipped.json);
        let shipment = settled(
            &gateway,
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
        let again = dock.ship(&gateway, &part, 2, 8).await.unwrap();
        assert_eq!((again.status, &again.json["id"]), (200, &shipment["id"]));
        assert_eq!(courier.made().await.len(), 2);
        let jobs: Value = gateway.get("/v1/jobs?state=parked").await;
        assert_eq!(jobs["data"], json!([]), "{name}");
    }
}
