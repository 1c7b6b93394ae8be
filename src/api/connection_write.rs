//! Writing a changed connection, and the jobs that follow from its state.

use super::change::{Stop, audit};
use super::connections::WantedState;
use super::gate::Call;
use crate::canonical::connection::{Connection, ConnectionState};
use crate::canonical::event::{EventType, NewEvent};
use crate::canonical::job::NewJob;
use crate::canonical::{EventId, Timestamp};
use crate::clock::after;
use crate::flow::change::{ChangeSet, ConnectionUpdate};
use crate::ingress::verify::{PREVIOUS_SUFFIX, UNTIL_SUFFIX};
use crate::manifest::model::Manifest;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Where a connection goes back to when it is resumed: what a person last wanted of it.
pub const WANTED: &str = "wanted_state";

/// The check, and (only where it may change the provider) the registration of webhooks.
pub fn first_jobs(manifest: &Manifest, connection: &Connection, now: Timestamp) -> Vec<NewJob> {
    let mut kinds = vec!["connection.check"];
    if connection.state == ConnectionState::Active {
        kinds.push("webhook.register");
    }
    let jobs = kinds.into_iter();
    jobs.filter_map(|kind| job(manifest, connection, kind, now))
        .collect()
}

/// A job of a connection, where its connector has that operation.
pub fn job(
    manifest: &Manifest,
    connection: &Connection,
    kind: &str,
    now: Timestamp,
) -> Option<NewJob> {
    let operation = manifest.operations.get(kind)?;
    Some(NewJob {
        merchant_id: connection.merchant_id,
        kind: kind.to_owned(),
        connection_id: connection.id,
        order_id: None,
        lane: operation.lane(kind),
        key: format!("{kind}/{}", connection.id),
        ordering_key: connection.id.to_string(),
        run_at: now,
        input: json!({}),
    })
}

/// A changed connection and what follows from it.
#[derive(Default)]
pub struct Change {
    /// As it shall be; `version` is the one that was read.
    pub connection: Option<Connection>,
    /// New credentials, merged by name.
    pub credentials: Option<BTreeMap<String, SecretString>>,
    /// The credential that webhooks are signed with.
    pub signing: Option<String>,
    /// So many hours its former value is good beside a new one.
    pub former_hours: u32,
    /// What follows.
    pub jobs: Vec<NewJob>,
    /// What a person wants of it, to be remembered.
    pub wanted: Option<WantedState>,
    /// Appends `connection.resumed`.
    pub resumed: bool,
    /// For the audit log.
    pub detail: Value,
}

/// Writes a changed connection with what follows from it.
///
/// # Errors
/// A conflict when it was changed in the meantime.
pub async fn write(call: &Call, action: &str, next: Change) -> Result<(), Stop> {
    let Some(mut connection) = next.connection else {
        return Ok(());
    };
    let now = call.now();
    connection.updated_at = now;
    let mut change = ChangeSet::of(connection.merchant_id);
    change.jobs = next.jobs;
    // `memory` is the worker's: it is merged by name, never replaced.
    change.connection = next.wanted.map(|wanted| (connection.id, remember(wanted)));
    if next.resumed {
        change.events.push(resumed(&connection, call));
    }
    let audit = audit(call, action, &connection.id.to_string(), next.detail);
    let store = &call.state.store;
    let mut credentials = next.credentials;
    if let (Some(new), Some(signing)) = (&mut credentials, &next.signing) {
        keep_former(call, &connection, new, signing, next.former_hours).await?;
    }
    store
        .update_connection(&connection, credentials.as_ref(), change, audit)
        .await?;
    // The worker lets parked work go on when it sees the change: not all of it may (a call that
    // may have happened waits for a person).
    Ok(())
}

/// A provider goes on signing with the former secret until it was told of the new one, and repeats
/// what it signed before: deliveries of that time are not to be lost.
async fn keep_former(
    call: &Call,
    connection: &Connection,
    new: &mut BTreeMap<String, SecretString>,
    signing: &str,
    hours: u32,
) -> Result<(), Stop> {
    let Some(secret) = new.get(signing) else {
        return Ok(());
    };
    let stored = call.state.store.credentials(connection.id).await?;
    let former = stored.get(signing).cloned().unwrap_or_default();
    let same = former.expose_secret() == secret.expose_secret();
    if same || former.expose_secret().is_empty() {
        return Ok(());
    }
    // With no time to go, it is not even kept.
    let former = if hours == 0 {
        SecretString::default()
    } else {
        former
    };
    let until = after(call.now(), Duration::from_secs(u64::from(hours) * 3_600));
    new.insert(format!("{signing}{PREVIOUS_SUFFIX}"), former);
    let until = SecretString::from(until.to_string());
    new.insert(format!("{signing}{UNTIL_SUFFIX}"), until);
    Ok(())
}

fn remember(wanted: WantedState) -> ConnectionUpdate {
    let mut update = ConnectionUpdate::default();
    update.memory.insert(WANTED.into(), json!(wanted));
    update
}

fn resumed(connection: &Connection, call: &Call) -> NewEvent {
    NewEvent {
        id: EventId::new(),
        kind: EventType::ConnectionResumed,
        at: call.now(),
        merchant_id: connection.merchant_id,
        order_id: None,
        subject: connection.id.to_string(),
        snapshots: Vec::new(),
        extra: json!({"connection": connection}),
    }
}
