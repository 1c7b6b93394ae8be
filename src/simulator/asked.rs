//! A request to a simulator, in the forms that programs and proofs need.

use super::auth::Call;
use super::graphql::Query;
use actix_web::{HttpRequest, web};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A request in the forms that programs and proofs need.
pub(crate) struct Asked {
    pub(crate) call: Call,
    pub(crate) path: String,
    pub(crate) request: Value,
    pub(crate) body: web::Bytes,
    /// Where it is a GraphQL request.
    pub(crate) graphql: Option<Query>,
}

impl Asked {
    pub(crate) fn of(request: &HttpRequest, body: web::Bytes) -> Self {
        let query: Vec<(String, String)> =
            url::form_urlencoded::parse(request.query_string().as_bytes())
                .into_owned()
                .collect();
        let headers: BTreeMap<String, String> = request
            .headers()
            .iter()
            .map(|(name, value)| {
                (
                    name.as_str().to_lowercase(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect();
        let path = request.path().to_owned();
        let host = headers.get("host").cloned().unwrap_or_default();
        let call = Call {
            method: request.method().to_string(),
            url: format!("http://{host}{path}"),
            query: query.clone(),
            headers: headers.clone(),
            target: request.uri().to_string(),
            body: body.to_vec(),
        };
        let form = headers
            .get("content-type")
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        let decoded = if form {
            url::form_urlencoded::parse(&body)
                .into_owned()
                .map(|(name, value)| (name, Value::String(value)))
                .collect::<Map<_, _>>()
                .into()
        } else {
            serde_json::from_slice(&body)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()))
        };
        let query: Map<String, Value> = query
            .into_iter()
            .map(|(name, value)| (name, Value::String(value)))
            .collect();
        let graphql = Query::read(&decoded);
        let asks = graphql.as_ref().map(Query::to_json);
        let value = json!({"method": call.method, "path": path, "query": query, "headers": headers, "body": decoded, "url": call.url, "graphql": asks});
        Self {
            call,
            path,
            request: value,
            body,
            graphql,
        }
    }
}
