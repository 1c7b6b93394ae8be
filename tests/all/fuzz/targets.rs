//! The targets: readers, connectors (decode and map), proofs of webhooks, and what the interface reads
//! from addresses and bodies.

use super::bytes::{Dice, changed};
use super::{Verdict, run};
use crate::contract::{cases, connectors as all_connectors, mutate};
use crossdock::api::body;
use crossdock::api::params::Params;
use crossdock::api::routes::ROUTES;
use crossdock::canonical::Timestamp;
use crossdock::canonical::problem::Class;
use crossdock::connector::Connector;
use crossdock::connector::map::{MapInput, map};
use crossdock::ingress::Headers;
use crossdock::ingress::verify::Verifier;
use crossdock::ingress::verify::networks::Network;
use crossdock::manifest::fixture::{Case, Kind};
use crossdock::mapping::read::{self, Limits};
use secrecy::SecretString;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// All files that fixtures hold.
fn corpus(kinds: &[Kind]) -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new(), b"{}".to_vec(), b"<a><b>1</b></a>".to_vec()];
    for connector in all_connectors() {
        for kind in kinds {
            for case in cases(&connector, *kind) {
                all.extend(case.bytes("input").unwrap());
            }
        }
    }
    all
}

fn holds(yes: bool, what: &str) -> Verdict {
    if yes { Ok(()) } else { Err(what.to_owned()) }
}

/// What does not read is refused with a reason that tells nothing of it.
pub fn readers() -> Vec<String> {
    let corpus = corpus(&[Kind::Mapping, Kind::Webhook]);
    let limits = Limits::default();
    let mut finds = Vec::new();
    finds.extend(run("json", |dice| {
        let bytes = changed(dice, &corpus);
        let ours = read::json(&bytes, &limits).is_ok();
        // A byte order mark in front is passed over by ours.
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let theirs = serde_json::from_slice::<Value>(text).is_ok();
        // Ours is the stricter one.
        holds(!ours || theirs, "takes what is no JSON")
    }));
    finds.extend(run("xml", |dice| {
        let bytes = changed(dice, &corpus);
        let entity = bytes.windows(9).any(|w| w == b"<!DOCTYPE");
        let read = read::xml(&bytes, &limits);
        let inside = |open: &[u8]| bytes.windows(open.len()).any(|w| w == open);
        let quoted = inside(b"<!--") || inside(b"<![CDATA[");
        holds(
            !(entity && read.is_ok() && !quoted),
            "takes a document with a DOCTYPE",
        )
    }));
    finds.extend(run("form", |dice| {
        drop(read::form(&changed(dice, &corpus)));
        Ok(())
    }));
    let labels = [
        "utf-8",
        "windows-1251",
        "iso-8859-7",
        "utf-16",
        "x-none",
        "",
    ];
    finds.extend(run("charset", |dice| {
        let bytes = changed(dice, &corpus);
        let label: &str = dice.one::<&str>(&labels);
        drop(read::charset(&bytes, label));
        Ok(())
    }));
    finds
}

struct Sample {
    case: Case,
    mapping: String,
    bytes: Vec<u8>,
}

fn samples(connector: &Connector) -> Vec<Sample> {
    let sample = |case: Case| {
        let bytes = case.bytes("input").unwrap()?;
        let mapping = case.mapping.clone()?;
        Some(Sample {
            case,
            mapping,
            bytes,
        })
    };
    let all = cases(connector, Kind::Mapping).into_iter();
    all.filter_map(sample).collect()
}

/// A fixture, changed as JSON where it is JSON, and as bytes.
fn payload(dice: &mut Dice, bytes: &[u8], corpus: &[Vec<u8>]) -> Vec<u8> {
    let json = serde_json::from_slice::<Value>(bytes).ok();
    match json {
        Some(value) if dice.below(3) > 0 => {
            let changes: Vec<(u16, u8)> = (0..=dice.below(5))
                .map(|_| (u16::from_le_bytes([dice.byte(), dice.byte()]), dice.byte()))
                .collect();
            mutate::mutated(value, &changes).to_string().into_bytes()
        }
        _ => {
            let own = [vec![bytes.to_vec()], corpus.to_vec()].concat();
            let mostly_own = if dice.below(8) > 0 { &own[..1] } else { &own };
            changed(dice, mostly_own)
        }
    }
}

/// Decode and map: records, or failures that the model names.
pub fn connectors() -> Vec<String> {
    let mut finds = Vec::new();
    for connector in all_connectors() {
        let samples = samples(&connector);
        let corpus: Vec<Vec<u8>> = samples.iter().map(|s| s.bytes.clone()).collect();
        finds.extend(run(&format!("map {}", connector.id()), |dice| {
            let sample = dice.one(&samples);
            let bytes = payload(dice, &sample.bytes, &corpus);
            let input = MapInput {
                settings: sample.case.settings.clone(),
                headers: sample.case.headers.clone(),
                records: None,
            };
            let mapped = map(&connector, &sample.mapping, &bytes, &input);
            let named = mapped.failures.iter().all(|failure| {
                failure.class == Class::BrokenContract
                    && !failure.code.is_empty()
                    && !failure.message.is_empty()
            });
            holds(named, "a failure of no class")
        }));
    }
    finds
}

/// A request with one header, whatever its name.
struct Request {
    value: Vec<u8>,
    peer: Option<IpAddr>,
}

impl Headers for Request {
    fn value(&self, _: &str) -> Option<&[u8]> {
        Some(&self.value)
    }
    fn peer(&self) -> Option<IpAddr> {
        self.peer
    }
}

/// No signature is good by chance, and none of another body.
pub fn signatures() -> Vec<String> {
    let corpus = corpus(&[Kind::Webhook]);
    let shapes: Vec<Vec<u8>> = vec![
        b"sha256=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_vec(),
        b"uLx1mBWk6s8DPBjWGXSaHnVQqTNjW6wHbBxg9jbo3nY=".to_vec(),
        b"203.0.113.9, 10.0.0.1".to_vec(),
        Vec::new(),
    ];
    let mut finds = Vec::new();
    for connector in all_connectors() {
        let Some(webhooks) = &connector.manifest().webhooks else {
            continue;
        };
        let fields = connector.manifest().credentials.keys();
        let credentials: BTreeMap<String, SecretString> = fields
            .map(|name| {
                (
                    name.clone(),
                    SecretString::from("a secret of the fuzz test"),
                )
            })
            .collect();
        let settings: Map<String, Value> = Map::new();
        let now = Timestamp::UNIX_EPOCH;
        let verifier = Verifier::prepare(&webhooks.verify, &settings, &credentials, now);
        finds.extend(run(&format!("verify {}", connector.id()), |dice| {
            let request = Request {
                value: changed(dice, &shapes),
                peer: Some(IpAddr::from(
                    <[u8; 4]>::try_from(dice.bytes(4)).unwrap_or_default(),
                )),
            };
            let body = changed(dice, &corpus);
            holds(
                verifier.check(&request, &body).is_err(),
                "proved, and nobody signed",
            )
        }));
    }
    let networks = [b"185.6.76.0/22".to_vec(), b"2a02:6b8::/32".to_vec()];
    finds.extend(run("networks", |dice| {
        let text = changed(dice, &networks);
        let text = String::from_utf8_lossy(&text);
        for network in Network::list(&text) {
            network.holds(IpAddr::from([dice.byte(), 0, 0, 1]));
        }
        Ok(())
    }));
    finds
}

/// Queries of every route, and bodies: a value, or a problem below 500.
pub fn parameters() -> Vec<String> {
    let names: Vec<&str> = ROUTES
        .iter()
        .flat_map(|route| route.query.iter().map(|param| param.name))
        .chain(["limit", "after"])
        .collect();
    let values: Vec<Vec<u8>> = [
        "1",
        "500",
        "2026-11-23T08:00:00Z",
        "2026-11-23",
        "ord_0123456789abcdef0123456789abcdef",
        "order.received,order.updated",
        "42.69,23.32",
        "true",
        "%00",
        "18446744073709551616",
        "-1",
        "nan,inf",
        "1e309,0",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    let mut finds = run("queries", |dice| {
        let route = dice.one(ROUTES);
        let mut query = String::new();
        for _ in 0..=dice.below(3) {
            let name = *dice.one(&names);
            let value = changed(dice, &values);
            let value: String = url::form_urlencoded::byte_serialize(&value).collect();
            query.push_str(&format!("&{name}={value}"));
        }
        match Params::read(route, query.trim_start_matches('&')) {
            Ok(params) => drop((params.page(), params.event_types("types"))),
            Err(problem) => holds(problem.code.status() < 500, "a query's fault is ours")?,
        }
        Ok(())
    });
    let corpus = corpus(&[Kind::Mapping]);
    finds.extend(run("bodies", |dice| {
        let bytes = changed(dice, &corpus);
        match body::parse::<Value>(&bytes) {
            Ok(_) => Ok(()),
            Err(problem) => holds(problem.code.status() < 500, "a body's fault is ours"),
        }
    }));
    finds
}
