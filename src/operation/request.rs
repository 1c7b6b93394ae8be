//! From a step and its context to a request that is ready to be sent. Pure: no clock, no network.
//!
//! What always holds: authentication comes last and covers the finished request; a request that
//! cannot be built names the manifest's place and the kind of fault, never data.

use super::auth::{self, AuthError, Signing};
use super::credentials::{Credentials, place};
use super::encode::{self, EncodeError};
use super::join::{self, UrlError};
use super::planned::PlannedRequest;
use super::provider::Provider;
use super::value::{as_str, field, kind, object, scalar, text, truthy};
use crate::canonical::problem::Class;
use crate::manifest::model::{Auth, Format, Method, Step};
use crate::mapping::{MapError, Scope};
use bytes::Bytes;
use jaq_json::Val;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use std::collections::{BTreeMap, BTreeSet};
use url::Url;

/// A request that cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// An expression or mapping failed.
    #[error("{place}: {error}")]
    Expression {
        /// Where in the manifest (`path`, `query`, `headers.X`, …).
        place: String,
        /// Why.
        error: MapError,
    },
    /// An expression yielded something of the wrong kind.
    #[error("{place} must be {wanted}, it is {found}")]
    Kind {
        /// Where in the manifest.
        place: String,
        /// What it should be.
        wanted: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// The URL cannot be built.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The body cannot be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The request cannot be authenticated.
    #[error(transparent)]
    Auth(#[from] AuthError),
}

impl PlanError {
    /// What happens next: a credential that is missing suspends, a faulty folder parks for its
    /// author, all else is our data or settings.
    pub const fn class(&self) -> Class {
        match self {
            PlanError::Expression { .. } => Class::BrokenContract,
            PlanError::Kind { .. } | PlanError::Url(_) | PlanError::Encode(_) => Class::Invalid,
            PlanError::Auth(_) => Class::AuthBroken,
        }
    }

    /// Stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            PlanError::Expression { .. } => "expression_failed",
            PlanError::Kind { .. } => "request_field",
            PlanError::Url(_) => "request_url",
            PlanError::Encode(_) => "request_body",
            PlanError::Auth(_) => "credentials_missing",
        }
    }
}

/// Credentials shorter than this are masked only where they were put in: replacing a text of two
/// letters everywhere would make the rest unreadable.
const SHORTEST_HIDDEN: usize = 6;

/// The context for the expressions of one request.
struct Plan<'a> {
    provider: &'a dyn Provider,
    context: &'a Val,
}

/// What paging adds to a step's own words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turn {
    /// An absolute URL that takes the place of path and query (the `next` link of a list).
    pub target: Option<String>,
    /// A query parameter that is added where the step does not state it itself.
    pub param: Option<(String, String)>,
}

/// Builds the request of a step.
pub fn plan(
    provider: &dyn Provider,
    step: &Step,
    context: &Val,
    credentials: &Credentials,
    signing: &Signing,
    turn: &Turn,
) -> Result<PlannedRequest, PlanError> {
    let plan = Plan { provider, context };
    let mut used = BTreeSet::new();
    let url = plan.url(step, turn)?;
    let (format, body) = plan.body(step, credentials, &mut used)?;
    let headers = plan.headers(step, format, !body.is_empty())?;
    let mut request = PlannedRequest::new(method(step.method), url, headers, body);
    if let Some(kind) = chosen(provider, context, &request)? {
        auth::apply(&kind.kind, credentials, signing, &mut request)?;
    }
    for (name, secret) in credentials {
        if used.contains(name) || secret.expose_secret().len() >= SHORTEST_HIDDEN {
            request.hide(secret.clone());
        }
    }
    Ok(request)
}

/// The entry of `auth` that applies: the first whose `when` holds.
fn chosen<'p>(
    provider: &'p dyn Provider,
    context: &Val,
    request: &PlannedRequest,
) -> Result<Option<&'p Auth>, PlanError> {
    let connection = field(context, "connection").cloned().unwrap_or_default();
    let described = object([
        ("url", text(request.url.as_str())),
        ("method", text(request.method.as_str())),
    ]);
    let seen = object([("connection", connection), ("request", described)]);
    for (index, entry) in provider.manifest().auth.iter().enumerate() {
        let holds = match &entry.when {
            None => true,
            Some(when) => {
                let place = || format!("auth[{index}].when");
                truthy(
                    &provider
                        .eval(when, &seen)
                        .map_err(|error| PlanError::Expression {
                            place: place(),
                            error,
                        })?,
                )
            }
        };
        if holds {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

impl Plan<'_> {
    fn eval(&self, place: &str, expression: &str) -> Result<Val, PlanError> {
        let failed = |error| PlanError::Expression {
            place: place.to_owned(),
            error,
        };
        self.provider.eval(expression, self.context).map_err(failed)
    }

    fn text(&self, place: &str, expression: &str) -> Result<String, PlanError> {
        let value = self.eval(place, expression)?;
        let found = kind(&value);
        let wrong = || PlanError::Kind {
            place: place.to_owned(),
            wanted: "a string",
            found,
        };
        as_str(&value).map(str::to_owned).ok_or_else(wrong)
    }

    fn url(&self, step: &Step, turn: &Turn) -> Result<Url, PlanError> {
        let transport = &self.provider.manifest().transport;
        let (place, base) = step
            .base_url
            .as_ref()
            .map_or(("transport.base_url", &transport.base_url), |own| {
                ("base_url", own)
            });
        let base = join::base(&self.text(place, base)?)?;
        if let Some(target) = &turn.target {
            return Ok(join::join(&base, target)?);
        }
        let mut url = join::join(&base, &self.text("path", &step.path)?)?;
        if let Some(query) = &step.query {
            let query = self.eval("query", query)?;
            let pairs = join::pairs(&query)?;
            join::append(
                &mut url,
                pairs
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str())),
            );
        }
        if let Some((name, value)) = &turn.param
            && !url.query_pairs().any(|(stated, _)| stated == name.as_str())
        {
            join::append(&mut url, [(name.as_str(), value.as_str())]);
        }
        Ok(url)
    }

    fn body(
        &self,
        step: &Step,
        credentials: &Credentials,
        used: &mut BTreeSet<String>,
    ) -> Result<(Format, Bytes), PlanError> {
        let format = step
            .format
            .unwrap_or(self.provider.manifest().transport.format);
        let value = match (&step.body, &step.body_mapping, &step.graphql) {
            (Some(body), _, _) => self.eval("body", body)?,
            (None, Some(mapping), _) => self.mapped(mapping)?,
            (None, None, Some(name)) => self.document(name, step.variables.as_deref())?,
            (None, None, None) => return Ok((format, Bytes::new())),
        };
        let value = place(value, &step.secrets, credentials, used).map_err(AuthError::from)?;
        Ok((format, encode::body(format, &value)?))
    }

    /// A GraphQL request: a document, which of its operations, its variables.
    fn document(&self, name: &str, variables: Option<&str>) -> Result<Val, PlanError> {
        let (file, operation) = name
            .split_once('.')
            .map_or((name, None), |(f, o)| (f, Some(o)));
        let missing = || PlanError::Expression {
            place: format!("graphql {name}"),
            error: MapError::Failed("there is no such document".to_owned()),
        };
        let document = self.provider.document(file).ok_or_else(missing)?;
        let mut request = vec![("query", text(document))];
        request.extend(operation.map(|operation| ("operationName", text(operation))));
        if let Some(variables) = variables {
            request.push(("variables", self.eval("variables", variables)?));
        }
        Ok(object(request))
    }

    fn mapped(&self, mapping: &str) -> Result<Val, PlanError> {
        let failed = |error| PlanError::Expression {
            place: format!("body_mapping {mapping}"),
            error,
        };
        let scope = Scope {
            connection: field(self.context, "connection")
                .cloned()
                .unwrap_or_default(),
            headers: Val::Null,
            context: self.context.clone(),
        };
        let mut values = self
            .provider
            .map(mapping, self.context.clone(), &scope)
            .map_err(failed)?
            .values
            .into_iter();
        match (values.next(), values.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(failed(MapError::NoOutput)),
            (Some(_), Some(_)) => Err(failed(MapError::ManyOutputs)),
        }
    }

    fn headers(&self, step: &Step, format: Format, has_body: bool) -> Result<HeaderMap, PlanError> {
        let transport = &self.provider.manifest().transport;
        let mut headers = HeaderMap::new();
        headers.insert(
            ACCEPT,
            HeaderValue::from_static(encode::accept(transport.answer_format(step))),
        );
        if has_body && let Some(kind) = encode::content_type(format) {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        let all: [&BTreeMap<String, String>; 2] = [&transport.headers, &step.headers];
        for (name, expression) in all.into_iter().flatten() {
            let place = format!("headers.{name}");
            let value = self.eval(&place, expression)?;
            if matches!(value, Val::Null) {
                continue;
            }
            let found = kind(&value);
            let text = scalar(&value).ok_or(PlanError::Kind {
                place,
                wanted: "a string or null",
                found,
            })?;
            let refused = || AuthError::Header(name.clone());
            let header = HeaderName::try_from(name.as_str()).map_err(|_| refused())?;
            let value = HeaderValue::from_bytes(text.as_bytes()).map_err(|_| refused())?;
            headers.insert(header, value);
        }
        Ok(headers)
    }
}

/// The method as HTTP has it.
pub const fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
        Method::Delete => reqwest::Method::DELETE,
    }
}

#[cfg(test)]
mod tests;
