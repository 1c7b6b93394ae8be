//! Operations: steps, paging, polling.

use super::{Format, RuleClass};
use crate::canonical::job::Lane;
use crate::manifest::scalar::{Expr, Span};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One operation: a list of steps; most have one.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Which work goes first; by its name when left out ([`Operation::lane`]).
    #[serde(default)]
    pub lane: Option<Lane>,
    /// Changes something at the provider: not run while `observing`. Left out: true unless every
    /// step is a GET.
    #[serde(default)]
    pub changes: Option<bool>,
    /// Each of its calls counts for so many calls of the pace: for providers that allow fewer calls
    /// of one kind than of another.
    #[serde(default = "one_call")]
    pub weight: u32,
    /// The requests, in order. A checkpoint is stored after each.
    pub steps: Vec<Step>,
    /// For `tracking.pull`: so many numbers are asked for in one call (`.input.numbers`); 1 when
    /// left out.
    #[serde(default)]
    pub batch: Option<u32>,
    /// For directories (`points.list`): how often it is read; daily when left out.
    #[serde(default)]
    pub every: Option<Span>,
    /// For directories: the networks whose points it holds, by the names that channels use; the
    /// folder's own name when left out.
    #[serde(default)]
    pub networks: Vec<String>,
    /// For pulls: how and how often it is polled.
    #[serde(default)]
    pub poll: Option<Poll>,
    /// For `orders.get` of channels without a list: how often every order that is not final is read
    /// anew.
    #[serde(default)]
    pub reread: Option<Span>,
    /// jq over the context after the last step → what the operation learned about the connection,
    /// merged into `connection.memory` (ways the shop has, ids of registered webhooks).
    #[serde(default)]
    pub remember: Option<Expr>,
}

impl Operation {
    /// Which work goes first: what the manifest says, else by what the operation is for.
    pub fn lane(&self, name: &str) -> Lane {
        self.lane.unwrap_or(match name {
            "shipment.create" | "shipment.cancel" | "label.fetch" => Lane::Label,
            "orders.ack" | "orders.refuse" | "orders.receive" => Lane::Acknowledgement,
            "fulfillment.push" | "delivery.push" => Lane::StatusPush,
            "stock.push" | "stock.pull" | "catalogue.pull" | "points.list" => Lane::Stock,
            "tracking.pull" => Lane::TrackingPoll,
            _ => Lane::default(),
        })
    }
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
    /// jq → the base URL of this step, for providers that spread over several hosts; the
    /// transport's when left out.
    #[serde(default)]
    pub base_url: Option<Expr>,
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
    /// Or a GraphQL document of the folder: `file` or `file.Operation` of `file.graphql`.
    #[serde(default)]
    pub graphql: Option<String>,
    /// jq → the document's variables.
    #[serde(default)]
    pub variables: Option<Expr>,
    /// The body's format where it differs from the transport's.
    #[serde(default)]
    pub format: Option<Format>,
    /// Paging of the answer.
    #[serde(default)]
    pub pagination: Pagination,
    /// Simple path to the list of records in the answer (`"."` or `".orders"`); `"."` by default:
    /// an array is its items, anything else one record.
    #[serde(default = "super::dot")]
    pub records: String,
    /// A key that stands beside the records of a list: a payload without it is one record. For
    /// providers whose single objects have a key of the list's name.
    #[serde(default)]
    pub records_beside: Option<String>,
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
fn one_call() -> u32 {
    1
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
