//! OAuth 1.0a (RFC 5849), HMAC-SHA256: consumer key and secret, and the token with its secret where the
//! provider gave one. The protocol parameters go into the query (§3.5.3) or the header (§3.5.1).

use super::{AuthError, Signing};
use crate::manifest::model::{AuthKind, OauthPlace};
use crate::operation::credentials::{Credentials, fill};
use crate::operation::join::encode;
use crate::operation::planned::PlannedRequest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use url::Url;

/// Signs the request; other kinds are left alone.
pub(super) fn apply(
    kind: &AuthKind,
    credentials: &Credentials,
    signing: &Signing,
    request: &mut PlannedRequest,
) -> Result<(), AuthError> {
    let AuthKind::Oauth1 {
        consumer_key,
        consumer_secret,
        token,
        token_secret,
        place,
    } = kind
    else {
        return Ok(());
    };
    let filled = |template: &Option<String>| -> Result<Option<SecretString>, AuthError> {
        let filled = template.as_ref().map(|text| fill(text, credentials));
        Ok(filled.transpose()?)
    };
    let key = fill(consumer_key, credentials)?;
    let secret = fill(consumer_secret, credentials)?;
    let (token, token_secret) = (filled(token)?, filled(token_secret)?);
    let now = signing.now.as_second().to_string();
    // Nonce and time are no secrets, but masked too: a printed request is then always the same.
    let mut protocol = vec![("oauth_consumer_key", key.expose_secret(), true)];
    protocol.push(("oauth_nonce", &signing.nonce, true));
    protocol.push(("oauth_signature_method", "HMAC-SHA256", false));
    protocol.push(("oauth_timestamp", &now, true));
    if let Some(token) = &token {
        protocol.push(("oauth_token", token.expose_secret(), true));
    }
    if *place == OauthPlace::Header {
        protocol.push(("oauth_version", "1.0", false));
    }
    let mut params: Vec<(String, String)> = request.url.query_pairs().into_owned().collect();
    if is_form(request) {
        params.extend(url::form_urlencoded::parse(&request.body).into_owned());
    }
    let told = protocol.iter();
    params.extend(told.map(|(name, value, _)| ((*name).to_owned(), (*value).to_owned())));
    let base = base_string(request.method.as_str(), &request.url, &params);
    let token_secret = token_secret
        .as_ref()
        .map_or("", |text| text.expose_secret());
    let signature = sign(&base, secret.expose_secret(), token_secret);
    protocol.push(("oauth_signature", &signature, true));
    match place {
        OauthPlace::Query => {
            for (name, value, hidden) in protocol {
                request.add_param(name, value, hidden);
            }
        }
        OauthPlace::Header => {
            let header = header(&protocol)?;
            request.set_secret_header(AUTHORIZATION, header);
        }
    }
    Ok(())
}

/// The header `Authorization` (§3.5.1).
fn header(protocol: &[(&str, &str, bool)]) -> Result<HeaderValue, AuthError> {
    let pairs: Vec<String> = protocol
        .iter()
        .map(|(name, value, _)| format!("{name}=\"{}\"", encode(value)))
        .collect();
    HeaderValue::try_from(format!("OAuth {}", pairs.join(", ")))
        .map_err(|_| AuthError::Header(AUTHORIZATION.to_string()))
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
