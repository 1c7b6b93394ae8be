//! The OpenAPI document, made from the table of routes and the schemas.
//!
//! What always holds: every route is in it, since it is made from the table that the application
//! is made from; every schema that is referred to is there (a test follows each reference).

mod model;
pub(super) mod requests;
mod shipping;

mod wire;

use super::params::PAGING;
use super::problem::Code;
use super::route::{Access, Param, ParamKind, RouteSpec, Shape, Verb};
use super::routes::ROUTES;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The document.
pub fn document() -> Value {
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for route in ROUTES {
        let method = route.verb.as_str().to_ascii_lowercase();
        paths
            .entry(shown(route.path))
            .or_default()
            .insert(method, operation(route));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Crossdock",
            "version": env!("CARGO_PKG_VERSION"),
            "description": about(),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {"bearer": {
                "type": "http",
                "scheme": "bearer",
                "description": "The administrator's token of the settings, or one made by POST /v1/tokens. Scopes: admin, operator, merchant (sees its own merchant only), warehouse.",
            }},
        },
    })
}

fn schemas() -> Map<String, Value> {
    let mut all = model::schemas();
    all.extend(shipping::schemas());
    all.extend(wire::schemas());
    all.extend(requests::schemas());
    all
}

fn about() -> String {
    let mut text = String::from(
        "An integration gateway between shops and a fulfilment centre.\n\n\
         Lists are `{\"data\": […], \"next\": cursor|null}`; go on with `after=<next>`. Times are RFC 3339 in UTC. \
         Amounts are exact decimals as texts, tax included. A POST that creates takes an `Idempotency-Key`: the same \
         key and body within 48 hours is answered alike and done once. Errors are `application/problem+json`; \
         branch on `code`:\n\n| code | status | meaning |\n|---|---|---|\n",
    );
    for code in Code::ALL {
        let row = format!(
            "| `{}` | {} | {} |\n",
            code.as_str(),
            code.status(),
            code.explanation()
        );
        text.push_str(&row);
    }
    text
}

/// The path as OpenAPI writes it: without patterns.
pub fn shown(path: &str) -> String {
    path.replace(":.*}", "}").replace(":.+}", "}")
}

fn operation(route: &RouteSpec) -> Value {
    let mut operation = Map::new();
    operation.insert("tags".into(), json!([route.tag()]));
    operation.insert("operationId".into(), operation_id(route).into());
    operation.insert("summary".into(), route.summary.into());
    let mut description = route.about.to_owned();
    if route.access != Access::Public {
        let scopes = route.access.scopes().join(", ");
        description = format!("{description}\n\nScopes: {scopes}.")
            .trim()
            .to_owned();
    }
    if !description.is_empty() {
        operation.insert("description".into(), description.into());
    }
    if route.access == Access::Public {
        operation.insert("security".into(), json!([]));
    }
    operation.insert("parameters".into(), parameters(route).into());
    if let Some(body) = request_body(route) {
        operation.insert("requestBody".into(), body);
    }
    operation.insert("responses".into(), responses(route).into());
    operation.into()
}

fn operation_id(route: &RouteSpec) -> String {
    let path = shown(route.path);
    let words = path.split(['/', '{', '}', '-', '.', '_']);
    let mut id = route.verb.as_str().to_ascii_lowercase();
    for word in words.filter(|word| !word.is_empty() && *word != "v1") {
        id.push('_');
        id.push_str(word);
    }
    id
}

fn parameters(route: &RouteSpec) -> Vec<Value> {
    let path = shown(route.path);
    let mut all: Vec<Value> = path
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next())
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect();
    let paging: &[Param] = if route.paged { PAGING } else { &[] };
    all.extend(route.query.iter().chain(paging).map(|p| {
        json!({"name": p.name, "in": "query", "required": false, "description": p.about, "schema": param_schema(p.kind)})
    }));
    if route.idempotent {
        all.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "The same key and body within 48 hours is done once and answered alike.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        }));
    }
    if route.path == "/v1/events/stream" {
        all.push(json!({
            "name": "Last-Event-ID", "in": "header", "required": false,
            "description": "The id of the last event that was read.",
            "schema": {"type": "string"},
        }));
    }
    all
}

fn param_schema(kind: ParamKind) -> Value {
    match kind {
        ParamKind::Text => json!({"type": "string", "minLength": 1, "maxLength": 200}),
        ParamKind::Id(prefix) => {
            json!({"type": "string", "pattern": format!("^{prefix}_[0-9a-f]{{32}}$")})
        }
        ParamKind::Int(from, u64::MAX) => json!({"type": "integer", "minimum": from}),
        ParamKind::Int(from, to) => json!({"type": "integer", "minimum": from, "maximum": to}),
        ParamKind::Bool => json!({"type": "boolean"}),
        ParamKind::Time => json!({"type": "string", "format": "date-time"}),
        ParamKind::Day => json!({"type": "string", "format": "date"}),
        ParamKind::OneOf(words) => json!({"type": "string", "enum": words}),
        ParamKind::SomeOf(words) => json!({
            "type": "string",
            "description": format!("Some of {}, separated by commas.", words.join(", ")),
        }),
        ParamKind::EventTypes => {
            json!({"type": "string", "description": "Event types, separated by commas."})
        }
    }
}

fn request_body(route: &RouteSpec) -> Option<Value> {
    if route.path.starts_with("/hooks/") {
        let raw = json!({"schema": {"type": "string", "format": "binary"}});
        return Some(json!({"required": true, "content": {"*/*": raw}}));
    }
    let schema = reference(route.body?);
    Some(json!({
        "required": !route.body_optional,
        "content": {"application/json": {"schema": schema}},
    }))
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn responses(route: &RouteSpec) -> Map<String, Value> {
    let mut all = Map::new();
    for (status, shape) in route.answers {
        all.insert(status.to_string(), answer(*status, *shape));
    }
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in errors(route) {
        let codes = by_status.entry(code.status()).or_default();
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    for (status, codes) in by_status {
        let lines: Vec<_> = codes
            .iter()
            .map(|code| format!("`{}`: {}", code.as_str(), code.explanation()))
            .collect();
        all.insert(
            status.to_string(),
            json!({
                "description": lines.join("\n\n"),
                "content": {"application/problem+json": {"schema": reference("Problem")}},
            }),
        );
    }
    all
}

fn answer(status: u16, shape: Shape) -> Value {
    let content = match shape {
        Shape::One(name) => json!({"application/json": {"schema": reference(name)}}),
        Shape::List(name) => json!({"application/json": {"schema": {
            "type": "object",
            "required": ["data", "next"],
            "additionalProperties": false,
            "properties": {
                "data": {"type": "array", "items": reference(name)},
                "next": {"type": ["string", "null"], "description": "The cursor to go on from; null at the end."},
            },
        }}}),
        Shape::Raw(kind) => json!({kind: {"schema": {"type": "string"}}}),
        Shape::Empty => return json!({"description": "Done; no body."}),
    };
    let mut answer = json!({"description": "As asked.", "content": content});
    if status == 201
        && let Some(object) = answer.as_object_mut()
    {
        let location =
            json!({"description": "Where it can be read.", "schema": {"type": "string"}});
        object.insert("headers".into(), json!({"Location": location}));
    }
    answer
}

/// Every error that a route can answer: its own, and those of its sort.
pub fn errors(route: &RouteSpec) -> Vec<Code> {
    let mut codes = route.codes.to_vec();
    if route.bare {
        return codes;
    }
    codes.extend([
        Code::InvalidParameter,
        Code::UnknownParameter,
        Code::Internal,
    ]);
    if route.access != Access::Public {
        codes.extend([Code::Unauthorized, Code::Forbidden, Code::StoreUnavailable]);
    }
    if route.body.is_some() {
        codes.extend([
            Code::MalformedJson,
            Code::TruncatedJson,
            Code::TooDeep,
            Code::InvalidUtf8,
            Code::InvalidBody,
            Code::BodyTooLarge,
            Code::UnsupportedMediaType,
            Code::RequestTimeout,
        ]);
    }
    if route.idempotent {
        codes.extend([Code::InFlight, Code::IdempotencyMismatch]);
    }
    if route.idempotent || route.verb == Verb::Patch {
        codes.push(Code::InvalidHeader);
    }
    codes
}
