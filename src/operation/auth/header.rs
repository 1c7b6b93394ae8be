//! Named headers, each a template.

use super::AuthError;
use crate::operation::credentials::{Credentials, fill};
use crate::operation::planned::PlannedRequest;
use reqwest::header::{HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use std::collections::BTreeMap;

pub(super) fn apply(
    headers: &BTreeMap<String, String>,
    credentials: &Credentials,
    request: &mut PlannedRequest,
) -> Result<(), AuthError> {
    for (name, template) in headers {
        let value = fill(template, credentials)?;
        let refused = || AuthError::Header(name.clone());
        let header = HeaderName::try_from(name.as_str()).map_err(|_| refused())?;
        let value =
            HeaderValue::from_bytes(value.expose_secret().as_bytes()).map_err(|_| refused())?;
        request.set_secret_header(header, value);
    }
    Ok(())
}
