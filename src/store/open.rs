//! Opening a store by its URL.

use super::vault::MasterKey;
use super::{Store, StoreError, postgres, sqlite};
use crate::clock::{Clock, SystemClock};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How to open a store.
#[derive(Clone)]
pub struct StoreOptions {
    /// The database file; filled in from the URL by [`open`].
    pub path: PathBuf,
    /// Wraps the merchants' data keys.
    pub master_key: MasterKey,
    /// Writes are refused when less is free on the disk, in MiB.
    pub min_free_mb: u64,
    /// Commands that may wait for the writer; beyond it callers get `Unavailable` at once.
    pub queue: usize,
    /// Connections that read beside the writer.
    pub readers: usize,
    /// Several servers may share the store: each works on what it is given ([`Store::join`]). Else,
    /// and in a file always, the server that opens it has it to itself.
    pub shared: bool,
    /// The clock (another one in tests).
    pub clock: Arc<dyn Clock>,
}

impl StoreOptions {
    /// Ordinary options with this master key.
    pub fn new(master_key: MasterKey) -> Self {
        Self {
            path: PathBuf::new(),
            master_key,
            min_free_mb: 256,
            queue: 8192,
            readers: 3,
            shared: false,
            clock: Arc::new(SystemClock),
        }
    }
    /// The same with this file.
    #[must_use]
    pub fn at(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = path.into();
        self
    }
}

/// Opens the store that the URL names, migrates it and takes its lock: `sqlite://` and a path, or
/// `postgres://` as PostgreSQL writes it.
///
/// # Errors
/// `Unavailable` when another server has it or the disk says no; `Corrupt` when the master key is
/// not the one it was written with; `NotFound` for a URL of an unknown kind.
pub fn open(url: &str, options: StoreOptions) -> Result<Arc<dyn Store>, StoreError> {
    if is_postgres(url) {
        return Ok(Arc::new(postgres::open(url, options, true)?));
    }
    Ok(Arc::new(sqlite::open(located(url, options)?)?))
}

/// Opens the store for reading only, beside a server or without one (`ledger`, `doctor`).
///
/// # Errors
/// As [`open`]; `NotFound` when the file does not exist.
pub fn open_read_only(url: &str, options: StoreOptions) -> Result<Arc<dyn Store>, StoreError> {
    if is_postgres(url) {
        return Ok(Arc::new(postgres::open(url, options, false)?));
    }
    Ok(Arc::new(sqlite::open_read_only(located(url, options)?)?))
}

/// The options with the file that a URL names.
pub(super) fn sqlite_path(url: &str, options: StoreOptions) -> Result<StoreOptions, StoreError> {
    if is_postgres(url) {
        return Err(StoreError::NotFound(
            "only an embedded store (sqlite://…) can be copied".to_owned(),
        ));
    }
    located(url, options)
}

fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// Wraps every data key anew for another master key, in one transaction: before it only the old one
/// opens the store, after it only the new one. No server may have it open. Yields how many were
/// wrapped.
///
/// # Errors
/// `Unavailable` when a server has it; `Corrupt` when `old` is not its master key; `NotFound` when
/// there is none.
pub fn rotate_master_key(url: &str, old: &MasterKey, new: &MasterKey) -> Result<u64, StoreError> {
    if !is_sealed_with(url, old)? {
        return Err(StoreError::Corrupt(
            "the master key is not the one that this database was written with".to_owned(),
        ));
    }
    if is_postgres(url) {
        return postgres::rewrap(url, old, new);
    }
    let options = located(url, StoreOptions::new(old.clone()))?;
    sqlite::rewrap(&options.path, old, new)
}

/// Copies an embedded store to a new file while a server may write it; yields its size. The copy needs
/// the same master key.
///
/// # Errors
/// `NotFound` when there is none, or it is on a server; `Exists` when the file is there; `Corrupt` and
/// `Unavailable` when it cannot be made: then there is no copy.
pub fn back_up(url: &str, to: &Path, key: &MasterKey) -> Result<u64, StoreError> {
    if is_postgres(url) {
        return Err(StoreError::NotFound(
            "only an embedded store (sqlite://…) is copied to a file: use pg_dump".to_owned(),
        ));
    }
    let options = located(url, StoreOptions::new(key.clone()))?;
    sqlite::back_up(&options.path, to)
}

/// Is this the master key that the store is written with?
///
/// # Errors
/// As [`open_read_only`].
pub fn is_sealed_with(url: &str, key: &MasterKey) -> Result<bool, StoreError> {
    if is_postgres(url) {
        return postgres::is_sealed_with(url, key);
    }
    let options = located(url, StoreOptions::new(key.clone()))?;
    sqlite::is_sealed_with(&options.path, key)
}

fn located(url: &str, options: StoreOptions) -> Result<StoreOptions, StoreError> {
    if let Some(path) = url.strip_prefix("sqlite://") {
        if path.is_empty() {
            return Err(StoreError::NotFound(
                "the store URL names no file: sqlite://data/crossdock.db".to_owned(),
            ));
        }
        return Ok(options.at(path));
    }
    Err(StoreError::NotFound(
        "the store URL is neither sqlite://… nor postgres://…".to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn all_after_the_scheme_is_a_path() {
        let options = StoreOptions::new(MasterKey::generate());
        let relative = located("sqlite://data/a?b#c.db", options.clone()).unwrap();
        assert_eq!(relative.path, PathBuf::from("data/a?b#c.db"));
        let absolute = located("sqlite:///var/lib/x.db", options.clone()).unwrap();
        assert_eq!(absolute.path, PathBuf::from("/var/lib/x.db"));
        assert!(located("sqlite://", options.clone()).is_err());
        assert!(located("mysql://x", options.clone()).is_err());
        assert!(located("oracle://x", options).is_err());
        assert!(is_postgres("postgres://x") && is_postgres("postgresql://x"));
    }
}
