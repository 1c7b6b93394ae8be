//! One question: the numbers go out, what is told comes into the inbox.
//!
//! What always holds: an answer that says nothing new of any parcel makes no row (it is counted);
//! which numbers were asked for is kept with the answer, because some answers tell only by their
//! order.

use super::Tracker;
use crate::canonical::connection::Connection;
use crate::canonical::inbox::WireDelivery;
use crate::canonical::order::Source;
use crate::canonical::{AttemptId, RawId, Timestamp};
use crate::clock::after;
use crate::operation::{
    Ended, Observer, Page, PageUse, PlannedRequest, Refused, Report, RunError, Stopped,
};
use crate::store::StoreError;
use crate::worker::connectors::Loaded;
use crate::worker::mapped::{self, Content, ToMap};
use crate::worker::memory::Kind;
use crate::worker::reading::{ASKED, TRACKING_PULL};
use crate::worker::work::Work;
use async_trait::async_trait;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// The longest that one question may take.
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// What a question came to.
pub(super) enum Asked {
    /// It was answered.
    Told {
        /// Parcels of which something new was told.
        fresh: usize,
        /// What was learned about the connection.
        memory: Option<Value>,
    },
    /// It was not.
    Stopped(Box<Stopped>),
}

impl Tracker {
    /// Asks for these numbers in one call.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub(super) async fn ask(
        &self,
        connection: &Connection,
        numbers: &BTreeSet<&str>,
    ) -> Result<Asked, StoreError> {
        let work = &self.work;
        let missing = || StoreError::Unavailable("the connector's folder is missing".to_owned());
        let connector = work.connector(connection).ok_or_else(missing)?;
        let credentials = work.store.credentials(connection.id).await?;
        let hook_url = work.hook_url(connection.id);
        let input = json!({ "numbers": numbers });
        let now = work.clock.now();
        let mut observer = Answers {
            work: work.clone(),
            connection: connection.clone(),
            connector: connector.clone(),
            numbers: numbers.iter().copied().collect::<Vec<_>>().join(","),
            asked_at: now,
            fresh: 0,
        };
        let mut call = work.call(connection, &connector, TRACKING_PULL, &credentials, &input);
        call.hook_url = hook_url.as_deref();
        call.send_until = after(now, LONGEST);
        match work.engine.run(&call, &mut observer).await {
            Ok(Ended::Finished(run)) => Ok(Asked::Told {
                fresh: observer.fresh,
                memory: run.memory_update,
            }),
            Ok(Ended::Stopped(stopped)) => Ok(Asked::Stopped(stopped)),
            Err(error @ (RunError::Refused(_) | RunError::UnknownOperation(_))) => {
                Err(StoreError::Unavailable(error.to_string()))
            }
        }
    }
}

/// Takes the answers in.
struct Answers {
    work: Arc<Work>,
    connection: Connection,
    connector: Loaded,
    /// With commas between.
    numbers: String,
    asked_at: Timestamp,
    fresh: usize,
}

#[async_trait]
impl Observer for Answers {
    async fn before_send(&mut self, _: &str, _: &PlannedRequest) -> Result<AttemptId, Refused> {
        self.work.may_send(self.connection.id)?;
        self.asked_at = self.work.clock.now();
        Ok(AttemptId::new())
    }

    async fn after(&mut self, _: AttemptId, _: Report<'_>) -> Result<(), Refused> {
        Ok(())
    }

    async fn page(&mut self, page: Page<'_>) -> Result<PageUse, Refused> {
        let wire = WireDelivery {
            id: RawId::new(),
            merchant_id: self.connection.merchant_id,
            connection_id: self.connection.id,
            source: Source::Poll,
            topic: TRACKING_PULL.to_owned(),
            received_at: self.asked_at,
            dedupe_key: None,
            headers: vec![(ASKED.to_owned(), self.numbers.clone())],
            body: page.bytes.clone(),
        };
        self.take(wire).await.map_err(|e| Refused(e.to_string()))?;
        Ok(PageUse::Taken)
    }
}

impl Answers {
    async fn take(&mut self, wire: WireDelivery) -> Result<(), StoreError> {
        let kind = Kind::Tracking.as_str();
        let store = &self.work.store;
        let told = self.told(wire.clone()).await;
        if let Some(told) = &told {
            let (keys, hashes): (Vec<String>, Vec<[u8; 32]>) = told.iter().cloned().unzip();
            let known = store
                .content_hashes(self.connection.id, kind, &keys)
                .await?;
            let same = known.iter().zip(&hashes).filter(|(k, h)| **k == Some(**h));
            let fresh = keys.len() - same.count();
            self.fresh += fresh;
            if fresh == 0 && !keys.is_empty() {
                let at = wire.received_at;
                return store
                    .note_unchanged(&self.connection, kind, keys, at, None)
                    .await;
            }
        }
        self.work.take_in(wire, None).await
    }

    /// What is told of each number, as a hash; `None` where it cannot be read: the applier says why.
    async fn told(&self, wire: WireDelivery) -> Option<Vec<(String, [u8; 32])>> {
        let item = ToMap {
            wire,
            settings: Arc::new(mapped::settings(&self.connection, Some(&self.connector))),
            connector: Some(self.connector.clone()),
        };
        let store = self.work.store.clone();
        let mapped = self.work.pool.map(Arc::new(vec![item]), move |item| {
            mapped::map(item, &|bytes| store.content_hash(bytes))
        });
        let mapped = mapped.await.into_iter().next().flatten()?;
        let record = |record: mapped::MappedRecord| {
            let parcel = matches!(record.content, Content::Parcel(_));
            Some((record.known_as().filter(|_| parcel)?.clone(), record.hash?))
        };
        mapped.records.into_iter().map(record).collect()
    }
}
