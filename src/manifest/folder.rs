//! A connector folder: the parsed manifest, the sources of its mappings, its tables.
//!
//! What always holds: a [`Folder`] exists only when its manifest was read strictly and bears the
//! folder's name; nothing outside the folder is read; the version is the hash of what decides how
//! it behaves (manifest, jq, tables, GraphQL), not of fixtures or prose.

use super::document::Document;
use super::finding::Finding;
use super::model::Manifest;
use super::parse;
use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The built-in folders.
static BUILT_IN: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/connectors");

/// Largest file of a folder that is read (tables of places are the largest).
const FILE_CAP: u64 = 32 << 20;

/// The file every folder has.
pub const MANIFEST: &str = "manifest.toml";

/// Where a folder's files are.
#[derive(Debug, Clone)]
pub enum Source {
    /// In the binary.
    BuiltIn(&'static Dir<'static>),
    /// In a directory.
    Disk(PathBuf),
}

/// Why a file of a folder could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is none of this name.
    #[error("no such file")]
    Missing,
    /// Larger than 32 MiB.
    #[error("larger than 32 MiB")]
    TooLarge,
    /// It is there and cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(std::io::Error),
}

impl Source {
    /// The built-in folders, by name.
    pub fn built_in() -> Vec<Source> {
        BUILT_IN.dirs().map(Source::BuiltIn).collect()
    }

    /// The folder's own name.
    pub fn name(&self) -> String {
        let path = match self {
            Source::BuiltIn(dir) => dir.path(),
            Source::Disk(path) => path.as_path(),
        };
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    /// The bytes of a file, by its path inside the folder.
    ///
    /// # Errors
    /// When it is not there, too large or unreadable.
    pub fn read(&self, relative: &str) -> Result<Cow<'static, [u8]>, FileError> {
        match self {
            Source::BuiltIn(dir) => dir
                .get_file(dir.path().join(relative))
                .map(|file| Cow::Borrowed(file.contents()))
                .ok_or(FileError::Missing),
            Source::Disk(path) => {
                let file = path.join(relative);
                match std::fs::metadata(&file) {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                        Err(FileError::Missing)
                    }
                    Err(error) => Err(FileError::Unreadable(error)),
                    Ok(meta) if meta.len() > FILE_CAP => Err(FileError::TooLarge),
                    Ok(_) => std::fs::read(&file)
                        .map(Cow::Owned)
                        .map_err(FileError::Unreadable),
                }
            }
        }
    }

    /// The text of a file.
    ///
    /// # Errors
    /// A finding when it cannot be read or is no UTF-8.
    pub fn text(&self, relative: &str) -> Result<String, Finding> {
        let bytes = self
            .read(relative)
            .map_err(|error| Finding::of(relative, error.to_string()))?;
        String::from_utf8(bytes.into_owned()).map_err(|_| Finding::of(relative, "not valid UTF-8"))
    }

    /// The names of the files directly in a sub-folder (`""` for the folder itself), sorted.
    pub fn files(&self, relative: &str) -> Vec<String> {
        self.entries(relative, false)
    }

    /// The names of the folders directly in a sub-folder, sorted.
    pub fn dirs(&self, relative: &str) -> Vec<String> {
        self.entries(relative, true)
    }

    fn entries(&self, relative: &str, dirs: bool) -> Vec<String> {
        let mut names: Vec<String> = match self {
            Source::BuiltIn(dir) => {
                let inner = if relative.is_empty() {
                    Some(*dir)
                } else {
                    dir.get_dir(dir.path().join(relative))
                };
                inner
                    .map(|inner| embedded_names(inner, dirs))
                    .unwrap_or_default()
            }
            Source::Disk(path) => std::fs::read_dir(path.join(relative))
                .map(|entries| {
                    entries
                        .flatten()
                        .filter(|e| e.path().is_dir() == dirs)
                        .collect::<Vec<_>>()
                })
                .unwrap_or_default()
                .iter()
                .filter_map(|entry| entry.file_name().into_string().ok())
                .collect(),
        };
        names.retain(|name| !name.starts_with('.'));
        names.sort();
        names
    }
}

fn embedded_names(dir: &'static Dir<'static>, dirs: bool) -> Vec<String> {
    let name = |path: &std::path::Path| path.file_name().map(|n| n.to_string_lossy().into_owned());
    if dirs {
        dir.dirs().filter_map(|inner| name(inner.path())).collect()
    } else {
        dir.files().filter_map(|file| name(file.path())).collect()
    }
}

/// A folder that was read.
#[derive(Debug, Clone)]
pub struct Folder {
    /// Its name.
    pub id: String,
    /// Where its files are.
    pub source: Source,
    /// The manifest.
    pub manifest: Manifest,
    /// The manifest's text, for places.
    pub text: String,
    /// File name (`order.jq`) → source.
    pub programs: BTreeMap<String, String>,
    /// Table name (`codes` of `codes.csv`) → text.
    pub tables: BTreeMap<String, String>,
    /// GraphQL documents (`orders` of `orders.graphql`) → text.
    pub documents: BTreeMap<String, String>,
    /// Hash of manifest, mappings, tables and documents: 16 hex digits.
    pub version: String,
}

impl Folder {
    /// Reads a folder.
    ///
    /// # Errors
    /// What is wrong, with file, line and column.
    pub fn load(source: Source) -> Result<Self, Vec<Finding>> {
        let id = source.name();
        let text = source.text(MANIFEST).map_err(|finding| vec![finding])?;
        let manifest: Manifest = parse::strict(MANIFEST, &text).map_err(|finding| vec![finding])?;
        let mut findings = Vec::new();
        if manifest.id != id {
            let place = Document::parse(&text)
                .map(|d| d.place(&["id"]))
                .unwrap_or(super::Place::START);
            let message = format!("the id `{}` is not the folder's name `{id}`", manifest.id);
            findings.push(Finding::at(MANIFEST, place, message));
        }
        let mut programs = BTreeMap::new();
        let mut tables = BTreeMap::new();
        let mut documents = BTreeMap::new();
        for name in source.files("") {
            let (into, key) = match name.rsplit_once('.') {
                Some((_, "jq")) => (&mut programs, name.clone()),
                Some((stem, "csv")) => (&mut tables, stem.to_owned()),
                Some((stem, "graphql")) => (&mut documents, stem.to_owned()),
                _ => continue,
            };
            match source.text(&name) {
                Ok(content) => drop(into.insert(key, content)),
                Err(finding) => findings.push(finding),
            }
        }
        if !findings.is_empty() {
            return Err(findings);
        }
        let version = version(&text, &[&programs, &tables, &documents]);
        Ok(Self {
            id,
            source,
            manifest,
            text,
            programs,
            tables,
            documents,
            version,
        })
    }

    /// The jq file of a mapping: as `mappings` says, else `<name>.jq`.
    pub fn mapping_file(&self, name: &str) -> String {
        match self.manifest.mappings.get(name) {
            Some(file) => file.clone(),
            None if name.ends_with(".jq") => name.to_owned(),
            None => format!("{name}.jq"),
        }
    }
}

fn version(text: &str, files: &[&BTreeMap<String, String>]) -> String {
    let mut hash = Sha256::new();
    let mut part = |name: &str, content: &str| {
        hash.update((name.len() as u64).to_be_bytes());
        hash.update(name);
        hash.update((content.len() as u64).to_be_bytes());
        hash.update(content);
    };
    part(MANIFEST, text);
    for (name, content) in files.iter().copied().flatten() {
        part(name, content);
    }
    hex::encode(hash.finalize().get(..8).unwrap_or_default())
}
