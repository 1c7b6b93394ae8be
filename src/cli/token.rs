//! `crossdock token create`: a bearer token, shown once.

use super::remote::{Remote, block_on};
use super::{FOUND, OK, Streams};
use crate::settings::Settings;
use serde_json::{Value, json};

/// What the token may do.
pub struct TokenCommand {
    /// For people and the audit log.
    pub name: String,
    /// admin, operator, merchant, warehouse.
    pub scope: String,
    /// For `merchant`.
    pub merchant_id: Option<String>,
}

/// Makes a token at the running gateway and prints it.
pub fn run(settings: &Settings, command: &TokenCommand, streams: &mut Streams<'_>) -> u8 {
    let made = block_on(async {
        let body = json!({"name": command.name, "scope": command.scope, "merchant_id": command.merchant_id});
        Remote::new(settings)?
            .call(reqwest::Method::POST, "/v1/tokens", Some(&body))
            .await
    });
    match made.map(|answer| {
        answer
            .get("token")
            .and_then(Value::as_str)
            .map(str::to_owned)
    }) {
        Ok(Some(token)) => {
            streams.print(&format!("{token}\n"));
            OK
        }
        Ok(None) => {
            streams.note("the gateway's answer has no token");
            FOUND
        }
        Err(message) => {
            streams.note(&message);
            FOUND
        }
    }
}
