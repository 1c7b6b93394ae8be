//! `crossdock map`: a payload in, the canonical JSON array out.

use super::{BAD_PAYLOAD, FOUND, OK, Streams, find, typed_settings};
use crate::connector::Registry;
use crate::connector::map::{MapInput, map};

/// What the command line said.
#[derive(Debug, Clone, Default)]
pub struct MapCommand {
    /// Id or folder.
    pub connector: String,
    /// The mapping's name.
    pub mapping: String,
    /// The payload.
    pub body: Vec<u8>,
    /// `--set`.
    pub settings: Vec<(String, String)>,
    /// `--header`.
    pub headers: Vec<(String, String)>,
    /// `--records`.
    pub records: Option<String>,
}

/// Prints all outputs as one array; warnings and problems as JSON lines on `err`.
pub fn run(registry: &Registry, command: MapCommand, streams: &mut Streams<'_>) -> u8 {
    let connector = match find(registry, &command.connector) {
        Ok(connector) => connector,
        Err(message) => {
            streams.note(&message);
            return FOUND;
        }
    };
    if connector.mapping(&command.mapping).is_none() {
        let names: Vec<&str> = connector.mapping_names().collect();
        streams.note(&format!(
            "{} has no mapping `{}`; it has: {}",
            connector.id(),
            command.mapping,
            names.join(", ")
        ));
        return FOUND;
    }
    let settings = match typed_settings(connector.manifest(), &command.settings) {
        Ok(settings) => settings,
        Err(message) => {
            streams.note(&message);
            return FOUND;
        }
    };
    let headers = command
        .headers
        .into_iter()
        .map(|(name, value)| (name.to_lowercase(), value))
        .collect();
    let input = MapInput {
        settings,
        headers,
        records: command.records,
    };
    let mapped = map(&connector, &command.mapping, &command.body, &input);
    streams.line(&serde_json::to_string_pretty(&mapped.json()).unwrap_or_default());
    for warning in &mapped.warnings {
        streams.note(&serde_json::to_string(warning).unwrap_or_default());
    }
    for failure in &mapped.failures {
        streams.note(&serde_json::to_string(failure).unwrap_or_default());
    }
    if mapped.failures.is_empty() {
        OK
    } else {
        BAD_PAYLOAD
    }
}
