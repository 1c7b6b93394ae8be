//! Connections and their credentials.
//!
//! What always holds: credentials are sealed and never part of a connection's JSON; settings and
//! state are written only over the version that was read; health and memory are merged into what is
//! stored and never overwritten by someone who read an older state.

use super::SqlStore;
use super::apply::{apply_set, put_audit};
use super::codec::{Columns, Result, corrupt, from_json, int, to_json_text, word};
use super::conn::OptionalExtension;
use super::value::params;
use super::writer::WriteCtx;
use crate::canonical::connection::{Connection, ConnectionState, Health};
use crate::canonical::event::{EventType, NewEvent};
use crate::canonical::{ConnectionId, EventId, MerchantId};
use crate::flow::change::{AuditEntry, ChangeSet, ConnectionUpdate};
use crate::store::{Scope, StoreError};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

type Sealed = Vec<(String, Vec<u8>)>;

fn credential_row(id: ConnectionId, name: &str) -> Vec<u8> {
    [id.as_bytes().as_slice(), name.as_bytes()].concat()
}

fn not_found(id: ConnectionId) -> StoreError {
    StoreError::NotFound(id.to_string())
}

fn stored(ctx: &WriteCtx<'_>, id: ConnectionId) -> Result<Connection> {
    let data: Option<String> = ctx
        .conn
        .prepare_cached(&format!(
            "SELECT data FROM connections WHERE id = ?{}",
            ctx.conn.for_update()
        ))?
        .query_row(params![id.as_bytes()], |row| row.get(0))
        .optional()?;
    from_json(data.ok_or_else(|| not_found(id))?.as_bytes())
}

fn put(ctx: &mut WriteCtx<'_>, connection: &Connection) -> Result<()> {
    ctx.conn
        .prepare_cached(
            "INSERT INTO connections (id, merchant_id, state, version, epoch, data)
             VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT (id) DO UPDATE SET state = excluded.state, version = excluded.version,
               epoch = CASE WHEN excluded.epoch > connections.epoch
                 THEN excluded.epoch ELSE connections.epoch END, data = excluded.data",
        )?
        .execute(params![
            connection.id.as_bytes(),
            connection.merchant_id.as_bytes(),
            word(&connection.state),
            int(connection.version),
            int(connection.epoch),
            to_json_text(connection)?,
        ])?;
    let id = connection.id;
    ctx.local
        .after
        .push(Box::new(move |shared| shared.connections.changed(id)));
    Ok(())
}

/// Merges credentials by name; yields the names that are set.
fn put_credentials(ctx: &WriteCtx<'_>, id: ConnectionId, sealed: &Sealed) -> Result<Vec<String>> {
    for (name, secret) in sealed {
        ctx.conn
            .prepare_cached(
                "INSERT INTO credentials (connection_id, name, sealed) VALUES (?, ?, ?)
                 ON CONFLICT (connection_id, name) DO UPDATE SET sealed = excluded.sealed",
            )?
            .execute(params![id.as_bytes(), name, secret])?;
    }
    let mut query = ctx
        .conn
        .prepare_cached("SELECT name FROM credentials WHERE connection_id = ? ORDER BY name")?;
    let names = query
        .query_map(params![id.as_bytes()], |row| row.get(0))?
        .collect::<Result<_>>()?;
    Ok(names)
}

/// Merges what was learned of a connection; yields the event of a suspension.
pub(in crate::store) fn learn(
    ctx: &mut WriteCtx<'_>,
    id: ConnectionId,
    update: &ConnectionUpdate,
) -> Result<Option<NewEvent>> {
    let mut connection = stored(ctx, id)?;
    for (key, value) in &update.memory {
        if value.is_null() {
            connection.memory.remove(key);
        } else {
            connection.memory.insert(key.clone(), value.clone());
        }
    }
    if !update.health.is_empty() {
        connection.health = merged(&connection.health, &update.health)?;
    }
    if let Some(until) = update.freeze_until {
        connection.health.frozen_until = connection.health.frozen_until.max(Some(until));
    }
    let suspends = update.suspend.is_some()
        && !matches!(
            connection.state,
            ConnectionState::Suspended | ConnectionState::Deleted
        );
    if let Some(reason) = &update.suspend {
        connection.health.suspended_reason = Some(reason.clone());
    }
    if suspends {
        connection.state = ConnectionState::Suspended;
        connection.version = connection.version.saturating_add(1);
        connection.updated_at = ctx.now();
        ctx.local.bells.setup = true;
    }
    put(ctx, &connection)?;
    Ok(suspends.then(|| NewEvent {
        id: EventId::new(),
        kind: EventType::ConnectionSuspended,
        at: ctx.now(),
        merchant_id: connection.merchant_id,
        order_id: None,
        subject: id.to_string(),
        snapshots: Vec::new(),
        extra: json!({ "connection": connection }),
    }))
}

fn merged(health: &Health, given: &Map<String, Value>) -> Result<Health> {
    let mut all = serde_json::to_value(health).map_err(super::codec::json_error)?;
    let object = all
        .as_object_mut()
        .ok_or_else(|| corrupt("a connection's health"))?;
    for (key, value) in given {
        object.insert(key.clone(), value.clone());
    }
    serde_json::from_value(all).map_err(super::codec::json_error)
}

/// Counts orders that only the sweep found.
pub(in crate::store) fn found_by_sweep(
    ctx: &mut WriteCtx<'_>,
    id: ConnectionId,
    n: u64,
) -> Result<()> {
    let mut connection = stored(ctx, id)?;
    connection.health.found_by_sweep = connection.health.found_by_sweep.saturating_add(n);
    put(ctx, &connection)
}

impl SqlStore {
    async fn seal_credentials(
        &self,
        connection: &Connection,
        credentials: &BTreeMap<String, SecretString>,
    ) -> Result<Sealed> {
        let key = self.key_of(connection.merchant_id).await?;
        let seal = |(name, secret): (&String, &SecretString)| {
            let row = credential_row(connection.id, name);
            let text = secret.expose_secret().as_bytes();
            (name.clone(), key.seal("credentials", &row, text))
        };
        Ok(credentials.iter().map(seal).collect())
    }

    pub(in crate::store) async fn insert_connection(
        &self,
        connection: &Connection,
        credentials: &BTreeMap<String, SecretString>,
        change: ChangeSet,
        audit: AuditEntry,
    ) -> Result<()> {
        let sealed = self.seal_credentials(connection, credentials).await?;
        let change = self.seal_one(change).await?;
        let mut connection = connection.clone();
        self.write(4096, move |ctx| {
            let exists = ctx
                .conn
                .prepare_cached("SELECT 1 FROM connections WHERE id = ?")?
                .exists(params![connection.id.as_bytes()])?;
            if exists {
                return Err(StoreError::Exists(connection.id.to_string()));
            }
            connection.credentials_set = put_credentials(ctx, connection.id, &sealed)?;
            put(ctx, &connection)?;
            ctx.local.bells.setup = true;
            apply_set(ctx, &change)?;
            put_audit(ctx.conn, &audit)
        })
        .await
    }

    pub(in crate::store) async fn update_connection(
        &self,
        connection: &Connection,
        credentials: Option<&BTreeMap<String, SecretString>>,
        change: ChangeSet,
        audit: AuditEntry,
    ) -> Result<()> {
        let none = BTreeMap::new();
        let sealed = self
            .seal_credentials(connection, credentials.unwrap_or(&none))
            .await?;
        let change = self.seal_one(change).await?;
        let mut new = connection.clone();
        self.write(4096, move |ctx| {
            let old = stored(ctx, new.id)?;
            if old.version != new.version || old.merchant_id != new.merchant_id {
                return Err(StoreError::Conflict(format!("{} was changed", new.id)));
            }
            new.version = old.version.saturating_add(1);
            new.epoch = old.epoch.max(new.epoch);
            new.created_at = old.created_at;
            (new.memory, new.health) = (old.memory, old.health);
            if old.state == ConnectionState::Suspended && new.state != old.state {
                new.health.suspended_reason = None;
                new.health.failures_in_row = 0;
                new.health.circuit_open_until = None;
            }
            new.credentials_set = put_credentials(ctx, new.id, &sealed)?;
            put(ctx, &new)?;
            ctx.local.bells.setup = true;
            apply_set(ctx, &change)?;
            put_audit(ctx.conn, &audit)
        })
        .await
    }

    pub(in crate::store) async fn connections(&self, scope: Scope) -> Result<Vec<Connection>> {
        self.read(move |reader| {
            let mut query = reader.conn.prepare_cached(
                "SELECT data, merchant_id FROM connections WHERE state <> 'deleted' ORDER BY id",
            )?;
            let mut rows = query.query([])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                if scope.sees(MerchantId::from_uuid(row.uuid(1)?)) {
                    found.push(from_json(row.text(0)?.as_bytes())?);
                }
            }
            Ok(found)
        })
        .await
    }

    pub(in crate::store) async fn connection(
        &self,
        scope: Scope,
        id: ConnectionId,
    ) -> Result<Option<Connection>> {
        let cached = self.shared.connections.get(id);
        let found = match cached {
            Some(connection) => Some(connection),
            None => {
                let generation = self.shared.connections.generation();
                let read = self
                    .read(move |reader| {
                        let data: Option<String> = reader
                            .conn
                            .prepare_cached("SELECT data FROM connections WHERE id = ?")?
                            .query_row(params![id.as_bytes()], |row| row.get(0))
                            .optional()?;
                        data.map(|data| from_json::<Connection>(data.as_bytes()))
                            .transpose()
                    })
                    .await?
                    .map(Arc::new);
                if let Some(connection) = &read {
                    self.shared
                        .connections
                        .keep(generation, Arc::clone(connection));
                }
                read
            }
        };
        Ok(found
            .filter(|connection| scope.sees(connection.merchant_id))
            .map(|connection| (*connection).clone()))
    }

    pub(in crate::store) async fn credentials(
        &self,
        id: ConnectionId,
    ) -> Result<BTreeMap<String, SecretString>> {
        self.read(move |reader| {
            let mut query = reader
                .conn
                .prepare_cached("SELECT name, sealed FROM credentials WHERE connection_id = ?")?;
            let mut rows = query.query(params![id.as_bytes()])?;
            let mut found = BTreeMap::new();
            while let Some(row) = rows.next()? {
                let name = row.text(0)?;
                let sealed: Vec<u8> = row.get(1)?;
                let row = credential_row(id, &name);
                let Some(text) = reader.open_unless_erased("credentials", &row, &sealed)? else {
                    continue; // Its merchant was erased: whatever asks for it is refused.
                };
                let text = String::from_utf8(text).map_err(|_| corrupt("a credential"))?;
                found.insert(name, SecretString::from(text));
            }
            Ok(found)
        })
        .await
    }
}
