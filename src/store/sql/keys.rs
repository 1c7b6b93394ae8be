//! The keys that a database opens with: the key of content hashes, and the merchants' data keys,
//! all wrapped by the master key.
//!
//! What always holds: a database opens with the master key that it was written with, and no other.

use super::codec::{Result, micros, to_json_text};
use super::conn::{Conn, OptionalExtension};
use super::value::params;
use crate::canonical::connection::Merchant;
use crate::canonical::{MerchantId, Timestamp};
use crate::store::StoreError;
use crate::store::open::StoreOptions;
use crate::store::vault::{self, MasterKey, Vault};
use zeroize::Zeroizing;

const HASH_KEY: &str = "hash_key";

fn wrong_key() -> StoreError {
    StoreError::Corrupt(
        "the master key is not the one that this database was written with".to_owned(),
    )
}

/// A database of a program that knows more schemas.
pub(in crate::store) fn newer(have: usize, known: usize) -> StoreError {
    StoreError::Corrupt(format!(
        "the database has schema {have}, this program knows up to {known}: it was written by a newer one"
    ))
}

/// The reserved merchant that owns what is shared.
pub(in crate::store) fn insert_operator(conn: Conn<'_>, now: Timestamp) -> Result<()> {
    let operator = Merchant {
        id: MerchantId::OPERATOR,
        name: "Operator".to_owned(),
        timezone: "UTC".to_owned(),
        settings: serde_json::Map::new(),
        created_at: now,
        erased_at: None,
    };
    conn.prepare_cached(
        "INSERT INTO merchants (id, name, data) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING",
    )?
    .execute(params![
        operator.id.as_bytes(),
        operator.name,
        to_json_text(&operator)?
    ])?;
    Ok(())
}

fn hash_key(conn: Conn<'_>) -> Result<Option<Vec<u8>>> {
    conn.prepare_cached("SELECT value FROM meta WHERE name = ?")?
        .query_row(params![HASH_KEY], |row| row.get(0))
        .optional()
}

/// Is this the master key that the database is written with? `false` too when it has none yet.
pub(in crate::store) fn is_sealed_with(conn: Conn<'_>, key: &MasterKey) -> Result<bool> {
    let wrapped = hash_key(conn)?;
    Ok(wrapped.is_some_and(|wrapped| key.unwrap(&wrapped, HASH_KEY.as_bytes()).is_ok()))
}

/// The vault of a database that has its keys.
pub(in crate::store) fn read_vault(conn: Conn<'_>, options: &StoreOptions) -> Result<Vault> {
    let wrapped = hash_key(conn)?.ok_or_else(wrong_key)?;
    let key = options
        .master_key
        .unwrap(&wrapped, HASH_KEY.as_bytes())
        .map_err(|_| wrong_key())?;
    Ok(Vault::new(options.master_key.clone(), &key)?)
}

/// The vault of a database, with its first keys when it is new; within a transaction.
pub(in crate::store) fn unlock(conn: Conn<'_>, options: &StoreOptions) -> Result<Vault> {
    if hash_key(conn)?.is_none() {
        let key = Zeroizing::new(vault::random());
        let wrapped = options.master_key.wrap(&key, HASH_KEY.as_bytes());
        conn.prepare_cached("INSERT INTO meta (name, value) VALUES (?, ?)")?
            .execute(params![HASH_KEY, wrapped])?;
    }
    let vault = read_vault(conn, options)?;
    let has_key = conn
        .prepare_cached("SELECT 1 FROM data_keys WHERE merchant_id = ?")?
        .exists(params![MerchantId::OPERATOR.as_bytes()])?;
    if !has_key {
        insert_key(conn, &vault, MerchantId::OPERATOR, options.clock.now())?;
    }
    Ok(vault)
}

/// Makes a data key for a merchant; yields its id and the wrapped key.
pub(in crate::store) fn insert_key(
    conn: Conn<'_>,
    vault: &Vault,
    merchant: MerchantId,
    now: Timestamp,
) -> Result<(u32, Vec<u8>)> {
    let none: &[u8] = &[];
    let id: i64 = conn
        .prepare_cached(
            "INSERT INTO data_keys (merchant_id, wrapped, created_at) VALUES (?, ?, ?)
             RETURNING key_id",
        )?
        .query_row(params![merchant.as_bytes(), none, micros(now)], |row| {
            row.get(0)
        })?;
    let id = u32::try_from(id)
        .map_err(|_| StoreError::Corrupt("no data key ids are left".to_owned()))?;
    let wrapped = vault.fresh(id, merchant);
    conn.prepare_cached("UPDATE data_keys SET wrapped = ? WHERE key_id = ?")?
        .execute(params![wrapped, id])?;
    Ok((id, wrapped))
}

/// Wraps every key anew for another master key, within a transaction. The server must not run.
///
/// # Errors
/// `Corrupt` when a key does not open with the old master key; then the transaction is to be ended.
pub(in crate::store) fn rewrap(conn: Conn<'_>, old: &MasterKey, new: &MasterKey) -> Result<u64> {
    let wrapped = hash_key(conn)?.ok_or_else(wrong_key)?;
    let key = old
        .unwrap(&wrapped, HASH_KEY.as_bytes())
        .map_err(|_| wrong_key())?;
    conn.prepare_cached("UPDATE meta SET value = ? WHERE name = ?")?
        .execute(params![new.wrap(&key, HASH_KEY.as_bytes()), HASH_KEY])?;
    let keys = conn
        .prepare_cached("SELECT key_id, merchant_id, wrapped FROM data_keys")?
        .query_map(params![], |row| {
            Ok((
                row.get::<u32>(0)?,
                row.get::<[u8; 16]>(1)?,
                row.get::<Vec<u8>>(2)?,
            ))
        })?
        .collect::<Result<Vec<_>>>()?;
    let mut count = 0;
    for (id, merchant, wrapped) in keys {
        let merchant = MerchantId::from_uuid(uuid::Uuid::from_bytes(merchant));
        let purpose = vault::purpose(merchant, id);
        let key = old.unwrap(&wrapped, &purpose).map_err(|_| wrong_key())?;
        conn.prepare_cached("UPDATE data_keys SET wrapped = ? WHERE key_id = ?")?
            .execute(params![new.wrap(&key, &purpose), id])?;
        count += 1;
    }
    Ok(count)
}
