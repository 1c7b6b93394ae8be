//! Migrations, forward only.
//!
//! What always holds: one node migrates at a time, in one transaction; a database of a newer program
//! is refused; a landed file in `schema/` never changes.

use super::session::Session;
use crate::store::StoreError;
use crate::store::open::StoreOptions;
use crate::store::sql::codec::{Result, micros};
use crate::store::sql::conn::Conn;
use crate::store::sql::keys;
use crate::store::sql::value::params;
use crate::store::vault::Vault;

/// Every schema that ever landed, in order.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("schema/0001.sql"),
    include_str!("schema/0002.sql"),
    include_str!("schema/0003.sql"),
    include_str!("schema/0004.sql"),
];

/// The oldest server that this was built for, as it numbers itself.
const OLDEST: i64 = 150_000;

/// The schema that the database has.
pub(super) fn version(conn: Conn<'_>) -> Result<usize> {
    let there = conn
        .prepare_cached("SELECT 1 WHERE to_regclass('crossdock_schemas') IS NOT NULL")?
        .exists(params![])?;
    if !there {
        return Ok(0);
    }
    let version: i64 = conn
        .prepare_cached("SELECT coalesce(max(version), 0) FROM crossdock_schemas")?
        .query_row(params![], |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

/// That there is a store.
///
/// # Errors
/// `NotFound` when there is none.
pub(super) fn is_there(session: &Session) -> Result<()> {
    match version(Conn::Postgres(session))? {
        0 => Err(StoreError::NotFound("no store in the database".to_owned())),
        _ => Ok(()),
    }
}

fn server_version(conn: Conn<'_>) -> Result<()> {
    let version: i64 = conn
        .prepare_cached("SELECT current_setting('server_version_num')::bigint")?
        .query_row(params![], |row| row.get(0))?;
    if version < OLDEST {
        return Err(StoreError::Unavailable(format!(
            "the server is PostgreSQL {}; 15 is the oldest that will do",
            version / 10_000
        )));
    }
    Ok(())
}

/// Brings the database to the newest schema, and yields its vault.
pub(super) fn migrate(session: &Session, options: &StoreOptions) -> Result<Vault> {
    let conn = Conn::Postgres(session);
    server_version(conn)?;
    session.begin("BEGIN")?;
    let migrated = under_lock(session, options);
    match migrated {
        Ok(vault) => {
            session.commit()?;
            Ok(vault)
        }
        Err(error) => {
            session.roll_back();
            Err(error)
        }
    }
}

fn under_lock(session: &Session, options: &StoreOptions) -> Result<Vault> {
    let conn = Conn::Postgres(session);
    // A large table takes its time to be changed, and who comes second waits for who was first.
    session.batch("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")?;
    conn.prepare_cached("SELECT pg_advisory_xact_lock(?)")?
        .run(params![session.locks().schema])?;
    // Nodes at work are not held up for long by one that waits for their locks.
    session.batch("SET LOCAL lock_timeout = '20s'")?;
    let have = version(conn)?;
    if have > MIGRATIONS.len() {
        return Err(keys::newer(have, MIGRATIONS.len()));
    }
    if have == 0 {
        session.batch(
            "CREATE TABLE crossdock_schemas (version bigint PRIMARY KEY, at bigint NOT NULL)",
        )?;
    }
    let now = options.clock.now();
    for (n, sql) in (1i64..).zip(MIGRATIONS).skip(have) {
        session.batch(sql)?;
        conn.prepare_cached("INSERT INTO crossdock_schemas (version, at) VALUES (?, ?)")?
            .execute(params![n, micros(now)])?;
    }
    keys::insert_operator(conn, now)?;
    keys::unlock(conn, options)
}

/// The vault of a database that is there already.
pub(super) fn read_vault(session: &Session, options: &StoreOptions) -> Result<Vault> {
    let conn = Conn::Postgres(session);
    let have = version(conn)?;
    if have > MIGRATIONS.len() {
        return Err(keys::newer(have, MIGRATIONS.len()));
    }
    if have < MIGRATIONS.len() {
        return Err(StoreError::NotFound(format!(
            "the database has schema {have}: run `crossdock migrate`"
        )));
    }
    keys::read_vault(conn, options)
}
