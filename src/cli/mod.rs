//! The commands an author of connectors uses. Each is a function that writes to the given streams
//! and returns the process's exit code, so that tests and `main` run the same.
//!
//! What always holds: 0 is success, 1 a mistake of the caller or a finding, 2 a payload that could
//! not be mapped; results go to `out`, everything else to `err`.

pub mod args;
pub mod backup;
pub mod check;
pub mod connectors;
pub mod copy;
pub mod difference;
pub mod doctor;
pub mod key;
pub mod ledger;
pub mod map;
pub mod new;
pub mod rehearse;
pub mod remote;
pub mod render;
pub mod replay;
pub mod serve;
pub mod stored;
pub mod token;

use crate::connector::{Connector, Registry};
use crate::manifest::finding::did_you_mean;
use crate::manifest::form::FieldType;
use crate::manifest::model::Manifest;
use serde_json::{Map, Value};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// Everything went well.
pub const OK: u8 = 0;
/// A mistake of the caller, or findings.
pub const FOUND: u8 = 1;
/// A payload that could not be mapped.
pub const BAD_PAYLOAD: u8 = 2;

/// Where a command writes.
pub struct Streams<'a> {
    /// Results.
    pub out: &'a mut dyn Write,
    /// Everything else.
    pub err: &'a mut dyn Write,
}

impl std::fmt::Debug for Streams<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Streams")
    }
}

impl Streams<'_> {
    /// Writes a line of results. A reader that went away (`| head`) is no error.
    pub fn line(&mut self, text: &str) {
        drop(writeln!(self.out, "{text}"));
    }
    /// Writes results as they are, at once.
    pub fn print(&mut self, text: &str) {
        drop(self.out.write_all(text.as_bytes()));
        drop(self.out.flush());
    }
    /// Writes a line about them.
    pub fn note(&mut self, text: &str) {
        drop(writeln!(self.err, "{text}"));
    }
}

/// A connector by id, or by the path of its folder.
///
/// # Errors
/// What to tell the caller.
pub fn find(registry: &Registry, name: &str) -> Result<Arc<Connector>, String> {
    let path = Path::new(name);
    if name.contains(std::path::is_separator) || path.join("manifest.toml").is_file() {
        return from_folder(path).map(Arc::new);
    }
    let catalogue = registry.catalogue();
    if let Some(connector) = catalogue.get(name) {
        return Ok(connector);
    }
    let refused: Vec<String> = catalogue
        .refused()
        .iter()
        .filter(|refusal| refusal.folder == name)
        .map(ToString::to_string)
        .collect();
    if !refused.is_empty() {
        return Err(format!(
            "the connector `{name}` was refused:\n{}",
            refused.join("\n")
        ));
    }
    let known: Vec<String> = catalogue
        .all()
        .map(|connector| connector.id().to_owned())
        .collect();
    Err(match did_you_mean(name, known.iter().map(String::as_str)) {
        Some(meant) => format!("there is no connector `{name}`: did you mean `{meant}`?"),
        None => format!(
            "there is no connector `{name}`; there are: {}",
            known.join(", ")
        ),
    })
}

fn from_folder(path: &Path) -> Result<Connector, String> {
    let path = path
        .canonicalize()
        .map_err(|_| format!("there is no folder {}", path.display()))?;
    let source = crate::manifest::Source::Disk(path);
    let name = source.name();
    crate::manifest::Folder::load(source)
        .and_then(Connector::build)
        .map_err(|findings| {
            let lines: Vec<String> = findings
                .iter()
                .map(|finding| format!("{name}/{finding}"))
                .collect();
            lines.join("\n")
        })
}

/// One payload through a mapping, with the form's defaults: for the benchmark. The number of
/// outputs.
///
/// # Errors
/// The first failure.
pub fn map_one(
    connector: &Connector,
    mapping: &str,
    body: &[u8],
) -> Result<usize, crate::connector::Failure> {
    let mut mapped = crate::connector::map::map(connector, mapping, body, &Default::default());
    match mapped.failures.is_empty() {
        true => Ok(mapped.outputs.len()),
        false => Err(mapped.failures.swap_remove(0)),
    }
}

/// Settings given as `key=value`, typed as the form says. Names that the form does not know are
/// taken as text: a payload may need what a form does not ask for.
///
/// # Errors
/// What to tell the caller.
pub fn typed_settings(
    manifest: &Manifest,
    given: &[(String, String)],
) -> Result<Map<String, Value>, String> {
    let mut settings = Map::new();
    for (name, text) in given {
        known_setting(manifest, name)?;
        let kind = manifest
            .settings
            .get(name)
            .map(|field| field.kind)
            .unwrap_or_default();
        let value = match kind {
            FieldType::Number | FieldType::Bool | FieldType::Json => serde_json::from_str(text)
                .ok()
                .filter(|value: &Value| match kind {
                    FieldType::Number => value.is_number(),
                    FieldType::Bool => value.is_boolean(),
                    _ => true,
                })
                .ok_or_else(|| {
                    format!("the setting `{name}` does not fit: it is of the type {kind:?}")
                        .to_lowercase()
                })?,
            _ => Value::String(text.clone()),
        };
        settings.insert(name.clone(), value);
    }
    Ok(settings)
}

/// What every mapping may be given, whether the form asks for it or not.
const ALWAYS: [&str; 2] = ["currency", "timezone"];

/// # Errors
/// When the connector has no setting of this name: those that it has.
pub(crate) fn known_setting(manifest: &Manifest, name: &str) -> Result<(), String> {
    let own: Vec<&str> = manifest.settings.keys().map(String::as_str).collect();
    if own.contains(&name) || ALWAYS.contains(&name) {
        return Ok(());
    }
    let meant = did_you_mean(name, own.iter().copied().chain(ALWAYS));
    let meant = meant.map(|meant| format!(": did you mean `{meant}`?"));
    Err(format!(
        "{} has no setting `{name}`{}; it has: {}",
        manifest.id,
        meant.unwrap_or_default(),
        own.join(", ")
    ))
}

/// `key=value` of a command line.
///
/// # Errors
/// When there is no `=`.
pub fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected key=value".to_owned()),
    }
}

/// The bytes of a file, or of standard input for `-`.
///
/// # Errors
/// What to tell the caller.
pub fn read_input(file: &str) -> Result<Vec<u8>, String> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let read = if file == "-" {
        std::io::stdin()
            .lock()
            .read_to_end(&mut bytes)
            .map(|_| bytes)
    } else {
        std::fs::read(file)
    };
    read.map_err(|error| format!("cannot read {file}: {error}"))
}

#[cfg(test)]
mod tests;
