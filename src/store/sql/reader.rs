//! A read at work, and the keys that it opens with.
//!
//! What always holds: a key that is not in memory is read once; what was erased does not open.

use super::cache::SnapshotKey;
use super::codec::Result;
use super::conn::{Conn, OptionalExtension};
use super::value::params;
use super::{Shared, no_key};
use crate::canonical::MerchantId;
use crate::store::vault::{self, DataKey, VaultError};
use bytes::Bytes;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

/// A reader at work: all that it reads is of one state of the database.
pub(in crate::store) struct Reader<'a> {
    pub conn: Conn<'a>,
    pub shared: &'a Shared,
    /// Objects that were looked up beforehand; `None` where there is none.
    pub ahead: RefCell<HashMap<SnapshotKey, Option<Bytes>>>,
}

impl<'a> Reader<'a> {
    /// Reads on a connection, in the transaction that is open.
    pub(in crate::store) fn new(conn: Conn<'a>, shared: &'a Shared) -> Self {
        Self {
            conn,
            shared,
            ahead: RefCell::default(),
        }
    }
}

impl Reader<'_> {
    /// The merchant's newest data key.
    pub(in crate::store) fn key_of(&self, merchant: MerchantId) -> Result<Arc<DataKey>> {
        if let Some(key) = self.shared.vault.of_merchant(merchant) {
            return Ok(key);
        }
        let found = self
            .conn
            .prepare_cached(
                "SELECT key_id, wrapped FROM data_keys WHERE merchant_id = ?
                 ORDER BY key_id DESC LIMIT 1",
            )?
            .query_row(params![merchant.as_bytes()], |row| {
                Ok((row.get::<u32>(0)?, row.get::<Vec<u8>>(1)?))
            })
            .optional()?;
        let (id, wrapped) = found.ok_or_else(|| no_key(merchant))?;
        Ok(self.shared.vault.load(id, merchant, &wrapped, true)?)
    }

    fn key_with(&self, id: u32) -> Result<Arc<DataKey>> {
        if let Some(key) = self.shared.vault.by_id(id) {
            return Ok(key);
        }
        let found = self
            .conn
            .prepare_cached("SELECT merchant_id, wrapped FROM data_keys WHERE key_id = ?")?
            .query_row(params![id], |row| {
                Ok((row.get::<[u8; 16]>(0)?, row.get::<Vec<u8>>(1)?))
            })
            .optional()?;
        let (merchant, wrapped) = found.ok_or(VaultError::Erased)?;
        let merchant = MerchantId::from_uuid(uuid::Uuid::from_bytes(merchant));
        Ok(self.shared.vault.load(id, merchant, &wrapped, false)?)
    }

    /// Opens a sealed column.
    pub(in crate::store) fn open(&self, table: &str, row: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        let key = self.key_with(vault::key_id_of(sealed)?)?;
        Ok(vault::open_sealed(&key, table, row, sealed)?)
    }

    /// As [`Reader::open`]; `None` when the merchant was erased.
    pub(in crate::store) fn open_unless_erased(
        &self,
        table: &str,
        row: &[u8],
        sealed: &[u8],
    ) -> Result<Option<Vec<u8>>> {
        let id = vault::key_id_of(sealed)?;
        let known: bool = self.shared.vault.by_id(id).is_some()
            || self
                .conn
                .prepare_cached("SELECT 1 FROM data_keys WHERE key_id = ?")?
                .exists(params![id])?;
        if !known {
            return Ok(None);
        }
        self.open(table, row, sealed).map(Some)
    }
}
