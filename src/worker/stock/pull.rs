//! What a channel has, compared with what it should have: what differs is told once more.
//!
//! What always holds: nothing of ours changes by what a channel has, but what it is known to sell
//! and what it calls it; a row that cannot be read stops no other; when that was last done is
//! stored, so that a restart does not begin anew.

use super::{Channel, PULL, Stocker, locked, subject};
use crate::canonical::stock::{StockAnswer, StockLevel};
use crate::canonical::{AttemptId, Quantity, Timestamp};
use crate::clock::after;
use crate::connector::output::Output;
use crate::connector::records;
use crate::flow::change::{ChangeSet, ConnectionUpdate, ResolveProblems};
use crate::flow::stock::offer;
use crate::operation::{Ended, Observer, Page, PageUse, PlannedRequest, Refused, Report, RunError};
use crate::store::{CursorWrite, StoreError};
use crate::worker::apply::first;
use crate::worker::connectors::Loaded;
use crate::worker::poll::failed;
use crate::worker::work::{Work, remember};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// How often, where the folder does not say.
pub(super) const DAILY: Duration = Duration::from_secs(24 * 3_600);
/// The longest that one reading may take.
const LONGEST: Duration = Duration::from_secs(15 * 60);

impl Stocker {
    /// Whether what this channel has is to be compared now.
    pub(super) async fn pull_due(
        &self,
        channel: &Channel,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some(every) = channel.pull_every else {
            return Ok(false);
        };
        let id = channel.connection.id;
        let known = locked(&self.compared).get(&id).copied();
        if known.is_some_and(|last| after(last, every) > now) {
            return Ok(false);
        }
        // Another node may have done it meanwhile.
        let last = self.work.store.cursor(id, PULL).await?;
        let last: Option<Timestamp> = last.and_then(|text| text.parse().ok());
        if let Some(last) = last {
            locked(&self.compared).insert(id, last);
        }
        Ok(last.is_none_or(|last| after(last, every) <= now))
    }

    /// Reads all that the channel has.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub(super) async fn pull(&self, channel: &Channel) -> Result<(), StoreError> {
        let (work, connection) = (&self.work, &channel.connection);
        let Some(connector) = work.connector(connection) else {
            return Ok(());
        };
        let credentials = work.store.credentials(connection.id).await?;
        let started = work.clock.now();
        let mut rows = Rows {
            work: work.clone(),
            connector: connector.clone(),
            channel,
            read: 0,
            unread: 0,
            differ: 0,
        };
        let mut call = work.call(connection, &connector, PULL, &credentials, &Value::Null);
        call.send_until = after(started, LONGEST);
        let mut change = ChangeSet::of(connection.merchant_id);
        let mut update = ConnectionUpdate::default();
        match work.engine.run(&call, &mut rows).await {
            Ok(Ended::Finished(run)) => {
                remember(run.memory_update, &mut update);
                change.resolve.push(ResolveProblems {
                    subject: subject(connection.id, PULL),
                    code: None,
                });
            }
            Ok(Ended::Stopped(stopped)) => {
                failed(work, connection, PULL, &stopped, &mut change, &mut update);
                for problem in &mut change.problems {
                    problem.subject = subject(connection.id, PULL);
                }
            }
            Err(error @ (RunError::Refused(_) | RunError::UnknownOperation(_))) => {
                return Err(StoreError::Unavailable(error.to_string()));
            }
        }
        let Rows {
            read,
            unread,
            differ,
            ..
        } = rows;
        tracing::info!(connection = %connection.id, read, unread, differ, "the channel's stock was compared");
        work.note_circuit(connection, &mut update);
        change.connection = Some((connection.id, update));
        first(work.store.apply(vec![change]).await?)?;
        let cursor = CursorWrite {
            connection_id: connection.id,
            name: PULL.to_owned(),
            value: started.to_string(),
        };
        work.store.append_inbox(Vec::new(), Some(cursor)).await
    }
}

/// One reading.
struct Rows<'c> {
    work: Arc<Work>,
    connector: Loaded,
    channel: &'c Channel,
    read: usize,
    unread: usize,
    differ: usize,
}

#[async_trait]
impl Observer for Rows<'_> {
    async fn before_send(&mut self, _: &str, _: &PlannedRequest) -> Result<AttemptId, Refused> {
        self.work.may_send(self.channel.connection.id)?;
        Ok(AttemptId::new())
    }

    async fn after(&mut self, _: AttemptId, _: Report<'_>) -> Result<(), Refused> {
        Ok(())
    }

    async fn page(&mut self, page: Page<'_>) -> Result<PageUse, Refused> {
        let rows = match records::by_path(page.records, page.body) {
            Ok(rows) => rows,
            Err(error) => {
                return Ok(PageUse::Unusable {
                    code: "records_missing".to_owned(),
                    message: error.to_string(),
                });
            }
        };
        let mut told = Vec::with_capacity(rows.len());
        for row in rows {
            let provider = self.connector.provider.as_ref();
            match provider.map(page.mapping, row.clone(), page.scope) {
                Ok(yielded) => {
                    for value in &yielded.values {
                        match Output::check(page.mapping, value) {
                            Ok(Output::Stock(answer)) => told.push(*answer),
                            Ok(_) | Err(_) => self.unread += 1,
                        }
                    }
                }
                Err(_) => self.unread += 1,
            }
        }
        let compared = self.compare(told).await;
        compared.map_err(|error| Refused(error.to_string()))?;
        Ok(PageUse::Taken)
    }
}

impl Rows<'_> {
    async fn compare(&mut self, told: Vec<StockAnswer>) -> Result<(), StoreError> {
        let connection = &self.channel.connection;
        let sku = |answer: &StockAnswer| answer.sku.text().unwrap_or_default().to_owned();
        let skus: Vec<String> = told.iter().map(sku).collect();
        let levels = self
            .work
            .store
            .stock_of(connection.merchant_id, &skus)
            .await?;
        let (mut same, mut differ) = (Vec::new(), Vec::new());
        for ((answer, sku), levels) in told.iter().zip(skus).zip(levels) {
            self.read += 1;
            let id = answer.external_id.text().map(str::to_owned);
            if differs(self.channel, answer, &sku, &levels) {
                differ.push((sku, id));
            } else {
                same.push((sku, id));
            }
        }
        self.differ += differ.len();
        let store = &self.work.store;
        store.note_listings(connection.id, same, false).await?;
        store.note_listings(connection.id, differ, true).await
    }
}

/// What lies at the channel's places and may be sold, promised or not; and what is free of it.
#[derive(Deserialize)]
struct Offer {
    on_hand: Quantity,
    unavailable: Quantity,
    buffer: Quantity,
    available: Quantity,
}

/// Channels tell either what lies there (and take off themselves what their orders promise), or what
/// is free. What the warehouse never told of is not compared.
fn differs(channel: &Channel, answer: &StockAnswer, sku: &str, levels: &[StockLevel]) -> bool {
    if levels.is_empty() {
        return false;
    }
    let row = offer(&channel.connection, sku, None, 0, levels);
    let Some(ours) = row.and_then(|row| serde_json::from_value::<Offer>(row).ok()) else {
        return false;
    };
    let shelf = || {
        let left = ours.on_hand.minus(ours.unavailable)?.minus(ours.buffer)?;
        Some(if left.is_negative() {
            Quantity::ZERO
        } else {
            left
        })
    };
    match (answer.on_hand.value(), answer.available.value()) {
        (Some(lies), _) => shelf().is_some_and(|shelf| shelf != *lies),
        (None, Some(free)) => ours.available != *free,
        (None, None) => false,
    }
}
