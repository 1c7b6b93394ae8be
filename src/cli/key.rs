//! `crossdock key rotate`: another master key for the store.

use super::{FOUND, OK, Streams};
use crate::app::{rotation, secrets};
use crate::settings::Settings;
use crate::store::vault::MasterKey;
use std::path::Path;

/// Wraps every data key by a new master key: the one in the file, else a fresh one.
pub fn rotate(settings: &Settings, new_key: Option<&Path>, streams: &mut Streams<'_>) -> u8 {
    match wrapped(settings, new_key) {
        Ok(count) => {
            streams.line(&format!(
                "{count} data key(s) are wrapped by the new master key"
            ));
            streams.note(if settings.secret_key.is_some() {
                "CROSSDOCK_SECRET_KEY must hold the new key before the next start. Backups of before need the old one."
            } else {
                "The key file holds the new key. Backups of before need the old one."
            });
            OK
        }
        Err(message) => {
            streams.note(&message);
            FOUND
        }
    }
}

fn wrapped(settings: &Settings, new_key: Option<&Path>) -> Result<u64, String> {
    let new = match new_key {
        Some(file) => secrets::read_key(file)
            .map_err(|error| error.to_string())?
            .ok_or_else(|| format!("cannot read {}", file.display()))?,
        None if settings.secret_key.is_some() => {
            return Err(
                "the master key comes from CROSSDOCK_SECRET_KEY: make a new one (openssl rand -base64 32 > FILE), name it by --new-key FILE, and put it into the setting afterwards".into(),
            );
        }
        None => MasterKey::generate(),
    };
    rotation::rotate(settings, &new).map_err(|error| error.to_string())
}
