//! Named query parameters, each a template.

use super::AuthError;
use crate::operation::credentials::{Credentials, fill};
use crate::operation::planned::PlannedRequest;
use secrecy::ExposeSecret;
use std::collections::BTreeMap;

pub(super) fn apply(
    params: &BTreeMap<String, String>,
    credentials: &Credentials,
    request: &mut PlannedRequest,
) -> Result<(), AuthError> {
    for (name, template) in params {
        let value = fill(template, credentials)?;
        request.add_param(name, value.expose_secret(), true);
    }
    Ok(())
}
