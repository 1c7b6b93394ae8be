//! A connection to the server, used from one thread at a time as if it answered at once.
//!
//! What always holds: statements reach the server in the order in which they were given; what was
//! only sent is told of by [`Session::settle`] or by the next one that is waited for, and the first
//! error is the one that is told; a text of a statement is prepared once.

use super::connect::Locks;
use super::encode::bound;
use crate::store::sql::codec::Result;
use crate::store::sql::value::{Arg, Value};
use futures_util::task::noop_waker_ref;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::runtime::Handle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

type Sent = Pin<Box<dyn Future<Output = std::result::Result<(), Error>> + Send>>;

/// So many may be under way without having been waited for.
const UNDER_WAY: usize = 1024;
/// So many statements stay prepared.
const PREPARED: usize = 512;

/// See the module.
pub(in crate::store) struct Session {
    client: Arc<Client>,
    runtime: Handle,
    locks: Locks,
    prepared: RefCell<HashMap<String, Statement>>,
    sent: RefCell<VecDeque<Sent>>,
    open: Cell<bool>,
}

/// A statement of a session.
pub(in crate::store) struct Prepared<'a> {
    session: &'a Session,
    statement: Statement,
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
        let statement = match known {
            Some(statement) => statement,
            None => {
                let made = self.runtime.block_on(self.client.prepare(&numbered(sql)));
                let statement = made.map_err(|error| self.cause(error))?;
                let mut prepared = self.prepared.borrow_mut();
                if prepared.len() >= PREPARED {
                    prepared.clear();
                }
                prepared.insert(sql.to_owned(), statement.clone());
                statement
            }
        };
        Ok(Prepared {
            session: self,
            statement,
        })
    }

    /// The first error of what was sent, or else this one.
    fn cause(&self, error: Error) -> crate::store::StoreError {
        match self.settle() {
            Err(first) => first,
            Ok(()) => error.into(),
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
            return self.settle();
        }
        Ok(())
    }

    /// Waits until all that was sent is done; tells the first error.
    pub(in crate::store) fn settle(&self) -> Result<()> {
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
        first.map_or(Ok(()), |error| Err(error.into()))
    }

    /// What was sent is done when it is done: nobody wants to know.
    pub(super) fn forget(&self) {
        self.sent.borrow_mut().clear();
    }

    /// Sends a statement without values and answer.
    pub(in crate::store) fn plain(&self, sql: &str) -> Result<()> {
        let (client, sql) = (Arc::clone(&self.client), sql.to_owned());
        self.push(Box::pin(async move { client.batch_execute(&sql).await }))
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
        self.open.set(false);
        self.plain("COMMIT")?;
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

impl Prepared<'_> {
    /// Runs it; yields how many rows it wrote.
    pub(in crate::store) fn execute(&self, args: &[Arg<'_>]) -> Result<usize> {
        let args: Vec<&(dyn ToSql + Sync)> = bound(args);
        let run = self.session.client.execute(&self.statement, &args);
        let written = self.session.runtime.block_on(run);
        let written = written.map_err(|error| self.session.cause(error))?;
        Ok(usize::try_from(written).unwrap_or(usize::MAX))
    }
    /// Sends it.
    pub(in crate::store) fn send(&self, args: &[Arg<'_>]) -> Result<()> {
        let args: Vec<Value> = args.iter().map(|arg| arg.owned()).collect();
        let (client, statement) = (Arc::clone(&self.session.client), self.statement.clone());
        self.session.push(Box::pin(async move {
            client.execute_raw(&statement, args).await.map(|_| ())
        }))
    }
    /// All its rows.
    pub(in crate::store) fn query(&self, args: &[Arg<'_>]) -> Result<Vec<Row>> {
        let args: Vec<&(dyn ToSql + Sync)> = bound(args);
        let run = self.session.client.query(&self.statement, &args);
        let rows = self.session.runtime.block_on(run);
        rows.map_err(|error| self.session.cause(error))
    }
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
