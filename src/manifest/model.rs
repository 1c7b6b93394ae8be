//! The vocabulary of `manifest.toml`, as types.
//!
//! What always holds: unknown keys are errors; every key has a default or is required in sight;
//! kinds that no folder uses yet are not here (the lint says `not built yet`). Expressions are jq;
//! their context is documented at each place. Secrets appear in auth and verify only.
//!
//! The context of operation expressions: `.input` (the command's canonical input), `.connection`
//! (settings, without secrets; also `id`, `hook_url`, `memory`), `.steps` (what earlier steps
//! saved, by step name), `.cursor` (poll position), `.page`, `.now` (RFC 3339). After an answer
//! also `.status`, `.headers` (lower-case names), `.body` (decoded), `.request`.

use super::form::FormField;
use super::scalar::{Expr, SecretTemplate, Size, Span};
use crate::canonical::connection::ConnectionKind;
use crate::canonical::job::Lane;
use crate::canonical::problem::Class;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A connector's `manifest.toml`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The folder's name.
    pub id: String,
    /// What people call the provider.
    pub name: String,
    /// Shop, marketplace, carrier, wms.
    pub kind: ConnectionKind,
    /// One sentence.
    pub summary: String,
    /// Where the provider documents its API.
    pub docs: String,
    /// The non-secret part of the form.
    #[serde(default)]
    pub settings: BTreeMap<String, FormField>,
    /// The secret part of the form; encrypted at rest, never shown.
    #[serde(default)]
    pub credentials: BTreeMap<String, FormField>,
    /// How bytes travel.
    #[serde(default)]
    pub transport: Transport,
    /// Ways to authenticate; the first whose `when` holds is used.
    #[serde(default)]
    pub auth: Vec<Auth>,
    /// How often we may call.
    #[serde(default)]
    pub limits: Limits,
    /// How failed calls are repeated.
    #[serde(default)]
    pub retry: Retry,
    /// What answers mean; the first match wins, then HTTP defaults.
    #[serde(default)]
    pub errors: Vec<ErrorRule>,
    /// The zone of provider times that name none, IANA.
    #[serde(default)]
    pub timezone: Option<String>,
    /// What can be done, by operation name (`orders.pull`, `fulfillment.push`, …).
    #[serde(default)]
    pub operations: BTreeMap<String, Operation>,
    /// What the provider calls us with.
    #[serde(default)]
    pub webhooks: Option<Webhooks>,
    /// Extra mappings that no operation or topic names (`error`, say): name → jq file.
    #[serde(default)]
    pub mappings: BTreeMap<String, String>,
}

/// How bytes travel.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Transport {
    /// jq over `{connection}` → the base URL, without a slash at its end.
    pub base_url: Expr,
    /// The format of bodies both ways.
    pub format: Format,
    /// Whole time of one call.
    pub timeout: Span,
    /// Largest answer.
    pub max_body: Size,
    /// Extra headers: name → jq over the operation context, yielding text or null (left out).
    pub headers: BTreeMap<String, Expr>,
    /// Skip bytes before the first `{` or `[` (notices that a server prints before its JSON).
    pub skip_prelude: bool,
}
impl Default for Transport {
    fn default() -> Self {
        Self {
            base_url: ".connection.base_url".into(),
            format: Format::Json,
            timeout: Span::secs(30),
            max_body: Size(16 << 20),
            headers: BTreeMap::new(),
            skip_prelude: false,
        }
    }
}

/// A body's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Format {
    #[default]
    Json,
    Form,
    Xml,
    Text,
    None,
}

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
    /// OAuth 1.0a one-legged: consumer key and secret, no token; HMAC-SHA256, parameters in the query.
    Oauth1 {
        consumer_key: SecretTemplate,
        consumer_secret: SecretTemplate,
    },
}

/// How often we may call, per connection.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Calls a second on average (may be below one).
    pub rate_per_second: f64,
    /// Calls at once after a pause.
    pub burst: u32,
    /// Calls under way at once.
    pub concurrency: u32,
    /// Headers that tell what is left: when `remaining` is 0, wait until `reset`.
    pub headers: Option<LimitHeaders>,
}
impl Default for Limits {
    fn default() -> Self {
        Self {
            rate_per_second: 2.0,
            burst: 4,
            concurrency: 2,
            headers: None,
        }
    }
}

/// Where a provider tells what is left. `Retry-After` is always obeyed and needs no entry.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct LimitHeaders {
    pub remaining: String,
    #[serde(default)]
    pub reset: Option<String>,
    #[serde(default)]
    pub reset_as: ResetAs,
}

/// How a reset header is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ResetAs {
    #[default]
    Seconds,
    EpochS,
    EpochMs,
    Date,
}

/// How failed calls are repeated: data, with jitter.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// Waits before the 2nd, 3rd, … attempt; after the last the job is parked with a problem.
    pub schedule: Vec<Span>,
    /// Each wait is multiplied by a random factor in 1 ± jitter.
    pub jitter: f64,
    /// So many transient failures in a row open the circuit of the connection.
    pub circuit_after: u32,
    /// … for this long; then one call probes.
    pub circuit_for: Span,
}
impl Default for Retry {
    fn default() -> Self {
        let seconds = [
            2, 5, 15, 60, 300, 900, 3_600, 10_800, 21_600, 43_200, 86_400,
        ];
        Self {
            schedule: seconds.into_iter().map(Span::secs).collect(),
            jitter: 0.2,
            circuit_after: 5,
            circuit_for: Span::secs(30),
        }
    }
}

/// One rule of what an answer means. All given conditions must hold.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    /// HTTP statuses (`404`) or classes (`"5xx"`).
    #[serde(default)]
    pub status: Vec<StatusMatch>,
    /// A header that must be there with a value containing this text.
    #[serde(default)]
    pub header: Option<(String, String)>,
    /// jq over the context after the answer → bool.
    #[serde(default)]
    pub jq: Option<Expr>,
    /// A text that the raw body contains.
    #[serde(default)]
    pub text: Option<String>,
    /// Only for these operations.
    #[serde(default)]
    pub operations: Vec<String>,
    /// What it means; `ok` when the rule says that this answer is none.
    pub class: RuleClass,
    /// jq → the provider's code; none when left out.
    #[serde(default)]
    pub code: Option<Expr>,
    /// jq → a message without personal data.
    #[serde(default)]
    pub message: Option<Expr>,
    /// jq → the list of refused fields.
    #[serde(default)]
    pub fields: Option<Expr>,
    /// jq → seconds to wait.
    #[serde(default)]
    pub retry_after: Option<Expr>,
}

/// A status or a class of them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum StatusMatch {
    Exactly(u16),
    /// 4 for `"4xx"`.
    Hundred(u16),
}
impl StatusMatch {
    /// True when the status fits.
    pub const fn fits(&self, status: u16) -> bool {
        match self {
            StatusMatch::Exactly(s) => *s == status,
            StatusMatch::Hundred(h) => *h == status / 100,
        }
    }
}
impl<'de> Deserialize<'de> for StatusMatch {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl serde::de::Visitor<'_> for V {
            type Value = StatusMatch;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an HTTP status such as 404, or \"4xx\" or \"5xx\"")
            }
            fn visit_i64<E: serde::de::Error>(self, n: i64) -> Result<StatusMatch, E> {
                u16::try_from(n)
                    .map(StatusMatch::Exactly)
                    .map_err(|_| E::custom("no HTTP status"))
            }
            fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<StatusMatch, E> {
                u16::try_from(n)
                    .map(StatusMatch::Exactly)
                    .map_err(|_| E::custom("no HTTP status"))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<StatusMatch, E> {
                match text.strip_suffix("xx").and_then(|d| d.parse::<u16>().ok()) {
                    Some(h @ 2..=5) => Ok(StatusMatch::Hundred(h)),
                    _ => Err(E::custom(
                        "an HTTP status such as 404, or \"4xx\" or \"5xx\"",
                    )),
                }
            }
        }
        d.deserialize_any(V)
    }
}
impl Serialize for StatusMatch {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            StatusMatch::Exactly(n) => s.serialize_u16(*n),
            StatusMatch::Hundred(h) => s.collect_str(&format_args!("{h}xx")),
        }
    }
}

/// What a rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum RuleClass {
    Ok,
    Throttled,
    Transient,
    Ambiguous,
    AuthExpired,
    AuthBroken,
    Invalid,
    Rejected,
    Conflict,
    Gone,
    BrokenContract,
}
impl RuleClass {
    /// The class; `None` for `ok`.
    pub const fn class(self) -> Option<Class> {
        Some(match self {
            RuleClass::Ok => return None,
            RuleClass::Throttled => Class::Throttled,
            RuleClass::Transient => Class::Transient,
            RuleClass::Ambiguous => Class::Ambiguous,
            RuleClass::AuthExpired => Class::AuthExpired,
            RuleClass::AuthBroken => Class::AuthBroken,
            RuleClass::Invalid => Class::Invalid,
            RuleClass::Rejected => Class::Rejected,
            RuleClass::Conflict => Class::Conflict,
            RuleClass::Gone => Class::Gone,
            RuleClass::BrokenContract => Class::BrokenContract,
        })
    }
}

/// One operation: a list of steps; most have one.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Which work goes first.
    #[serde(default)]
    pub lane: Lane,
    /// Changes something at the provider: not run while `observing`. Left out: true unless every
    /// step is a GET.
    #[serde(default)]
    pub changes: Option<bool>,
    /// The requests, in order. A checkpoint is stored after each.
    pub steps: Vec<Step>,
    /// For pulls: how and how often it is polled.
    #[serde(default)]
    pub poll: Option<Poll>,
    /// jq over the context after the last step → what the operation learned about the connection,
    /// merged into `connection.memory` (ways the shop has, ids of registered webhooks).
    #[serde(default)]
    pub remember: Option<Expr>,
}

/// One request of an operation.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its name, for checkpoints and attempts.
    pub name: String,
    /// jq → bool: skipped when false.
    #[serde(default)]
    pub when: Option<Expr>,
    /// The HTTP method.
    pub method: Method,
    /// jq → the path after the base URL (or an absolute URL on the base URL's host).
    pub path: Expr,
    /// jq → an object of query parameters; null values are left out, arrays repeat the name.
    #[serde(default)]
    pub query: Option<Expr>,
    /// Extra headers: name → jq.
    #[serde(default)]
    pub headers: BTreeMap<String, Expr>,
    /// jq → the body.
    #[serde(default)]
    pub body: Option<Expr>,
    /// Or: the body by a mapping file of the folder (input: the operation context).
    #[serde(default)]
    pub body_mapping: Option<String>,
    /// The body's format where it differs from the transport's.
    #[serde(default)]
    pub format: Option<Format>,
    /// Paging of the answer.
    #[serde(default)]
    pub pagination: Pagination,
    /// Simple path to the list of records in the answer (`"."` or `".orders"`); `"."` by default:
    /// an array is its items, anything else one record.
    #[serde(default = "dot")]
    pub records: String,
    /// The mapping that reads the answer's records (`order`, `error`, …).
    #[serde(default)]
    pub mapping: Option<String>,
    /// jq over the context after the answer → what later steps see as `.steps.<name>`.
    #[serde(default)]
    pub save: Option<Expr>,
    /// jq over the context after the answer → bool: true means that the whole operation is done.
    #[serde(default)]
    pub done_when: Option<Expr>,
    /// What a lost answer means.
    #[serde(default)]
    pub repeat: Repeat,
    /// Error classes that count as success of this step (`conflict` for "already completed").
    #[serde(default)]
    pub accept: Vec<RuleClass>,
    /// Run once for each item of this jq's array; the item is `.item`.
    #[serde(default)]
    pub for_each: Option<Expr>,
    /// jq over the context after the answer → what `mapping` reads instead of the answer's records:
    /// for meanings that a provider spreads over several answers (an order and its refunds).
    #[serde(default)]
    pub input: Option<Expr>,
    /// Credentials that `body` may place: the text `{name}` in its string values is replaced
    /// natively, after jq ran, for these names only.
    #[serde(default)]
    pub secrets: Vec<String>,
}

fn dot() -> String {
    ".".into()
}

/// May a step be sent again when its answer was lost?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// GET, PUT and DELETE may, POST and PATCH may not.
    #[default]
    ByMethod,
    /// The request sets a state or names its own key: sending it twice is sending it once.
    Safe,
    /// An earlier step of the operation looks whether it has happened; the operation starts again
    /// from its first step, and that step's `when` decides.
    LookupFirst,
    /// Never: an unknown outcome is parked for a person.
    Never,
}

/// HTTP methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// How lists are paged.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs)]
pub enum Pagination {
    #[default]
    None,
    /// A page number in the query; ends at an empty or short page, or at `total_pages_header`.
    Page {
        param: String,
        #[serde(default = "one")]
        first: u64,
        /// Items a full page has: fewer means the end.
        size: u64,
        #[serde(default)]
        total_pages_header: Option<String>,
        #[serde(default = "page_limit")]
        limit: u64,
    },
    /// `Link: <…>; rel="next"`.
    LinkHeader {
        #[serde(default = "page_limit")]
        limit: u64,
    },
    /// jq over the context after the answer → the next cursor (seen as `.page.cursor`) or null.
    Cursor {
        next: Expr,
        #[serde(default = "page_limit")]
        limit: u64,
    },
}
fn one() -> u64 {
    1
}
fn page_limit() -> u64 {
    1_000
}

/// How a pull is polled. The cursor is a moment (RFC 3339); a page's records move it.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Poll {
    /// Pause between two polls.
    pub interval: Span,
    /// Random share of the interval that is added.
    #[serde(default = "jitter")]
    pub jitter: f64,
    /// Each poll re-reads so much before the cursor (clocks differ, transactions commit late).
    pub overlap: Span,
    /// How far back the first poll reads.
    pub first_depth: Span,
    /// jq over one record → its moment; the cursor becomes the greatest seen.
    pub cursor: Expr,
    /// jq over one record → the external id (the subject's key, known before mapping).
    pub key: Expr,
    /// The sweep: how far back it re-reads, and how often (mandatory beside webhooks).
    pub sweep_depth: Span,
    /// Pause between two sweeps.
    pub sweep_interval: Span,
}
fn jitter() -> f64 {
    0.1
}

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
    /// Simple path to the records; `"."` by default.
    #[serde(default = "dot")]
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
