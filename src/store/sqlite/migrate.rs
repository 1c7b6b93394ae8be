//! Migrations, forward only, and the keys that a database opens with.
//!
//! What always holds: `user_version` is the number of migrations that ran; each runs in one
//! transaction; a database of a newer program is refused; a landed file in `schema/` never changes.

use crate::canonical::Timestamp;
use crate::failpoint::failpoint;
use crate::store::StoreError;
use crate::store::open::StoreOptions;
use crate::store::sql::codec::Result;
use crate::store::sql::conn::Conn;
use crate::store::sql::keys;
use crate::store::vault::{MasterKey, Vault};
use rusqlite::Connection;

/// Every schema that ever landed, in order.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("schema/0001.sql"),
    include_str!("schema/0002.sql"),
    include_str!("schema/0003.sql"),
    include_str!("schema/0004.sql"),
    include_str!("schema/0005.sql"),
    include_str!("schema/0006.sql"),
    include_str!("schema/0007.sql"),
    include_str!("schema/0008.sql"),
    include_str!("schema/0009.sql"),
];

/// The schema that the database has.
pub(super) fn version(conn: &Connection) -> Result<usize> {
    let version: u32 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

/// Brings the database to the newest schema.
pub(super) fn migrate(conn: &mut Connection, now: Timestamp) -> Result<()> {
    let have = version(conn)?;
    if have > MIGRATIONS.len() {
        return Err(keys::newer(have, MIGRATIONS.len()));
    }
    for (n, sql) in (1u32..).zip(MIGRATIONS.iter()).skip(have) {
        let tx = conn.transaction()?;
        tx.execute_batch(sql)?;
        tx.pragma_update(None, "user_version", n)?;
        tx.commit()?;
    }
    let tx = conn.transaction()?;
    keys::insert_operator(Conn::Sqlite(&tx), now)?;
    // Whoever held a lease or a key before is gone: one process has this file.
    tx.execute("DELETE FROM idempotency WHERE status IS NULL", [])?;
    tx.execute("UPDATE jobs SET lease_until = 0 WHERE state = 'leased'", [])?;
    tx.commit()?;
    Ok(())
}

/// The vault of a database that exists.
pub(super) fn read_vault(conn: &Connection, options: &StoreOptions) -> Result<Vault> {
    let have = version(conn)?;
    if have != MIGRATIONS.len() {
        return Err(if have > MIGRATIONS.len() {
            keys::newer(have, MIGRATIONS.len())
        } else {
            StoreError::Corrupt(format!(
                "the database has the older schema {have}: migrate it"
            ))
        });
    }
    keys::read_vault(Conn::Sqlite(conn), options)
}

/// Is this the master key that the database is written with? `false` too when it has none yet.
pub(super) fn is_sealed_with(conn: &Connection, key: &MasterKey) -> Result<bool> {
    keys::is_sealed_with(Conn::Sqlite(conn), key)
}

/// The vault of a database, with its first keys when it is new.
pub(super) fn unlock(conn: &mut Connection, options: &StoreOptions) -> Result<Vault> {
    let tx = conn.transaction()?;
    let vault = keys::unlock(Conn::Sqlite(&tx), options)?;
    tx.commit()?;
    Ok(vault)
}

/// Jobs that a process had under way which is dead now: whoever opens the file holds its lock, so
/// nobody else can be at work. Their unfinished attempts tell what may have happened.
pub(super) fn release_dead(conn: &Connection) -> Result<()> {
    conn.execute(
        "UPDATE jobs SET state = 'ready', lease_owner = NULL, lease_until = NULL
         WHERE state = 'leased'",
        [],
    )?;
    Ok(())
}

/// Wraps every key anew for another master key, in one transaction. The server must not run.
///
/// # Errors
/// `Corrupt` when a key does not open with the old master key; then nothing was changed.
pub(super) fn rewrap(conn: &mut Connection, old: &MasterKey, new: &MasterKey) -> Result<u64> {
    let tx = conn.transaction()?;
    let count = keys::rewrap(Conn::Sqlite(&tx), old, new)?;
    failpoint!("rotate.before_commit");
    tx.commit()?;
    Ok(count)
}
