//! Writing: audit entries, change sets of one merchant's, and the loop of reading, deciding and
//! writing again when others were faster.
//!
//! What always holds: nothing that a caller changes is written without an audit entry: change sets
//! are refused without one, and the store's other calls take one.

use super::gate::Call;
use super::problem::{Code, Problem};
use crate::canonical::AuditId;
use crate::flow::change::{AuditEntry, ChangeSet};
use crate::store::StoreError;
use serde_json::Value;
use std::future::Future;

/// How often a decision is taken anew when its object changed in the meantime.
const TRIES: u32 = 6;

/// An audit entry of this request.
pub fn audit(call: &Call, action: &str, subject: &str, detail: Value) -> AuditEntry {
    AuditEntry {
        id: AuditId::new(),
        at: call.now(),
        actor: call.principal.name.clone(),
        action: action.to_owned(),
        subject: subject.to_owned(),
        detail,
    }
}

/// Applies one change set of a caller's.
///
/// # Errors
/// The store's; `Corrupt` for a change that the audit log would not tell of.
pub async fn apply(call: &Call, change: ChangeSet) -> Result<(), StoreError> {
    if change.audit.is_empty() {
        return Err(StoreError::Corrupt("a change without audit entry".into()));
    }
    let mut results = call.state.store.apply(vec![change]).await?;
    match results.pop() {
        Some(result) => result.map(|_| ()),
        None => Err(StoreError::Corrupt("a change set without result".into())),
    }
}

/// Why an attempt to read, decide and write did not come to its end.
#[derive(Debug)]
pub enum Stop {
    /// The store's word; a conflict is tried again.
    Store(StoreError),
    /// The answer.
    Problem(Problem),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Stop::Store(error)
    }
}
impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Stop::Problem(problem)
    }
}

/// Reads, decides and writes until nobody else was faster, a few times at most.
///
/// # Errors
/// `conflict` after the last try, else what stopped it.
pub async fn until_settled<T, F, W>(attempt: F) -> Result<T, Problem>
where
    F: Fn() -> W,
    W: Future<Output = Result<T, Stop>>,
{
    for n in 1..=TRIES {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(Stop::Problem(problem)) => return Err(problem),
            Err(Stop::Store(StoreError::Conflict(_))) if n < TRIES => {}
            Err(Stop::Store(error)) => return Err(error.into()),
        }
    }
    Err(Problem::new(Code::Conflict, "others changed it faster"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[actix_web::test]
    async fn a_conflict_is_decided_anew_but_not_for_ever() {
        let tries = AtomicU32::new(0);
        let done = until_settled(|| async {
            match tries.fetch_add(1, Ordering::Relaxed) {
                0 | 1 => Err(StoreError::Conflict("lock".into()).into()),
                n => Ok(n),
            }
        });
        assert_eq!(done.await.unwrap(), 2);
        let never =
            until_settled(|| async { Err::<(), _>(StoreError::Conflict("x".into()).into()) });
        assert_eq!(never.await.unwrap_err().code, Code::Conflict);
        let other = until_settled(|| async { Err::<(), Stop>(Problem::not_found("order").into()) });
        assert_eq!(other.await.unwrap_err().code, Code::NotFound);
    }
}
