//! The writer: one thread, one connection, group commit.
//!
//! What always holds: commands that wait together share one transaction and one sync; each runs in
//! a savepoint, so that one that fails leaves its neighbours alone; replies go out after the commit;
//! when the commit fails, every command of the batch is answered `Unavailable` and nothing of it
//! was written. A full queue or disk answers at once.

use super::Shared;
use super::codec::Result;
use super::inbox::{AppendCommand, OpenBatches};
use crate::canonical::ConnectionId;
use crate::failpoint::failpoint;
use crate::store::StoreError;
use crate::store::wake::Bells;
use rusqlite::{Connection, params};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// At most so many commands share a commit.
const BATCH_COMMANDS: usize = 1024;
/// A commit takes no further command once it has so many bytes.
const BATCH_BYTES: usize = 8 << 20;
/// Pages of log after which the checkpointer starts to copy them into the database.
const CHECKPOINT_PAGES: usize = 4_000;

type Reply = Box<dyn FnOnce(Result<()>) + Send>;
/// A write; with `None` it is not run and only its (unhappy) reply is wanted.
type Run = Box<dyn for<'a, 'b> FnOnce(Option<&'b mut WriteCtx<'a>>) -> Reply + Send>;
/// What is done with the shared state once the commit holds.
pub(super) type AfterCommit = Box<dyn FnOnce(&Shared) + Send>;

/// What the writer can be asked.
enum Command {
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
        "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
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

    /// Runs a write in a savepoint of its own.
    pub(super) async fn run<T, F>(&self, bytes: usize, write: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut WriteCtx<'_>) -> Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let run: Run = Box::new(move |ctx| {
            let result = ctx.map_or_else(|| Err(closed()), |ctx| ctx.savepoint(write));
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
    batch: &'a mut Batch,
}

/// What a group commit gathers.
#[derive(Default)]
struct Batch {
    ledger: HashMap<(ConnectionId, i64, &'static str), i64>,
    bells: Bells,
    after: Vec<AfterCommit>,
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

struct Writer {
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
    fn new(
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
            let _ = conn.pragma_update(None, "wal_autocheckpoint", 4000);
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

    fn run(mut self, mut queue: mpsc::Receiver<Command>) {
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
            let day_counts = super::inbox::append(&mut ctx, appends)?;
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

/// A thread with a connection of its own that copies the log into the database while the writer
/// goes on.
struct Checkpointer {
    ask: Option<std::sync::mpsc::SyncSender<()>>,
    done: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Checkpointer {
    fn start(path: &Path) -> Self {
        let (ask, asked) = std::sync::mpsc::sync_channel(1);
        let done = Arc::new(AtomicBool::new(false));
        let (path, finished) = (path.to_owned(), Arc::clone(&done));
        let thread = std::thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn(move || {
                let Ok(conn) = connect(&path) else { return };
                while asked.recv().is_ok() {
                    let _ = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
                    finished.store(true, Ordering::Release);
                }
            })
            .ok();
        Self {
            ask: Some(ask),
            done,
            thread,
        }
    }
    fn ask(&self) {
        if let Some(ask) = &self.ask {
            let _ = ask.try_send(());
        }
    }
    fn stop(&mut self) {
        self.ask = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
