//! The pages of a pull: what is new goes into the inbox, what was read before is counted, and the
//! cursor moves with the page.
//!
//! What always holds: the cursor never passes a record that is not stored: it moves with a page
//! only while the list is read in ascending order, else after the last page; moments far in the
//! future move nothing.

use crate::canonical::connection::Connection;
use crate::canonical::inbox::WireDelivery;
use crate::canonical::order::Source;
use crate::canonical::{RawId, Timestamp};
use crate::clock::after;
use crate::connector::records;
use crate::manifest::model::Poll;
use crate::mapping::{Val, to_json};
use crate::operation::value::as_str;
use crate::operation::{Page, PageUse, Refused};
use crate::store::{CursorWrite, StoreError};
use crate::worker::connectors::Loaded;
use crate::worker::mapped::key_of;
use crate::worker::memory::Kind;
use crate::worker::reading::poll_topic;
use crate::worker::work::Work;
use std::sync::Arc;
use std::time::Duration;

/// A provider's clock may be so far ahead of ours (time zones that it does not name, too).
const FUTURE: Duration = Duration::from_secs(15 * 3_600);

/// One pull's pages.
pub struct PullPages {
    work: Arc<Work>,
    connection: Connection,
    connector: Loaded,
    rule: Poll,
    /// The operation, which names the cursor too.
    operation: &'static str,
    /// A sweep moves no cursor.
    sweep: bool,
    stored: Option<Timestamp>,
    newest: Option<Timestamp>,
    ascending: bool,
    /// Records read.
    pub read: usize,
    /// Records that were new.
    pub fresh: usize,
}

/// What is known of a record without mapping it.
#[derive(Debug, Clone)]
struct Cut {
    key: Option<String>,
    hash: [u8; 32],
    moment: Option<Timestamp>,
}

struct ToCut {
    body: Val,
    path: String,
    connector: Loaded,
    rule: Poll,
}

impl PullPages {
    /// The pages of a pull whose stored cursor is this.
    pub fn new(
        work: Arc<Work>,
        connection: Connection,
        connector: Loaded,
        rule: Poll,
        operation: &'static str,
        sweep: bool,
        stored: Option<Timestamp>,
    ) -> Self {
        Self {
            work,
            connection,
            connector,
            rule,
            operation,
            sweep,
            stored,
            newest: stored,
            ascending: true,
            read: 0,
            fresh: 0,
        }
    }

    /// The moment.
    pub fn now(&self) -> Timestamp {
        self.work.clock.now()
    }

    /// As [`Work::may_send`].
    ///
    /// # Errors
    /// When this node does not have the connection any more.
    pub fn may_send(&self) -> Result<(), Refused> {
        self.work.may_send(self.connection.id)
    }

    /// Takes a page that was asked for at this moment.
    ///
    /// # Errors
    /// [`Refused`] when it cannot be stored: nothing more is asked for then.
    pub async fn take(&mut self, page: Page<'_>, asked_at: Timestamp) -> Result<PageUse, Refused> {
        let Some(cuts) = self.cut(&page).await else {
            // Not sliceable: stored as it is, so that a person sees it; the applier makes it a problem.
            self.append(&page, asked_at, None).await?;
            return Ok(PageUse::Taken);
        };
        crate::failpoint::failpoint!("poll.before_page");
        self.read += cuts.len();
        let cursor = self.advance(&cuts, asked_at);
        let keys: Option<Vec<String>> = cuts.iter().map(|cut| cut.key.clone()).collect();
        let known = match &keys {
            Some(keys) => self.known(keys).await?,
            None => Vec::new(),
        };
        let is_known = |n: usize, cut: &Cut| known.get(n).copied().flatten() == Some(cut.hash);
        let fresh = cuts
            .iter()
            .enumerate()
            .filter(|(n, cut)| !is_known(*n, cut))
            .count();
        self.fresh += fresh;
        match (fresh, keys) {
            (0, Some(keys)) if !keys.is_empty() => {
                let noted = self.work.store.note_unchanged(
                    &self.connection,
                    self.kind(),
                    keys,
                    asked_at,
                    cursor,
                );
                noted.await.map_err(refused)?;
            }
            (0, _) => {
                self.work
                    .store
                    .append_inbox(Vec::new(), cursor)
                    .await
                    .map_err(refused)?;
            }
            _ => self.append(&page, asked_at, cursor).await?,
        }
        crate::failpoint::failpoint!("poll.after_page");
        Ok(PageUse::Taken)
    }

    /// After the last page of a list that was not in order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn finish(&mut self, complete: bool) -> Result<(), StoreError> {
        if self.ascending || !complete {
            if !complete && !self.ascending {
                tracing::warn!(connection = %self.connection.id, "a list longer than its page limit that is not sorted by time is read from the same place again");
            }
            return Ok(());
        }
        let cursor = self.cursor();
        self.work.store.append_inbox(Vec::new(), cursor).await
    }

    async fn cut(&self, page: &Page<'_>) -> Option<Vec<Cut>> {
        let job = ToCut {
            body: page.body.clone(),
            path: page.records.to_owned(),
            connector: self.connector.clone(),
            rule: self.rule.clone(),
        };
        let store = self.work.store.clone();
        let cut = self.work.pool.map(Arc::new(vec![job]), move |job| {
            let provider = job.connector.provider.as_ref();
            let found = records::by_path(&job.path, &job.body).ok()?;
            let cuts = found.into_iter().map(|record| Cut {
                key: key_of(provider, &job.rule.key, record),
                hash: store.content_hash(&to_json(record)),
                moment: provider
                    .eval(&job.rule.cursor, record)
                    .ok()
                    .and_then(|value| as_str(&value)?.parse().ok()),
            });
            Some(cuts.collect())
        });
        cut.await.into_iter().next()??
    }

    fn kind(&self) -> &'static str {
        Kind::of_pull(self.operation).as_str()
    }

    async fn known(&self, keys: &[String]) -> Result<Vec<Option<[u8; 32]>>, Refused> {
        let hashes = self
            .work
            .store
            .content_hashes(self.connection.id, self.kind(), keys);
        hashes.await.map_err(refused)
    }

    async fn append(
        &self,
        page: &Page<'_>,
        asked_at: Timestamp,
        cursor: Option<CursorWrite>,
    ) -> Result<(), Refused> {
        let wire = WireDelivery {
            id: RawId::new(),
            merchant_id: self.connection.merchant_id,
            connection_id: self.connection.id,
            source: Source::Poll,
            topic: poll_topic(self.operation, self.sweep),
            received_at: asked_at,
            dedupe_key: None,
            headers: Vec::new(),
            body: page.bytes.clone(),
        };
        self.work.take_in(wire, cursor).await.map_err(refused)
    }

    /// Takes note of the page's moments; the cursor to store with it, if it may move already.
    fn advance(&mut self, cuts: &[Cut], asked_at: Timestamp) -> Option<CursorWrite> {
        let latest = after(asked_at, FUTURE);
        let mut last = (self.read > cuts.len()).then_some(self.newest).flatten();
        for moment in cuts
            .iter()
            .filter_map(|cut| cut.moment)
            .filter(|at| *at <= latest)
        {
            self.ascending &= last.is_none_or(|last| last <= moment);
            last = Some(moment);
            self.newest = self.newest.max(Some(moment));
        }
        if self.ascending { self.cursor() } else { None }
    }

    fn cursor(&self) -> Option<CursorWrite> {
        if self.sweep || self.newest <= self.stored {
            return None;
        }
        Some(CursorWrite {
            connection_id: self.connection.id,
            name: self.operation.to_owned(),
            value: self.newest?.to_string(),
        })
    }
}

fn refused(error: StoreError) -> Refused {
    Refused(error.to_string())
}
