//! Proof of who sent a webhook, prepared once per connection.
//!
//! What always holds: comparisons are constant-time; a connection without its secret refuses
//! everything; keys are never shown.

pub mod hmac;
pub mod networks;
mod variants;

use super::Headers;
use crate::manifest::model::Verify;
use secrecy::SecretString;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The credential that holds the former signing secret while a provider changes over to a new one:
/// the name of the signing credential with this suffix.
pub const PREVIOUS_SUFFIX: &str = "_previous";

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
    /// Prepares the proof from the manifest and the connection's settings and opened credentials.
    pub fn prepare(
        verify: &Verify,
        settings: &Map<String, Value>,
        credentials: &BTreeMap<String, SecretString>,
    ) -> Self {
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
                let secrets = [secret.as_str(), previous.as_str()]
                    .into_iter()
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
