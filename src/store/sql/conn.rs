//! A connection of either backend, as the modules beside this one use it.
//!
//! What always holds: one text of a statement serves both backends; where their words differ the
//! connection has the word ([`Conn::any`], [`Conn::for_update`]). Marks are `?` or `?1`.

use super::codec::Result;
use super::row::Row;
use super::value::{Arg, ToArg};
use crate::store::StoreError;
use crate::store::postgres::{Prepared, Session};

/// So much is asked for at once.
const AT_ONCE: usize = 512;

/// A connection.
#[derive(Clone, Copy)]
pub(in crate::store) enum Conn<'a> {
    Sqlite(&'a rusqlite::Connection),
    Postgres(&'a Session),
}

/// A statement, ready to be run.
pub(in crate::store) enum Statement<'a> {
    Sqlite(rusqlite::CachedStatement<'a>),
    Postgres(Prepared<'a>),
}

/// Why there is no row.
pub(in crate::store) enum RowError {
    /// Nothing was found.
    None,
    /// It could not be read.
    Failed(StoreError),
}

impl From<StoreError> for RowError {
    fn from(error: StoreError) -> Self {
        RowError::Failed(error)
    }
}
impl From<rusqlite::Error> for RowError {
    fn from(error: rusqlite::Error) -> Self {
        RowError::Failed(error.into())
    }
}
impl From<RowError> for StoreError {
    fn from(error: RowError) -> Self {
        match error {
            RowError::None => StoreError::Corrupt("a row that must be there is not".to_owned()),
            RowError::Failed(error) => error,
        }
    }
}

/// Takes what may be missing.
pub(in crate::store) trait OptionalExtension<T> {
    fn optional(self) -> Result<Option<T>>;
}

impl<T> OptionalExtension<T> for std::result::Result<T, RowError> {
    fn optional(self) -> Result<Option<T>> {
        match self {
            Ok(found) => Ok(Some(found)),
            Err(RowError::None) => Ok(None),
            Err(RowError::Failed(error)) => Err(error),
        }
    }
}

/// The merchant, in statements about a table that has it on a server only: there its key begins with
/// it. All three are empty on the embedded store.
pub(in crate::store) struct Owner {
    /// Before the columns of an insert, and before those of the key.
    pub column: &'static str,
    /// Before the values of an insert.
    pub value: String,
    /// Before the conditions of a look-up.
    pub is: String,
}

impl<'a> Conn<'a> {
    /// The merchant of the connection that a mark is bound to.
    pub(in crate::store) fn owner_of_connection(self, mark: &str) -> Owner {
        self.owner(&format!(
            "coalesce((SELECT merchant_id FROM connections WHERE id = {mark}),
               '00000000-0000-0000-0000-000000000000')"
        ))
    }
    /// The merchant, as an expression finds it.
    pub(in crate::store) fn owner(self, found: &str) -> Owner {
        match self {
            Conn::Sqlite(_) => Owner {
                column: "",
                value: String::new(),
                is: String::new(),
            },
            Conn::Postgres(_) => Owner {
                column: "merchant_id, ",
                value: format!("{found}, "),
                is: format!("merchant_id = {found} AND "),
            },
        }
    }
    /// What is bound for a merchant that no other table tells: nothing on the embedded store.
    pub(in crate::store) fn owner_arg<'v>(self, merchant: &'v [u8; 16]) -> Option<Arg<'v>> {
        match self {
            Conn::Sqlite(_) => None,
            Conn::Postgres(_) => Some(merchant.arg()),
        }
    }
    /// Prepares a statement, or takes it as it was prepared before.
    pub(in crate::store) fn prepare_cached(self, sql: &str) -> Result<Statement<'a>> {
        match self {
            Conn::Sqlite(conn) => Ok(Statement::Sqlite(conn.prepare_cached(sql)?)),
            Conn::Postgres(session) => Ok(Statement::Postgres(session.prepare(sql)?)),
        }
    }
    /// The condition that a column of ids has one of those that its mark is bound to.
    pub(in crate::store) fn any(self, column: &str, mark: &str) -> String {
        match self {
            Conn::Sqlite(_) => {
                format!("{column} IN (SELECT unhex(value) FROM json_each({mark}))")
            }
            Conn::Postgres(_) => format!("{column} = ANY({mark})"),
        }
    }
    /// The columns that make an object of a merchant one: on a server they begin with the merchant,
    /// so that tables can be spread over machines by it.
    pub(in crate::store) fn key(self) -> &'static str {
        match self {
            Conn::Sqlite(_) => "id",
            Conn::Postgres(_) => "merchant_id, id",
        }
    }
    /// Ends a query whose row is written next: nobody else may write it in between. The embedded
    /// store has one writer, who needs no word for it.
    pub(in crate::store) fn for_update(self) -> &'static str {
        match self {
            Conn::Sqlite(_) => "",
            Conn::Postgres(_) => " FOR UPDATE",
        }
    }
    /// As [`Conn::for_update`], for the rows of one table of a query of several.
    pub(in crate::store) fn of_locked(self, table: &str, query: &str) -> String {
        match self {
            Conn::Sqlite(_) => query.to_owned(),
            Conn::Postgres(_) => format!("{query} FOR UPDATE OF {table}"),
        }
    }
    /// As [`Conn::for_update`]; rows that another one writes are passed over.
    pub(in crate::store) fn skip_locked(self) -> &'static str {
        match self {
            Conn::Sqlite(_) => "",
            Conn::Postgres(_) => " FOR UPDATE SKIP LOCKED",
        }
    }
}

/// Transactions.
impl Conn<'_> {
    /// Whether one is open, as far as it is known here.
    pub(in crate::store) fn in_transaction(self) -> bool {
        match self {
            Conn::Sqlite(conn) => !conn.is_autocommit(),
            Conn::Postgres(session) => session.in_transaction(),
        }
    }
    /// Waits until all that was sent is done.
    pub(in crate::store) fn settle(self) -> Result<()> {
        match self {
            Conn::Sqlite(_) => Ok(()),
            Conn::Postgres(session) => session.settle(),
        }
    }
    pub(in crate::store) fn savepoint(self) -> Result<()> {
        self.plain("SAVEPOINT change")
    }
    pub(in crate::store) fn release(self) -> Result<()> {
        self.plain("RELEASE change")
    }
    pub(in crate::store) fn roll_back_to_savepoint(self) -> Result<()> {
        if let Conn::Postgres(session) = self {
            session.forget();
        }
        self.plain("ROLLBACK TO change")?;
        self.release()
    }
    pub(in crate::store) fn commit(self) -> Result<()> {
        match self {
            Conn::Sqlite(_) => self.plain("COMMIT"),
            Conn::Postgres(session) => session.commit(),
        }
    }
    fn plain(self, sql: &'static str) -> Result<()> {
        match self {
            Conn::Sqlite(conn) => {
                conn.prepare_cached(sql)?.execute([])?;
                Ok(())
            }
            Conn::Postgres(session) => session.plain(sql),
        }
    }
}

impl Statement<'_> {
    /// Runs it; yields how many rows it wrote.
    pub(in crate::store) fn execute<'v>(&mut self, args: impl AsRef<[Arg<'v>]>) -> Result<usize> {
        match self {
            Statement::Sqlite(statement) => {
                Ok(statement.execute(rusqlite::params_from_iter(args.as_ref()))?)
            }
            Statement::Postgres(statement) => statement.execute(args.as_ref()),
        }
    }
    /// Runs it where nobody needs to know how many rows it wrote. A server is not waited for: that
    /// it failed is told at the end of the savepoint.
    pub(in crate::store) fn run<'v>(&mut self, args: impl AsRef<[Arg<'v>]>) -> Result<()> {
        match self {
            Statement::Sqlite(_) => self.execute(args).map(|_| ()),
            Statement::Postgres(statement) => statement.send(args.as_ref()),
        }
    }
    /// Runs it where it must write something, or else this is the error. A server is not waited for.
    pub(in crate::store) fn must<'v>(
        &mut self,
        args: impl AsRef<[Arg<'v>]>,
        error: impl FnOnce() -> StoreError,
    ) -> Result<()> {
        match self {
            Statement::Sqlite(_) => match self.execute(args)? {
                0 => Err(error()),
                _ => Ok(()),
            },
            Statement::Postgres(statement) => statement.must(args.as_ref(), error()),
        }
    }
    /// The first row for each of these, read by the places of its columns. A server is asked once.
    pub(in crate::store) fn first_of_each<T>(
        &mut self,
        all: &[Vec<Arg<'_>>],
        mut read: impl FnMut(Row<'_>) -> Result<T>,
    ) -> Result<Vec<Option<T>>> {
        let mut found = Vec::with_capacity(all.len());
        match self {
            Statement::Sqlite(_) => {
                for args in all {
                    found.push(self.query_row(args, &mut read).optional()?);
                }
            }
            Statement::Postgres(statement) => {
                for args in all.chunks(AT_ONCE) {
                    for row in statement.first_of_each(args)? {
                        let row = row.as_ref().map(Row::Postgres);
                        found.push(row.map(&mut read).transpose()?);
                    }
                }
            }
        }
        Ok(found)
    }
    /// Rows for each of these in turn, until there are enough; more are not read. A server is asked for
    /// all before the first answer is waited for.
    pub(in crate::store) fn up_to<T>(
        &mut self,
        enough: usize,
        all: &[Vec<Arg<'_>>],
        mut read: impl FnMut(Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut found = Vec::new();
        match self {
            Statement::Sqlite(_) => {
                for args in all {
                    let mut rows = self.query(args)?;
                    while found.len() < enough
                        && let Some(row) = rows.next()?
                    {
                        found.push(read(row)?);
                    }
                }
            }
            Statement::Postgres(statement) => {
                for row in statement.query_each(all)?.iter().flatten().take(enough) {
                    found.push(read(Row::Postgres(row))?);
                }
            }
        }
        Ok(found)
    }
    /// Whether it finds anything.
    pub(in crate::store) fn exists<'v>(&mut self, args: impl AsRef<[Arg<'v>]>) -> Result<bool> {
        Ok(self.query(args)?.next()?.is_some())
    }
    /// Its rows.
    pub(in crate::store) fn query<'v>(&mut self, args: impl AsRef<[Arg<'v>]>) -> Result<Rows<'_>> {
        match self {
            Statement::Sqlite(statement) => Ok(Rows::Sqlite(
                statement.query(rusqlite::params_from_iter(args.as_ref()))?,
            )),
            Statement::Postgres(statement) => Ok(Rows::Postgres {
                rows: statement.query(args.as_ref())?,
                next: 0,
            }),
        }
    }
    /// Its first row.
    pub(in crate::store) fn query_row<'v, T>(
        &mut self,
        args: impl AsRef<[Arg<'v>]>,
        read: impl FnOnce(Row<'_>) -> Result<T>,
    ) -> std::result::Result<T, RowError> {
        let mut rows = self.query(args)?;
        match rows.next()? {
            Some(row) => Ok(read(row)?),
            None => Err(RowError::None),
        }
    }
    /// All its rows, each read.
    pub(in crate::store) fn query_map<'v, T>(
        &mut self,
        args: impl AsRef<[Arg<'v>]>,
        mut read: impl FnMut(Row<'_>) -> Result<T>,
    ) -> Result<std::vec::IntoIter<Result<T>>> {
        let mut rows = self.query(args)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read(row));
        }
        Ok(found.into_iter())
    }
}

/// Rows, one after the other.
pub(in crate::store) enum Rows<'a> {
    Sqlite(rusqlite::Rows<'a>),
    Postgres {
        rows: Vec<tokio_postgres::Row>,
        next: usize,
    },
}

impl Rows<'_> {
    /// The next one.
    pub(in crate::store) fn next(&mut self) -> Result<Option<Row<'_>>> {
        match self {
            Rows::Sqlite(rows) => Ok(rows.next()?.map(Row::Sqlite)),
            Rows::Postgres { rows, next } => {
                let row = rows.get(*next);
                *next += 1;
                Ok(row.map(Row::Postgres))
            }
        }
    }
}
