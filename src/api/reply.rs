//! The shapes of good answers: one object, a created object, a list.
//!
//! What always holds: lists are `{"data": […], "next": cursor|null}`; what was created is named by
//! `Location`; bodies are made whole before the status is sent.

use super::problem::Problem;
use crate::store::query::Page;
use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

/// What a handler yields.
pub type Answer = Result<HttpResponse, Problem>;

/// An answer of a POST, before it is sent: what an `Idempotency-Key` gets again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body; empty for none.
    pub body: Vec<u8>,
    /// Where what was created can be read.
    pub location: Option<String>,
}

impl Reply {
    /// A JSON answer.
    ///
    /// # Errors
    /// `internal` when the object cannot be written, which does not happen.
    pub fn json(status: u16, object: &impl Serialize) -> Result<Self, Problem> {
        Ok(Self {
            status,
            body: serde_json::to_vec(object).map_err(Problem::internal)?,
            location: None,
        })
    }
    /// 201 with the object's place below a collection; its id is the body's `id`.
    ///
    /// # Errors
    /// As [`Reply::json`].
    pub fn created(collection: &str, object: &impl Serialize) -> Result<Self, Problem> {
        Ok(Self::json(201, object)?.located(Some(collection)))
    }
    /// Names the place of what was created: `collection/id`, the id read from the body.
    #[must_use]
    pub fn located(mut self, collection: Option<&str>) -> Self {
        let value: Option<Value> = serde_json::from_slice(&self.body).ok();
        let id = value.as_ref().and_then(|v| v.get("id")?.as_str());
        self.location = collection.zip(id).map(|(c, id)| format!("{c}/{id}"));
        self
    }
    /// Sends it.
    pub fn send(self) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::OK);
        let mut answer = HttpResponse::build(status);
        if let Some(location) = self.location {
            answer.insert_header((header::LOCATION, location));
        }
        if self.body.is_empty() {
            return answer.finish();
        }
        answer.content_type("application/json").body(self.body)
    }
}

/// 200 with one object.
///
/// # Errors
/// As [`Reply::json`].
pub fn ok(object: &impl Serialize) -> Answer {
    Ok(Reply::json(200, object)?.send())
}

/// 204.
pub fn no_content() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

/// A list of objects.
///
/// # Errors
/// As [`Reply::json`].
pub fn list<T: Serialize>(page: &Page<T>) -> Answer {
    #[derive(Serialize)]
    struct List<'a, T> {
        data: &'a [T],
        next: &'a Option<String>,
    }
    ok(&List {
        data: &page.data,
        next: &page.next,
    })
}

/// A list that is whole: there is no next page.
///
/// # Errors
/// As [`Reply::json`].
pub fn whole_list<T: Serialize>(data: Vec<T>) -> Answer {
    list(&Page { data, next: None })
}

/// A list of objects that are JSON already, not read and written once more.
pub fn raw_list<'a>(
    data: impl ExactSizeIterator<Item = &'a Bytes>,
    next: Option<&str>,
) -> HttpResponse {
    let mut body = Vec::with_capacity(64 + data.len() * 1_024);
    body.extend_from_slice(b"{\"data\":[");
    for (n, object) in data.enumerate() {
        if n > 0 {
            body.push(b',');
        }
        body.extend_from_slice(object);
    }
    body.extend_from_slice(b"],\"next\":");
    let next = next.map_or(Value::Null, Value::from);
    body.extend_from_slice(next.to_string().as_bytes());
    body.push(b'}');
    HttpResponse::Ok()
        .content_type("application/json")
        .body(body)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[actix_web::test]
    async fn raw_lists_are_json() {
        let rows = [
            Bytes::from_static(b"{\"a\":1.10}"),
            Bytes::from_static(b"{}"),
        ];
        let answer = raw_list(rows.iter(), Some("c\"1"));
        let body = actix_web::body::to_bytes(answer.into_body()).await.unwrap();
        assert_eq!(body, "{\"data\":[{\"a\":1.10},{}],\"next\":\"c\\\"1\"}");
        let empty = raw_list([].iter(), None);
        let body = actix_web::body::to_bytes(empty.into_body()).await.unwrap();
        assert_eq!(body, "{\"data\":[],\"next\":null}");
    }

    #[test]
    fn a_created_thing_is_located() {
        let reply = Reply::created("/v1/merchants", &json!({"id": "mer_1"})).unwrap();
        assert_eq!(reply.location.as_deref(), Some("/v1/merchants/mer_1"));
        let none = Reply::created("/v1/merchants", &json!({})).unwrap();
        assert_eq!(none.location, None);
    }
}
