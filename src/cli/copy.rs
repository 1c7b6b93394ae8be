//! `crossdock store copy`: the embedded store into an empty one on a server.

use super::remote::block_on;
use super::{FOUND, OK, Streams};
use crate::settings::Settings;

/// Copies, counts and compares; prints the counts.
pub fn run(settings: &Settings, from: &str, to: &str, streams: &mut Streams<'_>) -> u8 {
    let copied = block_on(async {
        let counts = crate::app::copy_store(settings, from, to).await;
        counts.map_err(|error| error.to_string())
    });
    match copied {
        Ok(counts) => {
            for (table, n) in counts.iter().filter(|(_, n)| *n > 0) {
                streams.line(&format!("{n:>10}  {table}"));
            }
            let all: u64 = counts.iter().map(|(_, n)| n).sum();
            streams.line(&format!(
                "{all:>10}  rows, counted on both sides; the ledger and the event log are the same"
            ));
            OK
        }
        Err(message) => {
            streams.note(&message);
            FOUND
        }
    }
}
