//! Authentication: the first entry of the manifest whose `when` holds is applied to the planned
//! request, one file a kind.
//!
//! What always holds: this runs last, on the finished request, because signatures cover it; what
//! it adds is marked as secret; errors name credentials and headers, never values.

mod basic;
mod bearer;
mod header;
mod oauth1;
mod query;
mod sign;

use super::credentials::{Credentials, TemplateError};
use super::planned::PlannedRequest;
use crate::canonical::Timestamp;
use crate::manifest::model::AuthKind;

/// What signatures need besides the request.
#[derive(Debug, Clone)]
pub struct Signing {
    /// The moment of the call.
    pub now: Timestamp,
    /// Unique per call: letters and digits.
    pub nonce: String,
}

impl Signing {
    /// For one call at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self {
            now,
            nonce: uuid::Uuid::new_v4().simple().to_string(),
        }
    }
}

/// A request that cannot be authenticated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// A template cannot be filled.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The value cannot be a header (line breaks, control characters), or the name is none.
    #[error("the header `{0}` cannot be set: its name or value is not valid HTTP")]
    Header(String),
}

/// Applies one kind of authentication.
pub fn apply(
    kind: &AuthKind,
    credentials: &Credentials,
    signing: &Signing,
    request: &mut PlannedRequest,
) -> Result<(), AuthError> {
    match kind {
        AuthKind::None => Ok(()),
        AuthKind::Basic { username, password } => {
            basic::apply(username, password, credentials, request)
        }
        AuthKind::Bearer { token } => bearer::apply(token, credentials, request),
        AuthKind::Header { headers } => header::apply(headers, credentials, request),
        AuthKind::Query { params } => query::apply(params, credentials, request),
        AuthKind::Oauth1 { .. } => oauth1::apply(kind, credentials, signing, request),
        AuthKind::Sign { .. } => sign::apply(kind, credentials, signing, request),
    }
}

/// True when the kind can get fresh credentials by itself, so that 401 means "expired". None of
/// the kinds that folders use so far can.
pub const fn refreshable(kind: &AuthKind) -> bool {
    match kind {
        AuthKind::None
        | AuthKind::Basic { .. }
        | AuthKind::Bearer { .. }
        | AuthKind::Header { .. }
        | AuthKind::Query { .. }
        | AuthKind::Oauth1 { .. }
        | AuthKind::Sign { .. } => false,
    }
}

#[cfg(test)]
mod tests;
