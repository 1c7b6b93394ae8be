//! Writing what a job came to, with what that means for its shipment, in one transaction.
//!
//! What always holds: a decision is made over the state that it is written over: when others wrote
//! meanwhile, it is made anew; an answer that is in hand is held on to as long as the job is ours.

use crate::canonical::connection::{Connection, Merchant};
use crate::canonical::{ShipmentId, Timestamp};
use crate::flow::change::{ChangeSet, OrderState, Outcome};
use crate::flow::{self, CarrierFact, FlowContext, FlowError};
use crate::store::{Scope, StoreError};
use crate::worker::apply::first;
use crate::worker::work::Work;
use crate::worker::world::AskedPoint;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// A decision is made so often against others' writes.
const DECISIONS: u32 = 16;
/// The pause while the store cannot be written.
const PAUSE: Duration = Duration::from_millis(100);
/// So many pauses while the node stops.
const LAST_PAUSES: u32 = 60;

/// A fact, and what was decided on it already.
#[derive(Debug)]
pub(super) struct Fact {
    pub fact: CarrierFact,
    /// Over the state as it was then; decided anew when that has changed.
    pub decided: Option<Outcome>,
}

impl Fact {
    /// Nothing decided yet.
    pub fn new(fact: CarrierFact) -> Self {
        Self {
            fact,
            decided: None,
        }
    }

    /// The numbers that it tells of.
    pub fn numbers(&self) -> Vec<String> {
        match &self.fact {
            CarrierFact::Labels { labels, .. } => {
                let numbers = labels.iter().filter_map(|l| l.tracking_number.as_deref());
                numbers.map(|number| number.trim().to_owned()).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotWritten {
    /// Flow does not take the fact.
    #[error(transparent)]
    Refused(#[from] FlowError),
    /// The store does not take it: the job is another's, or has ended, or the disk is full.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Until when it is tried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    until: Timestamp,
    pauses: u32,
}

impl Patience {
    /// As long as the lease.
    pub fn until(until: Timestamp) -> Self {
        Self { until, pauses: 0 }
    }

    /// Waits a little; the error when there is no time left.
    async fn wait(&mut self, work: &Work, error: StoreError) -> Result<(), StoreError> {
        self.pauses += 1;
        let stopping = work.stop.is_set() && self.pauses > LAST_PAUSES;
        if stopping || work.clock.now() >= self.until {
            return Err(error);
        }
        tracing::warn!(%error, "what a job came to cannot be written yet");
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }
}

/// Writes a change with what the fact means.
///
/// # Errors
/// [`NotWritten`]; nothing is written then.
pub(super) async fn commit(
    work: &Work,
    change: ChangeSet,
    mut fact: Option<Fact>,
    mut patience: Patience,
) -> Result<(), NotWritten> {
    let mut left = DECISIONS;
    loop {
        let mut all = change.clone();
        if let Some(fact) = &mut fact {
            match fact.decided.take() {
                Some(outcome) => all.take(outcome),
                None => all.take(decide(work, &fact.fact, &mut patience).await?),
            }
        }
        let written = match work.store.apply(vec![all]).await {
            Ok(results) => first(results),
            Err(error) => Err(error),
        };
        match written {
            Ok(()) => return Ok(()),
            Err(error @ StoreError::Unavailable(_)) => patience.wait(work, error).await?,
            // The order was written by others meanwhile; or the job is not ours any more, which
            // the next try tells again.
            Err(StoreError::Conflict(_)) if fact.is_some() && left > 0 => left -= 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Decides on a fact over the state that is stored now.
///
/// # Errors
/// [`NotWritten`].
pub(super) async fn decide(
    work: &Work,
    fact: &CarrierFact,
    patience: &mut Patience,
) -> Result<Outcome, NotWritten> {
    loop {
        match decide_once(work, fact).await {
            Err(NotWritten::Store(error @ StoreError::Unavailable(_))) => {
                patience.wait(work, error).await?;
            }
            other => return other,
        }
    }
}

async fn decide_once(work: &Work, fact: &CarrierFact) -> Result<Outcome, NotWritten> {
    let id = shipment_of(fact).ok_or(FlowError::NotFound("shipment"))?;
    let state = work.store.order_of_shipment(Scope::All, id).await?;
    let state = state.ok_or(FlowError::NotFound("shipment"))?;
    let (connection, merchant) = surroundings(work, &state).await?;
    let asked = Vec::from_iter(AskedPoint::of(&state.order.facts));
    let world = work.worlds.with_points(&merchant, &asked).await?;
    let ctx = FlowContext {
        now: work.clock.now(),
        connection: &connection,
        merchant: &merchant,
        similar: None,
        world: &world,
    };
    let fact = fact.clone();
    let decided = catch_unwind(AssertUnwindSafe(|| flow::fact(&ctx, state, fact)));
    let panicked = || FlowError::Corrupt("the decision panicked".to_owned());
    Ok(decided.map_err(|_| panicked())??)
}

/// The connection and merchant of an order.
pub(super) async fn surroundings(
    work: &Work,
    state: &OrderState,
) -> Result<(Connection, Merchant), StoreError> {
    let meta = &state.order.meta;
    let connection = work
        .store
        .connection(Scope::All, meta.connection_id)
        .await?;
    let merchant = work.store.merchant(Scope::All, meta.merchant_id).await?;
    match (connection, merchant) {
        (Some(connection), Some(merchant)) => Ok((connection, merchant)),
        _ => Err(StoreError::NotFound("an order's connection".to_owned())),
    }
}

const fn shipment_of(fact: &CarrierFact) -> Option<ShipmentId> {
    match fact {
        CarrierFact::Labels { shipment_id, .. }
        | CarrierFact::Complete { shipment_id }
        | CarrierFact::Failed { shipment_id, .. }
        | CarrierFact::Unknown { shipment_id, .. }
        | CarrierFact::Voided { shipment_id, .. }
        | CarrierFact::VoidRefused { shipment_id, .. } => Some(*shipment_id),
        CarrierFact::Tracked { .. } => None,
    }
}
