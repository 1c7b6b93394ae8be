//! What a PATCH changes of a connection, and what follows from a new state. Pure but for the clock.

use super::connection_write::{Change, WANTED, first_jobs};
use super::connections::{WantedState, contracts};
use super::connectors::{credentials, of_version, settings};
use super::gate::Call;
use super::problem::Problem;
use super::text::{name, object_size};
use crate::canonical::connection::{Connection, ConnectionState, Contract};
use crate::canonical::{Field, MerchantId, Timestamp};
use crate::connector::NotKept;
use crate::manifest::model::{Manifest, Verify};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What may be changed of a connection. Keys left out stay as they are.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectionPatch {
    /// Cannot be changed; may be sent as it is.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    merchant_id: Option<MerchantId>,
    /// Cannot be changed; may be sent as it is.
    #[serde(default)]
    connector: Option<String>,
    /// What people call it.
    #[serde(default)]
    name: Option<String>,
    /// Merged by name; null removes a setting.
    #[serde(default)]
    #[schema(value_type = Object)]
    settings: Map<String, Value>,
    /// Merged by name.
    #[serde(default)]
    #[schema(value_type = Object)]
    credentials: Map<String, Value>,
    /// With a new webhook secret: so many hours the former one is good too, since the provider may
    /// sign with it for a while; 24 when left out, 0 when it has become known.
    #[serde(default)]
    former_secret_hours: Option<u32>,
    /// For carriers: merged by merchant id or `default`; null removes a contract.
    #[serde(default)]
    #[schema(value_type = Object)]
    contracts: BTreeMap<String, Option<Contract>>,
    /// The folder's version to keep to: the one in use or one that was kept before; null follows
    /// whichever is installed.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    connector_version: Field<String>,
    /// `observing`, `active` or `paused`.
    #[serde(default)]
    #[schema(value_type = Option<WantedState>)]
    state: Option<WantedState>,
    /// Orders placed before it are never released by themselves.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    release_from: Field<Timestamp>,
}

/// So long a former webhook secret is good, when nothing else is said.
const FORMER_HOURS: u32 = 24;
/// … and at most: a week.
const MAX_FORMER_HOURS: u32 = 168;

/// The credential that webhooks are signed with.
fn signing_secret(manifest: &Manifest) -> Option<&str> {
    match &manifest.webhooks.as_ref()?.verify {
        Verify::Hmac { secret, .. } => Some(secret),
        Verify::IpAllow { .. } => None,
    }
}

/// The connection as the patch wants it; `None` when that changes nothing.
///
/// # Errors
/// `invalid_body` with every field that does not fit.
pub fn patched(
    call: &Call,
    before: Connection,
    patch: &ConnectionPatch,
) -> Result<Option<Change>, Problem> {
    unchangeable(&before, patch)?;
    let former_hours = patch.former_secret_hours.unwrap_or(FORMER_HOURS);
    if former_hours > MAX_FORMER_HOURS {
        let what = format!("0 to {MAX_FORMER_HOURS} hours are wanted");
        return Err(Problem::body("former_secret_hours", what));
    }
    let mut connection = before.clone();
    connection.connector_version = kept_version(call, &before, &patch.connector_version)?;
    let connector = of_version(call, &connection)?;
    let manifest = connector.manifest();
    if let Some(text) = &patch.name {
        connection.name = name("name", text)?;
    }
    if !patch.settings.is_empty() {
        object_size("settings", &patch.settings)?;
        connection.settings = merged(manifest, &before.settings, &patch.settings)?;
    }
    if !patch.contracts.is_empty() {
        let mut all = before.contracts.clone();
        for (key, contract) in &patch.contracts {
            match contract {
                Some(contract) => drop(all.insert(key.clone(), contract.clone())),
                None => drop(all.remove(key)),
            }
        }
        connection.contracts = contracts(manifest, &all)?;
    }
    connection.release_from = release_from(&before, patch)?;
    let secrets = secrets(manifest, &before, patch)?;
    let rewired = connection.settings != before.settings || secrets.is_some();
    let mut change = match patch.state {
        Some(wanted) => to_state(call, connection, wanted, manifest)?,
        None => Change {
            connection: Some(connection),
            ..Change::default()
        },
    };
    if let Some(connection) = change.connection.as_ref().filter(|_| rewired)
        && change.jobs.is_empty()
    {
        // Registered again too, or the provider goes on signing with the old secret.
        change.jobs = first_jobs(manifest, connection, call.now());
    }
    if change.connection.as_ref() == Some(&before) && secrets.is_none() && change.wanted.is_none() {
        return Ok(None);
    }
    change.detail = json!({
        "settings": patch.settings.keys().collect::<Vec<_>>(),
        "credentials": patch.credentials.keys().collect::<Vec<_>>(),
        "contracts": patch.contracts.keys().collect::<Vec<_>>(),
        "connector_version": change.connection.as_ref().map(|after| &after.connector_version),
        "state": patch.state,
    });
    change.credentials = secrets;
    change.signing = signing_secret(manifest).map(str::to_owned);
    change.former_hours = former_hours;
    Ok(Some(change))
}

/// The version that the connection keeps to from now on; its folder is put by first.
fn kept_version(
    call: &Call,
    before: &Connection,
    wanted: &Field<String>,
) -> Result<Option<String>, Problem> {
    let version = match wanted {
        Field::Absent => return Ok(before.connector_version.clone()),
        Field::Null => return Ok(None),
        Field::Value(version) => version,
    };
    let kept = call.state.connectors.keep(&before.connector, version);
    match kept {
        Ok(()) => Ok(Some(version.clone())),
        Err(error @ NotKept::Unknown { .. }) => {
            Err(Problem::body("connector_version", error.to_string()))
        }
        Err(NotKept::Io(error)) => {
            tracing::error!(%error, "a connector's folder cannot be kept");
            Err(Problem::internal("the connector's folder cannot be kept"))
        }
    }
}

fn release_from(
    before: &Connection,
    patch: &ConnectionPatch,
) -> Result<Option<Timestamp>, Problem> {
    match patch.release_from {
        Field::Value(moment) => Ok(Some(moment)),
        Field::Null if before.state == ConnectionState::Active && patch.state.is_none() => Err(
            Problem::body("release_from", "an active connection needs one"),
        ),
        Field::Null => Ok(None),
        // Observing again: what is placed meanwhile is another system's to ship.
        Field::Absent
            if patch.state == Some(WantedState::Observing)
                && before.state != ConnectionState::Observing =>
        {
            Ok(None)
        }
        Field::Absent => Ok(before.release_from),
    }
}

fn secrets(
    manifest: &Manifest,
    before: &Connection,
    patch: &ConnectionPatch,
) -> Result<Option<BTreeMap<String, SecretString>>, Problem> {
    if patch.credentials.is_empty() {
        return Ok(None);
    }
    object_size("credentials", &patch.credentials)?;
    credentials(manifest, &patch.credentials, &before.credentials_set).map(Some)
}

fn unchangeable(before: &Connection, patch: &ConnectionPatch) -> Result<(), Problem> {
    if patch.merchant_id.is_some_and(|id| id != before.merchant_id) {
        return Err(Problem::body(
            "merchant_id",
            "cannot be changed: make a new connection",
        ));
    }
    if patch
        .connector
        .as_ref()
        .is_some_and(|id| *id != before.connector)
    {
        return Err(Problem::body(
            "connector",
            "cannot be changed: make a new connection",
        ));
    }
    Ok(())
}

fn merged(
    manifest: &Manifest,
    before: &Map<String, Value>,
    patch: &Map<String, Value>,
) -> Result<Map<String, Value>, Problem> {
    let mut all = before.clone();
    for (name, value) in patch {
        all.insert(name.clone(), value.clone());
    }
    settings(manifest, &all)
}

/// A connection in the wanted state, and what follows: activation sets `release_from` and
/// registers webhooks; leaving `paused` or `suspended` sets parked work going again.
///
/// # Errors
/// None so far; kept for states that need more.
pub fn to_state(
    call: &Call,
    mut connection: Connection,
    wanted: WantedState,
    manifest: &Manifest,
) -> Result<Change, Problem> {
    let from = connection.state;
    let remembered = connection.memory.get(WANTED) == Some(&json!(wanted));
    connection.state = wanted.into();
    if wanted == WantedState::Active && connection.release_from.is_none() {
        connection.release_from = Some(call.now());
    }
    let resumed = wanted != WantedState::Paused
        && matches!(from, ConnectionState::Paused | ConnectionState::Suspended);
    let jobs = if connection.state != from && wanted != WantedState::Paused {
        first_jobs(manifest, &connection, call.now())
    } else {
        Vec::new()
    };
    Ok(Change {
        connection: Some(connection),
        jobs,
        resumed,
        wanted: Some(wanted).filter(|_| wanted != WantedState::Paused && !remembered),
        ..Change::default()
    })
}
