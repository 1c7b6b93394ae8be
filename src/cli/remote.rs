//! Commands that speak to a running gateway over its own API.
//!
//! What always holds: a store that is being served is changed by its server only.

use crate::operation::client::own_client;
use crate::settings::Settings;
use secrecy::ExposeSecret;
use serde_json::Value;
use std::time::Duration;

/// Headers, names in lower case, and bytes.
pub type Download = (Vec<(String, String)>, bytes::Bytes);

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
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let answer = self.send(request).await?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| error.to_string())?;
        let json: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(json);
        }
        Err(self.refusal(status, &json))
    }

    /// What stands at a path, with its headers; `None` when it is not there.
    ///
    /// # Errors
    /// As [`Remote::call`].
    pub async fn bytes(&self, path: &str) -> Result<Option<Download>, String> {
        let answer = self.send(self.request(reqwest::Method::GET, path)).await?;
        let status = answer.status();
        let headers = answer.headers().iter();
        let headers = headers
            .filter_map(|(name, value)| {
                let value = std::str::from_utf8(value.as_bytes()).ok()?;
                Some((name.as_str().to_owned(), value.to_owned()))
            })
            .collect();
        let body = answer.bytes().await.map_err(|error| error.to_string())?;
        match status {
            reqwest::StatusCode::NOT_FOUND => Ok(None),
            _ if status.is_success() => Ok(Some((headers, body))),
            _ => Err(self.refusal(status, &serde_json::from_slice(&body).unwrap_or_default())),
        }
    }

    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.base);
        self.http.request(method, url).bearer_auth(&self.token)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, String> {
        let sent = request.send().await;
        sent.map_err(|_| format!("no answer from {}", self.base))
    }

    fn refusal(&self, status: reqwest::StatusCode, json: &Value) -> String {
        let code = json
            .get("code")
            .and_then(Value::as_str)
            .unwrap_or("no code");
        let detail = json
            .get("detail")
            .and_then(Value::as_str)
            .unwrap_or("no detail");
        format!("{} answered {status}: {code}: {detail}", self.base)
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
