//! Signatures of the Standard Webhooks specification: HMAC-SHA256 over `id.timestamp.body`.
//!
//! What always holds: secrets are `whsec_` and base64 of at least 24 random bytes; they are never
//! printed. While a subscriber changes over to a new secret, deliveries bear a signature by each.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use rand::RngCore;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The text before the base64 of a secret.
pub const SECRET_PREFIX: &str = "whsec_";

/// A secret that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a Standard Webhooks secret: \"whsec_\" and base64")]
pub struct BadSecret;

/// A signer for one subscription, its keys read once.
#[derive(Clone)]
pub struct Signer {
    key: Hmac<Sha256>,
    /// The former key, and the second at which it ends.
    former: Option<(Hmac<Sha256>, i64)>,
}

/// A new secret with the former one in it, for as long as that is good: what a store keeps.
pub fn with_former(new: &SecretString, former: &SecretString, until_s: i64) -> SecretString {
    let new = new.expose_secret();
    // Only one former secret: the one before it has had its time.
    let former = former.expose_secret().split(' ').next().unwrap_or_default();
    SecretString::from(format!("{new} {former} {until_s}"))
}

fn key(text: &str) -> Result<Hmac<Sha256>, BadSecret> {
    let encoded = text.strip_prefix(SECRET_PREFIX).ok_or(BadSecret)?;
    let key = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| BadSecret)?);
    if key.is_empty() {
        return Err(BadSecret);
    }
    Hmac::new_from_slice(&key).map_err(|_| BadSecret)
}

impl Signer {
    /// Reads `whsec_…`, or what [`with_former`] made.
    ///
    /// # Errors
    /// [`BadSecret`] when it is no such text.
    pub fn new(secret: &SecretString) -> Result<Self, BadSecret> {
        let mut parts = secret.expose_secret().split(' ');
        let newest = key(parts.next().unwrap_or_default())?;
        let former = match (parts.next(), parts.next(), parts.next()) {
            (None, ..) => None,
            (Some(former), Some(until), None) => {
                Some((key(former)?, until.parse().map_err(|_| BadSecret)?))
            }
            _ => return Err(BadSecret),
        };
        Ok(Self {
            key: newest,
            former,
        })
    }

    /// The value of `webhook-signature`: one signature, or two with a space between them.
    pub fn sign(&self, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        let by = |key: &Hmac<Sha256>| {
            let mut mac = key.clone();
            mac.update(id.as_bytes());
            mac.update(b".");
            mac.update(timestamp_s.to_string().as_bytes());
            mac.update(b".");
            mac.update(body);
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        };
        match &self.former {
            Some((former, until)) if timestamp_s < *until => {
                format!("{} {}", by(&self.key), by(former))
            }
            _ => by(&self.key),
        }
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
    fn a_former_secret_signs_too_until_its_time_is_over() {
        let (old, new) = (new_secret(), new_secret());
        let now = jiff::Timestamp::now().as_second();
        let both = with_former(&new, &old, now + 1);
        let signer = Signer::new(&both).unwrap();
        let verifies = |secret: &SecretString, at: i64| {
            let published = standardwebhooks::Webhook::new(secret.expose_secret()).unwrap();
            let headers = http_headers(&[
                ("webhook-id", "evt_1"),
                ("webhook-timestamp", &at.to_string()),
                ("webhook-signature", &signer.sign("evt_1", at, b"{}")),
            ]);
            published.verify(b"{}", &headers).is_ok()
        };
        assert!(verifies(&new, now) && verifies(&old, now));
        assert!(verifies(&new, now + 1) && !verifies(&old, now + 1));
        // Changed once more: the one before the former is out.
        let third = with_former(&new_secret(), &both, now + 9);
        let signed = Signer::new(&third).unwrap().sign("evt_1", now, b"{}");
        assert!(!signed.contains(&Signer::new(&old).unwrap().sign("evt_1", now, b"{}")));
    }

    #[test]
    fn other_texts_are_no_secrets() {
        for bad in [
            "",
            "whsec_",
            "whsec_%%%",
            "abc",
            "whsec_AAAA whsec_AAAA",
            "whsec_AAAA whsec_AAAA x",
            "whsec_AAAA x 1",
        ] {
            assert!(
                Signer::new(&SecretString::from(bad.to_owned())).is_err(),
                "{bad}"
            );
        }
    }
}
