//! The writer's thread: gathers what waits, commits it as one, answers.
//!
//! What always holds: a command is answered after its commit, or `Unavailable` when there was none;
//! after a commit that failed nothing in memory tells of it. Events are appended last, so that
//! their sequence is that of the commits.

use super::Shared;
use super::codec::Result;
use super::conn::Conn;
use super::events;
use super::inbox::put_cursor;
use super::value::params;
use super::writer::{Batch, Command, Inbox, LedgerKey, Local, Reply, WriteCtx};
use crate::failpoint::failpoint;
use crate::store::StoreError;
use crate::store::wake::Bells;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// At most so many commands share a commit.
const BATCH_COMMANDS: usize = 1024;
/// A commit takes no further command once it has so many bytes.
const BATCH_BYTES: usize = 8 << 20;

/// What a writer writes on: a connection of its own, and where deliveries wait.
pub(in crate::store) trait Ground: Send + 'static {
    /// Opens a transaction.
    fn begin(&mut self, shared: &Shared) -> Result<()>;
    /// What is written on, within it.
    fn parts(&mut self) -> Result<(Conn<'_>, &mut dyn Inbox)>;
    /// Ends a transaction that failed, if one is open, and forgets what it did.
    fn abandon(&mut self);
    /// After each batch, whatever it came to.
    fn rest(&mut self) {}
    /// After a commit: tells other nodes.
    fn tell(&mut self, _bells: Bells) {}
    /// At the end.
    fn close(&mut self) {}
}

/// The thread's own.
pub(in crate::store) struct Writer<G> {
    ground: G,
    shared: Arc<Shared>,
}

impl<G: Ground> Writer<G> {
    pub(in crate::store) const fn new(ground: G, shared: Arc<Shared>) -> Self {
        Self { ground, shared }
    }

    /// Works until all handles are gone or one says so.
    pub(in crate::store) fn run(mut self, mut queue: mpsc::Receiver<Command>) {
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
            self.ground.rest();
        }
        queue.close();
        self.ground.close();
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
            self.ground.abandon();
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
            self.ground.tell(batch.bells);
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
    ) -> Result<u64> {
        let begun = self.ground.begin(&self.shared);
        let begun = begun.and_then(|()| self.ground.parts());
        let (mut appends, mut cursors, mut runs) = (Vec::new(), Vec::new(), Vec::new());
        let mut appended = false;
        for command in commands {
            match command {
                Command::Append(mut append) => {
                    appended = true;
                    if let Some(reply) = append.reply.take() {
                        replies.push(Box::new(move |committed| {
                            let _ = reply.send(committed.map(|_| ()));
                        }));
                    }
                    appends.extend(append.deliveries);
                    cursors.extend(append.cursor);
                }
                Command::Run { run, .. } => runs.push(run),
                Command::Close(_) => {}
            }
        }
        let (conn, inbox) = match begun {
            Ok(parts) => parts,
            Err(error) => {
                replies.extend(runs.into_iter().map(|run| run(None)));
                return Err(error);
            }
        };
        let ran = !runs.is_empty();
        let mut ctx = WriteCtx {
            conn,
            shared: &self.shared,
            inbox,
            local: Local::default(),
            batch,
        };
        for run in runs {
            // A full disk makes SQLite end the whole transaction, a lost server any: nothing may
            // run outside of one.
            let inside = ctx.conn.in_transaction();
            replies.push(run(inside.then_some(&mut ctx)));
        }
        if !ctx.conn.in_transaction() {
            return Err(StoreError::Unavailable(
                "the transaction was lost".to_owned(),
            ));
        }
        if appended {
            append(&mut ctx, appends)?;
            for cursor in &cursors {
                put_cursor(ctx.conn, cursor)?;
            }
            ctx.local.bells.deliveries = true;
        }
        let local = std::mem::take(&mut ctx.local);
        ctx.batch.keep(local);
        flush_ledger(ctx.conn, &ctx.batch.ledger)?;
        ctx.inbox.flush(ctx.conn)?;
        let base = events::flush(ctx.conn, &ctx.batch.events)?;
        if appended {
            failpoint!("append.before_commit");
        }
        if ran {
            failpoint!("apply.before_commit");
        }
        ctx.conn.commit()?;
        if appended {
            failpoint!("append.after_commit");
        }
        if ran {
            failpoint!("apply.after_commit");
        }
        Ok(base)
    }
}

/// Deliveries come in, and are counted.
fn append(ctx: &mut WriteCtx<'_>, deliveries: Vec<(super::wire::Entry, Vec<u8>)>) -> Result<()> {
    let ledger = &mut ctx.batch.ledger;
    for (entry, _) in &deliveries {
        let day = super::codec::day_of(entry.received_at);
        for counter in ["received", "pending"] {
            *ledger
                .entry((entry.connection_id, day, counter))
                .or_default() += 1;
        }
    }
    ctx.inbox.append(ctx.conn, &mut ctx.local, deliveries)
}

fn flush_ledger(conn: Conn<'_>, moved: &BTreeMap<LedgerKey, i64>) -> Result<()> {
    let owner = conn.owner_of_connection("?1");
    let mut upsert = conn.prepare_cached(&format!(
        "INSERT INTO ledger ({0}connection_id, day, disposition, n) VALUES ({1}?1, ?2, ?3, ?4)
         ON CONFLICT ({0}connection_id, day, disposition) DO UPDATE SET n = ledger.n + excluded.n",
        owner.column, owner.value
    ))?;
    for ((connection, day, disposition), n) in moved {
        if *n != 0 {
            upsert.run(params![connection.as_bytes(), day, disposition, n])?;
        }
    }
    Ok(())
}
