//! A connection to the server, used from one thread at a time as if it answered at once.
//!
//! What always holds: statements reach the server in the order in which they were given, but rows to be
//! inserted wait for others of their kind until something asks for their table ([`super::bulk`]); what
//! was only sent is told of by [`Session::settle`] or by the next one that is waited for, and the first
//! error is the one that is told; a text of a statement is prepared once.

use super::bulk::{Known, Waiting, columns, of_each};
use super::connect::Locks;
use super::encode::bound;
use crate::store::StoreError;
use crate::store::sql::codec::Result;
use crate::store::sql::value::{Arg, Value};
use futures_util::future::try_join_all;
use futures_util::task::noop_waker_ref;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::runtime::Handle;
use tokio_postgres::types::{BorrowToSql, ToSql};
use tokio_postgres::{Client, Row, Statement};

type Sent = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// Fewer are sent one by one: the server plans a statement over arrays anew each time, which costs more
/// than a few small ones.
const MANY: usize = 8;
/// So many may be under way without having been waited for.
const UNDER_WAY: usize = 1024;
/// So many statements stay prepared.
const PREPARED: usize = 512;

/// See the module.
pub(in crate::store) struct Session {
    client: Arc<Client>,
    runtime: Handle,
    locks: Locks,
    prepared: RefCell<HashMap<String, Arc<Known>>>,
    waiting: RefCell<Waiting>,
    sent: RefCell<VecDeque<Sent>>,
    open: Cell<bool>,
}

/// A statement of a session.
pub(in crate::store) struct Prepared<'a> {
    session: &'a Session,
    known: Arc<Known>,
}

/// `?` becomes `$1`, `$2` and so on, `?2` becomes `$2`.
fn numbered(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len() + 16);
    let mut next = 0u32;
    let mut chars = sql.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '?' {
            out.push(c);
            continue;
        }
        out.push('$');
        if chars.peek().is_none_or(|c| !c.is_ascii_digit()) {
            next += 1;
            out.push_str(&next.to_string());
        }
    }
    out
}

impl Session {
    pub(super) fn new(client: Client, runtime: Handle, locks: Locks) -> Self {
        Self {
            client: Arc::new(client),
            runtime,
            locks,
            prepared: RefCell::default(),
            waiting: RefCell::default(),
            sent: RefCell::default(),
            open: Cell::new(false),
        }
    }

    /// The numbers of this database's locks.
    pub(in crate::store) const fn locks(&self) -> Locks {
        self.locks
    }
    /// Whether the server is gone.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
    /// Whether a transaction is open, as far as it is known here.
    pub(in crate::store) fn in_transaction(&self) -> bool {
        self.open.get() && !self.is_closed()
    }

    /// Prepares a statement, or takes it as it was prepared before.
    pub(in crate::store) fn prepare(&self, sql: &str) -> Result<Prepared<'_>> {
        let known = self.prepared.borrow().get(sql).cloned();
        let known = match known {
            Some(known) => known,
            None => {
                let text = numbered(sql);
                let made = self.runtime.block_on(self.client.prepare(&text));
                let statement = made.map_err(|error| self.cause(error.into()))?;
                let known = Arc::new(Known::new(&text, statement));
                let mut prepared = self.prepared.borrow_mut();
                if prepared.len() >= PREPARED {
                    prepared.clear();
                }
                prepared.insert(sql.to_owned(), Arc::clone(&known));
                known
            }
        };
        Ok(Prepared {
            session: self,
            known,
        })
    }

    /// The first error of what was sent, or else this one.
    fn cause(&self, error: StoreError) -> StoreError {
        match self.sent_is_done() {
            Err(first) => first,
            Ok(()) => error,
        }
    }

    fn push(&self, mut sent: Sent) -> Result<()> {
        // The first poll sends it.
        if let Poll::Ready(done) = sent
            .as_mut()
            .poll(&mut Context::from_waker(noop_waker_ref()))
        {
            return done.map_err(|error| self.cause(error));
        }
        self.sent.borrow_mut().push_back(sent);
        if self.sent.borrow().len() > UNDER_WAY {
            return self.sent_is_done();
        }
        Ok(())
    }

    /// Sends the rows that wait.
    pub(super) fn flush(&self) -> Result<()> {
        let waiting = self.waiting.borrow_mut().take();
        for gathered in waiting {
            let many = gathered.rows.len() >= MANY;
            if many && let Some(sql) = gathered.known.unprepared() {
                let made = self.runtime.block_on(self.client.prepare(sql));
                let made = made.map_err(|error| self.cause(error.into()))?;
                gathered.known.prepared(made);
            }
            let client = Arc::clone(&self.client);
            let together = gathered.known.for_many().filter(|_| many);
            if let Some(statement) = together.cloned() {
                let columns = columns(gathered.rows);
                self.push(Box::pin(async move {
                    run(&client, &statement, columns).await.map(|_| ())
                }))?;
                continue;
            }
            for row in gathered.rows {
                let (client, statement) = (Arc::clone(&client), gathered.known.statement.clone());
                self.push(Box::pin(async move {
                    run(&client, &statement, row).await.map(|_| ())
                }))?;
            }
        }
        Ok(())
    }

    /// Waits until all that was sent is done; tells the first error.
    pub(in crate::store) fn settle(&self) -> Result<()> {
        self.flush()?;
        self.sent_is_done()
    }

    fn sent_is_done(&self) -> Result<()> {
        let sent = std::mem::take(&mut *self.sent.borrow_mut());
        if sent.is_empty() {
            return Ok(());
        }
        let first = self.runtime.block_on(async move {
            let mut first = None;
            for one in sent {
                if let Err(error) = one.await {
                    first.get_or_insert(error);
                }
            }
            first
        });
        first.map_or(Ok(()), Err)
    }

    /// What was sent is done when it is done, and what waits is not: nobody wants to know.
    pub(in crate::store) fn forget(&self) {
        self.waiting.borrow_mut().take();
        self.sent.borrow_mut().clear();
    }

    /// Sends a statement without values and answer.
    pub(in crate::store) fn plain(&self, sql: &str) -> Result<()> {
        self.flush()?;
        let (client, sql) = (Arc::clone(&self.client), sql.to_owned());
        self.push(Box::pin(
            async move { Ok(client.batch_execute(&sql).await?) },
        ))
    }
    /// Runs statements without values and waits for them.
    pub(super) fn batch(&self, sql: &str) -> Result<()> {
        self.plain(sql)?;
        self.settle()
    }
    pub(super) fn begin(&self, how: &str) -> Result<()> {
        self.open.set(true);
        self.plain(how)
    }
    /// Ends the transaction. One in which something failed is rolled back by the server: then what
    /// failed is told.
    pub(in crate::store) fn commit(&self) -> Result<()> {
        // Not sent, it is still open: what failed before is rolled back by whoever hears of it.
        self.plain("COMMIT")?;
        self.open.set(false);
        self.settle()
    }
    /// Ends a transaction that only read, without waiting.
    pub(super) fn end(&self) -> Result<()> {
        self.open.set(false);
        self.plain("COMMIT")
    }
    pub(in crate::store) fn roll_back(&self) {
        self.forget();
        if self.open.replace(false) && !self.is_closed() {
            let _ = self.batch("ROLLBACK");
        }
    }
}

async fn run<P>(client: &Client, statement: &Statement, args: Vec<P>) -> Result<u64>
where
    P: BorrowToSql,
{
    Ok(client.execute_raw(statement, args).await?)
}

impl Prepared<'_> {
    /// What must be done before this is.
    fn in_turn(&self) -> Result<()> {
        let asked_for = self.session.waiting.borrow().concern(&self.known);
        if asked_for {
            self.session.flush()
        } else {
            Ok(())
        }
    }
    /// Runs it; yields how many rows it wrote.
    pub(in crate::store) fn execute(&self, args: &[Arg<'_>]) -> Result<usize> {
        self.in_turn()?;
        let args: Vec<&(dyn ToSql + Sync)> = bound(args);
        let run = self.session.client.execute(&self.known.statement, &args);
        let written = self.session.runtime.block_on(run);
        let written = written.map_err(|error| self.session.cause(error.into()))?;
        Ok(usize::try_from(written).unwrap_or(usize::MAX))
    }
    /// Sends it, now or with others of its kind.
    pub(in crate::store) fn send(&self, args: &[Arg<'_>]) -> Result<()> {
        let args = owned(args);
        if self.known.gathers() {
            let (waiting, key) = (&self.session.waiting, self.known.key_of(&args));
            let refused = waiting.borrow().refuse(&self.known, key.as_ref());
            if refused {
                self.session.flush()?;
            }
            let full = waiting.borrow_mut().push(&self.known, key, args);
            return if full { self.session.flush() } else { Ok(()) };
        }
        self.in_turn()?;
        let (client, known) = (Arc::clone(&self.session.client), Arc::clone(&self.known));
        self.session.push(Box::pin(async move {
            run(&client, &known.statement, args).await.map(|_| ())
        }))
    }
    /// Sends it; that it wrote nothing is this error.
    pub(in crate::store) fn must(&self, args: &[Arg<'_>], error: StoreError) -> Result<()> {
        self.in_turn()?;
        let args = owned(args);
        let (client, known) = (Arc::clone(&self.session.client), Arc::clone(&self.known));
        self.session.push(Box::pin(async move {
            match run(&client, &known.statement, args).await? {
                0 => Err(error),
                _ => Ok(()),
            }
        }))
    }
    /// All its rows.
    pub(in crate::store) fn query(&self, args: &[Arg<'_>]) -> Result<Vec<Row>> {
        self.in_turn()?;
        let args: Vec<&(dyn ToSql + Sync)> = bound(args);
        let run = self.session.client.query(&self.known.statement, &args);
        let rows = self.session.runtime.block_on(run);
        rows.map_err(|error| self.session.cause(error.into()))
    }
    /// The first row for each of these; where they are many, asked for by one statement, and then the
    /// row has another column behind its own.
    pub(in crate::store) fn first_of_each(&self, all: &[Vec<Arg<'_>>]) -> Result<Vec<Option<Row>>> {
        let mut found: Vec<Option<Row>> = Vec::new();
        found.resize_with(all.len(), || None);
        let together = match all.len() >= MANY {
            true => self.for_each()?,
            false => None,
        };
        let Some(statement) = together else {
            let each = self.query_each(all)?.into_iter();
            return Ok(each.map(|rows| rows.into_iter().next()).collect());
        };
        self.in_turn()?;
        let columns = columns(all.to_vec());
        let args: Vec<&(dyn ToSql + Sync)> = columns
            .iter()
            .map(|column| column as &(dyn ToSql + Sync))
            .collect();
        let rows = self.session.client.query(&statement, &args);
        let rows = self.session.runtime.block_on(rows);
        for row in rows.map_err(|error| self.session.cause(error.into()))? {
            let n: i64 = row.try_get(row.len().saturating_sub(1))?;
            let at = usize::try_from(n.saturating_sub(1)).unwrap_or(usize::MAX);
            if let Some(place) = found.get_mut(at) {
                place.get_or_insert(row);
            }
        }
        Ok(found)
    }
    /// Its rows for each of these, all asked for before the first is waited for.
    pub(in crate::store) fn query_each(&self, all: &[Vec<Arg<'_>>]) -> Result<Vec<Vec<Row>>> {
        self.in_turn()?;
        let all: Vec<_> = all.iter().map(|args| bound(args)).collect();
        let client = &self.session.client;
        let each = all
            .iter()
            .map(|args| client.query(&self.known.statement, args));
        let rows = self.session.runtime.block_on(try_join_all(each));
        rows.map_err(|error| self.session.cause(error.into()))
    }
    fn for_each(&self) -> Result<Option<Statement>> {
        if let Some(statement) = self.known.for_each() {
            return Ok(Some(statement.clone()));
        }
        let Some(sql) = of_each(&self.known.sql, self.known.statement.params()) else {
            return Ok(None);
        };
        let made = self
            .session
            .runtime
            .block_on(self.session.client.prepare(&sql));
        let statement = made.map_err(|error| self.session.cause(error.into()))?;
        self.known.prepared_for_each(statement.clone());
        Ok(Some(statement))
    }
}

fn owned(args: &[Arg<'_>]) -> Vec<Value> {
    args.iter().map(|arg| arg.owned()).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn marks_are_numbered() {
        assert_eq!(super::numbered("a = ? AND b = ?"), "a = $1 AND b = $2");
        assert_eq!(
            super::numbered("a = ?2, b = ?1, c = ?12"),
            "a = $2, b = $1, c = $12"
        );
    }
}
