//! A delivery by itself, after its batch was refused a part of it.
//!
//! What always holds: a delivery that fails again and again becomes one problem record that changes
//! nothing else; while the store takes nothing it waits and no try is spent.

use super::apply::{Applier, Batch, PAUSE, first};
use super::around::Around;
use super::decide::{self, Decided};
use super::mapped::Failure;
use super::tell::{self, Heard, Timing};
use crate::canonical::inbox::WireDelivery;
use crate::store::StoreError;

/// A delivery is tried so often before it becomes a problem.
const TRIES: u32 = 3;

impl Applier {
    /// One delivery by itself, after its batch was refused a part; in the end a problem.
    pub(super) async fn alone(&self, wire: WireDelivery) {
        let (mut last, mut tries) = (String::new(), 0);
        while tries < TRIES {
            if !self.store.placement().has(wire.connection_id) {
                return; // Whoever has the connection now does it.
            }
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
        let (items, around) = self.prepare(vec![wire.clone()]).await?;
        let batch = self.map(items, around).await;
        let Batch {
            items,
            mapped,
            mut around,
            ..
        } = batch;
        let mut memory = self.remember(&items, &mapped, &mut around).await?;
        let now = self.clock.now();
        let (Some(setting), Some(mapped)) = (
            around.setting(wire.connection_id, now),
            mapped.into_iter().next(),
        ) else {
            return Err(StoreError::NotFound("its connection".into()));
        };
        let timing = tell::timing(mapped.as_ref());
        let decided = self.decide(setting, wire, mapped, &mut memory);
        let connector = &setting.connection.connector;
        self.apply(decided, connector, timing).await
    }

    async fn give_up(&self, wire: &WireDelivery) -> Result<(), StoreError> {
        let mut around = Around::default();
        self.get_to_know(&mut around, wire.connection_id).await?;
        let Some(setting) = around.setting(wire.connection_id, self.clock.now()) else {
            return Err(StoreError::NotFound("its connection".into()));
        };
        let decided = decide::poison(setting, wire, &Failure::internal("storing"));
        self.apply(decided, &setting.connection.connector, None)
            .await
    }

    /// Writes what one delivery came to, of a connection of this connector, and tells it.
    pub(super) async fn apply(
        &self,
        decided: Decided,
        connector: &str,
        mapped: Option<Timing>,
    ) -> Result<(), StoreError> {
        let heard = Heard::of(&self.traces, &decided.change, connector, mapped);
        let mut changes = vec![decided.change];
        changes.extend(decided.beside);
        first(self.store.apply(changes).await?)?;
        let now = self.clock.now();
        heard.into_iter().for_each(|it| it.told(&self.traces, now));
        Ok(())
    }
}
