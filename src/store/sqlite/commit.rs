//! The writer's thread: gathers what waits, commits it as one, answers.
//!
//! What always holds: a command is answered after its commit, or `Unavailable` when there was none;
//! after a commit that failed nothing in memory tells of it.

use super::Shared;
use super::checkpoint::Checkpointer;
use super::codec::Result;
use super::inbox;
use super::open_batches::OpenBatches;
use super::writer::{Batch, Command, Local, Reply, WriteCtx};
use crate::canonical::ConnectionId;
use crate::failpoint::failpoint;
use crate::store::StoreError;
use rusqlite::{Connection, params};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// At most so many commands share a commit.
const BATCH_COMMANDS: usize = 1024;
/// A commit takes no further command once it has so many bytes.
const BATCH_BYTES: usize = 8 << 20;
/// Pages of log after which the checkpointer starts to copy them into the database.
const CHECKPOINT_PAGES: usize = 8_000;

/// The thread's own.
pub(super) struct Writer {
    conn: Connection,
    shared: Arc<Shared>,
    open: OpenBatches,
    /// Pages in the log, told by SQLite after each commit.
    log_pages: Arc<AtomicUsize>,
    checkpointer: Checkpointer,
    disk_checked: Option<(Instant, bool)>,
    /// Keeps other servers off; let go after the connection (fields are dropped in order).
    _lock: std::fs::File,
}

impl Writer {
    pub(super) fn new(
        mut conn: Connection,
        shared: Arc<Shared>,
        open: OpenBatches,
        lock: std::fs::File,
    ) -> Self {
        let log_pages = Arc::new(AtomicUsize::new(0));
        let pages = Arc::clone(&log_pages);
        let hooked = conn.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, n: i32| {
            pages.store(usize::try_from(n).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }));
        if let Err(error) = hooked {
            tracing::warn!(%error, "the store cannot watch its log; it is checkpointed by SQLite");
            let _ = conn.pragma_update(None, "wal_autocheckpoint", 8000);
        }
        let checkpointer = Checkpointer::start(&shared.options.path);
        Self {
            conn,
            shared,
            open,
            log_pages,
            checkpointer,
            disk_checked: None,
            _lock: lock,
        }
    }

    /// Works until all handles are gone or one says so.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        let mut closing = None;
        while closing.is_none() {
            let Some(first) = queue.blocking_recv() else {
                break;
            };
            let mut commands = Vec::with_capacity(64);
            let mut bytes = 0usize;
            let mut next = Some(first);
            while let Some(command) = next.take() {
                match command {
                    Command::Close(reply) => {
                        closing = Some(reply);
                        break;
                    }
                    Command::Append(append) => {
                        bytes = bytes.saturating_add(append.bytes());
                        commands.push(Command::Append(append));
                    }
                    run @ Command::Run { bytes: size, .. } => {
                        bytes = bytes.saturating_add(size);
                        commands.push(run);
                    }
                }
                if commands.len() < BATCH_COMMANDS && bytes < BATCH_BYTES {
                    next = queue.try_recv().ok();
                }
            }
            self.commit(commands);
            self.checkpoint();
        }
        queue.close();
        self.checkpointer.stop();
        let _ = self.conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        drop(self);
        if let Some(reply) = closing {
            let _ = reply.send(());
        }
    }

    /// Runs commands in one transaction and answers them.
    fn commit(&mut self, commands: Vec<Command>) {
        if commands.is_empty() {
            return;
        }
        let mut batch = Batch::default();
        let mut replies: Vec<Reply> = Vec::with_capacity(commands.len());
        let result = self.transact(commands, &mut batch, &mut replies);
        if let Err(error) = &result {
            tracing::error!(%error, "a commit of the store failed");
            if !self.conn.is_autocommit() {
                let _ = self.conn.execute_batch("ROLLBACK");
            }
            self.open.forget();
        } else {
            for after in batch.after {
                after(&self.shared);
            }
        }
        let told = result.map_err(|error| match error {
            StoreError::Unavailable(_) => error,
            other => StoreError::Unavailable(format!("the commit failed: {other}")),
        });
        if told.is_ok() {
            self.shared.wake.ring(batch.bells);
        }
        for reply in replies {
            reply(told.clone());
        }
    }

    fn transact(
        &mut self,
        commands: Vec<Command>,
        batch: &mut Batch,
        replies: &mut Vec<Reply>,
    ) -> Result<()> {
        let begun = self.room_on_disk().and_then(|()| {
            self.conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            Ok(())
        });
        let mut appends = Vec::new();
        let mut runs = Vec::new();
        for command in commands {
            match command {
                Command::Append(mut append) => {
                    if let Some(reply) = append.reply.take() {
                        replies.push(Box::new(move |committed| {
                            let _ = reply.send(committed);
                        }));
                    }
                    appends.push(append);
                }
                Command::Run { run, .. } => runs.push(run),
                Command::Close(_) => {}
            }
        }
        if let Err(error) = begun {
            replies.extend(runs.into_iter().map(|run| run(None)));
            return Err(error);
        }
        let (appended, ran) = (!appends.is_empty(), !runs.is_empty());
        let mut ctx = WriteCtx {
            conn: &self.conn,
            shared: &self.shared,
            open: &mut self.open,
            local: Local::default(),
            batch,
        };
        for run in runs {
            // A full disk makes SQLite end the whole transaction: nothing may run outside of one.
            let inside = !ctx.conn.is_autocommit();
            replies.push(run(inside.then_some(&mut ctx)));
        }
        if ctx.conn.is_autocommit() {
            return Err(StoreError::Unavailable(
                "the transaction was lost".to_owned(),
            ));
        }
        if appended {
            let day_counts = inbox::append(&mut ctx, appends)?;
            for (key, n) in day_counts {
                *ctx.batch.ledger.entry(key).or_default() += n;
            }
            ctx.batch.bells.deliveries = true;
            let after = std::mem::take(&mut ctx.local.after);
            ctx.batch.after.extend(after);
        }
        flush_ledger(ctx.conn, &ctx.batch.ledger)?;
        ctx.open.flush(ctx.conn)?;
        if appended {
            failpoint!("append.before_commit");
        }
        if ran {
            failpoint!("apply.before_commit");
        }
        self.conn.prepare_cached("COMMIT")?.execute([])?;
        if appended {
            failpoint!("append.after_commit");
        }
        if ran {
            failpoint!("apply.after_commit");
        }
        Ok(())
    }

    /// Asks the disk at most a few times a second.
    fn room_on_disk(&mut self) -> Result<()> {
        let fresh = self
            .disk_checked
            .filter(|(at, _)| at.elapsed() < Duration::from_millis(250));
        let room = if let Some((_, room)) = fresh {
            room
        } else {
            let needed = self.shared.options.min_free_mb.saturating_mul(1 << 20);
            let room = free_bytes(&self.shared.options.path).is_none_or(|free| free >= needed);
            self.disk_checked = Some((Instant::now(), room));
            room
        };
        if room {
            Ok(())
        } else {
            Err(StoreError::Unavailable(format!(
                "less than {} MiB are free on the disk",
                self.shared.options.min_free_mb
            )))
        }
    }

    /// The checkpointer copies the log beside us; the little that is left when it is done we copy
    /// ourselves, so that the log starts again from its beginning.
    fn checkpoint(&mut self) {
        if self.log_pages.load(Ordering::Relaxed) < CHECKPOINT_PAGES {
            return;
        }
        if self.checkpointer.done.swap(false, Ordering::AcqRel) {
            let _ = self
                .conn
                .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
            self.log_pages.store(0, Ordering::Relaxed);
        } else {
            self.checkpointer.ask();
        }
    }
}

fn flush_ledger(
    conn: &Connection,
    moved: &HashMap<(ConnectionId, i64, &'static str), i64>,
) -> Result<()> {
    let mut upsert = conn.prepare_cached(
        "INSERT INTO ledger (connection_id, day, disposition, n) VALUES (?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET n = n + excluded.n",
    )?;
    for ((connection, day, disposition), n) in moved {
        if *n != 0 {
            upsert.execute(params![connection.as_bytes(), day, disposition, n])?;
        }
    }
    Ok(())
}

/// Free bytes on the disk of the database.
pub(super) fn free_bytes(path: &Path) -> Option<u64> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    fs4::available_space(folder.unwrap_or(Path::new("."))).ok()
}
