//! Proves callers the way the provider does: by the manifest's own `auth`, read from the other side.
//!
//! What always holds: secrets are compared in constant time; a signature is computed anew, never trusted.

use super::{SimClock, SimError, emitter};
use crate::manifest::model::{AuthKind, Manifest, SignedPart};
use crate::mapping::{Library, Program, Scope, Val, from_serde};
use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::json;
use sha2::Sha256;
use std::collections::BTreeMap;
use subtle::ConstantTimeEq;

/// RFC 3986 unreserved characters stay.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// How far a signature's time may be off, in seconds.
const OAUTH_WINDOW_S: u64 = 15 * 60;
/// The same for signatures over parts of the request.
const SIGN_WINDOW_S: u64 = 5 * 60;

/// What a caller sent.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// Upper case.
    pub method: String,
    /// Scheme, host and path, without query.
    pub url: String,
    /// Decoded query, in order.
    pub query: Vec<(String, String)>,
    /// Lower-case names.
    pub headers: BTreeMap<String, String>,
    /// Path and query as they were sent.
    pub target: String,
    /// The body as it was sent.
    pub body: Vec<u8>,
}

/// Who may call.
pub struct Callers {
    ways: Vec<(Option<Program>, AuthKind)>,
    credentials: BTreeMap<String, String>,
    clock: SimClock,
}

impl Callers {
    /// Callers with these credentials.
    ///
    /// # Errors
    /// When a `when` of the manifest does not compile.
    pub fn new(
        manifest: &Manifest,
        credentials: BTreeMap<String, String>,
        library: &Library,
        clock: SimClock,
    ) -> Result<Self, SimError> {
        let mut ways = Vec::new();
        for auth in &manifest.auth {
            let when = auth
                .when
                .as_ref()
                .map(|when| Program::new("manifest.toml (auth)", when, library));
            ways.push((
                when.transpose()
                    .map_err(|error| SimError::Data(error.to_string()))?,
                auth.kind.clone(),
            ));
        }
        Ok(Self {
            ways,
            credentials,
            clock,
        })
    }

    /// True when the way that the manifest would use for this call proves the caller.
    pub fn accept(&self, call: &Call) -> bool {
        let Some((_, kind)) = self
            .ways
            .iter()
            .find(|(when, _)| when.as_ref().is_none_or(|when| holds(when, call)))
        else {
            return self.ways.is_empty();
        };
        let header = |name: &str| {
            call.headers
                .get(name)
                .map(String::as_str)
                .unwrap_or_default()
        };
        match kind {
            AuthKind::None => true,
            AuthKind::Basic { username, password } => {
                let pair = format!("{}:{}", self.fill(username), self.fill(password));
                let given = header("authorization")
                    .strip_prefix("Basic ")
                    .unwrap_or_default();
                same(
                    given,
                    &base64::engine::general_purpose::STANDARD.encode(pair),
                )
            }
            AuthKind::Bearer { token } => same(
                header("authorization"),
                &format!("Bearer {}", self.fill(token)),
            ),
            AuthKind::Header { headers } => headers
                .iter()
                .all(|(name, value)| same(header(&name.to_lowercase()), &self.fill(value))),
            AuthKind::Query { params } => params.iter().all(|(name, value)| {
                call.query
                    .iter()
                    .any(|(given, text)| given == name && same(text, &self.fill(value)))
            }),
            AuthKind::Oauth1 {
                consumer_key,
                consumer_secret,
                token,
                token_secret,
                ..
            } => {
                let known = Consumer {
                    key: self.fill(consumer_key),
                    secret: self.fill(consumer_secret),
                    token: token.as_ref().map(|token| self.fill(token)),
                    token_secret: self.fill(token_secret.as_deref().unwrap_or_default()),
                };
                oauth1(call, &known, self.now_s()).is_some()
            }
            AuthKind::Sign { secret, .. } => signed(call, kind, &self.fill(secret), self.now_s()),
        }
    }

    /// By the provider's clock: a signature made at another time does not prove anything.
    fn now_s(&self) -> u64 {
        u64::try_from(self.clock.0.now().as_second()).unwrap_or(0)
    }

    fn fill(&self, template: &str) -> String {
        self.credentials
            .iter()
            .fold(template.to_owned(), |text, (name, value)| {
                text.replace(&format!("{{{name}}}"), value)
            })
    }
}

fn holds(when: &Program, call: &Call) -> bool {
    let request = json!({"url": call.url, "method": call.method});
    let input = from_serde(&json!({"connection": {}, "request": request}));
    input.is_ok_and(|input| matches!(when.run_one(input, &Scope::default()), Ok(Val::Bool(true))))
}

fn same(given: &str, wanted: &str) -> bool {
    given.as_bytes().ct_eq(wanted.as_bytes()).into()
}

/// Proves a signature over parts of the request, by a moment that is near now.
fn signed(call: &Call, kind: &AuthKind, secret: &str, now_s: u64) -> bool {
    let AuthKind::Sign {
        algorithm,
        parts,
        joiner,
        encoding,
        header,
        prefix,
        timestamp_header,
        ..
    } = kind
    else {
        return false;
    };
    let given = |name: &str| {
        let value = call.headers.get(&name.to_lowercase());
        value.map(String::as_str).unwrap_or_default()
    };
    let moment = timestamp_header.as_deref().map(given);
    let near = moment.is_none_or(|moment| {
        let at = moment.parse::<u64>();
        at.is_ok_and(|at| at.abs_diff(now_s) <= SIGN_WINDOW_S)
    });
    let part = |part: &SignedPart| match part {
        SignedPart::Method => call.method.as_bytes(),
        SignedPart::Target => call.target.as_bytes(),
        SignedPart::Timestamp => moment.unwrap_or_default().as_bytes(),
        SignedPart::Body => &call.body,
    };
    let parts: Vec<&[u8]> = parts.iter().map(part).collect();
    let message = parts.join(joiner.as_bytes());
    let wanted = emitter::digest(*algorithm, *encoding, secret, &message);
    near && same(given(header), &format!("{prefix}{wanted}"))
}

/// Who may sign by OAuth 1.0a.
struct Consumer {
    key: String,
    secret: String,
    token: Option<String>,
    token_secret: String,
}

/// Proves an OAuth 1.0a call (RFC 5849, HMAC-SHA256), its parameters in the query or the header.
fn oauth1(call: &Call, known: &Consumer, now_s: u64) -> Option<()> {
    let mut params = call.query.clone();
    if let Some(list) = call
        .headers
        .get("authorization")
        .and_then(|value| value.strip_prefix("OAuth "))
    {
        params.extend(list.split(',').filter_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
            Some((decode(name), decode(value.trim_matches('"'))))
        }));
    }
    let param = |name: &str| {
        params
            .iter()
            .find(|(given, _)| given == name)
            .map(|(_, value)| value.as_str())
    };
    let at: u64 = param("oauth_timestamp")?.parse().ok()?;
    let signed = param("oauth_signature")?.to_owned();
    let token = known.token.as_deref();
    let fits = same(param("oauth_consumer_key")?, &known.key)
        && token.is_none_or(|token| param("oauth_token").is_some_and(|given| same(given, token)))
        && param("oauth_signature_method")? == "HMAC-SHA256"
        && param("oauth_nonce").is_some_and(|nonce| !nonce.is_empty())
        && at.abs_diff(now_s) <= OAUTH_WINDOW_S;
    let base = base_string(&call.method, &call.url, &params);
    let key = format!("{}&{}", encode(&known.secret), encode(&known.token_secret));
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
    mac.update(base.as_bytes());
    let wanted = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    (fits && same(&signed, &wanted)).then_some(())
}

/// What is signed: method, URL and sorted parameters.
fn base_string(method: &str, url: &str, params: &[(String, String)]) -> String {
    let mut pairs: Vec<(String, String)> = params
        .iter()
        .filter(|(name, _)| name != "oauth_signature" && name != "realm")
        .map(|(name, value)| (encode(name), encode(value)))
        .collect();
    pairs.sort();
    let joined = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join("&");
    format!("{method}&{}&{}", encode(url), encode(&joined))
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The base string of RFC 5849, 3.4.1.1, less its body parameters.
    #[test]
    fn the_base_string_is_the_standards() {
        let pairs = [
            ("b5", "=%3D"),
            ("a3", "a"),
            ("c@", ""),
            ("a2", "r b"),
            ("oauth_consumer_key", "9djdj82h48djs9d2"),
            ("oauth_signature", "x"),
        ];
        let params: Vec<_> = pairs
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        assert_eq!(
            base_string("POST", "http://example.com/request", &params),
            "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26oauth_consumer_key%3D9djdj82h48djs9d2"
        );
    }

    #[test]
    fn signed_parts_are_proved_and_old_calls_are_not() {
        let kind: AuthKind = toml::from_str(
            "kind = 'sign'\nalgorithm = 'sha256'\nsecret = '{s}'\nparts = ['method', 'target', 'timestamp', 'body']\n\
             joiner = '|'\nencoding = 'hex'\nheader = 'X-Sig'\ntimestamp_header = 'X-At'",
        )
        .unwrap();
        let mut call = Call {
            method: "POST".into(),
            target: "/index.php?call=stock".into(),
            body: b"[1]".to_vec(),
            ..Call::default()
        };
        let mut mac = Hmac::<Sha256>::new_from_slice(b"key").unwrap();
        mac.update(b"POST|/index.php?call=stock|1000|[1]");
        let signature = hex::encode(mac.finalize().into_bytes());
        call.headers.insert("x-at".into(), "1000".into());
        call.headers.insert("x-sig".into(), signature);
        assert!(signed(&call, &kind, "key", 1_300));
        assert!(!signed(&call, &kind, "other", 1_300), "another secret");
        assert!(!signed(&call, &kind, "key", 1_301), "too old");
        call.body = b"[2]".to_vec();
        assert!(!signed(&call, &kind, "key", 1_000), "another body");
    }

    #[test]
    fn a_signature_is_computed_anew() {
        let mut call = Call {
            method: "GET".into(),
            url: "http://shop.test/wp-json/wc/v3/orders".into(),
            ..Call::default()
        };
        for (name, value) in [
            ("oauth_consumer_key", "ck"),
            ("oauth_nonce", "n"),
            ("oauth_signature_method", "HMAC-SHA256"),
            ("oauth_timestamp", "1000"),
            ("per_page", "1"),
        ] {
            call.query.push((name.into(), value.into()));
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(b"cs&").unwrap();
        mac.update(base_string(&call.method, &call.url, &call.query).as_bytes());
        let signature =
            base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
        call.query.push(("oauth_signature".into(), signature));
        let known = |secret: &str, token: Option<&str>| Consumer {
            key: "ck".into(),
            secret: secret.into(),
            token: token.map(str::to_owned),
            token_secret: String::new(),
        };
        assert_eq!(oauth1(&call, &known("cs", None), 1_100), Some(()));
        let other = oauth1(&call, &known("other", None), 1_100);
        assert_eq!(other, None, "another secret");
        assert_eq!(oauth1(&call, &known("cs", None), 5_000), None, "too old");
        let tokened = oauth1(&call, &known("cs", Some("at")), 1_100);
        assert_eq!(tokened, None, "no token");
        call.query.push(("page".into(), "2".into()));
        assert_eq!(
            oauth1(&call, &known("cs", None), 1_100),
            None,
            "a parameter added after signing"
        );
    }
}
