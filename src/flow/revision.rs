//! Newer, equal or older (DECISIONS 4): by the channel's revision, else by its clock, else by ours.
//!
//! What always holds: two numbers are compared as numbers ("9" is older than "10"); what the
//! channel does not tell on both sides is not compared.

use super::RecordMeta;
use crate::canonical::{MappedOrder, Order, Timestamp};
use rust_decimal::Decimal;
use std::cmp::Ordering;

/// How a record stands to what is stored. `Equal` is not stale: clocks tick in seconds.
pub(super) fn compare(stored: &Order, mapped: &MappedOrder, meta: &RecordMeta<'_>) -> Ordering {
    let revisions = (
        stored.facts.source_revision.text(),
        mapped.source_revision.text(),
    );
    if let (Some(old), Some(new)) = revisions {
        match (old.parse::<Decimal>(), new.parse::<Decimal>()) {
            (Ok(old), Ok(new)) => return new.cmp(&old),
            _ if old == new => return Ordering::Equal,
            // Opaque revisions (hashes) say that something changed, not which is newer.
            _ => {}
        }
    }
    let times = (
        stored.facts.source_updated_at.value(),
        mapped.source_updated_at.value(),
    );
    match times {
        (Some(old), Some(new)) => new.cmp(old),
        _ => moment(mapped, meta).cmp(&stored.meta.revision_at),
    }
}

/// When the record's revision was made, as well as it can be told.
pub(super) fn moment(mapped: &MappedOrder, meta: &RecordMeta<'_>) -> Timestamp {
    mapped
        .source_updated_at
        .value()
        .copied()
        .unwrap_or(meta.received_at)
}
