//! Another master key: every data key is wrapped anew, in one transaction.
//!
//! What always holds: at any moment the key that opens the store is on the disk (or, where it comes
//! from the settings, with whoever set it): the new one is written down and synced before the store
//! changes over, and takes the old one's place after; which of the two counts is asked of the store,
//! never guessed; one process at a time touches the key files.

use super::AppError;
use super::secrets::{KEY_FILE, read_key, write_private};
use crate::failpoint::failpoint;
use crate::settings::Settings;
use crate::store::vault::MasterKey;
use crate::store::{self, StoreError};
use secrecy::ExposeSecret;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// The key that is about to take the other's place.
const NEXT_FILE: &str = "secret.key.new";
/// Held by whoever changes the key files.
const LOCK_FILE: &str = "secret.key.lock";

fn next_file(settings: &Settings) -> PathBuf {
    settings.data_dir.join(NEXT_FILE)
}

fn failed(what: &str, file: &Path, error: &std::io::Error) -> AppError {
    AppError::Start(format!("cannot {what} {}: {error}", file.display()))
}

/// The key that the store is written with: the one in the key file, or the next one, when a rotation
/// was cut off after the store had changed over.
///
/// # Errors
/// When the store cannot be asked.
pub(super) fn in_use(settings: &Settings, key: MasterKey) -> Result<MasterKey, AppError> {
    match read_key(&next_file(settings))? {
        Some(next) if opens(settings, &next)? => Ok(next),
        _ => Ok(key),
    }
}

fn opens(settings: &Settings, key: &MasterKey) -> Result<bool, AppError> {
    match store::is_sealed_with(&settings.store_url(), key) {
        Ok(opens) => Ok(opens),
        Err(StoreError::NotFound(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Tidies up after a rotation that was cut off. `key` is the one that the store was opened with.
///
/// # Errors
/// When the disk says no.
pub(super) fn settle(settings: &Settings, key: &MasterKey) -> Result<(), AppError> {
    let next = next_file(settings);
    if settings.secret_key.is_some() || !next.exists() {
        return Ok(());
    }
    // Somebody is about to rotate: the files are theirs.
    let Some(_lock) = lock(settings)? else {
        return Ok(());
    };
    match read_key(&next)? {
        Some(found) if same(&found, key) => take_place(settings),
        Some(_) => fs::remove_file(&next).map_err(|e| failed("remove", &next, &e)),
        None => Ok(()),
    }
}

/// Wraps every data key anew. Yields how many.
///
/// # Errors
/// When a server has the store open, the old key does not open it, or the disk says no.
pub fn rotate(settings: &Settings, new: &MasterKey) -> Result<u64, AppError> {
    let url = settings.store_url();
    let Some(_lock) = lock(settings)? else {
        let what = "another `key rotate` is at work, or a gateway that starts";
        return Err(AppError::Start(what.into()));
    };
    let old = present_key(settings)?;
    if same(&old, new) {
        return Err(AppError::Start("that is the key in use".into()));
    }
    if settings.secret_key.is_some() {
        return Ok(store::rotate_master_key(&url, &old, new)?);
    }
    let next = next_file(settings);
    if next.exists() {
        // Of a rotation that was cut off: it has taken place, or it counts for nothing.
        match read_key(&next)? {
            Some(found) if same(&found, &old) => take_place(settings)?,
            _ => fs::remove_file(&next).map_err(|e| failed("remove", &next, &e))?,
        }
    }
    write_private(&next, new.to_base64().expose_secret())?;
    sync_dir(&settings.data_dir)?;
    failpoint!("rotate.before_rewrap");
    let count = match store::rotate_master_key(&url, &old, new) {
        Ok(count) => count,
        Err(error) => {
            // Not when it may have taken place after all: the next start asks the store.
            if matches!(opens(settings, &old), Ok(true)) {
                fs::remove_file(&next).map_err(|e| failed("remove", &next, &e))?;
            }
            return Err(error.into());
        }
    };
    failpoint!("rotate.after_rewrap");
    take_place(settings)?;
    Ok(count)
}

/// The key of a store that is there; none is made here.
fn present_key(settings: &Settings) -> Result<MasterKey, AppError> {
    let file = settings.data_dir.join(KEY_FILE);
    if settings.secret_key.is_none() && !file.exists() {
        return Err(AppError::Start(format!(
            "there is no master key in {} and none in CROSSDOCK_SECRET_KEY",
            file.display()
        )));
    }
    super::secrets::master_key(settings)
}

fn same(one: &MasterKey, other: &MasterKey) -> bool {
    one.to_base64().expose_secret() == other.to_base64().expose_secret()
}

/// The next key becomes the key.
fn take_place(settings: &Settings) -> Result<(), AppError> {
    let (next, file) = (next_file(settings), settings.data_dir.join(KEY_FILE));
    fs::rename(&next, &file).map_err(|error| failed("put the new key into", &file, &error))?;
    sync_dir(&settings.data_dir)
}

fn sync_dir(dir: &Path) -> Result<(), AppError> {
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(|error| failed("sync", dir, &error))
}

/// `None` when somebody else holds it.
fn lock(settings: &Settings) -> Result<Option<File>, AppError> {
    let path = settings.data_dir.join(LOCK_FILE);
    let file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| failed("open", &path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(failed("lock", &path, &error)),
    }
}
