//! One connection told of what changed since its position.
//!
//! What always holds: as of the module above.

use super::{Channel, PUSH, Stocker, locked, subject};
use crate::canonical::connection::Connection;
use crate::canonical::problem::{Class, ProblemStatus};
use crate::canonical::{AttemptId, ConnectionId, ProblemId};
use crate::clock::after;
use crate::flow::change::{ChangeSet, ConnectionUpdate, NewProblem, ResolveProblems};
use crate::flow::stock::offer;
use crate::operation::{
    Ended, Observer, Page, PageUse, PlannedRequest, Refused, Report, RunError, Stopped,
};
use crate::store::query::{ChangedStock, PageRequest, ProblemFilter, StockChanges};
use crate::store::{CursorWrite, Scope, StoreError};
use crate::worker::apply::first;
use crate::worker::halves::{ALIKE, Halves, is_about_what_it_held};
use crate::worker::poll::failed;
use crate::worker::work::{Work, remember};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// Articles of one call where the folder names no number.
pub(super) const BATCH: u32 = 500;
/// Batches of one turn; the next turn goes on.
const BATCHES: usize = 50;
/// The longest that one call may take.
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// For people, when several articles were refused alike and nothing was taken.
const ALL_ALIKE: &str = "Everything that was tried was refused alike: look at the connection's settings (place, source, warehouse). Where the shop does not sell these articles, set `push_stock` to `listed`. It is tried again with others first.";

/// An article, and what is told of it.
struct Row {
    sku: String,
    input: Value,
}

impl Stocker {
    /// Tells what changed; true when nothing is left.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub(super) async fn push(&self, channel: &Channel) -> Result<bool, StoreError> {
        let connection = &channel.connection;
        let mut place = self.position(connection).await?;
        let (mut told, mut refused) = (0, 0);
        let mut learned = ConnectionUpdate::default();
        let mut done = false;
        for _ in 0..BATCHES {
            let changes = self.work.store.stock_changes(StockChanges {
                merchant_id: connection.merchant_id,
                connection_id: connection.id,
                listed: channel.listed,
                after: place,
                limit: channel.batch,
            });
            let changes = changes.await?;
            let Some(last) = changes.last().map(|change| change.place) else {
                done = true;
                break;
            };
            if self.work.stop.is_set() {
                break;
            }
            let rows = self.rows(connection, changes).await?;
            let count = rows.len();
            match self.tell_all(connection, rows, &mut learned).await? {
                Ok(without) => {
                    told += count - without;
                    refused += without;
                }
                Err(stopped) => {
                    if is_about_what_it_held(&stopped) {
                        *locked(&self.stuck).entry(connection.id).or_default() += 1;
                    }
                    self.rest(connection.id);
                    self.note_failure(connection, &stopped, learned).await?;
                    return Ok(false);
                }
            }
            locked(&self.stuck).remove(&connection.id);
            place = last;
            self.move_to(connection, place).await?;
        }
        if told + refused > 0 {
            tracing::info!(connection = %connection.id, told, refused, place, "the channel was told of stock");
            self.note_success(connection, learned).await?;
        }
        Ok(done)
    }

    /// What is told of changed articles. After a turn in which several were refused alike and nothing
    /// was taken, others go first: they may only have stood together.
    async fn rows(
        &self,
        connection: &Connection,
        changes: Vec<ChangedStock>,
    ) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::with_capacity(changes.len());
        for ChangedStock {
            place,
            sku,
            external_id,
            levels,
        } in changes
        {
            match offer(connection, &sku, external_id.as_deref(), place, &levels) {
                Some(input) => rows.push(Row { sku, input }),
                None => self.too_large(connection, sku).await?,
            }
        }
        let stuck = locked(&self.stuck).get(&connection.id).copied();
        if let (Some(stuck), false) = (stuck, rows.is_empty()) {
            let by = stuck.saturating_mul(ALIKE) % rows.len();
            rows.rotate_left(by);
        }
        Ok(rows)
    }

    /// The sum of an article's places is no number: people are told, and the others go on.
    async fn too_large(&self, connection: &Connection, sku: String) -> Result<(), StoreError> {
        let mut change = ChangeSet::of(connection.merchant_id);
        change.problems.push(NewProblem {
            id: ProblemId::new(),
            class: Class::Invalid,
            code: "stock_too_large".to_owned(),
            subject: of_article(connection.id, &sku),
            connection_id: Some(connection.id),
            message: format!("the stock of {sku} at all its places is too large a number"),
            detail: json!({ "operation": PUSH, "sku": sku }),
            hint: Some("Correct the article's levels. It is told when they change.".to_owned()),
        });
        self.refused_before(connection.id).await?;
        if let Some(refused) = locked(&self.refused).get_mut(&connection.id) {
            refused.insert(sku);
        }
        first(self.work.store.apply(vec![change]).await?)
    }

    /// Tells these together, or in halves; how many were refused. The inner error: the channel cannot
    /// be told at the moment.
    async fn tell_all(
        &self,
        connection: &Connection,
        rows: Vec<Row>,
        learned: &mut ConnectionUpdate,
    ) -> Result<Result<usize, Box<Stopped>>, StoreError> {
        let mut halves = Halves::default();
        halves.add(rows);
        while let Some(rows) = halves.next() {
            let stopped = match self.tell(connection, &rows).await? {
                Ok(memory) => {
                    halves.taken();
                    remember(memory, learned);
                    self.resolve(connection, &rows).await?;
                    continue;
                }
                Err(stopped) => stopped,
            };
            if !is_about_what_it_held(&stopped) {
                return Ok(Err(stopped));
            }
            let alone = rows.len() == 1;
            if let Err((_, account)) = halves.refused(rows, alone, stopped) {
                return Ok(Err(account));
            }
        }
        let refused = halves.take_refused();
        for (rows, stopped) in &refused {
            self.refuse(connection, rows, stopped).await?;
        }
        Ok(Ok(refused.len()))
    }

    async fn tell(
        &self,
        connection: &Connection,
        rows: &[Row],
    ) -> Result<Result<Option<Value>, Box<Stopped>>, StoreError> {
        let work = &self.work;
        let missing = || StoreError::Unavailable("the connector's folder is missing".to_owned());
        let connector = work.connector(connection).ok_or_else(missing)?;
        let credentials = work.store.credentials(connection.id).await?;
        let levels: Vec<&Value> = rows.iter().map(|row| &row.input).collect();
        let input = json!({ "levels": levels });
        let mut observer = Quiet {
            work: work.clone(),
            id: connection.id,
        };
        let mut call = work.call(connection, &connector, PUSH, &credentials, &input);
        call.send_until = after(work.clock.now(), LONGEST);
        match work.engine.run(&call, &mut observer).await {
            Ok(Ended::Finished(run)) => Ok(Ok(run.memory_update)),
            Ok(Ended::Stopped(stopped)) => Ok(Err(stopped)),
            Err(error @ (RunError::Refused(_) | RunError::UnknownOperation(_))) => {
                Err(StoreError::Unavailable(error.to_string()))
            }
        }
    }

    /// The connection's place; its start when the connection has changed since.
    async fn position(&self, connection: &Connection) -> Result<u64, StoreError> {
        let stored = self.work.store.cursor(connection.id, PUSH).await?;
        let read = |text: String| {
            let (place, version) = text.split_once('@')?;
            let version: u64 = version.parse().ok()?;
            let place: u64 = place.parse().ok()?;
            (version == connection.version).then_some(place)
        };
        Ok(stored.and_then(read).unwrap_or(0))
    }

    async fn move_to(&self, connection: &Connection, place: u64) -> Result<(), StoreError> {
        let cursor = CursorWrite {
            connection_id: connection.id,
            name: PUSH.to_owned(),
            value: format!("{place}@{}", connection.version),
        };
        self.work.store.append_inbox(Vec::new(), Some(cursor)).await
    }

    pub(super) async fn note_failure(
        &self,
        connection: &Connection,
        stopped: &Stopped,
        mut learned: ConnectionUpdate,
    ) -> Result<(), StoreError> {
        let mut change = ChangeSet::of(connection.merchant_id);
        failed(
            &self.work,
            connection,
            PUSH,
            stopped,
            &mut change,
            &mut learned,
        );
        for problem in &mut change.problems {
            problem.subject = subject(connection.id, PUSH);
            if is_about_what_it_held(stopped) {
                problem.hint = Some(ALL_ALIKE.to_owned());
            }
        }
        self.work.note_circuit(connection, &mut learned);
        let class = stopped.outcome.class.map_or("unknown", Class::as_str);
        tracing::info!(connection = %connection.id, class, "the channel could not be told of stock");
        change.connection = Some((connection.id, learned));
        first(self.work.store.apply(vec![change]).await?)
    }

    async fn note_success(
        &self,
        connection: &Connection,
        mut learned: ConnectionUpdate,
    ) -> Result<(), StoreError> {
        self.work.note_circuit(connection, &mut learned);
        let mut change = ChangeSet::of(connection.merchant_id);
        change.resolve.push(ResolveProblems {
            subject: subject(connection.id, PUSH),
            code: None,
        });
        change.connection = Some((connection.id, learned));
        first(self.work.store.apply(vec![change]).await?)
    }

    /// The channel does not take this article: people are told.
    async fn refuse(
        &self,
        connection: &Connection,
        rows: &[Row],
        stopped: &Stopped,
    ) -> Result<(), StoreError> {
        self.refused_before(connection.id).await?;
        let outcome = &stopped.outcome;
        let mut change = ChangeSet::of(connection.merchant_id);
        for row in rows {
            change.problems.push(NewProblem {
                id: ProblemId::new(),
                class: outcome.class.unwrap_or(Class::Rejected),
                code: outcome.code.clone(),
                subject: of_article(connection.id, &row.sku),
                connection_id: Some(connection.id),
                message: format!("the channel does not take the stock of {}: {}", row.sku, outcome.message),
                detail: json!({
                    "operation": PUSH, "step": stopped.step, "status": outcome.status,
                    "sku": row.sku, "fields": outcome.fields,
                }),
                hint: Some("Mend the article at the channel, or its SKU here. It is told again when its stock or the connection changes.".to_owned()),
            });
            if let Some(refused) = locked(&self.refused).get_mut(&connection.id) {
                refused.insert(row.sku.clone());
            }
        }
        first(self.work.store.apply(vec![change]).await?)
    }

    /// What was refused before and is taken now is no problem any more.
    async fn resolve(&self, connection: &Connection, rows: &[Row]) -> Result<(), StoreError> {
        self.refused_before(connection.id).await?;
        let mended: Vec<String> = {
            let mut refused = locked(&self.refused);
            let Some(refused) = refused.get_mut(&connection.id) else {
                return Ok(());
            };
            let skus = rows.iter().map(|row| &row.sku);
            skus.filter(|sku| refused.remove(*sku)).cloned().collect()
        };
        if mended.is_empty() {
            return Ok(());
        }
        let mut change = ChangeSet::of(connection.merchant_id);
        change.resolve = mended
            .iter()
            .map(|sku| ResolveProblems {
                subject: of_article(connection.id, sku),
                code: None,
            })
            .collect();
        first(self.work.store.apply(vec![change]).await?)
    }

    /// Reads once which articles have a problem at this channel.
    async fn refused_before(&self, id: ConnectionId) -> Result<(), StoreError> {
        if locked(&self.refused).contains_key(&id) {
            return Ok(());
        }
        let filter = ProblemFilter {
            connection_id: Some(id),
            status: Some(ProblemStatus::Open),
            ..ProblemFilter::default()
        };
        let start = of_article(id, "");
        let mut known = HashSet::new();
        let mut page = PageRequest {
            limit: 500,
            after: None,
        };
        loop {
            let found = self
                .work
                .store
                .problems(Scope::All, filter.clone(), page)
                .await?;
            let subjects = found.data.iter().map(|problem| problem.subject.as_str());
            let articles = subjects.filter_map(|subject| subject.strip_prefix(start.as_str()));
            known.extend(articles.map(str::to_owned));
            match found.next {
                Some(after) => {
                    page = PageRequest {
                        limit: 500,
                        after: Some(after),
                    };
                }
                None => break,
            }
        }
        locked(&self.refused).entry(id).or_default().extend(known);
        Ok(())
    }
}

fn of_article(id: ConnectionId, sku: &str) -> String {
    format!("{id}/stock/{sku}")
}

/// A push has no attempt rows: telling twice is telling once, and the position says how far it came.
struct Quiet {
    work: Arc<Work>,
    id: ConnectionId,
}

#[async_trait]
impl Observer for Quiet {
    async fn before_send(&mut self, _: &str, _: &PlannedRequest) -> Result<AttemptId, Refused> {
        self.work.may_send(self.id)?;
        Ok(AttemptId::new())
    }

    async fn after(&mut self, _: AttemptId, _: Report<'_>) -> Result<(), Refused> {
        Ok(())
    }

    async fn page(&mut self, _: Page<'_>) -> Result<PageUse, Refused> {
        Ok(PageUse::Taken)
    }
}
