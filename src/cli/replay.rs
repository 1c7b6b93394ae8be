//! `crossdock replay`: events of a span of time once more to a subscription.

use super::remote::{Remote, block_on};
use super::{FOUND, OK, Streams};
use crate::settings::Settings;
use serde_json::json;

/// Which events.
pub struct ReplayCommand {
    /// To whom.
    pub subscription_id: String,
    /// From (RFC 3339).
    pub from: String,
    /// Until (RFC 3339).
    pub to: String,
    /// Only these types.
    pub types: Vec<String>,
    /// Only say how many.
    pub dry_run: bool,
}

/// Asks the running gateway.
pub fn run(settings: &Settings, command: &ReplayCommand, streams: &mut Streams<'_>) -> u8 {
    let answer = block_on(async {
        let mut body = json!({
            "subscription_id": command.subscription_id, "from": command.from, "to": command.to,
            "dry_run": command.dry_run,
        });
        if !command.types.is_empty()
            && let Some(body) = body.as_object_mut()
        {
            body.insert("types".into(), json!(command.types));
        }
        Remote::new(settings)?
            .call(reqwest::Method::POST, "/v1/replays", Some(&body))
            .await
    });
    match answer {
        Ok(answer) => {
            streams.print(&format!("{answer:#}\n"));
            OK
        }
        Err(message) => {
            streams.note(&message);
            FOUND
        }
    }
}
