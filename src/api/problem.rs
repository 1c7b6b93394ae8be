//! Every error of the HTTP interface: `application/problem+json` with a stable `code`.
//!
//! What always holds: one enum gives an error its status, code, title and documentation; the
//! texts name places and rules, never internals; what a 500 hides stands in the log under the
//! incident id that the answer names.

use crate::store::StoreError;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::Value;
use std::fmt;

macro_rules! codes {
    ($($(#[$meta:meta])* $variant:ident = $status:literal $code:literal $title:literal $doc:literal;)*) => {
        /// The stable codes. Clients branch on these, never on texts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs)] // `explanation` is the documentation
        pub enum Code { $($variant),* }
        impl Code {
            /// All of them, in the order of the documentation.
            pub const ALL: &'static [Code] = &[$(Code::$variant),*];
            /// As written in `code`.
            pub const fn as_str(self) -> &'static str { match self { $(Code::$variant => $code),* } }
            /// The HTTP status, always the same for a code.
            pub const fn status(self) -> u16 { match self { $(Code::$variant => $status),* } }
            /// A few words, the same for every occurrence.
            pub const fn title(self) -> &'static str { match self { $(Code::$variant => $title),* } }
            /// What it means and what to do, for the API's documentation.
            pub const fn explanation(self) -> &'static str { match self { $(Code::$variant => $doc),* } }
        }
    };
}

codes! {
    MalformedJson = 400 "malformed_json" "The body is not JSON" "The body cannot be read as JSON; `detail` names line and column.";
    TruncatedJson = 400 "truncated_json" "The body ends too early" "The body ends in the middle of a JSON value. Send it again, whole.";
    TooDeep = 400 "too_deep" "The body is nested too deeply" "JSON may be nested 128 levels deep.";
    InvalidUtf8 = 400 "invalid_utf8" "The body is not UTF-8" "`detail` names the first byte that is not UTF-8.";
    InvalidParameter = 400 "invalid_parameter" "A query parameter has a bad value" "`fields` names the parameter and what it takes.";
    UnknownParameter = 400 "unknown_parameter" "A query parameter is not known" "A typo must not widen a list silently; `detail` lists what the route knows.";
    InvalidHeader = 400 "invalid_header" "A header has a bad value" "`detail` names the header and what it takes.";
    Unauthorized = 401 "unauthorized" "A valid token is needed" "Send `Authorization: Bearer <token>`; the token is unknown, revoked or missing.";
    Forbidden = 403 "forbidden" "This token may not do that" "The token's scope does not cover this route or this merchant.";
    NotFound = 404 "not_found" "Not found" "Nothing with this id is there, or the token may not see it.";
    NoSuchRoute = 404 "no_such_route" "There is no such route" "See /openapi.json for all routes.";
    MethodNotAllowed = 405 "method_not_allowed" "The route does not take this method" "The `Allow` header names the methods it takes.";
    RequestTimeout = 408 "request_timeout" "The body came too slowly" "The whole body must arrive within 30 seconds.";
    Conflict = 409 "conflict" "It changed in the meantime" "Others changed it faster than this request could be applied. Read it and send again.";
    Exists = 409 "exists" "It is there already" "Something with this key exists.";
    InFlight = 409 "in_flight" "The first request with this key is under way" "Wait, then send the same request with the same `Idempotency-Key` again.";
    StaleRevision = 409 "stale_revision" "The fulfillment order has a newer revision" "`current` is the object as it is now: look at it, then answer its `revision`.";
    RequestPending = 409 "request_pending" "A change request waits for an answer" "Accept or refuse the request first; `current` shows it.";
    AlreadyShipped = 409 "already_shipped" "It has left already" "What has left cannot be changed or cancelled any more.";
    InvalidState = 409 "invalid_state" "Not possible in this state" "`detail` says which state it is in and which it needs; `current` shows it.";
    Gone = 410 "gone" "It was deleted" "It was there and has been deleted.";
    BodyTooLarge = 413 "body_too_large" "The body is too large" "API bodies may have 1 MiB, webhooks 5 MiB.";
    UnsupportedMediaType = 415 "unsupported_media_type" "The body must be JSON" "Send `Content-Type: application/json`.";
    InvalidBody = 422 "invalid_body" "The body does not fit" "`fields` names each place and what is wrong there; nothing was changed.";
    UnknownConnector = 422 "unknown_connector" "There is no such connector" "`GET /v1/connectors` lists those that can be plugged in.";
    IdempotencyMismatch = 422 "idempotency_mismatch" "The key was used with another body" "An `Idempotency-Key` belongs to one body for 48 hours. Take a new key for a new request.";
    ReplayTooLarge = 422 "replay_too_large" "The replay covers too many events" "At most 100,000 events a replay: take a shorter span.";
    LabelRefused = 422 "label_refused" "The carrier made no label" "`detail` and `fields` are the carrier's reason, `current` the shipment. Correct it and send the same request with the same `shipment_ref` again; a label that was to be replaced stays valid.";
    Rejected = 422 "rejected" "The command is refused" "`detail` says why it makes no sense for this object.";
    Internal = 500 "internal" "The gateway failed" "A fault of the gateway. The log has the details under the incident id in `detail`; nothing that was acknowledged is lost.";
    StoreUnavailable = 503 "store_unavailable" "The store cannot take it now" "Nothing was written. Send again after `Retry-After` seconds.";
    NotReady = 503 "not_ready" "The gateway is not ready" "It starts, stops, or its store is not well; `detail` says what.";
}

/// One place in a body or query, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// A dotted path (`parcels.0.weight_g`), `.` for the whole, or a parameter's name.
    pub path: String,
    /// What is wrong, in words.
    pub message: String,
}

impl FieldError {
    /// What is wrong at this path.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }
}

/// An error answer.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Which error.
    pub code: Code,
    /// What exactly, for people. No internals.
    pub detail: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Places, where there are some.
    pub fields: Vec<FieldError>,
    /// The object as it is now, for answers that came too late.
    pub current: Option<Box<Value>>,
    /// Seconds, for the `Retry-After` header.
    pub retry_after: Option<u32>,
    /// Methods, for the `Allow` header.
    pub allow: Option<String>,
}

impl Problem {
    /// An error with its detail.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            hint: None,
            fields: Vec::new(),
            current: None,
            retry_after: match code {
                Code::StoreUnavailable | Code::NotReady => Some(2),
                Code::InFlight => Some(1),
                _ => None,
            },
            allow: None,
        }
    }
    /// Adds what can be done about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
    /// Adds the object as it is now.
    #[must_use]
    pub fn current(mut self, current: Value) -> Self {
        self.current = Some(Box::new(current));
        self
    }
    /// Adds a place.
    #[must_use]
    pub fn field(mut self, path: impl Into<String>, message: impl Into<String>) -> Self {
        self.fields.push(FieldError::new(path, message));
        self
    }
    /// `invalid_body` at one place.
    pub fn body(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::fields(vec![FieldError::new(path, message)])
    }
    /// `invalid_body` at several places.
    pub fn fields(fields: Vec<FieldError>) -> Self {
        let detail = fields.first().map_or_else(
            || "the body does not fit".to_owned(),
            |first| format!("{}: {}", first.path, first.message),
        );
        Self {
            fields,
            ..Self::new(Code::InvalidBody, detail)
        }
    }
    /// `not_found` for a kind of thing.
    pub fn not_found(kind: &str) -> Self {
        Self::new(Code::NotFound, format!("there is no such {kind}"))
    }
    /// A fault of ours: the cause goes to the log, only its incident id to the caller.
    pub fn internal(cause: impl fmt::Display) -> Self {
        let incident = uuid::Uuid::new_v4().simple();
        tracing::error!(%incident, %cause, "a request failed inside the gateway");
        Self::new(Code::Internal, format!("incident {incident}"))
    }
    /// The answer's JSON.
    pub fn body_json(&self) -> Value {
        let mut body = serde_json::Map::new();
        let code = self.code.as_str();
        body.insert(
            "type".into(),
            format!("urn:crossdock:problem:{code}").into(),
        );
        body.insert("title".into(), self.code.title().into());
        body.insert("status".into(), self.code.status().into());
        body.insert("code".into(), code.into());
        body.insert("detail".into(), self.detail.clone().into());
        if let Some(hint) = &self.hint {
            body.insert("hint".into(), hint.clone().into());
        }
        if !self.fields.is_empty()
            && let Ok(fields) = serde_json::to_value(&self.fields)
        {
            body.insert("fields".into(), fields);
        }
        if let Some(current) = &self.current {
            body.insert("current".into(), Value::clone(current));
        }
        Value::Object(body)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.detail)
    }
}
impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status_code());
        answer.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        if let Some(seconds) = self.retry_after {
            answer.insert_header((header::RETRY_AFTER, seconds));
        }
        if let Some(allow) = &self.allow {
            answer.insert_header((header::ALLOW, allow.as_str()));
        }
        if self.code == Code::Unauthorized {
            answer.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"crossdock\""));
        }
        if self.code == Code::RequestTimeout {
            answer.force_close();
        }
        answer.body(self.body_json().to_string())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            // Why it is unavailable is the operator's business: /readyz and the log tell.
            StoreError::Unavailable(cause) => {
                tracing::warn!(%cause, "the store is not available");
                Self::new(Code::StoreUnavailable, "nothing was written; send again")
            }
            StoreError::Conflict(_) => Self::new(
                Code::Conflict,
                "it changed while this request was applied; read it and send again",
            ),
            StoreError::Exists(what) => Self::new(Code::Exists, what),
            StoreError::NotFound(what) => Self::new(Code::NotFound, what),
            StoreError::Corrupt(cause) => Self::internal(cause),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_unique_and_well_formed() {
        let codes: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(codes.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!((400..600).contains(&code.status()), "{code:?}");
            assert!(
                code.as_str()
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'8'),
                "{code:?}"
            );
            assert!(code.explanation().ends_with('.'), "{code:?}");
        }
    }

    #[actix_web::test]
    async fn an_answer_is_whole_and_hides_internals() {
        let problem = Problem::from(StoreError::Unavailable("disk /data full".into()));
        let answer = problem.error_response();
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers().get("retry-after").unwrap(), "2");
        let type_ = answer.headers().get("content-type").unwrap();
        assert_eq!(type_, "application/problem+json");
        assert_eq!(
            problem.body_json(),
            serde_json::json!({
                "type": "urn:crossdock:problem:store_unavailable",
                "title": "The store cannot take it now",
                "status": 503,
                "code": "store_unavailable",
                "detail": "nothing was written; send again",
            })
        );
        let corrupt = Problem::from(StoreError::Corrupt("row 7 of orders".into()));
        assert!(!corrupt.detail.contains("orders"), "{}", corrupt.detail);
    }
}
