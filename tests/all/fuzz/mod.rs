//! Fuzz targets on stable Rust: inputs made by changing fixtures, from a seed, so that a find can be
//! had again. Each target holds a property of what comes from outside: no panic, no proof by chance,
//! no answer that is neither records nor a failure.
//!
//! `cargo test` gives each target a few hundred inputs; `make soak` gives each `CROSSDOCK_FUZZ_SECONDS`.
//! Another seed by `FUZZ_SEED`.

mod bytes;
mod targets;

use bytes::Dice;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Inputs of a target, when no time is given.
const FEW: u64 = 400;
/// Finds of a target that are told; the rest are mostly the same.
const TOLD: usize = 3;

/// What one input came to: what does not hold, or nothing.
type Verdict = Result<(), String>;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// How many inputs, or how long.
fn goes_on(n: u64, began: Instant) -> bool {
    match number("CROSSDOCK_FUZZ_SECONDS") {
        Some(seconds) => began.elapsed() < Duration::from_secs(seconds),
        None => n < FEW,
    }
}

/// Runs a target and prints what it did.
fn run(name: &str, mut one: impl FnMut(&mut Dice) -> Verdict) -> Vec<String> {
    let seed = number("FUZZ_SEED").unwrap_or(1);
    let (began, mut slowest) = (Instant::now(), Duration::ZERO);
    let (mut executions, mut finds) = (0u64, Vec::new());
    while goes_on(executions, began) && finds.len() < TOLD {
        // Each input from its own number: a find is had again without those before it.
        let mut dice = Dice::new(seed, executions);
        let start = Instant::now();
        let came = catch_unwind(AssertUnwindSafe(|| one(&mut dice)));
        slowest = slowest.max(start.elapsed());
        let wrong = match came {
            Ok(Ok(())) => None,
            Ok(Err(wrong)) => Some(wrong),
            Err(_) => Some("a panic".to_owned()),
        };
        if let Some(wrong) = wrong {
            finds.push(format!("{name}: seed {seed}, input {executions}: {wrong}"));
        }
        executions += 1;
    }
    eprintln!(
        "fuzz {name}: {executions} executions, {} finds, slowest {} ms",
        finds.len(),
        slowest.as_millis()
    );
    finds
}

/// On a stack as large as the gateway's mapping threads have.
fn on_a_large_stack(work: impl FnOnce() -> Vec<String> + Send + 'static) -> Vec<String> {
    let thread = std::thread::Builder::new().stack_size(64 << 20);
    thread.spawn(work).unwrap().join().unwrap()
}

#[test]
fn fuzz_readers() {
    let finds = on_a_large_stack(targets::readers);
    assert!(finds.is_empty(), "{}", finds.join("\n"));
}

#[test]
fn fuzz_connectors() {
    let finds = on_a_large_stack(targets::connectors);
    assert!(finds.is_empty(), "{}", finds.join("\n"));
}

#[test]
fn fuzz_signatures() {
    let finds = on_a_large_stack(targets::signatures);
    assert!(finds.is_empty(), "{}", finds.join("\n"));
}

#[test]
fn fuzz_parameters() {
    let finds = on_a_large_stack(targets::parameters);
    assert!(finds.is_empty(), "{}", finds.join("\n"));
}
