//! Encryption at rest (DECISIONS 15): the master key wraps one data key a merchant; the data keys
//! seal what is personal or secret.
//!
//! What always holds: a ciphertext is a version byte, the id of its data key, a random nonce, the
//! bytes and a tag (AES-256-GCM); it is bound to its table and row, so that it opens nowhere else;
//! keys are wiped from memory when dropped; deleting a merchant's data key erases all that was
//! sealed with it. Content hashes are keyed with a key of their own, which survives a change of the
//! master key. The store seals and opens on its callers' threads, never on the writer's.

use super::StoreError;
use crate::canonical::MerchantId;
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use rand::RngCore;
use secrecy::SecretString;
use sha2::Sha256;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const NONCE: usize = 12;
const TAG: usize = 16;
/// What sealing adds to a text: version, key id, nonce, tag.
pub const OVERHEAD: usize = 1 + 4 + NONCE + TAG;

/// Why something does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The key is not the one it was sealed with, or the bytes were changed or moved.
    #[error("does not open with this key, or was changed")]
    Refused,
    /// The data key is gone: the merchant was erased.
    #[error("its data key was erased")]
    Erased,
    /// Not a ciphertext of ours.
    #[error("not a sealed value")]
    Malformed,
    /// A master key that is not 32 bytes in base64.
    #[error("a master key is 32 bytes in base64")]
    BadMasterKey,
}

impl From<VaultError> for StoreError {
    fn from(error: VaultError) -> Self {
        StoreError::Corrupt(error.to_string())
    }
}

/// The key that wraps the data keys. Never shown by `Debug`.
#[derive(Clone)]
pub struct MasterKey(Arc<Zeroizing<[u8; 32]>>);

impl MasterKey {
    /// A fresh random key.
    pub fn generate() -> Self {
        Self(Arc::new(Zeroizing::new(random())))
    }
    /// Reads 32 bytes in base64, as in the setting or the key file.
    ///
    /// # Errors
    /// `BadMasterKey` when it is anything else.
    pub fn from_base64(text: &str) -> Result<Self, VaultError> {
        let bytes = Zeroizing::new(
            STANDARD
                .decode(text.trim())
                .map_err(|_| VaultError::BadMasterKey)?,
        );
        <[u8; 32]>::try_from(bytes.as_slice())
            .map(|key| Self(Arc::new(Zeroizing::new(key))))
            .map_err(|_| VaultError::BadMasterKey)
    }
    /// The text to put into the key file.
    pub fn to_base64(&self) -> SecretString {
        SecretString::from(STANDARD.encode(self.0.as_slice()))
    }
    /// Wraps 32 key bytes, bound to what they are for.
    pub(crate) fn wrap(&self, key: &[u8; 32], purpose: &[u8]) -> Vec<u8> {
        seal_with(&cipher(&self.0), 0, "data_keys", purpose, key)
    }
    /// Unwraps what [`MasterKey::wrap`] made.
    pub(crate) fn unwrap(
        &self,
        wrapped: &[u8],
        purpose: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        let plain = Zeroizing::new(open_with(&cipher(&self.0), "data_keys", purpose, wrapped)?);
        <[u8; 32]>::try_from(plain.as_slice())
            .map(Zeroizing::new)
            .map_err(|_| VaultError::Malformed)
    }
}

/// A merchant's data key, ready for use.
pub struct DataKey {
    id: u32,
    cipher: Aes256Gcm,
}

impl DataKey {
    /// Seals a text for this table and row.
    pub fn seal(&self, table: &str, row: &[u8], plain: &[u8]) -> Vec<u8> {
        seal_with(&self.cipher, self.id, table, row, plain)
    }
    /// The key's id, as in its ciphertexts.
    pub const fn id(&self) -> u32 {
        self.id
    }
}

/// The keys in memory.
pub struct Vault {
    master: MasterKey,
    hasher: Hmac<Sha256>,
    by_id: RwLock<HashMap<u32, Arc<DataKey>>>,
    by_merchant: RwLock<HashMap<MerchantId, Arc<DataKey>>>,
}

impl Vault {
    /// A vault with this master key and the (unwrapped) key of content hashes.
    pub fn new(master: MasterKey, hash_key: &[u8; 32]) -> Result<Self, VaultError> {
        Ok(Self {
            master,
            hasher: <Hmac<Sha256> as KeyInit>::new_from_slice(hash_key)
                .map_err(|_| VaultError::BadMasterKey)?,
            by_id: RwLock::default(),
            by_merchant: RwLock::default(),
        })
    }
    /// The master key.
    pub const fn master(&self) -> &MasterKey {
        &self.master
    }
    /// Keyed hash of bytes (HMAC-SHA-256).
    pub fn hash(&self, bytes: &[u8]) -> [u8; 32] {
        let mut mac = self.hasher.clone();
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    }
    /// The merchant's newest key, if it was loaded.
    pub fn of_merchant(&self, merchant: MerchantId) -> Option<Arc<DataKey>> {
        let keys = self
            .by_merchant
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        keys.get(&merchant).cloned()
    }
    /// The key with this id, if it was loaded.
    pub fn by_id(&self, id: u32) -> Option<Arc<DataKey>> {
        let keys = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
        keys.get(&id).cloned()
    }
    /// Unwraps and remembers a data key; `newest` makes it the merchant's key for sealing.
    pub fn load(
        &self,
        id: u32,
        merchant: MerchantId,
        wrapped: &[u8],
        newest: bool,
    ) -> Result<Arc<DataKey>, VaultError> {
        let key = self.master.unwrap(wrapped, &purpose(merchant, id))?;
        let key = Arc::new(DataKey {
            id,
            cipher: cipher(&key),
        });
        self.by_id
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, Arc::clone(&key));
        if newest {
            self.by_merchant
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(merchant, Arc::clone(&key));
        }
        Ok(key)
    }
    /// The ids of all keys in memory.
    pub fn loaded(&self) -> Vec<u32> {
        let keys = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
        keys.keys().copied().collect()
    }
    /// Forgets keys by id (another node has deleted them from the store).
    pub fn forget_keys(&self, ids: &[u32]) {
        let mut keys = self
            .by_merchant
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        keys.retain(|_, key| !ids.contains(&key.id));
        drop(keys);
        let mut keys = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|id, _| !ids.contains(id));
    }
    /// A fresh data key for a merchant, wrapped.
    pub fn fresh(&self, id: u32, merchant: MerchantId) -> Vec<u8> {
        let key = Zeroizing::new(random());
        self.master.wrap(&key, &purpose(merchant, id))
    }
    /// Forgets a merchant's keys (after they were deleted from the store).
    pub fn forget(&self, merchant: MerchantId, ids: &[u32]) {
        self.by_merchant
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&merchant);
        let mut keys = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        for id in ids {
            keys.remove(id);
        }
    }
}

/// Opens a sealed value with its key.
pub fn open_sealed(
    key: &DataKey,
    table: &str,
    row: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, VaultError> {
    open_with(&key.cipher, table, row, sealed)
}

/// The id of the data key that a ciphertext was sealed with.
pub fn key_id_of(sealed: &[u8]) -> Result<u32, VaultError> {
    match sealed.first_chunk::<5>() {
        Some([VERSION, id @ ..]) => Ok(u32::from_le_bytes(*id)),
        _ => Err(VaultError::Malformed),
    }
}

/// What a data key is wrapped for.
pub(crate) fn purpose(merchant: MerchantId, id: u32) -> Vec<u8> {
    let mut purpose = merchant.as_bytes().to_vec();
    purpose.extend_from_slice(&id.to_le_bytes());
    purpose
}

pub(crate) fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

fn cipher(key: &[u8; 32]) -> Aes256Gcm {
    Aes256Gcm::new(key.into())
}

fn aad(table: &str, row: &[u8]) -> Vec<u8> {
    let mut aad = Vec::with_capacity(table.len() + 1 + row.len());
    aad.extend_from_slice(table.as_bytes());
    aad.push(0);
    aad.extend_from_slice(row);
    aad
}

fn seal_with(cipher: &Aes256Gcm, id: u32, table: &str, row: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut nonce = [0u8; NONCE];
    rand::rng().fill_bytes(&mut nonce);
    let mut out = Vec::with_capacity(plain.len() + OVERHEAD);
    out.push(VERSION);
    out.extend_from_slice(&id.to_le_bytes());
    out.extend_from_slice(&nonce);
    let start = out.len();
    out.extend_from_slice(plain);
    let (_, text) = out.split_at_mut(start);
    let sealed =
        cipher.encrypt_inout_detached(&Nonce::from(nonce), &aad(table, row), InOutBuf::from(text));
    match sealed {
        Ok(tag) => out.extend_from_slice(&tag),
        // Only for texts above 64 GiB: leave nothing that could be mistaken for a ciphertext.
        Err(_) => out.clear(),
    }
    out
}

fn open_with(
    cipher: &Aes256Gcm,
    table: &str,
    row: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, VaultError> {
    key_id_of(sealed)?;
    let body = sealed.get(5..).ok_or(VaultError::Malformed)?;
    let (nonce, rest) = body
        .split_first_chunk::<NONCE>()
        .ok_or(VaultError::Malformed)?;
    let (text, tag) = rest
        .split_last_chunk::<TAG>()
        .ok_or(VaultError::Malformed)?;
    let mut plain = text.to_vec();
    cipher
        .decrypt_inout_detached(
            &Nonce::from(*nonce),
            &aad(table, row),
            InOutBuf::from(plain.as_mut_slice()),
            &Tag::from(*tag),
        )
        .map_err(|_| VaultError::Refused)?;
    Ok(plain)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn vault() -> (Vault, MerchantId) {
        (
            Vault::new(MasterKey::generate(), &random()).unwrap(),
            MerchantId::new(),
        )
    }

    #[test]
    fn a_text_opens_only_at_its_own_row_and_unchanged() {
        let (vault, merchant) = vault();
        let key = vault
            .load(7, merchant, &vault.fresh(7, merchant), true)
            .unwrap();
        let sealed = key.seal("t", b"row", b"secret text");
        assert_eq!(sealed.len(), 11 + OVERHEAD);
        assert_eq!(key_id_of(&sealed), Ok(7));
        assert!(!sealed.windows(6).any(|w| w == b"secret"));
        assert_eq!(
            open_sealed(&key, "t", b"row", &sealed).unwrap(),
            b"secret text"
        );
        assert_eq!(
            open_sealed(&key, "t", b"other", &sealed),
            Err(VaultError::Refused)
        );
        assert_eq!(
            open_sealed(&key, "u", b"row", &sealed),
            Err(VaultError::Refused)
        );
        for at in 5..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(
                open_sealed(&key, "t", b"row", &changed),
                Err(VaultError::Refused)
            );
        }
        assert_eq!(
            open_sealed(&key, "t", b"row", &sealed[..20]),
            Err(VaultError::Malformed)
        );
    }

    #[test]
    fn a_wrapped_key_needs_its_master_key_merchant_and_id() {
        let (vault, merchant) = vault();
        let wrapped = vault.fresh(7, merchant);
        let other = Vault::new(MasterKey::generate(), &random()).unwrap();
        assert!(other.load(7, merchant, &wrapped, true).is_err());
        assert!(vault.load(8, merchant, &wrapped, true).is_err());
        assert!(vault.load(7, MerchantId::new(), &wrapped, true).is_err());
        assert!(vault.of_merchant(merchant).is_none());
        vault.load(7, merchant, &wrapped, true).unwrap();
        vault.forget(merchant, &[7]);
        assert!(vault.of_merchant(merchant).is_none() && vault.by_id(7).is_none());
    }

    #[test]
    fn master_keys_read_back_and_others_are_refused() {
        use secrecy::ExposeSecret;
        let text = MasterKey::generate().to_base64();
        assert!(MasterKey::from_base64(text.expose_secret()).is_ok());
        assert!(MasterKey::from_base64("c2hvcnQ=").is_err());
        assert!(MasterKey::from_base64("***").is_err());
    }
}
