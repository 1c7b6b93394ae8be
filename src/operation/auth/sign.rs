//! HMAC over parts of the finished request, in a header of its own.

use super::{AuthError, Signing};
use crate::manifest::model::{AuthKind, Encoding, HashAlgorithm, SignedPart};
use crate::operation::credentials::{Credentials, fill};
use crate::operation::planned::PlannedRequest;
use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{HeaderName, HeaderValue};
use secrecy::ExposeSecret;

pub(super) fn apply(
    kind: &AuthKind,
    credentials: &Credentials,
    signing: &Signing,
    request: &mut PlannedRequest,
) -> Result<(), AuthError> {
    let AuthKind::Sign {
        algorithm,
        secret,
        parts,
        joiner,
        encoding,
        header,
        prefix,
        timestamp_header,
    } = kind
    else {
        return Ok(());
    };
    let secret = fill(secret, credentials)?;
    let moment = signing.now.as_second().to_string();
    let message = message(request, parts, joiner, &moment);
    let digest = digest(*algorithm, secret.expose_secret().as_bytes(), &message);
    let signature = match encoding {
        Encoding::Base64 => base64::engine::general_purpose::STANDARD.encode(digest),
        Encoding::Hex => hex::encode(digest),
    };
    // The moment is no secret, but masked too: a printed request is then always the same.
    let told = timestamp_header.as_ref().map(|name| (name, moment));
    for (name, value) in told
        .into_iter()
        .chain([(header, format!("{prefix}{signature}"))])
    {
        let refused = || AuthError::Header(name.clone());
        let header = HeaderName::try_from(name.as_str()).map_err(|_| refused())?;
        let value = HeaderValue::from_str(&value).map_err(|_| refused())?;
        request.set_secret_header(header, value);
    }
    Ok(())
}

/// The bytes that are signed.
fn message(request: &PlannedRequest, parts: &[SignedPart], joiner: &str, moment: &str) -> Vec<u8> {
    let target = match request.url.query() {
        Some(query) => format!("{}?{query}", request.url.path()),
        None => request.url.path().to_owned(),
    };
    let part = |part: &SignedPart| match part {
        SignedPart::Method => request.method.as_str().as_bytes(),
        SignedPart::Target => target.as_bytes(),
        SignedPart::Timestamp => moment.as_bytes(),
        SignedPart::Body => &request.body,
    };
    let parts: Vec<&[u8]> = parts.iter().map(part).collect();
    parts.join(joiner.as_bytes())
}

fn digest(algorithm: HashAlgorithm, key: &[u8], message: &[u8]) -> Vec<u8> {
    match algorithm {
        HashAlgorithm::Sha1 => mac::<Hmac<sha1::Sha1>>(key, message),
        HashAlgorithm::Sha256 => mac::<Hmac<sha2::Sha256>>(key, message),
        HashAlgorithm::Sha512 => mac::<Hmac<sha2::Sha512>>(key, message),
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    match <M as KeyInit>::new_from_slice(key) {
        Ok(mac) => mac.chain_update(message).finalize().into_bytes().to_vec(),
        // HMAC takes keys of any length; an empty signature would be refused by the provider.
        Err(_) => Vec::new(),
    }
}
