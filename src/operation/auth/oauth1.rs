//! OAuth 1.0a one-legged (RFC 5849): consumer key and secret, no token, HMAC-SHA256, the protocol
//! parameters in the query (§3.5.3).

use super::{AuthError, Signing};
use crate::operation::credentials::{Credentials, fill};
use crate::operation::join::encode;
use crate::operation::planned::PlannedRequest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::CONTENT_TYPE;
use secrecy::ExposeSecret;
use sha2::Sha256;
use url::Url;

pub(super) fn apply(
    consumer_key: &str,
    consumer_secret: &str,
    credentials: &Credentials,
    signing: &Signing,
    request: &mut PlannedRequest,
) -> Result<(), AuthError> {
    let (key, secret) = (
        fill(consumer_key, credentials)?,
        fill(consumer_secret, credentials)?,
    );
    request.add_param("oauth_consumer_key", key.expose_secret(), true);
    // Nonce and time are no secrets, but masked too: a printed request is then always the same.
    request.add_param("oauth_nonce", &signing.nonce, true);
    request.add_param("oauth_signature_method", "HMAC-SHA256", false);
    request.add_param(
        "oauth_timestamp",
        &signing.now.as_second().to_string(),
        true,
    );
    let mut params: Vec<(String, String)> = request.url.query_pairs().into_owned().collect();
    if is_form(request) {
        params.extend(url::form_urlencoded::parse(&request.body).into_owned());
    }
    let base = base_string(request.method.as_str(), &request.url, &params);
    let signature = sign(&base, secret.expose_secret(), "");
    request.add_param("oauth_signature", &signature, true);
    Ok(())
}

/// A form body is signed too (§3.4.1.3.1).
fn is_form(request: &PlannedRequest) -> bool {
    let kind = request
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}

/// The signature base string (§3.4.1) of decoded parameters.
pub(super) fn base_string(method: &str, url: &Url, params: &[(String, String)]) -> String {
    let mut encoded: Vec<_> = params
        .iter()
        .map(|(name, value)| (encode(name), encode(value)))
        .collect();
    encoded.sort();
    let joined: Vec<_> = encoded
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    let place = format!(
        "{}://{}{port}{}",
        url.scheme(),
        url.host_str().unwrap_or(""),
        url.path()
    );
    format!("{method}&{}&{}", encode(&place), encode(&joined.join("&")))
}

/// HMAC-SHA256 (§3.4.2), base64.
pub(super) fn sign(base: &str, consumer_secret: &str, token_secret: &str) -> String {
    let key = format!("{}&{}", encode(consumer_secret), encode(token_secret));
    match Hmac::<Sha256>::new_from_slice(key.as_bytes()) {
        Ok(mac) => STANDARD.encode(mac.chain_update(base.as_bytes()).finalize().into_bytes()),
        // HMAC takes keys of any length; an empty signature would be refused by the provider.
        Err(_) => String::new(),
    }
}
