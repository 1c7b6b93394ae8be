//! Connectors: what can be plugged in, and the check of what is entered into their forms.

use super::gate::Call;
use super::problem::{Code, FieldError, Problem};
use super::reply::{self, Answer};
use super::rules;
use crate::canonical::connection::Connection;
use crate::connector::Connector;
use crate::manifest::model::{Manifest, Verify};
use crate::manifest::{schema, submitted};
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// `GET /v1/connectors`.
pub async fn list(call: Call) -> Answer {
    let catalogue = call.state.connectors.catalogue();
    reply::whole_list(
        catalogue
            .all()
            .map(|connector| summary(connector))
            .collect(),
    )
}

/// `GET /v1/connectors/{id}`.
pub async fn get(call: Call) -> Answer {
    let found = call.state.connectors.get(call.segment("id"));
    let connector = found.ok_or_else(|| Problem::not_found("connector"))?;
    let mut view = summary(&connector);
    view.insert("form".into(), schema::json_schema(connector.manifest()));
    view.insert("settings_of_every_connection".into(), rules::json_schema());
    reply::ok(&view)
}

fn summary(connector: &Connector) -> Map<String, Value> {
    let manifest = connector.manifest();
    let webhooks = manifest.webhooks.as_ref();
    let topics: Vec<_> = webhooks.iter().flat_map(|w| w.topics.keys()).collect();
    let secret = webhooks.and_then(|w| match &w.verify {
        Verify::Hmac { secret, .. } => Some(secret),
        Verify::IpAllow { .. } => None,
    });
    let operations: Map<String, Value> = manifest
        .operations
        .iter()
        .map(|(name, op)| (name.clone(), json!({"polled": op.poll.is_some()})))
        .collect();
    let view = json!({
        "id": manifest.id,
        "name": manifest.name,
        "kind": manifest.kind,
        "summary": manifest.summary,
        "docs": manifest.docs,
        "version": connector.version(),
        "operations": operations,
        "webhook_topics": topics,
        "webhook_secret": secret,
    });
    match view {
        Value::Object(view) => view,
        _ => Map::new(),
    }
}

/// The connector of a connection, in the version that it keeps to.
///
/// # Errors
/// `unknown_connector`; `invalid_body` where the kept version is gone.
pub fn of_version(call: &Call, connection: &Connection) -> Result<Arc<Connector>, Problem> {
    let version = connection.connector_version.as_deref();
    let found = call
        .state
        .connectors
        .get_version(&connection.connector, version);
    match (found, version) {
        (Some(connector), _) => Ok(connector),
        (None, None) => named(call, &connection.connector),
        (None, Some(version)) => Err(Problem::body(
            "connector_version",
            format!("the kept version {version} is gone or broken: name another, or null"),
        )),
    }
}

/// The connector that a body names.
///
/// # Errors
/// `unknown_connector`.
pub fn named(call: &Call, id: &str) -> Result<Arc<Connector>, Problem> {
    let catalogue = call.state.connectors.catalogue();
    catalogue.get(id).ok_or_else(|| {
        let close = catalogue
            .all()
            .map(|connector| (strsim::jaro_winkler(connector.id(), id), connector.id()))
            .filter(|(likeness, _)| *likeness > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let refused = catalogue
            .refused()
            .iter()
            .any(|refusal| refusal.folder == id);
        let problem = Problem::new(Code::UnknownConnector, "there is no connector with this id")
            .field("connector", "not known");
        match close {
            _ if refused => problem.hint("its folder was refused: run `crossdock connectors`"),
            Some((_, meant)) => problem.hint(format!("did you mean `{meant}`?")),
            None => problem.hint("GET /v1/connectors lists them"),
        }
    })
}

/// Settings as they are stored: the form's, checked and with defaults, and those of every
/// connection.
///
/// # Errors
/// `invalid_body` with every field that does not fit.
pub fn settings(
    manifest: &Manifest,
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, Problem> {
    let (common, own): (Map<_, _>, Map<_, _>) = given
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .partition(|(name, _)| !manifest.settings.contains_key(name) && rules::knows(name));
    let mut errors = rules::check("settings", &common);
    match submitted::settings(manifest, &own) {
        Ok(mut taken) if errors.is_empty() => {
            taken.extend(common);
            Ok(taken)
        }
        Ok(_) => Err(Problem::fields(errors)),
        Err(refused) => {
            errors.extend(
                refused
                    .into_iter()
                    .map(|e| FieldError::new(e.field, e.message)),
            );
            Err(Problem::fields(errors))
        }
    }
}

/// Credentials as they are stored. Those that are set already need not be given again.
///
/// # Errors
/// `invalid_body` with every field that does not fit; never with a value.
pub fn credentials(
    manifest: &Manifest,
    given: &Map<String, Value>,
    set: &[String],
) -> Result<BTreeMap<String, SecretString>, Problem> {
    let taken = match submitted::credentials(manifest, given) {
        Ok(taken) => taken,
        Err(mut refused) => {
            refused.retain(|error| {
                let name = error.field.trim_start_matches("credentials.");
                given.contains_key(name) || !set.iter().any(|known| known == name)
            });
            if !refused.is_empty() {
                let fields = refused
                    .into_iter()
                    .map(|e| FieldError::new(e.field, e.message));
                return Err(Problem::fields(fields.collect()));
            }
            given.clone()
        }
    };
    Ok(taken
        .into_iter()
        .filter(|(name, _)| given.contains_key(name) || !set.contains(name))
        .map(|(name, value)| (name, SecretString::from(text_of(value))))
        .collect())
}

fn text_of(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}
