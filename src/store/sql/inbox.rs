//! Intake: deliveries are appended, wait, and are found again.
//!
//! What always holds: an append reads nothing; a place rises with every commit and is never given
//! twice; a delivery is pending until a change set gives its records their dispositions.

use super::SqlStore;
use super::apply_inbox;
use super::codec::{Result, corrupt};
use super::conn::Conn;
use super::problems::Opened;
use super::reader::Reader;
use super::value::params;
use super::wire::{self, Entry};
use super::writer::{AppendCommand, WriteCtx};
use crate::canonical::inbox::{Disposition, InboxRecord, WireDelivery};
use crate::canonical::{InboxId, MerchantId, RawId, Timestamp};
use crate::flow::change::DeliveryResult;
use crate::store::query::{PendingDelivery, PendingPlace};
use crate::store::vault::DataKey;
use crate::store::{CursorWrite, StoreError, postgres, sqlite};
use bytes::Bytes;

/// Above it a delivery is sealed on a blocking thread.
const LARGE: usize = 256 << 10;
/// What the ciphertexts of deliveries are bound to, besides their raw id.
const TABLE: &str = "wire";

/// Moves a poll's position.
pub(in crate::store) fn put_cursor(conn: Conn<'_>, cursor: &CursorWrite) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO cursors (connection_id, name, value) VALUES (?, ?, ?)
         ON CONFLICT (connection_id, name) DO UPDATE SET value = excluded.value",
    )?
    .run(params![
        cursor.connection_id.as_bytes(),
        cursor.name,
        cursor.value
    ])
}

fn seal(key: &DataKey, delivery: WireDelivery) -> (Entry, Vec<u8>) {
    let content = wire::put_content(&delivery.headers, &delivery.body);
    let sealed = key.seal(TABLE, delivery.id.as_bytes(), &content);
    let entry = Entry {
        raw_id: delivery.id,
        merchant_id: delivery.merchant_id,
        connection_id: delivery.connection_id,
        source: delivery.source,
        topic: delivery.topic,
        received_at: delivery.received_at,
        dedupe_key: delivery.dedupe_key,
        offset: 0,
        length: 0,
    };
    (entry, sealed)
}

/// Opens a delivery; `None` when its merchant was erased.
pub(in crate::store) fn unseal(
    reader: &Reader<'_>,
    entry: Entry,
    sealed: &[u8],
) -> Result<Option<WireDelivery>> {
    let content = reader.open_unless_erased(TABLE, entry.raw_id.as_bytes(), sealed)?;
    let content = content.map(wire::read_content).transpose()?;
    Ok(content.map(|(headers, body)| delivered(entry, headers, body)))
}

/// Opens one that waits. One of a merchant that was erased while it came in is empty: it is decided
/// as any that makes no sense, and is in nobody's way.
pub(in crate::store) fn waiting(
    reader: &Reader<'_>,
    entry: Entry,
    sealed: &[u8],
) -> Result<WireDelivery> {
    let unread = entry.clone();
    let found = unseal(reader, entry, sealed)?;
    Ok(found.unwrap_or_else(|| delivered(unread, Vec::new(), Bytes::new())))
}

fn delivered(entry: Entry, headers: Vec<(String, String)>, body: Bytes) -> WireDelivery {
    WireDelivery {
        id: entry.raw_id,
        merchant_id: entry.merchant_id,
        connection_id: entry.connection_id,
        source: entry.source,
        topic: entry.topic,
        received_at: entry.received_at,
        dedupe_key: entry.dedupe_key,
        headers,
        body,
    }
}

/// What waits of a merchant that is erased is `ignored`: nobody can read it any more, and the ledger
/// goes on adding up.
pub(in crate::store) fn ignore_waiting(ctx: &mut WriteCtx<'_>, merchant: MerchantId) -> Result<()> {
    let mut found = Vec::new();
    each_pending(ctx.conn, u64::MAX >> 1, &mut |_, entry| {
        if entry.merchant_id == merchant {
            found.push(entry);
        }
        Ok(true)
    })?;
    for entry in found {
        let result = ignored(entry, ctx.now());
        match apply_inbox::decide(ctx, &result, None, &Opened::default()) {
            // In the same commit, by one before.
            Err(StoreError::Conflict(_)) => {}
            other => other?,
        }
    }
    Ok(())
}

fn ignored(entry: Entry, now: Timestamp) -> DeliveryResult {
    DeliveryResult {
        raw_id: entry.raw_id,
        connection_id: entry.connection_id,
        received_at: entry.received_at,
        records: vec![InboxRecord {
            id: InboxId::new(),
            merchant_id: entry.merchant_id,
            connection_id: entry.connection_id,
            raw_id: entry.raw_id,
            index: 0,
            source: entry.source,
            topic: entry.topic,
            received_at: entry.received_at,
            kind: None,
            external_id: None,
            disposition: Disposition::Ignored,
            reason: Some("the merchant was erased".to_owned()),
            subject: None,
            duplicate_of: None,
            problem_id: None,
            mapping_version: None,
            decided_at: Some(now),
        }],
        unchanged: Vec::new(),
        hashes: Vec::new(),
        dedupe: None,
        found_by_sweep: 0,
    }
}

/// Shows pending deliveries with a place below this one, newest first, until one says `false`.
pub(in crate::store) fn each_pending(
    conn: Conn<'_>,
    below: u64,
    visit: &mut dyn FnMut(u64, Entry) -> Result<bool>,
) -> Result<()> {
    match conn {
        Conn::Sqlite(conn) => sqlite::inbox::each_pending(conn, below, visit),
        Conn::Postgres(_) => postgres::inbox::each_pending(conn, below, visit),
    }
}

/// How many wait, and since when the first.
pub(in crate::store) fn backlog(conn: Conn<'_>) -> Result<(u64, Option<Timestamp>)> {
    match conn {
        Conn::Sqlite(conn) => sqlite::inbox::backlog(conn),
        Conn::Postgres(_) => postgres::inbox::backlog(conn),
    }
}

impl SqlStore {
    pub(in crate::store) async fn append_inbox(
        &self,
        deliveries: Vec<WireDelivery>,
        cursor: Option<CursorWrite>,
    ) -> Result<()> {
        if deliveries.is_empty() && cursor.is_none() {
            return Ok(());
        }
        let mut keyed = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            keyed.push((self.key_of(delivery.merchant_id).await?, delivery));
        }
        let bytes: usize = keyed.iter().map(|(_, d)| d.body.len()).sum();
        let seal_all = move || keyed.into_iter().map(|(key, d)| seal(&key, d)).collect();
        let deliveries: Vec<(Entry, Vec<u8>)> = if bytes > LARGE {
            tokio::task::spawn_blocking(seal_all)
                .await
                .map_err(|_| corrupt("sealing failed unexpectedly"))?
        } else {
            seal_all()
        };
        let command = AppendCommand {
            deliveries,
            cursor,
            reply: None,
        };
        self.engine.appends()?.append(command).await
    }

    pub(in crate::store) async fn pending_deliveries(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<Vec<PendingDelivery>> {
        self.read(move |reader| match reader.conn {
            Conn::Sqlite(conn) => sqlite::inbox::pending(reader, conn, after, limit),
            Conn::Postgres(_) => postgres::inbox::pending(reader, after, limit),
        })
        .await
    }

    pub(in crate::store) async fn pending_places(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<Vec<PendingPlace>> {
        self.read(move |reader| match reader.conn {
            Conn::Sqlite(conn) => sqlite::inbox::places(conn, after, limit),
            Conn::Postgres(_) => postgres::inbox::places(reader, after, limit),
        })
        .await
    }

    pub(in crate::store) async fn pending_at(
        &self,
        places: Vec<PendingPlace>,
    ) -> Result<Vec<PendingDelivery>> {
        self.read(move |reader| match reader.conn {
            Conn::Sqlite(conn) => sqlite::inbox::pending_at(reader, conn, &places),
            Conn::Postgres(_) => postgres::inbox::pending_at(reader, &places),
        })
        .await
    }

    pub(in crate::store) async fn delivery(&self, id: RawId) -> Result<Option<WireDelivery>> {
        self.read(move |reader| match reader.conn {
            Conn::Sqlite(conn) => sqlite::inbox::stored(reader, conn, id),
            Conn::Postgres(_) => postgres::inbox::stored(reader, id),
        })
        .await
    }
}
