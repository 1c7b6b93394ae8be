//! Ways to authenticate. Unknown keys are errors for every kind.

use super::{Encoding, HashAlgorithm};
use crate::manifest::scalar::{Expr, SecretTemplate};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One way to authenticate. Its table holds `when` beside the kind and the kind's own keys.
#[derive(Debug, Clone, Serialize)]
pub struct Auth {
    /// jq over `{connection, request: {url}}` → bool; always, when left out.
    pub when: Option<Expr>,
    /// The kind, with its own keys.
    #[serde(flatten)]
    pub kind: AuthKind,
}
impl<'de> Deserialize<'de> for Auth {
    /// Takes `when` out and leaves the rest to the kind: `flatten` would let unknown keys pass.
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let mut table = toml::Table::deserialize(d)?;
        let when = match table.remove("when") {
            None => None,
            Some(toml::Value::String(expr)) => Some(expr),
            Some(_) => return Err(D::Error::custom("`when` is a text: a jq expression")),
        };
        let kind = AuthKind::deserialize(table).map_err(|e| D::Error::custom(e.message()))?;
        Ok(Self { when, kind })
    }
}

/// The kinds of authentication that folders use so far.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)]
pub enum AuthKind {
    None,
    Basic {
        username: SecretTemplate,
        password: SecretTemplate,
    },
    Bearer {
        token: SecretTemplate,
    },
    Header {
        headers: BTreeMap<String, SecretTemplate>,
    },
    Query {
        params: BTreeMap<String, SecretTemplate>,
    },
    /// OAuth 1.0a, HMAC-SHA256: consumer key and secret, and the token with its secret where the
    /// provider gave one.
    Oauth1 {
        consumer_key: SecretTemplate,
        consumer_secret: SecretTemplate,
        #[serde(default)]
        token: Option<SecretTemplate>,
        #[serde(default)]
        token_secret: Option<SecretTemplate>,
        #[serde(default)]
        place: OauthPlace,
    },
    /// HMAC over parts of the finished request; the signature goes into a header.
    Sign {
        algorithm: HashAlgorithm,
        /// The key, as bytes of this text.
        secret: SecretTemplate,
        /// What is signed, in order.
        parts: Vec<SignedPart>,
        /// What stands between two parts.
        #[serde(default)]
        joiner: String,
        /// How the signature is written.
        encoding: Encoding,
        /// The header that carries it.
        header: String,
        /// Text before the signature.
        #[serde(default)]
        prefix: String,
        /// The header that carries the moment of the call, for providers that refuse old ones.
        #[serde(default)]
        timestamp_header: Option<String>,
    },
}

/// A part of a request that a signature covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SignedPart {
    /// `GET`, `POST`, …
    Method,
    /// Path and query, byte for byte as they are sent.
    Target,
    /// What `timestamp_header` says: seconds since 1970.
    Timestamp,
    /// The body, byte for byte; nothing when there is none.
    Body,
}

/// Where the protocol parameters of OAuth 1.0a go (RFC 5849 §3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OauthPlace {
    /// Into the query.
    #[default]
    Query,
    /// Into the header `Authorization`.
    Header,
}
