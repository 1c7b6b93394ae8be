//! A simulator's data: `simulator/routes.toml` and `simulator/lib.jq`.
//!
//! Every expression is jq with the definitions of `lib.jq` before it. Its input is `{state, request: {method, path, params,
//! query, headers, body}, now, options, seed}`; it yields `{state?, response?: {status, headers?, body?}, webhooks?: [{topic,
//! body} or {url, topic?, form}]}`. What is left out stays as it is.

use super::SimError;
use crate::manifest::folder::Folder;
use crate::manifest::model::Method;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Where the data is, inside a connector's folder.
const ROUTES: &str = "simulator/routes.toml";
const LIB: &str = "simulator/lib.jq";

/// `routes.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutesFile {
    /// Made-up credentials that callers must use.
    #[serde(default)]
    pub credentials: BTreeMap<String, String>,
    /// What a connection to it must have set; `{url}` stands for the simulator's own address.
    /// `base_url` is the address when it is left out.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// For carriers: how a demo plugs it in.
    #[serde(default)]
    pub demo: Demo,
    /// jq → the state at the start.
    pub start: String,
    /// jq → the response to a caller who is not proved.
    pub refused: String,
    /// jq → the response where no route fits.
    pub missing: String,
    /// How often may be called; no limit when left out.
    #[serde(default)]
    pub limit: Option<Limit>,
    /// How webhooks leave.
    #[serde(default)]
    pub webhooks: Option<WebhookData>,
    /// The control that makes one order, for `--orders-per-minute`.
    #[serde(default)]
    pub generator: Option<String>,
    /// The provider's calls.
    pub routes: Vec<Route>,
    /// Calls for tests and demos, below `/_sim/`.
    #[serde(default)]
    pub control: Vec<Route>,
}

/// How a demo plugs a carrier in.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Demo {
    /// The contract of all merchants: sender, payee of the cash.
    pub contract: Option<Value>,
    /// Carrier rules that lead to it, without `connection_id`.
    pub rules: Vec<Map<String, Value>>,
    /// Settings of its connection beside those that every connection to it has.
    pub settings: Map<String, Value>,
    /// What `.options` is in a demo, so that a parcel's life takes seconds.
    pub options: Map<String, Value>,
}

/// A limit on calls: a bucket that refills steadily.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Calls a second.
    pub per_second: f64,
    /// Calls at once after a pause.
    pub burst: f64,
    /// jq → the response above it.
    pub response: String,
}

/// How webhooks leave.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookData {
    /// jq over `{state, topic}` → `[{url, secret, …}]`: who gets a topic.
    pub targets: String,
    /// jq over `{state, topic, target, delivery, now}` → headers beside the signature; `delivery` numbers what is sent.
    pub headers: String,
    /// jq over `{state, topic, target, status}` → the new state; `status` is null when nobody answered.
    pub delivered: String,
    /// Attempts of one delivery.
    #[serde(default = "one")]
    pub attempts: u32,
}
fn one() -> u32 {
    1
}

/// One call.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Its name, for faults and counters.
    pub name: String,
    /// The HTTP method.
    pub method: Method,
    /// The path; `{name}` takes one segment.
    pub path: String,
    /// Query parameters that a call must have to be this one, for providers with one path for all.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// The first field that a GraphQL request must ask for to be this call. `.request.graphql` is `{kind, operation, field,
    /// sizes, text}`; the answer's `data` is cut down to what is selected.
    #[serde(default)]
    pub graphql: Option<String>,
    /// jq: what it does.
    pub run: String,
    /// jq over `{state, options}` → bool: the route exists only then.
    #[serde(default)]
    pub when: Option<String>,
    /// False for calls that need no proof of the caller.
    #[serde(default = "yes")]
    pub auth: bool,
}
fn yes() -> bool {
    true
}

/// A simulator's data, read.
#[derive(Debug, Clone)]
pub struct Simulator {
    /// `routes.toml`.
    pub file: RoutesFile,
    /// `lib.jq`.
    pub lib: String,
    /// The folder's name, for errors.
    pub id: String,
}

impl Simulator {
    /// Reads a folder's simulator.
    ///
    /// # Errors
    /// When a file is missing or broken.
    pub fn load(folder: &Folder) -> Result<Self, SimError> {
        let text = |file: &str| {
            folder
                .source
                .text(file)
                .map_err(|finding| SimError::Data(format!("{}/{finding}", folder.id)))
        };
        let file = toml::from_str(&text(ROUTES)?)
            .map_err(|error| SimError::Data(format!("{}/{ROUTES}: {error}", folder.id)))?;
        Ok(Self {
            file,
            lib: text(LIB)?,
            id: folder.id.clone(),
        })
    }
}

impl Route {
    /// The parameters of the path when a call of this path and query is this route's.
    pub fn fits(&self, path: &str, query: &[(String, String)]) -> Option<BTreeMap<String, String>> {
        let given = |(name, value): (&String, &String)| {
            query
                .iter()
                .any(|(known, text)| known == name && text == value)
        };
        let params = matches(&self.path, path)?;
        self.query.iter().all(given).then_some(params)
    }
}

/// The parameters of `path` when it fits `pattern` (`/orders/{id}`).
fn matches(pattern: &str, path: &str) -> Option<BTreeMap<String, String>> {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    let mut params = BTreeMap::new();
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(params),
            (Some(want), Some(give)) => {
                match want.strip_prefix('{').and_then(|w| w.strip_suffix('}')) {
                    Some(name) if !give.is_empty() => {
                        let decoded = percent_encoding::percent_decode_str(give)
                            .decode_utf8_lossy()
                            .into_owned();
                        params.insert(name.to_owned(), decoded);
                    }
                    None if want == give => {}
                    _ => return None,
                }
            }
            _ => return None,
        }
    }
}
