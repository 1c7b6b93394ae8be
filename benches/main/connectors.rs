//! What one record costs each built-in connector: its own fixtures, read, mapped and checked.

use crossdock::cli::map_one;
use crossdock::connector::{Connector, Registry};
use crossdock::manifest::fixture::{self, Kind};
use std::time::{Duration, Instant};

/// Each fixture so often, after a tenth of it to warm up.
const TIMES: u32 = 300;

/// Prints a line a connector and mapping.
pub fn run() {
    let registry = Registry::load(None);
    for connector in registry.catalogue().all() {
        for mapping in ["order", "tracking", "label"] {
            if let Some(line) = one(connector, mapping) {
                println!("connectors {:<16} {mapping:<9} {line}", connector.id());
            }
        }
    }
}

fn one(connector: &Connector, mapping: &str) -> Option<String> {
    let cases = fixture::all(&connector.folder().source);
    let bodies: Vec<Vec<u8>> = cases
        .into_iter()
        .flatten()
        .filter(|case| case.kind == Kind::Mapping && case.mapping.as_deref() == Some(mapping))
        .filter_map(|case| case.bytes("input").ok().flatten())
        // What is refused on purpose tells nothing of the usual way.
        .filter(|body| map_one(connector, mapping, body).is_ok_and(|n| n > 0))
        .collect();
    let mut each: Vec<f64> = bodies
        .iter()
        .map(|body| time(connector, mapping, body))
        .collect();
    each.sort_by(f64::total_cmp);
    let (median, most) = (each.get(each.len() / 2)?, each.last()?);
    let size = bodies.iter().map(Vec::len).sum::<usize>() / bodies.len().max(1);
    Some(format!(
        "{median:.0} µs a record (median of {} fixtures of {size} B on average), most {most:.0} µs",
        each.len()
    ))
}

fn time(connector: &Connector, mapping: &str, body: &[u8]) -> f64 {
    let mut total = Duration::ZERO;
    let mut records = 0;
    for n in 0..TIMES + TIMES / 10 {
        let started = Instant::now();
        let mapped = map_one(connector, mapping, body).unwrap_or(0);
        if n >= TIMES / 10 {
            total += started.elapsed();
            records += mapped;
        }
    }
    total.as_secs_f64() * 1e6 / records.max(1) as f64
}
