//! The writer: one thread, one connection, group commit.
//!
//! What always holds: commands that wait together share one transaction and one sync; each runs in
//! a savepoint, so that one that fails leaves its neighbours alone; replies go out after the commit;
//! when the commit fails, every command of the batch is answered `Unavailable` and nothing of it
//! was written. A full queue or disk answers at once.

use super::Shared;
use super::codec::Result;
use super::commit::{Ground, Writer};
use super::conn::Conn;
use super::events::SealedEvent;
use super::wire::Entry;
use crate::canonical::{ConnectionId, RawId, Timestamp};
use crate::store::wake::Bells;
use crate::store::{CursorWrite, StoreError};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// An answer, to be given when it is known whether the commit holds; told the last sequence before
/// the commit's events.
pub(in crate::store) type Reply = Box<dyn FnOnce(Result<u64>) + Send>;
/// A write; with `None` it is not run and only its (unhappy) reply is wanted.
type Run = Box<dyn for<'a, 'b> FnOnce(Option<&'b mut WriteCtx<'a>>) -> Reply + Send>;
/// What is done with the shared state once the commit holds.
pub(in crate::store) type AfterCommit = Box<dyn FnOnce(&Shared) + Send>;

/// What the writer can be asked.
pub(in crate::store) enum Command {
    Append(AppendCommand),
    Run { run: Run, bytes: usize },
    Close(oneshot::Sender<()>),
}

/// Sealed deliveries on their way to the writer.
pub(in crate::store) struct AppendCommand {
    pub deliveries: Vec<(Entry, Vec<u8>)>,
    pub cursor: Option<CursorWrite>,
    pub reply: Option<oneshot::Sender<Result<()>>>,
}

impl AppendCommand {
    pub(in crate::store) fn bytes(&self) -> usize {
        self.deliveries.iter().map(|(_, sealed)| sealed.len()).sum()
    }
}

/// The callers' end of the writer.
pub(in crate::store) struct WriterHandle {
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
    /// Starts the thread, on a ground of one backend.
    pub(in crate::store) fn start(ground: impl Ground, shared: Arc<Shared>) -> Result<Self> {
        let limit = shared.options.queue.max(1);
        let (commands, queue) = mpsc::channel(limit);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                Writer::new(ground, shared).run(queue);
            })
            .map_err(|e| StoreError::Unavailable(format!("no thread for the writer: {e}")))?;
        Ok(Self {
            commands: Some(commands),
            thread: Some(thread),
            limit,
        })
    }

    /// Commands that wait, and how many may.
    pub(in crate::store) fn queue(&self) -> (usize, usize) {
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
    pub(in crate::store) async fn append(&self, mut command: AppendCommand) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        command.reply = Some(reply);
        self.send(Command::Append(command))?;
        answer.await.map_err(|_| closed())?
    }

    /// Runs a write, in a savepoint of its own unless it makes its own (`bare`: then it must not
    /// fail after it has written). An outer savepoint around many inner ones would keep a copy of
    /// every page that any of them touched. Yields also the last sequence before the commit's events.
    pub(in crate::store) async fn run<T, F>(
        &self,
        bytes: usize,
        bare: bool,
        write: F,
    ) -> Result<(T, u64)>
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
            Box::new(move |committed: Result<u64>| {
                let _ = reply.send(committed.and_then(|base| Ok((result?, base))));
            })
        });
        self.send(Command::Run { run, bytes })?;
        answer.await.map_err(|_| closed())?
    }

    /// Lets the writer finish what waits, and close.
    pub(in crate::store) async fn close(&self) {
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

/// A ledger counter: connection, day, disposition.
pub(in crate::store) type LedgerKey = (ConnectionId, i64, &'static str);

/// What deciding a delivery needs to know of it.
#[derive(Clone, Copy)]
pub(in crate::store) struct Slot {
    pub raw_id: RawId,
    pub connection_id: ConnectionId,
    /// The ledger's day.
    pub day: i64,
}

/// Where deliveries wait until they are decided.
pub(in crate::store) trait Inbox {
    /// Writes the deliveries of one group commit.
    fn append(
        &mut self,
        conn: Conn<'_>,
        local: &mut Local,
        deliveries: Vec<(Entry, Vec<u8>)>,
    ) -> Result<()>;
    /// Takes a delivery out of those that wait. `Conflict` when it is decided already.
    fn take(
        &mut self,
        conn: Conn<'_>,
        shared: &Shared,
        local: &mut Local,
        id: RawId,
    ) -> Result<Slot>;
    /// Takes many at once, where that is less work than one by one: [`Inbox::take`] then finds them.
    fn take_all(&mut self, _conn: Conn<'_>, _local: &mut Local, _ids: &[RawId]) -> Result<()> {
        Ok(())
    }
    /// A savepoint was released: what it took is taken.
    fn taken(&mut self, _taken: &[(u64, u16)]) {}
    /// Before the commit.
    fn flush(&mut self, _conn: Conn<'_>) -> Result<()> {
        Ok(())
    }
}

/// What a savepoint has done beside the database; kept only when it is released.
#[derive(Default)]
pub(in crate::store) struct Local {
    /// Ledger counters moved.
    pub ledger: Vec<(ConnectionId, i64, &'static str, i64)>,
    /// Deliveries that are decided: batch, index.
    pub done: Vec<(u64, u16)>,
    /// Deliveries that were taken beforehand.
    pub ahead: HashMap<RawId, Slot>,
    /// Whether a channel is known to sell an article, and under which id, as far as it was looked up.
    pub listed: HashMap<(ConnectionId, String), Option<Option<String>>>,
    /// To be appended when the transaction ends.
    pub events: Vec<SealedEvent>,
    pub bells: Bells,
    pub after: Vec<AfterCommit>,
}

/// A write at work.
pub(in crate::store) struct WriteCtx<'a> {
    pub conn: Conn<'a>,
    pub shared: &'a Shared,
    pub inbox: &'a mut dyn Inbox,
    pub local: Local,
    pub batch: &'a mut Batch,
}

/// What a group commit gathers.
#[derive(Default)]
pub(in crate::store) struct Batch {
    /// In order, so that two writers wait for each other in one order only.
    pub ledger: BTreeMap<LedgerKey, i64>,
    pub events: Vec<SealedEvent>,
    pub bells: Bells,
    pub after: Vec<AfterCommit>,
}

impl Batch {
    /// Takes in what a savepoint did.
    pub(in crate::store) fn keep(&mut self, local: Local) {
        for (connection, day, disposition, n) in local.ledger {
            let counter = self.ledger.entry((connection, day, disposition));
            *counter.or_default() += n;
        }
        self.events.extend(local.events);
        self.bells = self.bells.and(local.bells);
        self.after.extend(local.after);
    }
}

impl WriteCtx<'_> {
    /// Runs in a savepoint: what fails leaves no trace.
    pub(in crate::store) fn savepoint<T>(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        self.conn.savepoint()?;
        let outer = std::mem::take(&mut self.local);
        let result = write(self).and_then(|done| self.conn.settle().map(|()| done));
        let local = std::mem::replace(&mut self.local, outer);
        if result.is_err() {
            if self.conn.in_transaction() {
                self.conn.roll_back_to_savepoint()?;
            }
            return result;
        }
        self.conn.release()?;
        self.inbox.taken(&local.done);
        self.batch.keep(local);
        result
    }
    /// The clock.
    pub(in crate::store) fn now(&self) -> Timestamp {
        self.shared.now()
    }
}
