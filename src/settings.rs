//! Every setting with its default and help. File < environment < flag.
//!
//! What always holds: this is the only place that reads the environment; a setting that is not
//! known or does not fit is an error that names it; secrets are masked; there are no default
//! secrets (what is absent is made and shown once, or refused).

use secrecy::SecretString;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// What runs in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Both.
    #[default]
    All,
    /// Receives and answers; no polling, jobs or deliveries.
    Api,
    /// Works; answers only health and metrics.
    Worker,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// The settings. The environment name is `CROSSDOCK_` and the key in capitals; in
/// `crossdock.toml` the key stands as it is here.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where to listen (127.0.0.1:8080).
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// `sqlite://PATH` (sqlite://data/crossdock.db); all after `sqlite://` is a path.
    #[serde(default)]
    pub store_url: Option<String>,
    /// Where keys and the embedded store live (data).
    #[serde(default = "default_data_dir")]
    pub data_dir: PathBuf,
    /// The admin's bearer token; made and shown once when absent.
    #[serde(default)]
    pub admin_token: Option<SecretString>,
    /// 32 bytes, base64: wraps the data keys. Made into the data directory when absent (embedded
    /// store only).
    #[serde(default)]
    pub secret_key: Option<SecretString>,
    /// Connector folders that add to and override the built-in ones, re-read while running.
    #[serde(default)]
    pub connectors_dir: Option<PathBuf>,
    /// Calls to private addresses (false); the demo and tests set it.
    #[serde(default)]
    pub allow_private_targets: bool,
    /// all, api, worker (all).
    #[serde(default)]
    pub role: Role,
    /// Intake answers 503 below so much free disk, in MiB (256).
    #[serde(default = "default_min_free_mb")]
    pub min_free_mb: u64,
    /// The gateway's address for commands that speak to a running one (http:// and `listen`).
    #[serde(default)]
    pub url: Option<String>,
    /// The address under which providers reach us, for `hook_url` (the same as `url`).
    #[serde(default)]
    pub public_url: Option<String>,
    /// A bearer token for commands that speak to a running gateway.
    #[serde(default)]
    pub token: Option<SecretString>,
    /// Log filter (info).
    #[serde(default = "default_log")]
    pub log: String,
    /// text, json (text).
    #[serde(default)]
    pub log_format: LogFormat,
    /// Deliveries in flight per subscription (32).
    #[serde(default = "default_delivery_concurrency")]
    pub delivery_concurrency: usize,
    /// Where an OpenTelemetry collector takes traces: `http://collector:4318`. Without it there are
    /// none.
    #[serde(default)]
    pub otlp_endpoint: Option<String>,
    /// Headers for the collector: `name=value,name=value`, values percent-encoded.
    #[serde(default)]
    pub otlp_headers: Option<SecretString>,
    /// The share of orders that is traced, from 0 to 1 (1).
    #[serde(default = "default_otlp_ratio")]
    pub otlp_ratio: f64,
    /// Spans that wait for the collector at most; more are dropped and counted (8192).
    #[serde(default = "default_otlp_queue")]
    pub otlp_queue: usize,
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8080))
}
fn default_data_dir() -> PathBuf {
    "data".into()
}
const fn default_min_free_mb() -> u64 {
    256
}
fn default_log() -> String {
    "info".into()
}
const fn default_delivery_concurrency() -> usize {
    32
}
const fn default_otlp_ratio() -> f64 {
    1.0
}
const fn default_otlp_queue() -> usize {
    8_192
}

/// What is wrong with the settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file, key or value.
    #[error(
        "{0} (settings: crossdock.toml < CROSSDOCK_… < flags; `crossdock serve --help` lists them)"
    )]
    Invalid(String),
}

impl Settings {
    /// Reads `crossdock.toml` (when there, or the given file), then `CROSSDOCK_…`, then `flags`.
    ///
    /// # Errors
    /// When a file cannot be read, a key is unknown or a value does not fit.
    pub fn load(file: Option<&Path>, flags: Vec<(&str, String)>) -> Result<Self, SettingsError> {
        let invalid = |error: config::ConfigError| SettingsError::Invalid(error.to_string());
        let source = match file {
            Some(path) => config::File::from(path).required(true),
            None => config::File::from(Path::new("crossdock.toml")).required(false),
        };
        let environment = config::Environment::with_prefix("CROSSDOCK")
            .prefix_separator("_")
            .ignore_empty(true)
            .source(Some(known_environment()));
        let mut builder = config::Config::builder()
            .add_source(source.format(config::FileFormat::Toml))
            .add_source(environment.try_parsing(true));
        for (key, value) in flags {
            builder = builder.set_override(key, value).map_err(invalid)?;
        }
        builder
            .build()
            .map_err(invalid)?
            .try_deserialize()
            .map_err(invalid)
    }

    /// The store's URL; the embedded store in the data directory when not set.
    pub fn store_url(&self) -> String {
        self.store_url
            .clone()
            .unwrap_or_else(|| format!("sqlite://{}", self.data_dir.join("crossdock.db").display()))
    }

    /// The store's URL as it may be shown: without a password.
    pub fn store_name(&self) -> String {
        let url = self.store_url();
        if url.starts_with("sqlite:") {
            return url;
        }
        let shown = url.split(['?', '#']).next().unwrap_or_default();
        let Some((scheme, rest)) = shown.split_once("://") else {
            return "(not a URL)".to_owned();
        };
        match rest.rsplit_once('@') {
            None => shown.to_owned(),
            Some((user, rest)) => {
                let user = user.split(':').next().unwrap_or_default();
                format!("{scheme}://{user}@{rest}")
            }
        }
    }

    /// Where a running gateway is.
    pub fn url(&self) -> String {
        self.url
            .clone()
            .unwrap_or_else(|| format!("http://{}", self.listen))
    }

    /// Under which address providers reach us.
    pub fn public_url(&self) -> String {
        self.public_url
            .clone()
            .unwrap_or_else(|| self.url())
            .trim_end_matches('/')
            .to_owned()
    }
}

/// The variables that start with our prefix, but for those that other tools of ours read
/// (`CROSSDOCK_FAILPOINT`, `CROSSDOCK_TEST_…`).
fn known_environment() -> config::Map<String, String> {
    std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(key, _)| key.starts_with("CROSSDOCK_"))
        .filter(|(key, _)| {
            !key.starts_with("CROSSDOCK_FAILPOINT") && !key.starts_with("CROSSDOCK_TEST")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn flags_win_over_the_file_and_defaults_fill_the_rest() {
        let file = file("listen = \"127.0.0.1:9\"\nrole = \"api\"\n");
        let flags = vec![("listen", "127.0.0.1:7".to_owned())];
        let settings = Settings::load(Some(file.path()), flags).unwrap();
        assert_eq!(settings.listen.port(), 7);
        assert_eq!(settings.role, Role::Api);
        assert_eq!(settings.store_url(), "sqlite://data/crossdock.db");
        assert_eq!(settings.store_name(), "sqlite://data/crossdock.db");
        let mut shared = settings.clone();
        shared.store_url = Some("postgres://me:se@cret@db:5432/x?password=secret".to_owned());
        assert_eq!(shared.store_name(), "postgres://me@db:5432/x");
        assert_eq!(settings.public_url(), "http://127.0.0.1:7");
    }

    #[test]
    fn an_unknown_key_is_named() {
        let file = file("listne = \"127.0.0.1:9\"\n");
        let error = Settings::load(Some(file.path()), Vec::new())
            .unwrap_err()
            .to_string();
        assert!(error.contains("listne"), "{error}");
    }
}
