//! What the provider calls us with.

use crate::manifest::scalar::{Expr, Size};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the provider calls us with.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Webhooks {
    /// How the sender is proved.
    pub verify: Verify,
    /// Requests that are no deliveries and are answered without proof (pings, challenges).
    #[serde(default)]
    pub challenges: Vec<Challenge>,
    /// Where the topic stands.
    pub topic: Topic,
    /// Topic → what it is; `default` for topics not named: left out, unknown topics are `ignored`
    /// with a drift problem.
    pub topics: BTreeMap<String, TopicRule>,
    /// The acknowledgement that the provider wants.
    #[serde(default)]
    pub acknowledge: Acknowledge,
    /// Header with the provider's delivery id, only where it is documented unique per delivery.
    #[serde(default)]
    pub dedupe_header: Option<String>,
    /// Headers that mappings may see (lower-case names); others are not stored.
    #[serde(default)]
    pub keep_headers: Vec<String>,
    /// Largest body; never above the gateway's own cap (5 MiB).
    #[serde(default)]
    pub max_body: Option<Size>,
}

/// How the sender is proved.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)]
pub enum Verify {
    /// HMAC over the raw body.
    Hmac {
        algorithm: HashAlgorithm,
        /// Header with the signature.
        header: String,
        /// How the signature is written.
        encoding: Encoding,
        /// Text before the signature (`sha256=`), removed.
        #[serde(default)]
        prefix: Option<String>,
        /// The credential that signs.
        secret: String,
        /// Further forms of the secret that the provider's own software may sign with.
        #[serde(default)]
        secret_variants: Vec<SecretVariant>,
    },
    /// The sender's address. It proves no body, so that everything must be read anew (`refetch`).
    IpAllow {
        /// The setting with the provider's networks, with commas between.
        networks: String,
        /// The setting with the addresses of the operator's own proxies: what they say in
        /// `X-Forwarded-For` counts.
        #[serde(default)]
        proxies: Option<String>,
    },
}

/// A provider's habit with secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretVariant {
    /// HTML entities (`&amp;`, `&quot;`) decoded before signing.
    HtmlDecoded,
    /// HTML entities encoded before signing.
    HtmlEncoded,
}

/// Hashes for HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum HashAlgorithm {
    Sha1,
    Sha256,
    Sha512,
}

/// How bytes are written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Encoding {
    Base64,
    Hex,
}

/// A request that is no delivery. It is answered and not stored.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Challenge {
    /// The request has no header of this name (a ping without signature).
    #[serde(default)]
    pub without_header: Option<String>,
    /// The content type starts with this.
    #[serde(default)]
    pub content_type: Option<String>,
    /// The body matches this regular expression as a whole (ASCII, at most 1 KiB).
    #[serde(default)]
    pub body: Option<String>,
    /// The reply's status.
    pub status: u16,
    /// The reply's body.
    #[serde(default)]
    pub reply: Option<String>,
}

/// Where the topic of a webhook stands.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Topic {
    /// In this header.
    Header(String),
    /// In the URL after the connection's id.
    Path,
    /// jq over the decoded body → text.
    Jq(Expr),
    /// There is only one.
    Fixed(String),
}

/// What a topic is.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TopicRule {
    /// The mapping that reads its records.
    #[serde(default)]
    pub mapping: Option<String>,
    /// True: the topic is of no interest; disposition `ignored`.
    #[serde(default)]
    pub ignore: bool,
    /// True: the payload only says that something happened to the order `key`; it is read by
    /// `orders.get`, whose answer counts.
    #[serde(default)]
    pub refetch: bool,
    /// Simple path to the records; `"."` by default.
    #[serde(default = "super::dot")]
    pub records: String,
    /// jq over one record → the subject's external id (known before mapping).
    #[serde(default)]
    pub key: Option<Expr>,
}

/// The acknowledgement that the provider wants.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct Acknowledge {
    pub status: u16,
    pub body: String,
    pub content_type: String,
}
impl Default for Acknowledge {
    fn default() -> Self {
        Self {
            status: 200,
            body: String::new(),
            content_type: "text/plain; charset=utf-8".into(),
        }
    }
}
