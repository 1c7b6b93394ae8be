//! Proof of who sent a webhook, prepared once per connection.
//!
//! What always holds: comparisons are constant-time; a connection without its secret refuses
//! everything; keys are never shown.

pub mod hmac;
pub mod networks;
mod variants;

use super::Headers;
use crate::canonical::Timestamp;
use crate::manifest::model::Verify;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The credential that holds the former signing secret while a provider changes over to a new one:
/// the name of the signing credential with this suffix.
pub const PREVIOUS_SUFFIX: &str = "_previous";
/// The credential that says until when (RFC 3339) the former one is good: the name of the signing
/// credential with this suffix. Without it the former one is good until it is taken away.
pub const UNTIL_SUFFIX: &str = "_previous_until";

/// The end of the former signing secret, where it has one.
pub fn former_until(
    verify: &Verify,
    credentials: &BTreeMap<String, SecretString>,
) -> Option<Timestamp> {
    let Verify::Hmac { secret, .. } = verify else {
        return None;
    };
    let until = credentials.get(&format!("{secret}{UNTIL_SUFFIX}"))?;
    // What cannot be read is over.
    Some(until.expose_secret().parse().unwrap_or(Timestamp::MIN))
}

/// Why a request was not proved. The text is the counter's reason and names no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The signature header is missing.
    #[error("signature_missing")]
    Missing,
    /// The signature is not written as the manifest says.
    #[error("signature_malformed")]
    Malformed,
    /// The signature is of another body or another secret.
    #[error("signature_mismatch")]
    Mismatch,
    /// The connection has no signing secret yet.
    #[error("secret_missing")]
    NoSecret,
    /// The sender's address is none of the provider's.
    #[error("sender_unknown")]
    Stranger,
}

impl Refusal {
    /// The counter's reason.
    pub const fn reason(self) -> &'static str {
        match self {
            Refusal::Missing => "signature_missing",
            Refusal::Malformed => "signature_malformed",
            Refusal::Mismatch => "signature_mismatch",
            Refusal::NoSecret => "secret_missing",
            Refusal::Stranger => "sender_unknown",
        }
    }
}

/// A connection's way to prove a sender.
#[derive(Debug)]
pub enum Verifier {
    /// HMAC over the raw body.
    Hmac(hmac::HmacVerifier),
    /// The sender's address.
    Ip(networks::IpVerifier),
}

impl Verifier {
    /// Prepares the proof from the manifest and the connection's settings and opened credentials, as
    /// of `now`: a former secret whose time is over is left out.
    pub fn prepare(
        verify: &Verify,
        settings: &Map<String, Value>,
        credentials: &BTreeMap<String, SecretString>,
        now: Timestamp,
    ) -> Self {
        let over = former_until(verify, credentials).is_some_and(|until| until <= now);
        match verify {
            Verify::Hmac {
                algorithm,
                header,
                encoding,
                prefix,
                secret,
                secret_variants,
            } => {
                let previous = format!("{secret}{PREVIOUS_SUFFIX}");
                let secrets = [
                    Some(secret.as_str()),
                    Some(previous.as_str()).filter(|_| !over),
                ]
                .into_iter()
                .flatten()
                .filter_map(|name| credentials.get(name));
                Verifier::Hmac(hmac::HmacVerifier::new(
                    *algorithm,
                    header,
                    *encoding,
                    prefix.as_deref(),
                    secrets,
                    secret_variants,
                ))
            }
            Verify::IpAllow { networks, proxies } => {
                let text = |name: &String| settings.get(name).and_then(Value::as_str);
                let allowed = text(networks).unwrap_or_default();
                let proxies = proxies.as_ref().and_then(text).unwrap_or_default();
                Verifier::Ip(networks::IpVerifier::new(allowed, proxies))
            }
        }
    }

    /// Checks one request.
    ///
    /// # Errors
    /// [`Refusal`] with the reason to count.
    pub fn check(&self, headers: &dyn Headers, body: &[u8]) -> Result<(), Refusal> {
        match self {
            Verifier::Hmac(hmac) => hmac.check(headers, body),
            Verifier::Ip(ip) => ip.check(headers),
        }
    }
}

#[cfg(test)]
mod tests;
