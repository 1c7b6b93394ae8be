//! Payloads and personal data whose time is over.

use super::support::{House, audit, house, order};
use crate::canonical::RawId;
use crate::canonical::inbox::Disposition;
use crate::store::Scope;
use serde_json::json;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3_600);

impl House {
    /// The merchant keeps payloads and personal data so many days.
    async fn keeps(&self, payloads: u32, personal: u32) {
        let id = self.connection().await.merchant_id;
        let merchant = self.store.merchant(Scope::All, id).await.unwrap();
        let mut merchant = merchant.unwrap();
        let kept = json!({"keep_payloads_days": payloads, "keep_personal_days": personal});
        merchant.settings.extend(kept.as_object().unwrap().clone());
        self.store
            .update_merchant(&merchant, audit())
            .await
            .unwrap();
    }

    async fn buyer(&self, external_id: &str) -> Option<String> {
        let state = self.order(external_id).await.unwrap();
        let customer = state.order.facts.customer.value().cloned();
        customer.and_then(|customer| customer.name.text().map(str::to_owned))
    }

    async fn payloads(&self) -> usize {
        let mut kept = 0;
        for record in self.records().await {
            let raw: RawId = record.raw_id;
            kept += usize::from(self.store.delivery(raw).await.unwrap().is_some());
        }
        kept
    }
}

#[tokio::test]
async fn what_has_ended_is_forgotten_in_time_and_stays_forgotten() {
    let house = house().await;
    house.hook("order.changed", &order(1, 1, "void")).await;
    house.hook("order.changed", &order(2, 1, "new")).await;
    house.apply().await;
    let buyer = house.buyer("2").await;
    assert!(buyer.is_some() && house.buyer("1").await == buyer);
    // By default nothing goes.
    let settler = house.settler();
    house.clock.advance(DAY * 4_000);
    settler.tick().await.unwrap();
    assert_eq!(
        (house.buyer("1").await, house.payloads().await),
        (buyer.clone(), 2)
    );
    house.keeps(3_999, 0).await;
    house.clock.advance(DAY);
    settler.tick().await.unwrap();
    assert_eq!(
        (house.buyer("1").await, house.payloads().await),
        (buyer.clone(), 0)
    );
    house.keeps(3_999, 4_001).await;
    house.clock.advance(DAY * 2);
    settler.tick().await.unwrap();
    assert_eq!(
        (house.buyer("1").await, house.buyer("2").await),
        (None, buyer)
    );
    // News of it brings nobody back.
    house.hook("order.changed", &order(1, 9, "new")).await;
    house.apply().await;
    assert_eq!(house.buyer("1").await, None);
    let dispositions = house.dispositions().await;
    assert!(
        dispositions.contains(&Disposition::Ignored),
        "{dispositions:?}"
    );
    house.assert_balanced().await;
}
