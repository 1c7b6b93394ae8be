//! Request bodies: strict JSON, read whole under a cap of size, depth and time.
//!
//! What always holds: whatever bytes come in, the answer is a value or a problem that names the
//! place; unknown keys are errors (the request types say `deny_unknown_fields`).

use super::gate::route_of;
use super::problem::{Code, FieldError, Problem};
use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, web};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// Largest body of an API request.
pub const MAX_BODY: usize = 1 << 20;
/// A body must be here within this time (against senders that drip bytes).
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// A request's body: what was read, and the bytes it was read from.
#[derive(Debug)]
pub struct Body<T> {
    /// The typed value.
    pub value: T,
    /// SHA-256 of the bytes, for `Idempotency-Key`.
    pub hash: [u8; 32],
}

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let declared = content_type_problem(req);
        let optional = route_of(req).is_some_and(|route| route.body_optional);
        let payload = web::Payload::from_request(req, payload);
        Box::pin(async move {
            let payload = payload.await.map_err(|_| unreadable())?;
            let bytes = read(payload, MAX_BODY).await?;
            let hash = Sha256::digest(&bytes).into();
            if bytes.is_empty() && optional {
                return parse(b"{}").map(|value| Self { value, hash });
            }
            if let Some(problem) = declared {
                return Err(problem);
            }
            parse(&bytes).map(|value| Self { value, hash })
        })
    }
}

/// A body's bytes, at most `limit` of them, within [`BODY_TIMEOUT`].
///
/// # Errors
/// `body_too_large`, `request_timeout`, or `truncated_json` when the sender went away.
pub async fn read(payload: web::Payload, limit: usize) -> Result<Bytes, Problem> {
    match tokio::time::timeout(BODY_TIMEOUT, payload.to_bytes_limited(limit)).await {
        Ok(Ok(Ok(bytes))) => Ok(bytes),
        Ok(Ok(Err(_))) => Err(unreadable()),
        Ok(Err(_)) => Err(Problem::new(
            Code::BodyTooLarge,
            format!("the body may have at most {limit} bytes"),
        )),
        Err(_) => Err(Problem::new(
            Code::RequestTimeout,
            "the body did not arrive within 30 seconds",
        )),
    }
}

fn unreadable() -> Problem {
    Problem::new(
        Code::TruncatedJson,
        "the connection ended before the body did",
    )
}

/// JSON only: anything else that is declared is refused before it is read as JSON by guess.
fn content_type_problem(req: &HttpRequest) -> Option<Problem> {
    let value = req.headers().get(header::CONTENT_TYPE)?;
    let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
    let essence = text.split(';').next().unwrap_or_default().trim();
    if essence == "application/json" || essence.ends_with("+json") {
        return None;
    }
    Some(
        Problem::new(
            Code::UnsupportedMediaType,
            "the body's Content-Type is not application/json",
        )
        .hint("with curl: -H 'Content-Type: application/json'"),
    )
}

/// Reads strict JSON.
///
/// # Errors
/// A problem that names the place.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Problem::new(
            Code::InvalidUtf8,
            format!("byte {} of the body is not UTF-8", error.valid_up_to()),
        )
    })?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        describe(&path, error.inner())
    })?;
    reader.end().map_err(|error| describe(".", &error))?;
    Ok(value)
}

fn describe(path: &str, error: &serde_json::Error) -> Problem {
    use serde_json::error::Category;
    let text = error
        .to_string()
        .replace("expected u64", "expected a whole number");
    if text.starts_with("recursion limit exceeded") {
        return Problem::new(
            Code::TooDeep,
            format!(
                "more than 128 levels deep at line {} column {}",
                error.line(),
                error.column()
            ),
        );
    }
    match error.classify() {
        Category::Eof => Problem::new(Code::TruncatedJson, text),
        Category::Syntax | Category::Io => Problem::new(Code::MalformedJson, text),
        Category::Data => {
            // The path says where; line and column are for those who look at the text.
            let message = text
                .rsplit_once(" at line ")
                .map_or(text.as_str(), |(message, _)| message)
                .to_owned();
            let path = place(path, &message);
            Problem {
                detail: format!("{path}: {text}"),
                ..Problem::fields(vec![FieldError::new(path, message)])
            }
        }
    }
}

/// A dotted path, as every other check names places; a field that is missing or unknown is named
/// itself.
fn place(path: &str, message: &str) -> String {
    let mut place = path.replace('[', ".").replace(']', "");
    let named = ["missing field `", "unknown field `"]
        .iter()
        .find_map(|start| message.strip_prefix(start)?.split('`').next());
    if let Some(name) = named.filter(|name| place.rsplit('.').next() != Some(name)) {
        place = format!("{place}.{name}");
    }
    match place.trim_start_matches('.') {
        "" => ".".to_owned(),
        inner => inner.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[allow(dead_code)]
        parcels: Vec<Inner>,
    }
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[allow(dead_code)]
        weight_g: u64,
    }

    fn problem(bytes: &[u8]) -> Problem {
        parse::<Outer>(bytes).unwrap_err()
    }

    #[test]
    fn each_fault_has_its_code_and_place() {
        let wrong = problem(br#"{"parcels":[{"weight_g":1},{"weight_g":"x"}]}"#);
        assert_eq!(wrong.code, Code::InvalidBody);
        assert_eq!(
            wrong.fields,
            [FieldError::new(
                "parcels.1.weight_g",
                "invalid type: string \"x\", expected a whole number"
            )]
        );
        let unknown = problem(br#"{"parcels":[{"weight":1}]}"#);
        assert_eq!(unknown.code, Code::InvalidBody);
        assert!(
            unknown
                .detail
                .contains("unknown field `weight`, expected `weight_g`")
        );
        assert_eq!(unknown.fields[0].path, "parcels.0.weight");
        assert_eq!(problem(b"{}").fields[0].path, "parcels");
        assert_eq!(problem(b"7").fields[0].path, ".");
        assert_eq!(problem(b"[]").fields[0].path, ".");
        assert_eq!(problem(b"{\"parcels\":[").code, Code::TruncatedJson);
        assert_eq!(problem(b"").code, Code::TruncatedJson);
        assert_eq!(problem(b"{\"parcels\":[]} x").code, Code::MalformedJson);
        assert_eq!(problem(b"{parcels:[]}").code, Code::MalformedJson);
        assert_eq!(problem(b"{\"parcels\":\"\xff\"}").code, Code::InvalidUtf8);
        assert_eq!(
            problem(br#"{"parcels":[{"weight_g":1e999}]}"#)
                .code
                .status()
                / 100,
            4
        );
        let deep = format!("{{\"parcels\":{}", "[".repeat(10_000));
        let value = parse::<serde_json::Value>(deep.as_bytes()).unwrap_err();
        assert_eq!(value.code, Code::TooDeep);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse::<serde_json::Value>(&bytes);
            let _ = parse::<Outer>(&bytes);
        }
    }
}
