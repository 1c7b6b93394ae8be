//! HTTP Basic: `Authorization: Basic base64(username:password)`, UTF-8.

use super::AuthError;
use crate::operation::credentials::{Credentials, fill};
use crate::operation::planned::PlannedRequest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use secrecy::ExposeSecret;

pub(super) fn apply(
    username: &str,
    password: &str,
    credentials: &Credentials,
    request: &mut PlannedRequest,
) -> Result<(), AuthError> {
    let (username, password) = (fill(username, credentials)?, fill(password, credentials)?);
    let pair = format!("{}:{}", username.expose_secret(), password.expose_secret());
    let value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)))
        .map_err(|_| AuthError::Header(AUTHORIZATION.to_string()))?;
    request.set_secret_header(AUTHORIZATION, value);
    Ok(())
}
