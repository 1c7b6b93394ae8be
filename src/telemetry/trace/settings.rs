//! What the operator says about traces, checked at the start.
//!
//! What always holds: without an endpoint nothing is made; a wrong setting stops the start and is
//! named, its secret values are not.

use super::{Traces, Waiting};
use crate::settings::{Settings, SettingsError};
use percent_encoding::percent_decode_str;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use tokio::sync::mpsc;
use url::Url;

/// Where spans go by these settings; what sends them begins when it is told to.
///
/// # Errors
/// When a setting does not fit.
pub fn prepare(settings: &Settings) -> Result<(Traces, Option<Waiting>), SettingsError> {
    let Some(endpoint) = &settings.otlp_endpoint else {
        return Ok((Traces::default(), None));
    };
    let ratio = settings.otlp_ratio;
    if !(0.0..=1.0).contains(&ratio) {
        return Err(wrong("otlp_ratio", "is a share from 0 to 1"));
    }
    if settings.otlp_queue == 0 {
        return Err(wrong("otlp_queue", "is at least 1"));
    }
    let headers = settings.otlp_headers.as_ref();
    let headers = headers.map_or_else(
        || Ok(HeaderMap::new()),
        |text| read_headers(text.expose_secret()),
    )?;
    let url = traces_url(endpoint)?;
    let (queue, spans) = mpsc::channel(settings.otlp_queue);
    let waiting = Waiting {
        url,
        headers,
        spans,
    };
    Ok((Traces::into(queue, ratio), Some(waiting)))
}

/// `http://collector:4318` is where the collector is; its spans are taken at `/v1/traces`.
pub(super) fn traces_url(endpoint: &str) -> Result<Url, SettingsError> {
    let says = "is the collector's address, http:// or https://, without user, query or fragment";
    let mut url = Url::parse(endpoint).map_err(|_| wrong("otlp_endpoint", says))?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !plain {
        return Err(wrong("otlp_endpoint", says));
    }
    let path = format!("{}/v1/traces", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

/// `name=value,name=value`, values percent-encoded where they hold a comma (as in
/// `OTEL_EXPORTER_OTLP_HEADERS`).
pub(super) fn read_headers(text: &str) -> Result<HeaderMap, SettingsError> {
    let mut headers = HeaderMap::new();
    for (n, pair) in (1..).zip(text.split(',')) {
        let says = || wrong("otlp_headers", &format!("has no name=value at place {n}"));
        let (name, value) = pair.trim().split_once('=').ok_or_else(says)?;
        let name = HeaderName::try_from(name.trim()).map_err(|_| says())?;
        let value: Vec<u8> = percent_decode_str(value.trim()).collect();
        let mut value = HeaderValue::try_from(value).map_err(|_| says())?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

fn wrong(setting: &str, says: &str) -> SettingsError {
    SettingsError::Invalid(format!("{setting} {says}"))
}
