//! The store of the settings: opened to serve or to be read, copied, backed up.
//!
//! What always holds: nothing is opened without the master key that it was written with.

use super::{AppError, rotation, secrets};
use crate::clock::{Clock, SystemClock};
use crate::settings::Settings;
use crate::store::{Store, StoreOptions};
use std::path::Path;
use std::sync::Arc;

/// Opens the store of these settings, for serving.
///
/// # Errors
/// As [`crate::store::open`]; and when the master key is missing.
pub fn open_store(settings: &Settings) -> Result<Arc<dyn Store>, AppError> {
    open_at(settings, Arc::new(SystemClock))
}

pub(super) fn open_at(
    settings: &Settings,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn Store>, AppError> {
    let mut options = store_options(settings)?;
    options.clock = clock;
    options.shared = true;
    let key = options.master_key.clone();
    let store = crate::store::open(&settings.store_url(), options)?;
    rotation::settle(settings, &key)?;
    Ok(store)
}

/// Opens the store for reading only, beside a server or without one.
///
/// # Errors
/// As [`crate::store::open_read_only`].
pub fn open_store_read_only(settings: &Settings) -> Result<Arc<dyn Store>, AppError> {
    Ok(crate::store::open_read_only(
        &settings.store_url(),
        store_options(settings)?,
    )?)
}

/// Copies an embedded store into an empty one on a server, and compares them; the rows of each table.
///
/// # Errors
/// As [`crate::store::copy::copy`] and [`crate::store::copy::compare`].
pub async fn copy_store(
    settings: &Settings,
    from: &str,
    to: &str,
) -> Result<Vec<(&'static str, u64)>, AppError> {
    let options = store_options(settings)?;
    let counts = crate::store::copy::copy(from, to, &options)?;
    let source = crate::store::open_read_only(from, options.clone())?;
    let target = crate::store::open_read_only(to, options)?;
    crate::store::copy::compare(source.as_ref(), target.as_ref()).await?;
    source.close().await;
    target.close().await;
    Ok(counts)
}

/// Copies the embedded store to a new file, beside a server or without one, and tries the master key
/// on it; yields its size.
///
/// # Errors
/// As [`crate::store::back_up`]; and when the master key is missing or is another one: then there is
/// no copy.
pub fn back_up_store(settings: &Settings, to: &Path) -> Result<u64, AppError> {
    let url = settings.store_url();
    if let Some(path) = url.strip_prefix("sqlite://")
        && !Path::new(path).exists()
    {
        // Where there is no database, asking for its key would make one.
        return Err(AppError::Start(format!("no database at {path}")));
    }
    let key = secrets::master_key(settings)?;
    if !crate::store::is_sealed_with(&url, &key)? {
        let what = "the master key is not the one that this database was written with";
        return Err(AppError::Start(what.into()));
    }
    Ok(crate::store::back_up(&url, to, &key)?)
}

fn store_options(settings: &Settings) -> Result<StoreOptions, AppError> {
    let mut options = StoreOptions::new(secrets::master_key(settings)?);
    options.min_free_mb = settings.min_free_mb;
    Ok(options)
}
