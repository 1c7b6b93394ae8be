//! Fixtures of kind `webhook`: a request to our hook through the gateway's own proof.

use crate::canonical::connection::{Connection, ConnectionState, Health, Owner};
use crate::canonical::{ConnectionId, MerchantId, Timestamp};
use crate::connector::Connector;
use crate::connector::records::decode;
use crate::ingress::endpoint::{Endpoint, OpenEndpoint};
use crate::ingress::webhook::{Delivery, Unverified};
use crate::ingress::{Headers, Reply};
use crate::manifest::Finding;
use crate::manifest::fixture::{Case, Outcome};
use crate::manifest::model::Topic;
use crate::mapping::{Scope, shape};
use bytes::Bytes;
use secrecy::SecretString;
use serde_json::Map;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What the gateway did with the request.
struct Seen {
    outcome: Outcome,
    status: u16,
    topic: Option<String>,
    why: Option<String>,
}

/// Runs the case: headers and `input.*` as they would come, compared with `outcome`, `topic` and
/// `status`.
pub(super) fn run(connector: &Connector, case: &Case) -> Result<Vec<Finding>, Finding> {
    let file = case.path("case.toml");
    let Some(webhooks) = &connector.manifest().webhooks else {
        return Err(Finding::of(&file, "the manifest declares no webhooks"));
    };
    let credentials: BTreeMap<String, SecretString> = case
        .credentials
        .iter()
        .map(|(name, value)| (name.clone(), SecretString::from(value.clone())))
        .collect();
    let Endpoint::Open(endpoint) = Endpoint::prepare(
        &connection(connector, case),
        webhooks,
        &credentials,
        Timestamp::now(),
    ) else {
        return Err(Finding::of(&file, "the hook does not open"));
    };
    let body = Bytes::from(case.bytes("input")?.unwrap_or_default());
    let mut seen = receive(&endpoint, case, body.clone());
    if let (Topic::Jq(expr), Some(_)) = (&webhooks.topic, &seen.topic) {
        seen.topic =
            Some(topic_in_body(connector, expr, &body).map_err(|why| Finding::of(&file, why))?);
    }
    let mut findings = Vec::new();
    let wanted = case.outcome.unwrap_or(Outcome::Accepted);
    if seen.outcome != wanted {
        let why = seen.why.map(|why| format!(" ({why})")).unwrap_or_default();
        findings.push(Finding::of(
            &file,
            format!(
                "the webhook was {}{why}, expected {}",
                word(seen.outcome),
                word(wanted)
            ),
        ));
        return Ok(findings);
    }
    if let Some(status) = case.status.filter(|status| *status != seen.status) {
        findings.push(Finding::of(
            &file,
            format!("the reply's status is {}, expected {status}", seen.status),
        ));
    }
    if let (Some(wanted), Some(topic)) = (&case.topic, &seen.topic)
        && wanted != topic
    {
        findings.push(Finding::of(
            &file,
            format!("the topic is `{topic}`, expected `{wanted}`"),
        ));
    }
    if let Some(topic) = seen.topic.filter(|topic| {
        !topic.is_empty()
            && !webhooks.topics.contains_key(topic)
            && !webhooks.topics.contains_key("default")
    }) {
        findings.push(Finding::of(
            &file,
            format!("the manifest does not say what the topic `{topic}` is"),
        ));
    }
    Ok(findings)
}

/// The topic where the body tells it.
fn topic_in_body(connector: &Connector, expr: &str, body: &[u8]) -> Result<String, String> {
    let payload = decode(connector.manifest(), body).map_err(|error| error.to_string())?;
    let program = connector.expr(expr).map_err(|error| error.to_string())?;
    let topic = program
        .run_one(payload, &Scope::default())
        .map_err(|error| format!("topic: {}", error.message()))?;
    shape(&topic).map_err(|error| format!("topic: {error}"))
}

/// The request that a case describes.
struct Request<'a>(&'a Case);

impl Headers for Request<'_> {
    fn value(&self, name: &str) -> Option<&[u8]> {
        self.0.headers.get(name).map(String::as_bytes)
    }
    fn peer(&self) -> Option<IpAddr> {
        self.0.from
    }
}

/// The way of a request through intake, but for the store.
fn receive(endpoint: &OpenEndpoint, case: &Case, body: Bytes) -> Seen {
    let request = Request(case);
    if let Some(challenge) = endpoint
        .challenges
        .iter()
        .find(|challenge| challenge.fits(&request, &body))
    {
        return Seen {
            outcome: Outcome::Challenge,
            status: challenge.status,
            topic: None,
            why: None,
        };
    }
    let delivery = Delivery::<Unverified>::new(&request, body);
    match delivery.verify(&endpoint.verifier) {
        Err(refusal) => Seen {
            outcome: Outcome::Refused,
            status: Reply::refused(refusal).status,
            topic: None,
            why: Some(refusal.reason().to_owned()),
        },
        Ok(delivery) => {
            let wire = delivery.into_wire(endpoint, case.topic.as_deref(), Timestamp::UNIX_EPOCH);
            Seen {
                outcome: Outcome::Accepted,
                status: endpoint.ack_status,
                topic: Some(wire.topic),
                why: None,
            }
        }
    }
}

const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted => "accepted",
        Outcome::Refused => "refused",
        Outcome::Challenge => "answered as a challenge",
    }
}

/// A connection as the case describes it.
fn connection(connector: &Connector, case: &Case) -> Connection {
    Connection {
        contracts: std::collections::BTreeMap::new(),
        connector_version: None,
        id: ConnectionId::new(),
        merchant_id: MerchantId::new(),
        connector: connector.id().to_owned(),
        name: case.name.clone(),
        kind: connector.manifest().kind,
        owner: Owner::Merchant,
        settings: crate::connector::map::settings(connector.manifest(), &case.settings),
        state: ConnectionState::Active,
        release_from: None,
        health: Health::default(),
        memory: Map::new(),
        credentials_set: case.credentials.keys().cloned().collect(),
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
        version: 1,
        epoch: 0,
    }
}
