//! Records that only name an order: what they say of it is believed by nobody.
//!
//! What always holds: nothing is read out of them but the order's id.

use super::{Content, Failure, Mapped, MappedRecord, key_of, sliced, whole};
use crate::mapping::Val;
use crate::operation::Provider;
use crate::worker::memory::Kind;

/// Records of which nothing counts but which order they name.
pub(super) fn read(
    provider: &dyn Provider,
    body: &Val,
    path: &str,
    key: &str,
    mapped: &mut Mapped,
) -> Result<(), Box<Failure>> {
    mapped.kind = Some(Kind::Order);
    for slice in sliced(path, body)? {
        let external_id = key_of(provider, key, slice);
        let content = match external_id {
            Some(_) => Content::Hint,
            None => Content::Failed(Failure::new(
                "mapping_missing",
                "the payload names no order: `key` yields nothing",
            )),
        };
        mapped.records.push(MappedRecord {
            external_id,
            ..whole(content)
        });
    }
    Ok(())
}
