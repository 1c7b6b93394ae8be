//! What one route is: method, path, who may call it, its handler and its documentation.
//!
//! What always holds: the application, the permissions, the check of query parameters and the
//! OpenAPI document are all made from these specifications, so that they cannot disagree.

use super::problem::Code;
use crate::store::query::TokenScope;
use actix_web::Route;

/// HTTP methods of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    /// As in HTTP.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
            Verb::Put => "PUT",
            Verb::Patch => "PATCH",
            Verb::Delete => "DELETE",
        }
    }
}

/// Who may call a route. What of it they see is narrowed further by the token's merchant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Without a token.
    Public,
    /// Any token.
    Any,
    /// Administrators only.
    Admin,
    /// Administrators and operators.
    Staff,
    /// Staff and the merchant itself.
    Merchant,
    /// Staff and the warehouse.
    Warehouse,
}

impl Access {
    /// May a token of this scope call it?
    pub const fn allows(self, scope: TokenScope) -> bool {
        use TokenScope::{Admin, Merchant, Operator, Warehouse};
        match self {
            Access::Public | Access::Any => true,
            Access::Admin => matches!(scope, Admin),
            Access::Staff => matches!(scope, Admin | Operator),
            Access::Merchant => matches!(scope, Admin | Operator | Merchant),
            Access::Warehouse => matches!(scope, Admin | Operator | Warehouse),
        }
    }
    /// The scopes, for the documentation.
    pub const fn scopes(self) -> &'static [&'static str] {
        match self {
            Access::Public => &[],
            Access::Any => &["admin", "operator", "merchant", "warehouse"],
            Access::Admin => &["admin"],
            Access::Staff => &["admin", "operator"],
            Access::Merchant => &["admin", "operator", "merchant"],
            Access::Warehouse => &["admin", "operator", "warehouse"],
        }
    }
}

/// What a query parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind {
    /// Text of at most 200 characters.
    Text,
    /// An id with this prefix.
    Id(&'static str),
    /// A whole number from .. to, both included.
    Int(u64, u64),
    /// `true` or `false`.
    Bool,
    /// RFC 3339.
    Time,
    /// `2026-11-23`.
    Day,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Some of these words, separated by commas.
    SomeOf(&'static [&'static str]),
    /// Event types, separated by commas.
    EventTypes,
}

/// A query parameter.
#[derive(Debug, Clone, Copy)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: ParamKind,
    /// What it does.
    pub about: &'static str,
}

/// The body of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One object of this schema.
    One(&'static str),
    /// `{"data": […], "next": …}` of this schema.
    List(&'static str),
    /// Other bytes, with their content type.
    Raw(&'static str),
    /// Nothing.
    Empty,
}

/// One route.
#[derive(Debug, Clone, Copy)]
pub struct RouteSpec {
    /// The method.
    pub verb: Verb,
    /// The path, with `{names}`.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// Makes the route's service.
    pub handler: fn() -> Route,
    /// One line.
    pub summary: &'static str,
    /// More lines.
    pub about: &'static str,
    /// Known query parameters; all others are refused.
    pub query: &'static [Param],
    /// Lists take `limit` and `after`.
    pub paged: bool,
    /// Schema of the body.
    pub body: Option<&'static str>,
    /// An empty body counts as `{}`.
    pub body_optional: bool,
    /// Answers that are no errors.
    pub answers: &'static [(u16, Shape)],
    /// Errors of its own, beside those that every route of its sort has.
    pub codes: &'static [Code],
    /// Honours `Idempotency-Key`.
    pub idempotent: bool,
    /// The hot path and probes: no gate around it; it counts by itself.
    pub bare: bool,
}

const fn spec(verb: Verb, path: &'static str, access: Access, handler: fn() -> Route) -> RouteSpec {
    RouteSpec {
        verb,
        path,
        access,
        handler,
        summary: "",
        about: "",
        query: &[],
        paged: false,
        body: None,
        body_optional: false,
        answers: &[],
        codes: &[],
        idempotent: false,
        bare: false,
    }
}

/// A GET route.
pub const fn get(path: &'static str, access: Access, handler: fn() -> Route) -> RouteSpec {
    spec(Verb::Get, path, access, handler)
}
/// A POST route.
pub const fn post(path: &'static str, access: Access, handler: fn() -> Route) -> RouteSpec {
    spec(Verb::Post, path, access, handler)
}
/// A PUT route.
pub const fn put(path: &'static str, access: Access, handler: fn() -> Route) -> RouteSpec {
    spec(Verb::Put, path, access, handler)
}
/// A PATCH route.
pub const fn patch(path: &'static str, access: Access, handler: fn() -> Route) -> RouteSpec {
    spec(Verb::Patch, path, access, handler)
}
/// A DELETE route.
pub const fn delete(path: &'static str, access: Access, handler: fn() -> Route) -> RouteSpec {
    spec(Verb::Delete, path, access, handler)
}

impl RouteSpec {
    /// The line of documentation.
    pub const fn doc(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }
    /// Further lines.
    pub const fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }
    /// Its query parameters.
    pub const fn query(mut self, query: &'static [Param]) -> Self {
        self.query = query;
        self
    }
    /// It takes `limit` and `after`.
    pub const fn paged(mut self) -> Self {
        self.paged = true;
        self
    }
    /// It takes a body of this schema.
    pub const fn body(mut self, schema: &'static str) -> Self {
        self.body = Some(schema);
        self
    }
    /// It takes a body of this schema, or none.
    pub const fn optional_body(mut self, schema: &'static str) -> Self {
        self.body = Some(schema);
        self.body_optional = true;
        self
    }
    /// What it answers.
    pub const fn gives(mut self, answers: &'static [(u16, Shape)]) -> Self {
        self.answers = answers;
        self
    }
    /// Errors of its own.
    pub const fn codes(mut self, codes: &'static [Code]) -> Self {
        self.codes = codes;
        self
    }
    /// It honours `Idempotency-Key`.
    pub const fn once(mut self) -> Self {
        self.idempotent = true;
        self
    }
    /// No gate around it.
    pub const fn bare(mut self) -> Self {
        self.bare = true;
        self
    }
    /// The first segment after `/v1`, or the first at all: the documentation's chapter.
    pub fn tag(&self) -> &'static str {
        self.path
            .strip_prefix("/v1/")
            .or_else(|| self.path.strip_prefix('/'))
            .and_then(|rest| rest.split('/').next())
            .unwrap_or("other")
    }
}
