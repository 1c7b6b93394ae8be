//! A request that is ready to be sent, and its printable form.
//!
//! What always holds: what is secret in it was marked where it was put in; [`PlannedRequest::masked`]
//! shows `***` in its place, and as a second net anywhere else that a credential's value turns up.
//! `Debug` shows neither query nor headers nor body. Bodies are printed by `masked` alone, which is
//! for `crossdock render` and tests, never for logs.

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt;
use url::Url;

use super::join::encode;

/// What stands where a secret is.
pub const MASK: &str = "***";

/// A whole HTTP request.
#[derive(Clone)]
pub struct PlannedRequest {
    /// The method.
    pub method: Method,
    /// The URL with its query.
    pub url: Url,
    /// All headers but those that HTTP itself adds (host, length).
    pub headers: HeaderMap,
    /// The encoded body; empty when there is none.
    pub body: Bytes,
    secret_headers: BTreeSet<String>,
    secret_params: BTreeSet<String>,
    secret_values: Vec<SecretString>,
}

impl PlannedRequest {
    /// A request without secrets; they are added by the methods below.
    pub fn new(method: Method, url: Url, headers: HeaderMap, body: Bytes) -> Self {
        Self {
            method,
            url,
            headers,
            body,
            secret_headers: BTreeSet::new(),
            secret_params: BTreeSet::new(),
            secret_values: Vec::new(),
        }
    }

    /// Sets a header whose value is secret.
    pub fn set_secret_header(&mut self, name: HeaderName, mut value: HeaderValue) {
        value.set_sensitive(true);
        self.secret_headers.insert(name.as_str().to_owned());
        self.headers.insert(name, value);
    }

    /// Appends a query parameter; `secret` ones are masked.
    pub fn add_param(&mut self, name: &str, value: &str, secret: bool) {
        super::join::append(&mut self.url, [(name, value)]);
        if secret {
            self.secret_params.insert(name.to_owned());
        }
    }

    /// Masks this text wherever it stands. Empty ones are left alone.
    pub fn hide(&mut self, value: SecretString) {
        if !value.expose_secret().is_empty() {
            self.secret_values.push(value);
        }
    }

    /// The request as `{method, url, headers, body}` with secrets as `***`. A JSON body is shown
    /// as JSON, any other as text, none as null.
    pub fn masked(&self) -> Value {
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), self.masked_header(name, value)));
        let mut shown = Map::new();
        shown.insert("method".into(), self.method.as_str().into());
        shown.insert("url".into(), self.masked_url().into());
        shown.insert("headers".into(), Value::Object(headers.collect()));
        shown.insert("body".into(), self.masked_body());
        Value::Object(shown)
    }

    /// The URL with secrets as `***`.
    pub fn masked_url(&self) -> String {
        let (place, query) = match self.url.as_str().split_once('?') {
            Some((place, query)) => (place, Some(query)),
            None => (self.url.as_str(), None),
        };
        let mut shown = place.to_owned();
        if let Some(query) = query {
            let pairs: Vec<_> = query
                .split('&')
                .map(|pair| self.masked_pair(pair))
                .collect();
            shown.push('?');
            shown.push_str(&pairs.join("&"));
        }
        self.hide_values(&shown)
    }

    fn masked_pair(&self, pair: &str) -> String {
        let raw = pair.split_once('=').map_or(pair, |(name, _)| name);
        let name = url::form_urlencoded::parse(raw.as_bytes())
            .next()
            .map(|(name, _)| name.into_owned());
        match name {
            Some(name) if self.secret_params.contains(&name) => format!("{raw}={MASK}"),
            _ => pair.to_owned(),
        }
    }

    fn masked_header(&self, name: &HeaderName, value: &HeaderValue) -> Value {
        let text = String::from_utf8_lossy(value.as_bytes());
        if !self.secret_headers.contains(name.as_str()) && !value.is_sensitive() {
            return self.hide_values(&text).into();
        }
        match text.split_once(' ') {
            Some((scheme @ ("Basic" | "Bearer"), _)) => format!("{scheme} {MASK}").into(),
            _ => MASK.into(),
        }
    }

    fn masked_body(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        let kind = self
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("");
        if kind.contains("json")
            && let Ok(json) = serde_json::from_slice::<Value>(&self.body)
        {
            return self.hide_in(json);
        }
        match std::str::from_utf8(&self.body) {
            Ok(text) => self.hide_values(text).into(),
            Err(_) => format!("({} bytes)", self.body.len()).into(),
        }
    }

    fn hide_in(&self, value: Value) -> Value {
        match value {
            Value::String(text) => self.hide_values(&text).into(),
            Value::Array(items) => items.into_iter().map(|item| self.hide_in(item)).collect(),
            Value::Object(map) => map
                .into_iter()
                .map(|(name, member)| (name, self.hide_in(member)))
                .collect(),
            other => other,
        }
    }

    /// Replaces secret values, plain and percent-encoded.
    fn hide_values(&self, text: &str) -> String {
        let mut shown = text.to_owned();
        for secret in &self.secret_values {
            let plain = secret.expose_secret();
            shown = shown.replace(plain, MASK);
            let encoded = encode(plain);
            if encoded != plain {
                shown = shown.replace(&encoded, MASK);
            }
        }
        shown
    }
}

impl fmt::Debug for PlannedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.url.host_str().unwrap_or("");
        write!(f, "{} {host} ({} bytes)", self.method, self.body.len())
    }
}
