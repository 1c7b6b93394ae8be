//! What is not kept for ever: gone over every day, by each merchant's settings.
//!
//! What always holds: nothing goes where no setting says so; what could not be done now is done the
//! next time; how much went is in the log.

use super::merchants;
use super::settle::Settler;
use crate::canonical::{MerchantId, Timestamp};
use crate::clock::before;
use crate::flow::retention::keeps;
use crate::store::StoreError;
use std::collections::BTreeMap;
use std::time::Duration;

/// Orders of a merchant at once.
const ORDERS: usize = 100;

impl Settler {
    /// Deletes payloads and takes personal data out of orders whose time is over.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub(super) async fn retention(&self) -> Result<(), StoreError> {
        let merchants = merchants::all(self.store.as_ref()).await?;
        let operator = merchants.iter().find(|m| m.id == MerchantId::OPERATOR);
        let now = self.clock.now();
        let mut payloads = BTreeMap::new();
        for merchant in &merchants {
            let keeps = keeps(merchant, operator);
            if let Some(days) = keeps.payloads_days {
                payloads.insert(merchant.id, ago(now, days));
            }
            if let Some(days) = keeps.personal_days {
                self.erase_orders(merchant.id, ago(now, days)).await?;
            }
        }
        if payloads.is_empty() {
            return Ok(());
        }
        let (mut stripped, mut after) = (0, 0);
        while !self.stop.is_set() {
            let turn = self.store.strip_payloads(payloads.clone(), after).await?;
            stripped += turn.deliveries;
            match turn.next {
                Some(next) => after = next,
                None => break,
            }
        }
        if stripped > 0 {
            tracing::info!(stripped, "payloads whose time was over were deleted");
        }
        Ok(())
    }

    async fn erase_orders(
        &self,
        merchant: MerchantId,
        before: Timestamp,
    ) -> Result<(), StoreError> {
        let mut erased = 0u64;
        while !self.stop.is_set() {
            let orders = self.store.erasable_orders(merchant, before, ORDERS).await?;
            let mut done = 0;
            for order in orders {
                if self.store.erase_order(order, self.clock.now()).await? {
                    done += 1;
                }
            }
            erased += done;
            // Those that changed meanwhile are younger now.
            if done == 0 {
                break;
            }
        }
        if erased > 0 {
            tracing::info!(%merchant, erased, "personal data of orders whose time was over was taken out");
        }
        Ok(())
    }
}

fn ago(now: Timestamp, days: u32) -> Timestamp {
    before(now, Duration::from_secs(u64::from(days) * 86_400))
}
