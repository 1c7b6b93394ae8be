//! A delivery by itself, after its batch was refused a part of it.
//!
//! What always holds: a delivery that fails again and again becomes one problem record that changes
//! nothing else; while the store takes nothing it waits and no try is spent.

use super::apply::{Applier, Batch, PAUSE, first};
use super::decide::{self, Setting};
use super::mapped::Failure;
use crate::canonical::inbox::WireDelivery;
use crate::store::StoreError;

/// A delivery is tried so often before it becomes a problem.
const TRIES: u32 = 3;

impl Applier {
    /// One delivery by itself, after its batch was refused a part; in the end a problem.
    pub(super) async fn alone(&self, wire: WireDelivery) {
        let (mut last, mut tries) = (String::new(), 0);
        while tries < TRIES {
            match self.once(&wire).await {
                Ok(()) => return,
                // Nobody's fault: it waits, and no try is spent.
                Err(StoreError::Unavailable(_)) => {
                    if self.stop.pause(PAUSE).await {
                        return;
                    }
                }
                Err(error) => {
                    last = error.to_string();
                    tries += 1;
                }
            }
        }
        tracing::error!(delivery = %wire.id, connection = %wire.connection_id, error = %last, "a delivery cannot be applied and becomes a problem");
        if let Err(error) = self.give_up(&wire).await {
            // It stays pending and is tried again at the next full look.
            tracing::error!(delivery = %wire.id, %error, "and the problem cannot be written");
        }
    }

    async fn once(&self, wire: &WireDelivery) -> Result<(), StoreError> {
        let (items, known) = self.prepare(vec![wire.clone()]).await?;
        let batch = self.map(items, known, 0).await;
        let Batch {
            items,
            mapped,
            known,
            ..
        } = batch;
        let mut memory = self.remember(&items, &mapped, &known).await?;
        let (Some(known), Some(mapped)) =
            (known.get(&wire.connection_id), mapped.into_iter().next())
        else {
            return Err(StoreError::NotFound("its connection".into()));
        };
        let setting = Setting {
            now: self.clock.now(),
            connection: &known.connection,
            merchant: &known.merchant,
        };
        let change = self.decide(setting, wire, mapped, &mut memory);
        first(self.store.apply(vec![change]).await?)
    }

    async fn give_up(&self, wire: &WireDelivery) -> Result<(), StoreError> {
        let Some(known) = self.known(wire.connection_id).await? else {
            return Err(StoreError::NotFound("its connection".into()));
        };
        let setting = Setting {
            now: self.clock.now(),
            connection: &known.connection,
            merchant: &known.merchant,
        };
        let change = decide::poison(setting, wire, &Failure::internal("storing"));
        first(self.store.apply(vec![change]).await?)
    }
}
