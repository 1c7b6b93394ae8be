//! The catalogue that is in use, re-read when the connectors directory changes.
//!
//! What always holds: readers never wait (the catalogue is swapped whole); one broken folder is
//! refused and the others go on; a folder that breaks while running leaves its last good version in
//! use; folders that did not change keep their compiled programs.

use super::build::Connector;
use super::catalogue::{Catalogue, Refusal};
use super::kept::{Kept, NotKept};
use crate::manifest::{Finding, Source};
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// Name, change time and length of a folder's files: what tells that it changed.
type Stamp = Vec<(String, Option<SystemTime>, u64)>;

/// All connectors, built in and from a directory.
#[derive(Debug)]
pub struct Registry {
    dir: Option<PathBuf>,
    built_in: Catalogue,
    current: ArcSwap<Catalogue>,
    stamps: Mutex<Option<BTreeMap<String, Stamp>>>,
    kept: Option<Kept>,
}

impl Registry {
    /// Reads the built-in folders and those of the directory.
    pub fn load(dir: Option<PathBuf>) -> Self {
        let mut built_in = Catalogue::default();
        for source in Source::built_in() {
            built_in.add(source, None);
        }
        let registry = Self {
            dir,
            built_in,
            current: ArcSwap::default(),
            stamps: Mutex::new(None),
            kept: None,
        };
        registry.current.store(Arc::new(registry.assemble(&[])));
        registry.reload_if_changed();
        registry
    }

    /// The catalogue in use.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.current.load_full()
    }

    /// A connector of the catalogue in use.
    pub fn get(&self, id: &str) -> Option<Arc<Connector>> {
        self.current.load().get(id)
    }

    /// The same, with a directory in which versions are kept.
    #[must_use]
    pub fn keeping(mut self, dir: PathBuf) -> Self {
        self.kept = Some(Kept::new(dir));
        self
    }

    /// A connector in this version; the one in use where none is asked for.
    pub fn get_version(&self, id: &str, version: Option<&str>) -> Option<Arc<Connector>> {
        let current = self.get(id);
        let Some(version) = version else {
            return current;
        };
        match current {
            Some(connector) if connector.version() == version => Some(connector),
            _ => self.kept.as_ref()?.get(id, version),
        }
    }

    /// Puts this version of a folder by, so that it can be used whatever is installed later.
    ///
    /// # Errors
    /// [`NotKept`]: it is neither in use nor kept, or cannot be written.
    pub fn keep(&self, id: &str, version: &str) -> Result<(), NotKept> {
        let current = self.get(id);
        let in_use = current
            .as_ref()
            .map(|connector| connector.version().to_owned());
        let unknown = || NotKept::Unknown {
            version: version.to_owned(),
            in_use: in_use.clone().unwrap_or_else(|| "none".to_owned()),
        };
        let kept = self.kept.as_ref().ok_or_else(unknown)?;
        if kept.get(id, version).is_some() {
            return Ok(());
        }
        match current {
            Some(connector) if connector.version() == version => kept.put(&connector),
            _ => Err(unknown()),
        }
    }

    /// Where the folder of this name is, refused or not: the directory's goes before the built-in.
    pub fn source(&self, id: &str) -> Option<Source> {
        let on_disk = self
            .dir
            .as_ref()
            .map(|dir| dir.join(id))
            .filter(|path| !id.is_empty() && path.is_dir());
        on_disk.map(Source::Disk).or_else(|| {
            Source::built_in()
                .into_iter()
                .find(|source| source.name() == id)
        })
    }

    /// Looks at names, change times and lengths in the directory and re-reads the folders that
    /// changed. True when the catalogue is a new one.
    pub fn reload_if_changed(&self) -> bool {
        let Some(dir) = &self.dir else { return false };
        let mut known = self.stamps.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken before reading: what is written meanwhile shows as a change the next time.
        let now = stamps(dir);
        if known.as_ref() == Some(&now) {
            return false;
        }
        let before = known.take().unwrap_or_default();
        let folders: Vec<(&String, bool)> = now
            .iter()
            .map(|(name, stamp)| (name, before.get(name) != Some(stamp)))
            .collect();
        self.current.store(Arc::new(self.assemble(&folders)));
        *known = Some(now);
        true
    }

    /// The built-in folders with those of the directory over them. Each is named with whether it
    /// has to be read; else what is in use stays, refused or not.
    fn assemble(&self, folders: &[(&String, bool)]) -> Catalogue {
        let mut catalogue = Catalogue::default();
        self.built_in
            .all()
            .for_each(|connector| catalogue.put(connector.clone()));
        let overridden =
            |refusal: &&Refusal| !folders.iter().any(|(name, _)| **name == refusal.folder);
        catalogue.refuse(self.built_in.refused().iter().filter(overridden).cloned());
        let Some(dir) = &self.dir else {
            return catalogue;
        };
        if !dir.is_dir() {
            let finding = Finding::of("", "the connectors directory does not exist");
            catalogue.refuse([Refusal::of(&dir.to_string_lossy(), finding)]);
        }
        let current = self.current.load();
        for (name, changed) in folders {
            let from_disk = current
                .get(name)
                .filter(|running| matches!(running.folder().source, Source::Disk(_)));
            let refused: Vec<Refusal> = current
                .refused()
                .iter()
                .filter(|r| r.folder == **name)
                .cloned()
                .collect();
            match from_disk {
                Some(running) if !changed => {
                    catalogue.put(running);
                    catalogue.refuse(refused);
                }
                good => catalogue.add(Source::Disk(dir.join(name)), good),
            }
        }
        catalogue
    }
}

/// The stamp of every folder of the directory.
fn stamps(dir: &Path) -> BTreeMap<String, Stamp> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return BTreeMap::new();
    };
    let folders = entries.flatten().filter(|entry| entry.path().is_dir());
    let named =
        folders.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())));
    named
        .filter(|(name, _)| !name.starts_with('.'))
        .map(|(name, path)| (name, stamp(&path)))
        .collect()
}

/// Only what decides how a connector behaves: fixtures and prose may change.
fn stamp(folder: &Path) -> Stamp {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Stamp::new();
    };
    let mut stamp: Stamp = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let counts = matches!(name.rsplit_once('.'), Some((_, "toml" | "jq" | "csv")));
            let meta = std::fs::metadata(entry.path()).ok().filter(|_| counts)?;
            Some((name, meta.modified().ok(), meta.len()))
        })
        .collect();
    stamp.sort();
    stamp
}
