//! Proof of who sent a webhook, prepared once per connection.
//!
//! What always holds: comparisons are constant-time; a connection without its secret refuses
//! everything; keys are never shown.

pub mod hmac;
mod variants;

use super::Headers;
use crate::manifest::model::Verify;
use secrecy::SecretString;
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
}

impl Refusal {
    /// The counter's reason.
    pub const fn reason(self) -> &'static str {
        match self {
            Refusal::Missing => "signature_missing",
            Refusal::Malformed => "signature_malformed",
            Refusal::Mismatch => "signature_mismatch",
            Refusal::NoSecret => "secret_missing",
        }
    }
}

/// A connection's way to prove a sender.
#[derive(Debug)]
pub enum Verifier {
    /// HMAC over the raw body.
    Hmac(hmac::HmacVerifier),
}

impl Verifier {
    /// Prepares the proof from the manifest and the connection's opened credentials.
    pub fn prepare(verify: &Verify, credentials: &BTreeMap<String, SecretString>) -> Self {
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
        }
    }

    /// Checks one request.
    ///
    /// # Errors
    /// [`Refusal`] with the reason to count.
    pub fn check(&self, headers: &dyn Headers, body: &[u8]) -> Result<(), Refusal> {
        match self {
            Verifier::Hmac(hmac) => hmac.check(headers, body),
        }
    }
}

#[cfg(test)]
mod tests;
