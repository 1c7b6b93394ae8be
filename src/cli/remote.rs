//! Commands that speak to a running gateway over its own API.
//!
//! What always holds: a store that is being served is changed by its server only.

use crate::operation::client::own_client;
use crate::settings::Settings;
use secrecy::ExposeSecret;
use serde_json::Value;
use std::time::Duration;

/// A running gateway and a token for it.
pub struct Remote {
    base: String,
    token: String,
    http: reqwest::Client,
}

impl Remote {
    /// The gateway of these settings (`CROSSDOCK_URL`, `CROSSDOCK_TOKEN` or the admin's token).
    ///
    /// # Errors
    /// In words, when no token is set.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let token = settings
            .token
            .as_ref()
            .or(settings.admin_token.as_ref())
            .ok_or_else(|| {
                format!(
                    "a gateway is running ({}): set CROSSDOCK_TOKEN to a token for it",
                    settings.url()
                )
            })?;
        let http = own_client(Duration::from_secs(60)).map_err(|error| error.to_string())?;
        Ok(Self {
            base: settings.url().trim_end_matches('/').to_owned(),
            token: token.expose_secret().to_owned(),
            http,
        })
    }

    /// One API call.
    ///
    /// # Errors
    /// In words: no answer, or the problem that the gateway answered.
    pub async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, String> {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.token);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let answer = request
            .send()
            .await
            .map_err(|_| format!("no answer from {}", self.base))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| error.to_string())?;
        let json: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(json);
        }
        let code = json
            .get("code")
            .and_then(Value::as_str)
            .unwrap_or("no code");
        let detail = json
            .get("detail")
            .and_then(Value::as_str)
            .unwrap_or("no detail");
        Err(format!("{} answered {status}: {code}: {detail}", self.base))
    }
}

/// Runs an async command on a small runtime of its own.
///
/// # Errors
/// The command's, or that no runtime could be made.
pub fn block_on<T>(future: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.map_err(|error| error.to_string())?.block_on(future)
}
