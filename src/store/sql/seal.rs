//! From a change set to what the writer writes: objects become JSON and ciphertexts here, on the
//! caller's thread.
//!
//! What always holds: an object whose version was written a moment ago with the same bytes is not
//! written again; the index columns of an order come from the same object as its JSON.

use super::Shared;
use super::cache::SnapshotKey;
use super::codec::{NO_CUT_OFF, Result, int, json_error, micros, to_json, word};
use crate::canonical::contact::{Contact, normal};
use crate::canonical::event::SnapshotKind;
use crate::canonical::fulfillment::{FulfillmentOrder, FulfillmentStatus, RequestState};
use crate::canonical::{JobId, MerchantId};
use crate::flow::change::{ChangeSet, OrderState};
use crate::store::vault::DataKey;
use bytes::Bytes;
use serde::Serialize;
use std::collections::BTreeSet;

/// A change set, ready to be written.
pub(in crate::store) struct SealedSet {
    pub set: ChangeSet,
    pub states: Vec<SealedState>,
    /// Id and sealed input, one a job of the set.
    pub jobs: Vec<(JobId, Vec<u8>)>,
    pub checkpoint: Option<Vec<u8>>,
    /// Sealed bytes, one a document of the set.
    pub documents: Vec<Vec<u8>>,
    pub answer: Option<Vec<u8>>,
    /// The keyed hash of the dedupe key.
    pub dedupe: Option<[u8; 16]>,
}

/// The snapshots of an aggregate, in the order of its objects.
pub(in crate::store) struct SealedState {
    pub contact: ContactHashes,
    pub order: SealedObject,
    pub fulfillment_orders: Vec<SealedObject>,
    pub shipments: Vec<SealedObject>,
    pub tracking: Vec<SealedObject>,
    pub cod: Vec<SealedObject>,
}

/// Keyed hashes that an order is found by.
pub(in crate::store) struct ContactHashes {
    pub email: Option<i64>,
    pub phone: Option<i64>,
}

impl ContactHashes {
    pub(in crate::store) fn of(shared: &Shared, contact: &Contact) -> Self {
        let hash = |normal: &String| normal_hash(shared, normal);
        Self {
            email: contact.email.as_ref().map(hash),
            phone: contact.phone.as_ref().map(hash),
        }
    }
}

/// One object version.
pub(in crate::store) struct SealedObject {
    pub merchant: MerchantId,
    pub key: SnapshotKey,
    pub json: Bytes,
    /// `None`: it is stored already.
    pub sealed: Option<Vec<u8>>,
}

/// What a job's input and checkpoint are bound to.
pub(in crate::store) fn job_row(id: JobId, part: u8) -> [u8; 17] {
    let mut row = [part; 17];
    if let Some(head) = row.first_chunk_mut::<16>() {
        *head = *id.as_bytes();
    }
    row
}
/// Parts of a job.
pub(in crate::store) const INPUT: u8 = b'i';
pub(in crate::store) const CHECKPOINT: u8 = b'c';

/// What an idempotent answer is bound to.
pub(in crate::store) fn answer_row(scope: &str, key: &str) -> Vec<u8> {
    [scope.as_bytes(), &[0], key.as_bytes()].concat()
}

/// The keyed hash that an e-mail or phone is found by; `None` for an empty one.
pub(in crate::store) fn contact_hash(shared: &Shared, text: &str) -> Option<i64> {
    Some(normal_hash(shared, &normal(text)?))
}

/// The keyed hash of what [`normal`] yields.
pub(in crate::store) fn normal_hash(shared: &Shared, normal: &str) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = shared.vault.hash(normal.as_bytes());
    i64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// The keyed hash of a provider's delivery id.
pub(in crate::store) fn dedupe_hash(
    shared: &Shared,
    connection: crate::canonical::ConnectionId,
    topic: &str,
    key: &str,
) -> [u8; 16] {
    let text = [
        connection.as_bytes().as_slice(),
        topic.as_bytes(),
        &[0],
        key.as_bytes(),
    ]
    .concat();
    let hash = shared.vault.hash(&text);
    let mut half = [0; 16];
    half.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    half
}

/// The merchants whose keys a change set needs.
pub(in crate::store) fn merchants_of(set: &ChangeSet) -> BTreeSet<MerchantId> {
    let mut merchants = BTreeSet::new();
    merchants.extend(set.states.iter().map(|s| s.order.meta.merchant_id));
    merchants.extend(set.jobs.iter().map(|j| j.merchant_id));
    merchants.extend(set.documents.iter().map(|d| d.merchant_id));
    if set.job.is_some() || set.idempotency.is_some() {
        merchants.insert(set.merchant_id.unwrap_or(MerchantId::OPERATOR));
    }
    merchants
}

/// Seals a change set; its merchants' keys are loaded.
pub(in crate::store) fn seal_set(shared: &Shared, set: ChangeSet) -> Result<SealedSet> {
    let states = set
        .states
        .iter()
        .map(|state| seal_state(shared, state))
        .collect::<Result<Vec<_>>>()?;
    let jobs = set
        .jobs
        .iter()
        .map(|job| {
            let id = JobId::new();
            let key = shared.key(job.merchant_id)?;
            Ok((
                id,
                key.seal("jobs", &job_row(id, INPUT), &to_json(&job.input)?),
            ))
        })
        .collect::<Result<Vec<_>>>()?;
    let own = set.merchant_id.unwrap_or(MerchantId::OPERATOR);
    let checkpoint = match &set.job {
        Some(result) if !result.checkpoint.is_null() => {
            let row = job_row(result.job_id, CHECKPOINT);
            let text = to_json(&result.checkpoint)?;
            Some(shared.key(own)?.seal("jobs", &row, &text))
        }
        _ => None,
    };
    let answer = match &set.idempotency {
        Some(answer) => {
            let row = answer_row(&answer.scope, &answer.key);
            Some(shared.key(own)?.seal("idempotency", &row, &answer.body))
        }
        None => None,
    };
    let documents = set
        .documents
        .iter()
        .map(|document| super::documents::seal(shared, document))
        .collect::<Result<_>>()?;
    let dedupe = set.delivery.as_ref().and_then(|delivery| {
        let (topic, key, _) = delivery.dedupe.as_ref()?;
        Some(dedupe_hash(shared, delivery.connection_id, topic, key))
    });
    Ok(SealedSet {
        set,
        states,
        jobs,
        checkpoint,
        documents,
        answer,
        dedupe,
    })
}

fn seal_state(shared: &Shared, state: &OrderState) -> Result<SealedState> {
    let order = &state.order;
    let merchant = order.meta.merchant_id;
    let key = shared.key(merchant)?;
    let seal = |at, json| seal_object(shared, merchant, &key, at, json);
    Ok(SealedState {
        contact: ContactHashes::of(shared, &Contact::of(&order.facts)),
        order: seal(
            SnapshotKey::new(
                SnapshotKind::Order,
                order.meta.id.uuid(),
                order.meta.version,
            ),
            order.to_json().map_err(json_error)?,
        ),
        fulfillment_orders: each(&state.fulfillment_orders, &seal, |f| {
            SnapshotKey::new(SnapshotKind::FulfillmentOrder, f.id.uuid(), f.version)
        })?,
        shipments: each(&state.shipments, &seal, |s| {
            SnapshotKey::new(SnapshotKind::Shipment, s.id.uuid(), s.version)
        })?,
        tracking: each(&state.tracking, &seal, |t| super::tracking::key_of(t.id))?,
        cod: each(&state.cod, &seal, |c| {
            SnapshotKey::new(SnapshotKind::Cod, c.id.uuid(), c.version)
        })?,
    })
}

fn each<T: Serialize>(
    objects: &[T],
    seal: &impl Fn(SnapshotKey, Vec<u8>) -> SealedObject,
    key: impl Fn(&T) -> SnapshotKey,
) -> Result<Vec<SealedObject>> {
    objects
        .iter()
        .map(|object| Ok(seal(key(object), to_json(object)?)))
        .collect()
}

fn seal_object(
    shared: &Shared,
    merchant: MerchantId,
    key: &DataKey,
    at: SnapshotKey,
    json: Vec<u8>,
) -> SealedObject {
    let stored = shared
        .snapshots()
        .get(&at)
        .filter(|stored| stored[..] == json[..]);
    if let Some(json) = stored {
        return SealedObject {
            merchant,
            key: at,
            json,
            sealed: None,
        };
    }
    let sealed = key.seal("snapshots", &at.row(), &json);
    SealedObject {
        merchant,
        key: at,
        json: Bytes::from(json),
        sealed: Some(sealed),
    }
}

/// Index columns of a fulfillment order.
pub(in crate::store) struct WorkColumns {
    pub status: &'static str,
    pub cut_off_at: i64,
    pub request_pending: bool,
    pub remaining: bool,
    pub active: bool,
    pub updated_at: i64,
    pub version: i64,
}

impl WorkColumns {
    pub(in crate::store) const fn is_active(status: FulfillmentStatus) -> bool {
        !matches!(
            status,
            FulfillmentStatus::Closed | FulfillmentStatus::Cancelled
        )
    }
    pub(in crate::store) fn of(part: &FulfillmentOrder) -> Self {
        Self {
            status: word(&part.status),
            cut_off_at: part.cut_off_at.map_or(NO_CUT_OFF, micros),
            request_pending: part
                .request
                .as_ref()
                .is_some_and(|request| request.state == RequestState::Pending),
            remaining: part.lines.iter().any(|line| line.remaining.is_positive()),
            active: Self::is_active(part.status),
            updated_at: micros(part.updated_at),
            version: int(part.version),
        }
    }
}
