//! One poll of one connection, from its cursor to what it came to.
//!
//! What always holds: pages are stored as they come; what the poll came to (health, problems, what
//! was learned) is written once at its end.

use super::pages::PullPages;
use super::{Polled, Poller};
use crate::canonical::connection::Connection;
use crate::canonical::problem::Class;
use crate::canonical::{AttemptId, ConnectionId, ProblemId, Timestamp};
use crate::clock::{after, before, between};
use crate::flow::change::{ChangeSet, ConnectionUpdate, NewProblem, ResolveProblems};
use crate::manifest::model::Poll;
use crate::operation::{Ended, Observer, Page, PageUse, PlannedRequest, Refused, Report, Stopped};
use crate::store::{CursorWrite, StoreError};
use crate::worker::apply::first;
use crate::worker::reading::{ORDERS_PULL, POINTS_LIST, SWEEP};
use crate::worker::stock::{PULL, PUSH};
use crate::worker::work::{Work, remember, suspends};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::time::Duration;

/// The longest that one poll may take; it goes on at the next from its cursor.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// After so many failures in a row people are told.
const TOLD_AFTER: u32 = 5;

impl Poller {
    /// Reads one connection once.
    ///
    /// # Errors
    /// When the store cannot take the result; pages that were stored stay.
    pub async fn poll(
        &self,
        connection: &Connection,
        operation: &'static str,
        sweep: bool,
    ) -> Result<Polled, StoreError> {
        let work = &self.work;
        let Some(connector) = work.connector(connection) else {
            return Ok(Polled::default());
        };
        let Some(rule) = self.rule(connection, operation) else {
            return Ok(Polled::default());
        };
        let started = work.clock.now();
        let (stored, since) = since(work, connection.id, operation, &rule, sweep, started).await?;
        let pages = PullPages::new(
            work.clone(),
            connection.clone(),
            connector.clone(),
            rule,
            operation,
            sweep,
            stored,
        );
        let mut observer = PollObserver {
            pages,
            asked_at: started,
            frozen_until: None,
        };
        let credentials = work.store.credentials(connection.id).await?;
        let hook_url = work.hook_url(connection.id);
        let mut call = work.call(
            connection,
            &connector,
            operation,
            &credentials,
            &Value::Null,
        );
        call.hook_url = hook_url.as_deref();
        call.cursor = Some(&since);
        call.send_until = after(started, LONGEST);
        let ended = match work.engine.run(&call, &mut observer).await {
            Ok(ended) => ended,
            Err(error) => return Err(StoreError::Unavailable(error.to_string())),
        };
        let turn = Turn {
            operation,
            sweep,
            started,
        };
        self.note(connection, turn, observer, ended).await
    }

    /// Writes what a poll came to.
    async fn note(
        &self,
        connection: &Connection,
        turn: Turn,
        mut observer: PollObserver,
        ended: Ended,
    ) -> Result<Polled, StoreError> {
        let Turn {
            operation,
            sweep,
            started,
        } = turn;
        let work = &self.work;
        let mut polled = Polled {
            read: observer.pages.read,
            fresh: observer.pages.fresh,
            ..Polled::default()
        };
        let mut change = ChangeSet::of(connection.merchant_id);
        let mut update = ConnectionUpdate {
            freeze_until: observer.frozen_until,
            ..ConnectionUpdate::default()
        };
        if operation == ORDERS_PULL {
            let health = &mut update.health;
            health.insert("last_poll_at".to_owned(), json!(started));
        }
        match ended {
            Ended::Finished(run) => {
                polled.more = run.more;
                observer.pages.finish(!run.more).await?;
                remember(run.memory_update, &mut update);
                change.resolve.push(ResolveProblems {
                    subject: connection.id.to_string(),
                    code: None,
                });
                if sweep {
                    self.swept(connection.id, operation, started).await?;
                }
            }
            Ended::Stopped(run) => {
                polled.failed = run.outcome.class;
                failed(work, connection, operation, &run, &mut change, &mut update);
            }
        }
        work.note_circuit(connection, &mut update);
        let took = between(started, work.clock.now());
        log(connection, operation, sweep, &polled, took);
        crate::failpoint::failpoint!("poll.before_note");
        change.connection = Some((connection.id, update));
        first(work.store.apply(vec![change]).await?)?;
        Ok(polled)
    }

    async fn swept(
        &self,
        id: ConnectionId,
        operation: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let cursor = CursorWrite {
            connection_id: id,
            name: sweep_cursor(operation),
            value: at.to_string(),
        };
        self.work.store.append_inbox(Vec::new(), Some(cursor)).await
    }
}

/// Tells people of a failure that does not pass by itself.
pub(in crate::worker) fn failed(
    work: &Work,
    connection: &Connection,
    operation: &str,
    stopped: &Stopped,
    change: &mut ChangeSet,
    update: &mut ConnectionUpdate,
) {
    let outcome = &stopped.outcome;
    let Some(class) = outcome.class else { return };
    let failures = work.engine.circuits.get(connection.id).failures_in_row;
    let passes = class.retryable() && (failures < TOLD_AFTER || class == Class::Throttled);
    if passes {
        return;
    }
    if class == Class::AuthBroken && suspends(connection) {
        update.suspend = Some(outcome.message.clone());
    }
    change.problems.push(NewProblem {
        id: ProblemId::new(),
        class,
        code: outcome.code.clone(),
        subject: connection.id.to_string(),
        connection_id: Some(connection.id),
        message: format!("{}: {}", what(operation), outcome.message),
        detail: json!({
            "operation": operation,
            "step": stopped.step,
            "status": outcome.status,
            "fields": outcome.fields,
        }),
        hint: Some(hint(class).to_owned()),
    });
}

/// What a poll was about.
struct Turn {
    operation: &'static str,
    sweep: bool,
    started: Timestamp,
}

/// Where the time of the last sweep is kept.
pub(super) fn sweep_cursor(operation: &str) -> String {
    format!("{operation}{SWEEP}")
}

fn what(operation: &str) -> &'static str {
    match operation {
        ORDERS_PULL => "orders cannot be read",
        POINTS_LIST => "pickup points cannot be read",
        PUSH => "the channel cannot be told of stock",
        PULL => "the channel's stock cannot be read",
        _ => "tracking cannot be read",
    }
}

const fn hint(class: Class) -> &'static str {
    match class {
        Class::AuthBroken | Class::AuthExpired => {
            "Enter working credentials for the connection and resume it."
        }
        Class::BrokenContract => {
            "The answer does not fit the connector's folder: mend it. Polling goes on."
        }
        _ => "Check the connection's address and the provider's state. Polling goes on.",
    }
}

/// The stored cursor, and the moment from which to read.
///
/// # Errors
/// When the store cannot be read.
pub async fn since(
    work: &Work,
    id: ConnectionId,
    operation: &str,
    rule: &Poll,
    sweep: bool,
    now: Timestamp,
) -> Result<(Option<Timestamp>, Value), StoreError> {
    let stored: Option<Timestamp> = work
        .store
        .cursor(id, operation)
        .await?
        .and_then(|text| text.parse().ok());
    let from = match stored {
        _ if sweep => before(now, rule.sweep_depth.0),
        Some(cursor) => before(cursor, rule.overlap.0),
        None => before(now, rule.first_depth.0),
    };
    // Whole seconds: what most providers read, and earlier rather than later.
    let from = Timestamp::from_second(from.as_second()).unwrap_or(from);
    Ok((stored, Value::String(from.to_string())))
}

fn log(
    connection: &Connection,
    operation: &'static str,
    sweep: bool,
    polled: &Polled,
    took: Duration,
) {
    let class = polled.failed.map_or("ok", Class::as_str);
    tracing::info!(
        connection = %connection.id, operation, sweep, read = polled.read, fresh = polled.fresh, class,
        duration_ms = took.as_millis(), "polled"
    );
}

/// A poll has no attempt rows: it only reads, and its pages tell how far it came.
struct PollObserver {
    pages: PullPages,
    asked_at: Timestamp,
    frozen_until: Option<Timestamp>,
}

#[async_trait]
impl Observer for PollObserver {
    async fn before_send(&mut self, _: &str, _: &PlannedRequest) -> Result<AttemptId, Refused> {
        self.pages.may_send()?;
        self.asked_at = self.pages.now();
        Ok(AttemptId::new())
    }
    async fn after(&mut self, _: AttemptId, report: Report<'_>) -> Result<(), Refused> {
        self.frozen_until = self.frozen_until.max(report.frozen_until);
        Ok(())
    }
    async fn page(&mut self, page: Page<'_>) -> Result<PageUse, Refused> {
        self.pages.take(page, self.asked_at).await
    }
}
