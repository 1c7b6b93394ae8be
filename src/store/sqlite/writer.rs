//! The writer: one thread, one connection, group commit.
//!
//! What always holds: commands that wait together share one transaction and one sync; each runs in
//! a savepoint, so that one that fails leaves its neighbours alone; replies go out after the commit;
//! when the commit fails, every command of the batch is answered `Unavailable` and nothing of it
//! was written. A full queue or disk answers at once.

use super::Shared;
use super::codec::Result;
use super::commit::Writer;
use super::inbox::AppendCommand;
use super::open_batches::OpenBatches;
use crate::canonical::ConnectionId;
use crate::store::StoreError;
use crate::store::wake::Bells;
use rusqlite::Connection;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// An answer, to be given when it is known whether the commit holds.
pub(super) type Reply = Box<dyn FnOnce(Result<()>) + Send>;
/// A write; with `None` it is not run and only its (unhappy) reply is wanted.
type Run = Box<dyn for<'a, 'b> FnOnce(Option<&'b mut WriteCtx<'a>>) -> Reply + Send>;
/// What is done with the shared state once the commit holds.
pub(super) type AfterCommit = Box<dyn FnOnce(&Shared) + Send>;

/// What the writer can be asked.
pub(super) enum Command {
    Append(AppendCommand),
    Run { run: Run, bytes: usize },
    Close(oneshot::Sender<()>),
}

/// Opens the connection that writes.
pub(super) fn connect(path: &Path) -> Result<Connection> {
    let conn = Connection::open(path)?;
    conn.busy_timeout(Duration::from_secs(10))?;
    conn.set_prepared_statement_cache_capacity(256);
    conn.execute_batch(
        "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -24576;
         PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 268435456;",
    )?;
    Ok(conn)
}

/// The callers' end of the writer.
pub(super) struct WriterHandle {
    commands: Option<mpsc::Sender<Command>>,
    thread: Option<std::thread::JoinHandle<()>>,
    limit: usize,
}

fn full() -> StoreError {
    StoreError::Unavailable("the writer's queue is full".to_owned())
}
fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".to_owned())
}

impl WriterHandle {
    /// Starts the thread. The lock is held as long as it runs.
    pub(super) fn start(
        conn: Connection,
        shared: Arc<Shared>,
        lock: std::fs::File,
    ) -> Result<Self> {
        let limit = shared.options.queue.max(1);
        let (commands, queue) = mpsc::channel(limit);
        let open = OpenBatches::load(&conn)?;
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                Writer::new(conn, shared, open, lock).run(queue);
            })
            .map_err(|e| StoreError::Unavailable(format!("no thread for the writer: {e}")))?;
        Ok(Self {
            commands: Some(commands),
            thread: Some(thread),
            limit,
        })
    }

    /// Commands that wait, and how many may.
    pub(super) fn queue(&self) -> (usize, usize) {
        let waiting = self
            .commands
            .as_ref()
            .map_or(0, |c| self.limit.saturating_sub(c.capacity()));
        (waiting, self.limit)
    }

    fn send(&self, command: Command) -> Result<()> {
        let commands = self.commands.as_ref().ok_or_else(closed)?;
        commands.try_send(command).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => full(),
            mpsc::error::TrySendError::Closed(_) => closed(),
        })
    }

    /// Appends deliveries.
    pub(super) async fn append(&self, mut command: AppendCommand) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        command.reply = Some(reply);
        self.send(Command::Append(command))?;
        answer.await.map_err(|_| closed())?
    }

    /// Runs a write, in a savepoint of its own unless it makes its own (`bare`: then it must not
    /// fail after it has written). An outer savepoint around many inner ones would keep a copy of
    /// every page that any of them touched.
    pub(super) async fn run<T, F>(&self, bytes: usize, bare: bool, write: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut WriteCtx<'_>) -> Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let run: Run = Box::new(move |ctx| {
            let result = match ctx {
                None => Err(closed()),
                Some(ctx) if bare => write(ctx),
                Some(ctx) => ctx.savepoint(write),
            };
            Box::new(move |committed: Result<()>| {
                let _ = reply.send(committed.and(result));
            })
        });
        self.send(Command::Run { run, bytes })?;
        answer.await.map_err(|_| closed())?
    }

    /// Lets the writer finish what waits, and close.
    pub(super) async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        if let Some(commands) = &self.commands
            && commands.send(Command::Close(reply)).await.is_ok()
        {
            let _ = answer.await;
        }
    }
}

impl Drop for WriterHandle {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What a savepoint has done beside the database; kept only when it is released.
#[derive(Default)]
pub(super) struct Local {
    /// Ledger counters moved: connection, day, disposition.
    pub ledger: Vec<(ConnectionId, i64, &'static str, i64)>,
    /// Deliveries that are decided: batch, index.
    pub done: Vec<(u64, u16)>,
    pub bells: Bells,
    pub after: Vec<AfterCommit>,
}

/// A write at work.
pub(super) struct WriteCtx<'a> {
    pub conn: &'a Connection,
    pub shared: &'a Shared,
    pub open: &'a mut OpenBatches,
    pub local: Local,
    pub batch: &'a mut Batch,
}

/// What a group commit gathers.
#[derive(Default)]
pub(super) struct Batch {
    pub ledger: HashMap<(ConnectionId, i64, &'static str), i64>,
    pub bells: Bells,
    pub after: Vec<AfterCommit>,
}

impl WriteCtx<'_> {
    /// Runs in a savepoint: what fails leaves no trace.
    pub(super) fn savepoint<T>(&mut self, write: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.conn.prepare_cached("SAVEPOINT change")?.execute([])?;
        let outer = std::mem::take(&mut self.local);
        let result = write(self);
        let local = std::mem::replace(&mut self.local, outer);
        if result.is_err() {
            if !self.conn.is_autocommit() {
                self.conn
                    .prepare_cached("ROLLBACK TO change")?
                    .execute([])?;
                self.conn.prepare_cached("RELEASE change")?.execute([])?;
            }
            return result;
        }
        self.conn.prepare_cached("RELEASE change")?.execute([])?;
        self.open.mark(&local.done);
        for (connection, day, disposition, n) in local.ledger {
            let counter = self.batch.ledger.entry((connection, day, disposition));
            *counter.or_default() += n;
        }
        self.batch.bells = self.batch.bells.and(local.bells);
        self.batch.after.extend(local.after);
        result
    }
    /// The clock.
    pub(super) fn now(&self) -> crate::canonical::Timestamp {
        self.shared.now()
    }
}
