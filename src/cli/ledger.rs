//! `crossdock ledger`: what arrived and what became of it, a line a connection and day.
//!
//! What always holds: exit 0 only when every line adds up and the counters equal a recount of rows.

use super::remote::{Remote, block_on};
use super::{FOUND, OK, Streams};
use crate::app;
use crate::canonical::inbox::LedgerLine;
use crate::settings::Settings;
use crate::store::Scope;
use crate::store::query::LedgerFilter;
use serde_json::{Value, json};

/// Prints the ledger, as a table or as JSON (the shape of `GET /v1/ledger`).
pub fn run(settings: &Settings, as_json: bool, streams: &mut Streams<'_>) -> u8 {
    let lines = match block_on(read(settings)) {
        Ok(lines) => lines,
        Err(message) => {
            streams.note(&message);
            return FOUND;
        }
    };
    let text = if as_json {
        format!("{:#}\n", json!({"data": lines}))
    } else {
        table(&lines)
    };
    streams.print(&text);
    let wrong: Vec<&LedgerLine> = lines.iter().filter(|line| !line.balances()).collect();
    for line in &wrong {
        streams.note(&format!(
            "{} {}: received is not the sum of the rest",
            line.connection_id, line.day
        ));
    }
    if wrong.is_empty() { OK } else { FOUND }
}

async fn read(settings: &Settings) -> Result<Vec<LedgerLine>, String> {
    if settings.url.is_some() {
        let remote = Remote::new(settings)?;
        let answer = remote
            .call(reqwest::Method::GET, "/v1/ledger", None)
            .await?;
        let data = answer.get("data").cloned().unwrap_or(Value::Null);
        return serde_json::from_value(data).map_err(|error| error.to_string());
    }
    let store = app::open_store_read_only(settings).map_err(|error| error.to_string())?;
    let lines = store.ledger(Scope::All, LedgerFilter::default()).await;
    store.close().await;
    lines.map_err(|error| error.to_string())
}

fn table(lines: &[LedgerLine]) -> String {
    let mut text = format!(
        "{:<38} {:<10} {:>9} {:>8} {:>8} {:>9} {:>6} {:>9} {:>8} {:>8}\n",
        "connection",
        "day",
        "received",
        "pending",
        "applied",
        "unchanged",
        "stale",
        "duplicate",
        "ignored",
        "problem"
    );
    for l in lines {
        text.push_str(&format!(
            "{:<38} {:<10} {:>9} {:>8} {:>8} {:>9} {:>6} {:>9} {:>8} {:>8}\n",
            l.connection_id,
            l.day,
            l.received,
            l.pending,
            l.applied,
            l.unchanged,
            l.stale,
            l.duplicate,
            l.ignored,
            l.problem
        ));
    }
    text
}
