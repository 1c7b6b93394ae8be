//! Fixtures: the provider's bytes and what must come of them, a folder a case.
//!
//! `fixtures/<case>/case.toml` says the kind; the files beside it are the bytes. Reading them is
//! here, running them is `cli`'s, since it needs every layer.

use super::finding::Finding;
use super::folder::Source;
use super::parse;
use crate::canonical::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What a case tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A payload through a mapping.
    Mapping,
    /// A request to our hook.
    Webhook,
    /// An operation: the requests we send.
    Call,
}

/// What becomes of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Stored, with `topic`.
    Accepted,
    /// Not proved: 401, nothing stored.
    Refused,
    /// A ping or challenge: answered with `status`, nothing stored.
    Challenge,
}

/// `case.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CaseFile {
    kind: Kind,
    #[serde(default)]
    about: Option<String>,
    #[serde(default)]
    mapping: Option<String>,
    #[serde(default)]
    operation: Option<String>,
    #[serde(default)]
    step: Option<String>,
    #[serde(default)]
    outcome: Option<Outcome>,
    #[serde(default)]
    topic: Option<String>,
    #[serde(default)]
    status: Option<u16>,
    #[serde(default)]
    class: Option<String>,
    #[serde(default)]
    settings: Map<String, Value>,
    #[serde(default)]
    credentials: BTreeMap<String, String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    from: Option<IpAddr>,
    #[serde(default)]
    memory: Map<String, Value>,
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    now: Option<Timestamp>,
    #[serde(default)]
    steps: Map<String, Value>,
}

/// One fixture.
#[derive(Debug, Clone)]
pub struct Case {
    /// The folder's name.
    pub name: String,
    /// What it tries.
    pub kind: Kind,
    /// One sentence: what is special about it.
    pub about: Option<String>,
    /// The mapping (kind `mapping`).
    pub mapping: Option<String>,
    /// The operation (kind `call`).
    pub operation: Option<String>,
    /// Only this step (kind `call`).
    pub step: Option<String>,
    /// What becomes of it (kind `webhook`).
    pub outcome: Option<Outcome>,
    /// The topic: in the URL where the manifest says `path`, and the one that must be read.
    pub topic: Option<String>,
    /// The reply's status that must come (webhook).
    pub status: Option<u16>,
    /// The class that the last answer must get, `ok` for success (call).
    pub class: Option<String>,
    /// The connection's settings.
    pub settings: Map<String, Value>,
    /// Made-up credentials.
    pub credentials: BTreeMap<String, String>,
    /// The request's headers.
    pub headers: BTreeMap<String, String>,
    /// The sender's address (webhook).
    pub from: Option<IpAddr>,
    /// What the connection remembers.
    pub memory: Map<String, Value>,
    /// The poll's position.
    pub cursor: Option<String>,
    /// What earlier steps saved, for a step on its own.
    pub steps: Map<String, Value>,
    /// The moment of the call; 1970 when left out.
    pub now: Option<Timestamp>,
    /// Where its files are.
    source: Source,
}

/// Every case of a folder, sorted by name; a broken one is a finding.
pub fn all(source: &Source) -> Vec<Result<Case, Finding>> {
    source
        .dirs("fixtures")
        .into_iter()
        .map(|name| Case::load(source, &name))
        .collect()
}

impl Case {
    /// Reads `fixtures/<name>/case.toml`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn load(source: &Source, name: &str) -> Result<Self, Finding> {
        let file = format!("fixtures/{name}/case.toml");
        let text = source.text(&file)?;
        let read: CaseFile = parse::strict(&file, &text)?;
        let needed = match read.kind {
            Kind::Mapping => ("mapping", read.mapping.is_none()),
            Kind::Webhook => ("outcome", read.outcome.is_none()),
            Kind::Call => ("operation", read.operation.is_none()),
        };
        if let (key, true) = needed {
            return Err(Finding::of(&file, format!("missing key `{key}`")));
        }
        Ok(Self {
            name: name.to_owned(),
            kind: read.kind,
            about: read.about,
            mapping: read.mapping,
            operation: read.operation,
            step: read.step,
            outcome: read.outcome,
            topic: read.topic,
            status: read.status,
            class: read.class,
            settings: read.settings,
            credentials: read.credentials,
            headers: read
                .headers
                .into_iter()
                .map(|(name, value)| (name.to_lowercase(), value))
                .collect(),
            from: read.from,
            memory: read.memory,
            cursor: read.cursor,
            now: read.now,
            steps: read.steps,
            source: source.clone(),
        })
    }

    /// The path of one of its files inside the connector's folder.
    pub fn path(&self, file: &str) -> String {
        format!("fixtures/{}/{file}", self.name)
    }

    /// The bytes of its file whose name begins with `stem.` (`input.json`, `input.xml`), if there is one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn bytes(&self, stem: &str) -> Result<Option<Vec<u8>>, Finding> {
        let files = self.source.files(&format!("fixtures/{}", self.name));
        let Some(name) = files.iter().find(|name| {
            name.strip_prefix(stem)
                .is_some_and(|rest| rest.starts_with('.'))
        }) else {
            return Ok(None);
        };
        let path = self.path(name);
        match self.source.read(&path) {
            Ok(bytes) => Ok(Some(bytes.into_owned())),
            Err(error) => Err(Finding::of(&path, error.to_string())),
        }
    }

    /// The JSON in its file `<stem>.json`, if there is one.
    ///
    /// # Errors
    /// When it cannot be read or is no JSON.
    pub fn json(&self, stem: &str) -> Result<Option<Value>, Finding> {
        let Some(bytes) = self.bytes(stem)? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            let place = super::Place {
                line: error.line().max(1),
                column: error.column().max(1),
            };
            Finding::at(&self.path(&format!("{stem}.json")), place, "not valid JSON")
        })
    }
}
