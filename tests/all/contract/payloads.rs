//! Thousands of payloads a connector that are not as documented: whatever comes, a mapping answers
//! with records or with a failure of the class that the model names, and tells no values.

use super::mutate::{Change, MARKER, mutated, private};
use super::{cases, connectors};
use crossdock::canonical::problem::Class;
use crossdock::connector::map::{MapInput, map};
use crossdock::connector::{Connector, Mapped};
use crossdock::manifest::fixture::{Case, Kind};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::Value;
use std::sync::Arc;

/// Payloads a connector; `CROSSDOCK_CONTRACT_CASES` for more.
const PAYLOADS: u32 = 2_000;

struct Sample {
    case: Case,
    mapping: String,
    payload: Result<Value, Vec<u8>>,
    /// It gives an order by itself.
    gives: bool,
}

fn samples(connector: &Connector) -> Vec<Sample> {
    let sample = |case: Case| {
        let bytes = case.bytes("input").unwrap()?;
        let mapping = case.mapping.clone()?;
        let gives = !run(connector, &case, &mapping, &bytes).outputs.is_empty();
        let payload = serde_json::from_slice(&bytes).map_err(|_| bytes);
        Some(Sample {
            case,
            mapping,
            payload,
            gives,
        })
    };
    cases(connector, Kind::Mapping)
        .into_iter()
        .filter_map(sample)
        .collect()
}

fn run(connector: &Connector, case: &Case, mapping: &str, bytes: &[u8]) -> Mapped {
    let input = MapInput {
        settings: case.settings.clone(),
        headers: case.headers.clone(),
        records: None,
    };
    map(connector, mapping, bytes, &input)
}

/// Bytes that are cut off, doubled or spoilt in one place.
fn spoilt(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for (place, how) in changes {
        let at = usize::from(*place) % bytes.len().max(1);
        match how % 4 {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, b'<'),
            2 => bytes.splice(at..at, MARKER.bytes()).for_each(drop),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = how.wrapping_mul(31);
                }
            }
        }
    }
    bytes
}

fn holds(connector: &Connector, sample: &Sample, changes: &[Change]) -> Result<(), TestCaseError> {
    let (bytes, personal) = match &sample.payload {
        Ok(payload) => {
            let payload = mutated(payload.clone(), changes);
            (payload.to_string().into_bytes(), private(&payload))
        }
        Err(bytes) => (spoilt(bytes.clone(), changes), vec![MARKER.to_owned()]),
    };
    let mapped = run(connector, &sample.case, &sample.mapping, &bytes);
    let at = || {
        format!(
            "{}/{}: {}",
            connector.id(),
            sample.case.name,
            String::from_utf8_lossy(&bytes)
        )
    };
    for failure in &mapped.failures {
        prop_assert_eq!(failure.class, Class::BrokenContract, "{}", at());
        prop_assert!(
            !failure.code.is_empty() && !failure.message.is_empty(),
            "{}",
            at()
        );
        let told = serde_json::to_string(failure).unwrap();
        for text in personal.iter().filter(|text| text.len() > 3) {
            prop_assert!(
                !told.contains(text.as_str()),
                "{told} tells a value: {}",
                at()
            );
        }
    }
    // An order that is not understood is a failure that people see, never nothing.
    let silent = mapped.outputs.is_empty() && mapped.failures.is_empty();
    let emptied = sample.payload.is_ok() && container_emptied(connector, sample, &bytes);
    if sample.mapping == "order" && sample.gives && !emptied {
        prop_assert!(!silent, "nothing came of it and nobody is told: {}", at());
    }
    Ok(())
}

/// The change made the list of records itself empty: there was nothing to read then.
fn container_emptied(connector: &Connector, sample: &Sample, bytes: &[u8]) -> bool {
    let manifest = connector.manifest();
    let payload = crossdock::connector::records::decode_for(manifest, &sample.mapping, bytes);
    let records = payload.map(|payload| {
        crossdock::connector::records::of_mapping(manifest, &sample.mapping, &payload)
            .map(|records| records.is_empty())
    });
    matches!(records, Ok(Ok(true)))
}

fn thousands(connector: &Connector) -> Result<(), String> {
    let samples = samples(connector);
    assert!(
        !samples.is_empty(),
        "{} has no mapping fixture",
        connector.id()
    );
    let config = Config {
        cases: std::env::var("CROSSDOCK_CONTRACT_CASES")
            .ok()
            .and_then(|n| n.parse().ok())
            .unwrap_or(PAYLOADS),
        failure_persistence: None,
        ..Config::default()
    };
    let any = (
        any::<prop::sample::Index>(),
        prop::collection::vec(any::<Change>(), 1..4),
    );
    TestRunner::new(config)
        .run(&any, |(sample, changes)| {
            holds(connector, sample.get(&samples), &changes)
        })
        .map_err(|error| format!("{}: {error}", connector.id()))
}

#[test]
fn whatever_a_payload_holds_nothing_is_lost_in_silence() {
    let work = |connectors: Vec<Arc<Connector>>| {
        // Mappings recurse: the gateway gives them such stacks too.
        std::thread::Builder::new()
            .stack_size(64 << 20)
            .spawn(move || {
                let failed = connectors
                    .iter()
                    .filter_map(|connector| thousands(connector).err());
                failed.collect::<Vec<_>>()
            })
    };
    let all = connectors();
    let (even, odd): (Vec<_>, Vec<_>) = all.into_iter().enumerate().partition(|(n, _)| n % 2 == 0);
    let half = |half: Vec<(usize, Arc<Connector>)>| half.into_iter().map(|(_, c)| c).collect();
    let threads = [work(half(even)).unwrap(), work(half(odd)).unwrap()];
    let failed: Vec<String> = threads
        .into_iter()
        .flat_map(|t| t.join().unwrap())
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn every_order_tells_which_revision_it_is() {
    let mut missing = Vec::new();
    for connector in connectors() {
        let hooks = connector.manifest().webhooks.as_ref();
        if hooks.is_some_and(|hooks| hooks.topics.values().any(|topic| topic.refetch)) {
            // Only what was asked for counts: it is as old as its request (DECISIONS 4).
            continue;
        }
        for sample in samples(&connector) {
            if sample.mapping != "order" {
                continue;
            }
            let bytes = sample.case.bytes("input").unwrap().unwrap_or_default();
            let mapped = run(&connector, &sample.case, "order", &bytes);
            for order in mapped.json().as_array().unwrap() {
                // What only says that an order was cancelled or deleted has no revision to tell.
                let whole = order.get("lines").is_some_and(Value::is_array);
                let told = ["source_updated_at", "source_revision"]
                    .iter()
                    .any(|key| order.get(*key).is_some_and(|value| !value.is_null()));
                if whole && !told {
                    missing.push(format!("{}/{}", connector.id(), sample.case.name));
                }
            }
        }
    }
    assert!(
        missing.is_empty(),
        "late deliveries cannot be told from new ones: {missing:?}"
    );
}
