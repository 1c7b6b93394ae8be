//! Versions of folders that connections keep to, whatever is installed later.
//!
//! What always holds: a version is a directory of its own, written whole under another name first;
//! what is read back has the version that its name says, or it is not used.

use super::build::Connector;
use crate::manifest::{Folder, Source};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Why a version is not kept.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum NotKept {
    /// Neither in use nor kept before.
    #[error("there is no version `{version}` of it here; the one in use is `{in_use}`")]
    Unknown { version: String, in_use: String },
    /// It cannot be written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

type Versions = HashMap<(String, String), Arc<Connector>>;

/// `DIR/VERSION/ID/…`.
#[derive(Debug)]
pub(super) struct Kept {
    dir: PathBuf,
    /// What was read.
    read: Mutex<Versions>,
}

impl Kept {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            read: Mutex::default(),
        }
    }

    pub(super) fn get(&self, id: &str, version: &str) -> Option<Arc<Connector>> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (id.to_owned(), version.to_owned());
        if let Some(known) = read.get(&key) {
            return Some(known.clone());
        }
        // What is missing is looked for again: somebody may bring it back.
        let loaded = self.load(id, version)?;
        read.insert(key, loaded.clone());
        Some(loaded)
    }

    fn load(&self, id: &str, version: &str) -> Option<Arc<Connector>> {
        // A version comes from outside: it must not lead anywhere else.
        let plain = |text: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        };
        if !plain(version) || !plain(id) {
            return None;
        }
        let path = self.dir.join(version).join(id);
        if !path.is_dir() {
            return None;
        }
        let built = Folder::load(Source::Disk(path)).and_then(Connector::build);
        match built {
            Ok(connector) if connector.version() == version => Some(Arc::new(connector)),
            Ok(connector) => {
                tracing::error!(
                    id,
                    version,
                    is = connector.version(),
                    "a kept connector was changed; it is not used"
                );
                None
            }
            Err(findings) => {
                let first = findings.first().map(ToString::to_string);
                tracing::error!(
                    id,
                    version,
                    first,
                    "a kept connector cannot be used any more"
                );
                None
            }
        }
    }

    /// Writes the folder as it is in use.
    pub(super) fn put(&self, connector: &Connector) -> Result<(), NotKept> {
        let (id, version) = (connector.id(), connector.version());
        let folder = self.dir.join(version);
        std::fs::create_dir_all(&folder)?;
        let whole = folder.join(id);
        let part = folder.join(format!(".{id}"));
        match std::fs::remove_dir_all(&part) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        std::fs::create_dir(&part)?;
        let source = &connector.folder().source;
        for name in source.files("") {
            let bytes = source.read(&name);
            let bytes = bytes.map_err(|error| std::io::Error::other(error.to_string()))?;
            std::fs::write(part.join(&name), bytes)?;
        }
        match std::fs::remove_dir_all(&whole) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        std::fs::rename(&part, &whole)?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.remove(&(id.to_owned(), version.to_owned()));
        drop(read);
        // The files may have changed since they were loaded.
        match self.get(id, version) {
            Some(_) => Ok(()),
            None => Err(NotKept::Unknown {
                version: version.to_owned(),
                in_use: "being changed".to_owned(),
            }),
        }
    }
}
