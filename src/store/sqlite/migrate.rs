//! Migrations, forward only, and the keys that a database opens with.
//!
//! What always holds: `user_version` is the number of migrations that ran; each runs in one
//! transaction; a database of a newer program is refused; a landed file in `schema/` never changes.

use super::codec::{Result, micros, to_json_text};
use crate::canonical::connection::Merchant;
use crate::canonical::{MerchantId, Timestamp};
use crate::failpoint::failpoint;
use crate::store::StoreError;
use crate::store::open::StoreOptions;
use crate::store::vault::{self, MasterKey, Vault};
use rusqlite::{Connection, OptionalExtension, params};
use zeroize::Zeroizing;

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
];

const HASH_KEY: &str = "hash_key";

/// The schema that the database has.
pub(super) fn version(conn: &Connection) -> Result<usize> {
    let version: u32 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

/// Brings the database to the newest schema.
pub(super) fn migrate(conn: &mut Connection, now: Timestamp) -> Result<()> {
    let have = version(conn)?;
    if have > MIGRATIONS.len() {
        return Err(newer(have));
    }
    for (n, sql) in (1u32..).zip(MIGRATIONS.iter()).skip(have) {
        let tx = conn.transaction()?;
        tx.execute_batch(sql)?;
        tx.pragma_update(None, "user_version", n)?;
        tx.commit()?;
    }
    let tx = conn.transaction()?;
    let operator = Merchant {
        id: MerchantId::OPERATOR,
        name: "Operator".to_owned(),
        timezone: "UTC".to_owned(),
        settings: serde_json::Map::new(),
        created_at: now,
    };
    tx.execute(
        "INSERT OR IGNORE INTO merchants (id, name, data) VALUES (?, ?, ?)",
        params![
            operator.id.as_bytes(),
            operator.name,
            to_json_text(&operator)?
        ],
    )?;
    // Whoever held a lease or a key before is gone: one process has this file.
    tx.execute("DELETE FROM idempotency WHERE status IS NULL", [])?;
    tx.execute("UPDATE jobs SET lease_until = 0 WHERE state = 'leased'", [])?;
    tx.commit()?;
    Ok(())
}

fn newer(have: usize) -> StoreError {
    StoreError::Corrupt(format!(
        "the database has schema {have}, this program knows up to {}: it was written by a newer one",
        MIGRATIONS.len()
    ))
}

fn wrong_key() -> StoreError {
    StoreError::Corrupt(
        "the master key is not the one that this database was written with".to_owned(),
    )
}

fn hash_key(conn: &Connection) -> Result<Option<Vec<u8>>> {
    Ok(conn
        .query_row("SELECT value FROM meta WHERE name = ?", [HASH_KEY], |row| {
            row.get(0)
        })
        .optional()?)
}

/// The vault of a database that exists.
pub(super) fn read_vault(conn: &Connection, options: &StoreOptions) -> Result<Vault> {
    let have = version(conn)?;
    if have != MIGRATIONS.len() {
        return Err(if have > MIGRATIONS.len() {
            newer(have)
        } else {
            StoreError::Corrupt(format!(
                "the database has the older schema {have}: migrate it"
            ))
        });
    }
    let wrapped = hash_key(conn)?.ok_or_else(wrong_key)?;
    let key = options
        .master_key
        .unwrap(&wrapped, HASH_KEY.as_bytes())
        .map_err(|_| wrong_key())?;
    Ok(Vault::new(options.master_key.clone(), &key)?)
}

/// Is this the master key that the database is written with? `false` too when it has none yet.
pub(super) fn is_sealed_with(conn: &Connection, key: &MasterKey) -> Result<bool> {
    let wrapped = hash_key(conn)?;
    Ok(wrapped.is_some_and(|wrapped| key.unwrap(&wrapped, HASH_KEY.as_bytes()).is_ok()))
}

/// The vault of a database, with its first keys when it is new.
pub(super) fn unlock(conn: &mut Connection, options: &StoreOptions) -> Result<Vault> {
    let tx = conn.transaction()?;
    if hash_key(&tx)?.is_none() {
        let key = Zeroizing::new(vault::random());
        let wrapped = options.master_key.wrap(&key, HASH_KEY.as_bytes());
        tx.execute(
            "INSERT INTO meta (name, value) VALUES (?, ?)",
            params![HASH_KEY, wrapped],
        )?;
    }
    let vault = read_vault(&tx, options)?;
    let has_key = tx
        .prepare("SELECT 1 FROM data_keys WHERE merchant_id = ?")?
        .exists(params![MerchantId::OPERATOR.as_bytes()])?;
    if !has_key {
        insert_key(&tx, &vault, MerchantId::OPERATOR, options.clock.now())?;
    }
    tx.commit()?;
    Ok(vault)
}

/// Makes a data key for a merchant; yields its id and the wrapped key.
pub(super) fn insert_key(
    conn: &Connection,
    vault: &Vault,
    merchant: MerchantId,
    now: Timestamp,
) -> Result<(u32, Vec<u8>)> {
    conn.prepare_cached(
        "INSERT INTO data_keys (merchant_id, wrapped, created_at) VALUES (?, x'', ?)",
    )?
    .execute(params![merchant.as_bytes(), micros(now)])?;
    let id = u32::try_from(conn.last_insert_rowid())
        .map_err(|_| StoreError::Corrupt("no data key ids are left".to_owned()))?;
    let wrapped = vault.fresh(id, merchant);
    conn.prepare_cached("UPDATE data_keys SET wrapped = ? WHERE key_id = ?")?
        .execute(params![wrapped, id])?;
    Ok((id, wrapped))
}

/// Wraps every key anew for another master key, in one transaction. The server must not run.
///
/// # Errors
/// `Corrupt` when a key does not open with the old master key; then nothing was changed.
pub(super) fn rewrap(conn: &mut Connection, old: &MasterKey, new: &MasterKey) -> Result<u64> {
    let tx = conn.transaction()?;
    let wrapped = hash_key(&tx)?.ok_or_else(wrong_key)?;
    let key = old
        .unwrap(&wrapped, HASH_KEY.as_bytes())
        .map_err(|_| wrong_key())?;
    tx.execute(
        "UPDATE meta SET value = ? WHERE name = ?",
        params![new.wrap(&key, HASH_KEY.as_bytes()), HASH_KEY],
    )?;
    let keys = tx
        .prepare("SELECT key_id, merchant_id, wrapped FROM data_keys")?
        .query_map([], |row| {
            Ok((
                row.get::<_, u32>(0)?,
                row.get::<_, [u8; 16]>(1)?,
                row.get::<_, Vec<u8>>(2)?,
            ))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut count = 0;
    for (id, merchant, wrapped) in keys {
        let merchant = MerchantId::from_uuid(uuid::Uuid::from_bytes(merchant));
        let purpose = vault::purpose(merchant, id);
        let key = old.unwrap(&wrapped, &purpose).map_err(|_| wrong_key())?;
        tx.execute(
            "UPDATE data_keys SET wrapped = ? WHERE key_id = ?",
            params![new.wrap(&key, &purpose), id],
        )?;
        count += 1;
    }
    failpoint!("rotate.before_commit");
    tx.commit()?;
    Ok(count)
}
