//! `Authorization: Bearer token`.

use super::AuthError;
use crate::operation::credentials::{Credentials, fill};
use crate::operation::planned::PlannedRequest;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use secrecy::ExposeSecret;

pub(super) fn apply(
    token: &str,
    credentials: &Credentials,
    request: &mut PlannedRequest,
) -> Result<(), AuthError> {
    let token = fill(token, credentials)?;
    let value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()))
        .map_err(|_| AuthError::Header(AUTHORIZATION.to_string()))?;
    request.set_secret_header(AUTHORIZATION, value);
    Ok(())
}
