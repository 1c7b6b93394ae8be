//! HMAC over the raw body, with any of several secrets.
//!
//! What always holds: the keyed state of every secret is computed once, so that a check costs one
//! pass over the body per secret and allocates nothing.

use super::{Refusal, variants};
use crate::ingress::Headers;
use crate::manifest::model::{Encoding, HashAlgorithm, SecretVariant};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;

/// Senders differ in whether they pad; both are one signature.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// The longest digest (SHA-512), with room for a base64 quantum.
const LONGEST: usize = 66;

/// One secret, ready: the key is already mixed into the state.
#[derive(Clone)]
enum Keyed {
    Sha1(Box<Hmac<Sha1>>),
    Sha256(Box<Hmac<Sha256>>),
    Sha512(Box<Hmac<Sha512>>),
}

impl Keyed {
    fn new(algorithm: HashAlgorithm, key: &[u8]) -> Option<Self> {
        Some(match algorithm {
            HashAlgorithm::Sha1 => Keyed::Sha1(Box::new(Hmac::new_from_slice(key).ok()?)),
            HashAlgorithm::Sha256 => Keyed::Sha256(Box::new(Hmac::new_from_slice(key).ok()?)),
            HashAlgorithm::Sha512 => Keyed::Sha512(Box::new(Hmac::new_from_slice(key).ok()?)),
        })
    }
    fn signs(&self, body: &[u8], signature: &[u8]) -> bool {
        fn of<M: Mac + Clone>(mac: &M, body: &[u8], signature: &[u8]) -> bool {
            let mut mac = mac.clone();
            mac.update(body);
            mac.finalize()
                .into_bytes()
                .as_slice()
                .ct_eq(signature)
                .into()
        }
        match self {
            Keyed::Sha1(mac) => of(mac.as_ref(), body, signature),
            Keyed::Sha256(mac) => of(mac.as_ref(), body, signature),
            Keyed::Sha512(mac) => of(mac.as_ref(), body, signature),
        }
    }
}

/// The prepared check of one connection.
pub struct HmacVerifier {
    header: String,
    encoding: Encoding,
    prefix: Option<String>,
    /// Newest first: the common case is one pass.
    keys: Vec<Keyed>,
}

impl std::fmt::Debug for HmacVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HmacVerifier")
            .field("header", &self.header)
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

impl HmacVerifier {
    /// Prepares every secret and every form of it that the provider's own software may sign with.
    /// Empty secrets are left out: anybody can sign with them.
    pub fn new<'a>(
        algorithm: HashAlgorithm,
        header: &str,
        encoding: Encoding,
        prefix: Option<&str>,
        secrets: impl Iterator<Item = &'a SecretString>,
        secret_variants: &[SecretVariant],
    ) -> Self {
        let keys = secrets
            .filter(|secret| !secret.expose_secret().is_empty())
            .flat_map(|secret| variants::of(secret, secret_variants))
            .filter_map(|form| Keyed::new(algorithm, form.expose_secret().as_bytes()))
            .collect();
        Self {
            header: header.to_ascii_lowercase(),
            encoding,
            prefix: prefix.map(str::to_owned),
            keys,
        }
    }

    /// Checks one request.
    ///
    /// # Errors
    /// [`Refusal`] with the reason to count.
    pub fn check(&self, headers: &dyn Headers, body: &[u8]) -> Result<(), Refusal> {
        let written = headers.text(&self.header).ok_or(Refusal::Missing)?.trim();
        let written = match &self.prefix {
            Some(prefix) => written
                .strip_prefix(prefix.as_str())
                .ok_or(Refusal::Malformed)?,
            None => written,
        };
        if self.keys.is_empty() {
            return Err(Refusal::NoSecret);
        }
        let mut buffer = [0u8; LONGEST];
        let length = match self.encoding {
            Encoding::Base64 => BASE64
                .decode_slice(written, &mut buffer)
                .map_err(|_| Refusal::Malformed)?,
            Encoding::Hex => {
                let length = written.len() / 2;
                let room = buffer.get_mut(..length).ok_or(Refusal::Malformed)?;
                hex::decode_to_slice(written, room).map_err(|_| Refusal::Malformed)?;
                length
            }
        };
        let signature = buffer.get(..length).ok_or(Refusal::Malformed)?;
        if self.keys.iter().any(|key| key.signs(body, signature)) {
            Ok(())
        } else {
            Err(Refusal::Mismatch)
        }
    }
}
