//! What carriers tell of parcels: each output of the mapping `tracking` is a record of its own, so
//! that one parcel's news does not count for fifty.
//!
//! What always holds: a record's hash is that of what it says of its parcel (the answer's own noise
//! does not count), or, where the manifest names a `key`, that of its bytes.

use super::{Content, Failure, Hasher, Mapped, MappedRecord, key_of, whole};
use crate::canonical::tracking::TrackingAnswer;
use crate::connector::output::Output;
use crate::mapping::{Drift, Scope, Val, to_json};
use crate::operation::Provider;
use serde_json::json;

/// One output: what it says, and its hash.
pub struct Parcel {
    /// What it says.
    pub answer: TrackingAnswer,
    /// Of what it says.
    pub hash: [u8; 32],
}

/// The outputs of one slice, with what no table knows and how many warnings there were.
type Outputs = Result<(Vec<Parcel>, Vec<Drift>, usize), Box<Failure>>;

/// Maps one slice.
///
/// # Errors
/// [`Failure`].
pub fn outputs(
    provider: &dyn Provider,
    mapping: &str,
    slice: &Val,
    scope: &Scope,
    hash: Hasher<'_>,
) -> Outputs {
    let yielded = provider
        .map(mapping, slice.clone(), scope)
        .map_err(|error| Box::new(Failure::by_mapping(mapping, &error)))?;
    let mut parcels = Vec::with_capacity(yielded.values.len());
    for value in &yielded.values {
        match Output::check(mapping, value) {
            Ok(Output::Tracking(answer)) => parcels.push(Parcel {
                answer: *answer,
                hash: hash(&to_json(value)),
            }),
            Ok(_) => {}
            Err(error) => {
                return Err(Box::new(Failure {
                    detail: json!({ "mapping": mapping, "path": error.path }),
                    ..Failure::new("mapping_shape", error.to_string())
                }));
            }
        }
    }
    let notes = yielded.notes;
    Ok((parcels, notes.drift, notes.warnings.len()))
}

/// Maps slices into records.
pub(super) fn read(
    provider: &dyn Provider,
    mapping: &str,
    key: Option<&str>,
    slices: &[&Val],
    scope: &Scope,
    hash: Hasher<'_>,
    mapped: &mut Mapped,
) {
    for slice in slices {
        let known_as = key.and_then(|key| key_of(provider, key, slice));
        let raw = known_as.is_some().then(|| hash(&to_json(slice)));
        let (parcels, mut drift, warnings) = match outputs(provider, mapping, slice, scope, hash) {
            Ok(outputs) => outputs,
            Err(failure) => {
                mapped.records.push(MappedRecord {
                    known_as,
                    hash: raw,
                    ..whole(Content::Failed(*failure))
                });
                continue;
            }
        };
        mapped.warnings += warnings;
        if parcels.is_empty() {
            let nothing = Content::Ignored("the mapping yields no parcel for it");
            mapped.records.push(MappedRecord {
                known_as: known_as.clone(),
                hash: raw,
                drift: std::mem::take(&mut drift),
                ..whole(nothing)
            });
        }
        for parcel in parcels {
            mapped.records.push(MappedRecord {
                external_id: parcel.answer.tracking_number.clone(),
                known_as: known_as.clone(),
                hash: raw.or(Some(parcel.hash)),
                content: Content::Parcel(Box::new(parcel.answer)),
                drift: std::mem::take(&mut drift),
            });
        }
    }
}
