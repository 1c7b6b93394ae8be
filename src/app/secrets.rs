//! The two secrets that a first start makes: the master key and the admin's token.
//!
//! What always holds: no default secrets; what is made is random, written with mode 0600 (the key)
//! or shown once and stored as a hash (the token).

use super::AppError;
use crate::settings::Settings;
use crate::store::vault::MasterKey;
use secrecy::{ExposeSecret, SecretString};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// The file in the data directory that holds the master key of an embedded store.
pub const KEY_FILE: &str = "secret.key";
/// The file in which the demo keeps its admin token, so that every `make run` can show it.
const DEMO_TOKEN_FILE: &str = "demo-admin-token";

/// Makes the data directory, readable by its owner only.
///
/// # Errors
/// When the disk says no.
pub fn make_data_dir(path: &Path) -> Result<(), AppError> {
    let failed = |error| {
        AppError::Start(format!(
            "cannot make the data directory {}: {error}",
            path.display()
        ))
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(failed)
}

/// The master key: from the setting, else from the data directory, else made there (embedded store
/// only, and only when there is no database yet that another key has written).
///
/// # Errors
/// When the setting is no key, or a database is there without its key.
pub fn master_key(settings: &Settings) -> Result<MasterKey, AppError> {
    if let Some(key) = &settings.secret_key {
        return parse(key.expose_secret(), "CROSSDOCK_SECRET_KEY");
    }
    let file = settings.data_dir.join(KEY_FILE);
    if let Some(key) = read_key(&file)? {
        return super::rotation::in_use(settings, key);
    }
    let url = settings.store_url();
    let Some(database) = url.strip_prefix("sqlite://") else {
        return Err(AppError::Start(
            "CROSSDOCK_SECRET_KEY must be set for a store on a server (openssl rand -base64 32)"
                .into(),
        ));
    };
    if Path::new(database).exists() {
        return Err(AppError::Start(format!(
            "{database} is there, but its master key is not: put it into {} or CROSSDOCK_SECRET_KEY",
            file.display()
        )));
    }
    let key = MasterKey::generate();
    write_private(&file, key.to_base64().expose_secret())?;
    Ok(key)
}

fn parse(text: &str, whence: &str) -> Result<MasterKey, AppError> {
    MasterKey::from_base64(text).map_err(|_| {
        AppError::Start(format!(
            "{whence} is not 32 bytes in base64 (openssl rand -base64 32)"
        ))
    })
}

/// The key in a file, if there is one.
///
/// # Errors
/// When it is no key.
pub fn read_key(file: &Path) -> Result<Option<MasterKey>, AppError> {
    match fs::read_to_string(file) {
        Ok(text) => parse(text.trim(), &file.display().to_string()).map(Some),
        Err(_) => Ok(None),
    }
}

/// The demo's admin token: made once, kept in the data directory.
///
/// # Errors
/// When the disk says no.
pub fn demo_token(settings: &Settings) -> Result<SecretString, AppError> {
    let file = settings.data_dir.join(DEMO_TOKEN_FILE);
    if let Ok(text) = fs::read_to_string(&file) {
        return Ok(SecretString::from(text.trim().to_owned()));
    }
    let token = crate::api::auth::random_secret("cdk_", true);
    write_private(&file, &token)?;
    Ok(SecretString::from(token))
}

/// Writes a new file that only its owner may read, down to the disk.
///
/// # Errors
/// When it is there already, or the disk says no.
pub fn write_private(file: &Path, text: &str) -> Result<(), AppError> {
    let failed = |error| AppError::Start(format!("cannot write {}: {error}", file.display()));
    let mut out = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .map_err(failed)?;
    out.write_all(text.as_bytes())
        .and_then(|()| out.sync_all())
        .map_err(failed)
}
