//! Signatures of the Standard Webhooks specification: HMAC-SHA256 over `id.timestamp.body`.
//!
//! What always holds: secrets are `whsec_` and base64 of at least 24 random bytes; they are never
//! printed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use rand::RngCore;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// The text before the base64 of a secret.
pub const SECRET_PREFIX: &str = "whsec_";

/// A secret that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a Standard Webhooks secret: \"whsec_\" and base64")]
pub struct BadSecret;

/// A signer for one subscription, its key read once.
#[derive(Clone)]
pub struct Signer(Hmac<Sha256>);

impl Signer {
    /// Reads `whsec_…`.
    ///
    /// # Errors
    /// [`BadSecret`] when it is no such text.
    pub fn new(secret: &SecretString) -> Result<Self, BadSecret> {
        let encoded = secret
            .expose_secret()
            .strip_prefix(SECRET_PREFIX)
            .ok_or(BadSecret)?;
        let key = STANDARD.decode(encoded).map_err(|_| BadSecret)?;
        if key.is_empty() {
            return Err(BadSecret);
        }
        Hmac::new_from_slice(&key).map(Self).map_err(|_| BadSecret)
    }

    /// The value of `webhook-signature`.
    pub fn sign(&self, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(id.as_bytes());
        mac.update(b".");
        mac.update(timestamp_s.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// A fresh secret of 32 random bytes.
pub fn new_secret() -> SecretString {
    let mut key = [0u8; 32];
    rand::rng().fill_bytes(&mut key);
    SecretString::from(format!("{SECRET_PREFIX}{}", STANDARD.encode(key)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_independent_library_verifies_what_we_sign() {
        let secret = new_secret();
        let body = r#"{"type":"order.received","data":{"name":"Ελένη Κρūmiņa"}}"#;
        let now = jiff::Timestamp::now().as_second();
        let signature = Signer::new(&secret)
            .unwrap()
            .sign("evt_1", now, body.as_bytes());
        let published = standardwebhooks::Webhook::new(secret.expose_secret()).unwrap();
        let mut headers = http_headers(&[
            ("webhook-id", "evt_1"),
            ("webhook-timestamp", &now.to_string()),
            ("webhook-signature", &signature),
        ]);
        published.verify(body.as_bytes(), &headers).unwrap();
        assert!(published.verify(b"{}", &headers).is_err());
        headers.insert("webhook-id", "evt_2".parse().unwrap());
        assert!(published.verify(body.as_bytes(), &headers).is_err());
    }

    fn http_headers(pairs: &[(&'static str, &str)]) -> http::HeaderMap {
        pairs
            .iter()
            .map(|(k, v)| (http::HeaderName::from_static(k), v.parse().unwrap()))
            .collect()
    }

    #[test]
    fn other_texts_are_no_secrets() {
        for bad in ["", "whsec_", "whsec_%%%", "abc"] {
            assert!(
                Signer::new(&SecretString::from(bad.to_owned())).is_err(),
                "{bad}"
            );
        }
    }
}
