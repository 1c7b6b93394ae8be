//! Connections: accounts at providers.
//!
//! What always holds: no request waits for the provider (checks, pulls and webhook registration
//! are jobs); credentials are never shown; an `observing` connection registers nothing at the
//! provider, since that would change it; a deleted one cannot be changed back.

use super::body::Body;
use super::change::{Stop, audit, until_settled};
use super::connection_change::{ConnectionPatch, patched};
use super::connection_write::{Change, WANTED, first_jobs, job, write};
use super::connectors::{credentials, named, settings};
use super::gate::Call;
use super::idempotency::{Ticket, once};
use super::merchants::served;
use super::openapi::requests;
use super::problem::{Code, Problem};
use super::reply::{self, Answer, Reply};
use super::text::{name, object_size};
use super::view::ConnectionView;
use crate::canonical::connection::{
    Connection, ConnectionKind, ConnectionState, Contract, DEFAULT_CONTRACT, Health, Owner,
};
use crate::canonical::{ConnectionId, MerchantId, Timestamp};
use crate::flow::change::ChangeSet;
use crate::manifest::model::Manifest;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The states that a person may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum WantedState {
    #[default]
    Observing,
    Active,
    Paused,
}

impl From<WantedState> for ConnectionState {
    fn from(wanted: WantedState) -> Self {
        match wanted {
            WantedState::Observing => ConnectionState::Observing,
            WantedState::Active => ConnectionState::Active,
            WantedState::Paused => ConnectionState::Paused,
        }
    }
}

/// A connection to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConnection {
    /// Whose; a merchant's id, or the operator's (`mer_00000000000000000000000000000001`).
    #[schema(value_type = String)]
    merchant_id: MerchantId,
    /// The connector's id.
    connector: String,
    /// What people call it.
    name: String,
    /// What the connector's form asks for, and settings of every connection.
    #[serde(default)]
    #[schema(value_type = Object)]
    settings: Map<String, Value>,
    /// The secret part of the form. Never shown again.
    #[serde(default)]
    #[schema(value_type = Object)]
    credentials: Map<String, Value>,
    /// For carriers: what was agreed for each merchant, by its id or `default`.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, requests::Contract>)]
    contracts: BTreeMap<String, Contract>,
    /// `observing` when left out.
    #[serde(default)]
    state: WantedState,
    /// Orders placed before it are never released by themselves; the moment of activation when
    /// left out.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    release_from: Option<Timestamp>,
}

/// `POST /v1/connections`.
pub async fn create(call: Call, body: Body<NewConnection>) -> Answer {
    once(
        call,
        body.hash,
        Some("/v1/connections"),
        |call, ticket| async move { create_one(&call, &ticket, body.value).await },
    )
    .await
}

async fn create_one(call: &Call, ticket: &Ticket, new: NewConnection) -> Result<Reply, Problem> {
    let merchant_id = call.principal.act_for(Some(new.merchant_id))?;
    served(call, merchant_id).await?;
    let connector = named(call, &new.connector)?;
    let manifest = connector.manifest();
    object_size("settings", &new.settings)?;
    object_size("credentials", &new.credentials)?;
    let secrets = credentials(manifest, &new.credentials, &[])?;
    let mut connection = built(call, manifest, &new)?;
    connection.credentials_set = secrets.keys().cloned().collect();
    let mut change = ChangeSet::of(merchant_id);
    change.jobs = first_jobs(manifest, &connection, call.now());
    let view = ConnectionView::of(&connection, &call.state.settings.public_url);
    let reply = Reply::created("/v1/connections", &view)?;
    change.idempotency = ticket.answer(&reply);
    let log = json!({"connector": connection.connector, "state": connection.state});
    let audit = audit(call, "connection.create", &connection.id.to_string(), log);
    let store = &call.state.store;
    store
        .insert_connection(&connection, &secrets, change, audit)
        .await?;
    call.state.ingress.invalidate(connection.id);
    Ok(reply)
}

fn built(call: &Call, manifest: &Manifest, new: &NewConnection) -> Result<Connection, Problem> {
    let now = call.now();
    let state: ConnectionState = new.state.into();
    let wanted = match new.state {
        WantedState::Active => WantedState::Active,
        _ => WantedState::Observing,
    };
    let mut memory = Map::new();
    memory.insert(WANTED.into(), json!(wanted));
    Ok(Connection {
        contracts: contracts(manifest, &new.contracts)?,
        id: ConnectionId::new(),
        merchant_id: new.merchant_id,
        connector: manifest.id.clone(),
        connector_version: None,
        name: name("name", &new.name)?,
        kind: manifest.kind,
        owner: if new.merchant_id == MerchantId::OPERATOR {
            Owner::Operator
        } else {
            Owner::Merchant
        },
        settings: settings(manifest, &new.settings)?,
        state,
        release_from: match state {
            ConnectionState::Active => Some(new.release_from.unwrap_or(now)),
            _ => new.release_from,
        },
        health: Health::default(),
        memory,
        credentials_set: Vec::new(),
        created_at: now,
        updated_at: now,
        version: 1,
        epoch: 0,
    })
}

/// Contracts are of those who make labels only, and each is some merchant's.
///
/// # Errors
/// `invalid_body` at the contract.
pub fn contracts(
    manifest: &Manifest,
    given: &BTreeMap<String, Contract>,
) -> Result<BTreeMap<String, Contract>, Problem> {
    let labels = manifest.kind == ConnectionKind::Carrier
        || manifest.operations.contains_key("shipment.create");
    if !given.is_empty() && !labels {
        let what = "only carriers, and channels that issue labels, have contracts";
        return Err(Problem::body("contracts", what));
    }
    for key in given.keys() {
        if key != DEFAULT_CONTRACT && key.parse::<MerchantId>().is_err() {
            return Err(Problem::body(
                format!("contracts.{key}"),
                "a merchant's id or `default` is wanted",
            ));
        }
    }
    Ok(given.clone())
}

/// `GET /v1/connections`.
pub async fn list(call: Call) -> Answer {
    let merchant_id: Option<MerchantId> = call.params.parse("merchant_id")?;
    let connector = call.params.text("connector");
    let state: Option<ConnectionState> = call.params.word("state")?;
    let mut all = call.state.store.connections(call.principal.scope()).await?;
    all.retain(|c| {
        merchant_id.is_none_or(|m| c.merchant_id == m)
            && connector.is_none_or(|id| c.connector == id)
            && state.is_none_or(|s| c.state == s)
    });
    let url = &call.state.settings.public_url;
    reply::whole_list(all.iter().map(|c| ConnectionView::of(c, url)).collect())
}

async fn visible(call: &Call) -> Result<Connection, Stop> {
    let id: ConnectionId = call.id("id", "connection")?;
    let found = call
        .state
        .store
        .connection(call.principal.scope(), id)
        .await?;
    Ok(found.ok_or_else(|| Problem::not_found("connection"))?)
}

async fn living(call: &Call) -> Result<Connection, Stop> {
    let connection = visible(call).await?;
    if connection.state == ConnectionState::Deleted {
        return Err(Problem::new(Code::Gone, "the connection was deleted").into());
    }
    Ok(connection)
}

/// `GET /v1/connections/{id}`.
pub async fn get(call: Call) -> Answer {
    let connection = until_settled(|| visible(&call)).await?;
    reply::ok(&ConnectionView::of(
        &connection,
        &call.state.settings.public_url,
    ))
}

/// Reads, changes and writes a connection until nobody else was faster, and shows it.
async fn changed<F>(call: &Call, action: &str, change: F) -> Answer
where
    F: Fn(Connection) -> Result<Option<Change>, Problem>,
{
    let done = until_settled(|| async {
        let before = living(call).await?;
        let Some(next) = change(before.clone())? else {
            return Ok(before);
        };
        write(call, action, next).await?;
        visible(call).await
    });
    let connection = done.await?;
    call.state.ingress.invalidate(connection.id);
    reply::ok(&ConnectionView::of(
        &connection,
        &call.state.settings.public_url,
    ))
}

/// `PATCH /v1/connections/{id}`.
pub async fn patch(call: Call, body: Body<ConnectionPatch>) -> Answer {
    changed(&call, "connection.change", |before| {
        patched(&call, before, &body.value)
    })
    .await
}

/// `POST /v1/connections/{id}/pause`.
pub async fn pause(call: Call, _body: Body<super::deliveries::Empty>) -> Answer {
    changed(&call, "connection.pause", |mut connection| {
        if connection.state == ConnectionState::Paused {
            return Ok(None);
        }
        connection.state = ConnectionState::Paused;
        Ok(Some(Change {
            connection: Some(connection),
            ..Change::default()
        }))
    })
    .await
}

/// `POST /v1/connections/{id}/resume`.
pub async fn resume(call: Call, _body: Body<super::deliveries::Empty>) -> Answer {
    changed(&call, "connection.resume", |connection| {
        if matches!(
            connection.state,
            ConnectionState::Active | ConnectionState::Observing
        ) {
            return Ok(None);
        }
        let connector = named(&call, &connection.connector)?;
        let wanted = wanted_before(&connection);
        super::connection_change::to_state(&call, connection, wanted, connector.manifest())
            .map(Some)
    })
    .await
}

/// What a person last wanted of it. Connections that were not made by this API tell by their
/// `release_from`, which observing ones do not have.
fn wanted_before(connection: &Connection) -> WantedState {
    let known = connection.memory.get(WANTED).cloned();
    let known = known.and_then(|value| serde_json::from_value(value).ok());
    known.unwrap_or(match connection.release_from {
        Some(_) => WantedState::Active,
        None => WantedState::Observing,
    })
}

/// `DELETE /v1/connections/{id}`.
pub async fn delete(call: Call) -> Answer {
    let done = until_settled(|| async {
        let mut connection = visible(&call).await?;
        if connection.state == ConnectionState::Deleted {
            return Ok(connection.id);
        }
        connection.state = ConnectionState::Deleted;
        let id = connection.id;
        let next = Change {
            connection: Some(connection),
            ..Change::default()
        };
        write(&call, "connection.delete", next).await?;
        Ok(id)
    });
    let id = done.await?;
    call.state.ingress.invalidate(id);
    Ok(reply::no_content())
}

async fn enqueue(call: &Call, wanted: impl Fn(&Manifest) -> Vec<String>, none: &str) -> Answer {
    let connection = until_settled(|| living(call)).await?;
    let connector = named(call, &connection.connector)?;
    let manifest = connector.manifest();
    let kinds = wanted(manifest);
    let mut change = ChangeSet::of(connection.merchant_id);
    let jobs = kinds
        .iter()
        .filter_map(|kind| job(manifest, &connection, kind, call.now()));
    change.jobs = jobs.collect();
    if change.jobs.is_empty() {
        return Err(Problem::new(Code::Rejected, none));
    }
    let queued: Vec<_> = change.jobs.iter().map(|job| job.kind.clone()).collect();
    let subject = connection.id.to_string();
    change.audit.push(audit(
        call,
        "connection.enqueue",
        &subject,
        json!({"jobs": queued}),
    ));
    super::change::apply(call, change).await?;
    Ok(Reply::json(202, &json!({"queued": queued}))?.send())
}

/// `POST /v1/connections/{id}/check`.
pub async fn check(call: Call, _body: Body<super::deliveries::Empty>) -> Answer {
    let kinds = |_: &Manifest| vec!["connection.check".to_owned()];
    enqueue(&call, kinds, "this connector has no check").await
}

/// `POST /v1/connections/{id}/pull`.
pub async fn pull(call: Call, _body: Body<super::deliveries::Empty>) -> Answer {
    let kinds = |manifest: &Manifest| {
        let pulls = manifest
            .operations
            .iter()
            .filter(|(_, op)| op.poll.is_some());
        pulls.map(|(name, _)| name.clone()).collect()
    };
    enqueue(&call, kinds, "this connector has nothing to pull").await
}
