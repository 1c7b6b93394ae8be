//! Query parameters: known names only, each checked against what its route says it takes.

use super::problem::{Code, Problem};
use super::route::{Param, ParamKind, RouteSpec};
use crate::canonical::Timestamp;
use crate::canonical::event::EventType;
use crate::store::query::PageRequest;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::str::FromStr;

/// How many entries a page has when nothing is asked.
pub const DEFAULT_LIMIT: usize = 50;
/// The most entries of a page.
pub const MAX_LIMIT: u64 = 500;

/// `limit` and `after` of every list.
pub const PAGING: &[Param] = &[
    Param {
        name: "limit",
        kind: ParamKind::Int(1, MAX_LIMIT),
        about: "Entries of a page; 50 when left out.",
    },
    Param {
        name: "after",
        kind: ParamKind::Text,
        about: "The `next` of the page before.",
    },
];

/// A request's query parameters, checked.
#[derive(Debug, Clone, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Reads and checks a query string.
    ///
    /// # Errors
    /// `unknown_parameter` or `invalid_parameter`.
    pub fn read(route: &RouteSpec, query: &str) -> Result<Self, Problem> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let Some(param) = known(route, &name) else {
                return Err(unknown(route, &name));
            };
            if pairs.iter().any(|(earlier, _)| *earlier == *name) {
                return Err(invalid(param, "it is given twice"));
            }
            check(param, &value)?;
            pairs.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(pairs))
    }
    /// The text of a parameter; `None` when it is not given.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(given, _)| given == name)
            .map(|(_, value)| value.as_str())
    }
    /// A parameter read as its type: an id, a number, a time.
    ///
    /// # Errors
    /// `invalid_parameter` when the route's specification let through what the type refuses.
    pub fn parse<T: FromStr>(&self, name: &str) -> Result<Option<T>, Problem> {
        self.text(name)
            .map(|text| text.parse().map_err(|_| unfit(name)))
            .transpose()
    }
    /// A parameter that is a word of the model, such as a status.
    ///
    /// # Errors
    /// As [`Params::parse`].
    pub fn word<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Problem> {
        self.text(name).map(|text| word(name, text)).transpose()
    }
    /// Words separated by commas; none when the parameter is not given.
    pub fn words(&self, name: &str) -> Vec<&str> {
        self.text(name)
            .map(|text| text.split(',').map(str::trim).filter(|w| !w.is_empty()))
            .into_iter()
            .flatten()
            .collect()
    }
    /// Event types separated by commas.
    ///
    /// # Errors
    /// As [`Params::parse`].
    pub fn event_types(&self, name: &str) -> Result<Vec<EventType>, Problem> {
        let words = self.words(name).into_iter();
        words
            .map(|text| EventType::parse(text).ok_or_else(|| unfit(name)))
            .collect()
    }
    /// The page that is asked for.
    ///
    /// # Errors
    /// As [`Params::parse`].
    pub fn page(&self) -> Result<PageRequest, Problem> {
        Ok(PageRequest {
            limit: self.parse("limit")?.unwrap_or(DEFAULT_LIMIT),
            after: self.text("after").map(str::to_owned),
        })
    }
}

fn known<'a>(route: &'a RouteSpec, name: &str) -> Option<&'a Param> {
    let paging: &[Param] = if route.paged { PAGING } else { &[] };
    route.query.iter().chain(paging).find(|p| p.name == name)
}

fn unknown(route: &RouteSpec, name: &str) -> Problem {
    let paging: &[Param] = if route.paged { PAGING } else { &[] };
    let names: Vec<_> = route.query.iter().chain(paging).map(|p| p.name).collect();
    let detail = if names.is_empty() {
        "this route takes no query parameters".to_owned()
    } else {
        format!("this route takes {}", names.join(", "))
    };
    let close = names
        .iter()
        .map(|known| (strsim::jaro_winkler(known, name), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let problem = Problem::new(Code::UnknownParameter, detail);
    let name: String = name.chars().take(60).collect();
    let problem = problem.field(name, "not known");
    match close {
        Some((_, known)) => problem.hint(format!("did you mean `{known}`?")),
        None => problem,
    }
}

fn invalid(param: &Param, message: impl Into<String>) -> Problem {
    let message = message.into();
    Problem::new(
        Code::InvalidParameter,
        format!("`{}`: {message}", param.name),
    )
    .field(param.name, message)
}

fn unfit(name: &str) -> Problem {
    Problem::new(Code::InvalidParameter, format!("`{name}` has a bad value"))
        .field(name, "a bad value")
}

fn word<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, Problem> {
    serde_json::from_value(Value::String(text.to_owned())).map_err(|_| unfit(name))
}

fn check(param: &Param, value: &str) -> Result<(), Problem> {
    match param.kind {
        ParamKind::Text if value.chars().count() > 200 => {
            Err(invalid(param, "more than 200 characters"))
        }
        ParamKind::Text if value.is_empty() => Err(invalid(param, "it is empty")),
        ParamKind::Text => Ok(()),
        ParamKind::Id(prefix) => check_id(prefix, value)
            .then_some(())
            .ok_or_else(|| invalid(param, format!("an id is wanted: `{prefix}_` and a UUID"))),
        ParamKind::Int(from, to) => match value.parse::<u64>() {
            Ok(n) if (from..=to).contains(&n) => Ok(()),
            _ => Err(invalid(
                param,
                format!("a whole number from {from} to {to} is wanted"),
            )),
        },
        ParamKind::Bool => matches!(value, "true" | "false")
            .then_some(())
            .ok_or_else(|| invalid(param, "`true` or `false` is wanted")),
        ParamKind::Time => value.parse::<Timestamp>().map(|_| ()).map_err(|_| {
            invalid(
                param,
                "an RFC 3339 time is wanted, such as 2026-11-23T08:15:00Z",
            )
        }),
        ParamKind::Day => value
            .parse::<jiff::civil::Date>()
            .ok()
            .filter(|day| day.to_string() == value)
            .map(|_| ())
            .ok_or_else(|| invalid(param, "a day is wanted, such as 2026-11-23")),
        ParamKind::OneOf(words) => check_words(param, words, std::iter::once(value)),
        ParamKind::SomeOf(words) => check_words(param, words, value.split(',').map(str::trim)),
        ParamKind::EventTypes => value
            .split(',')
            .find(|text| EventType::parse(text.trim()).is_none())
            .map_or(Ok(()), |text| {
                let text: String = text.chars().take(60).collect();
                Err(invalid(param, format!("`{text}` is not an event type")))
            }),
    }
}

fn check_words<'a>(
    param: &Param,
    words: &[&str],
    mut given: impl Iterator<Item = &'a str>,
) -> Result<(), Problem> {
    if given.all(|word| words.contains(&word)) {
        return Ok(());
    }
    Err(invalid(param, format!("it takes {}", words.join(", "))))
}

/// True when the text is an id of this kind.
pub fn check_id(prefix: &str, text: &str) -> bool {
    text.strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .is_some_and(|rest| uuid::Uuid::try_parse(rest).is_ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::api::route::{Access, get};
    use proptest::prelude::*;

    const LIST: RouteSpec = get("/v1/x", Access::Any, actix_web::web::get)
        .query(&[
            Param {
                name: "status",
                kind: ParamKind::OneOf(&["open", "on_hold"]),
                about: "",
            },
            Param {
                name: "day",
                kind: ParamKind::Day,
                about: "",
            },
            Param {
                name: "merchant_id",
                kind: ParamKind::Id("mer"),
                about: "",
            },
            Param {
                name: "types",
                kind: ParamKind::EventTypes,
                about: "",
            },
            Param {
                name: "since",
                kind: ParamKind::Time,
                about: "",
            },
        ])
        .paged();

    fn code(query: &str) -> Option<Code> {
        Params::read(&LIST, query).err().map(|problem| problem.code)
    }

    #[test]
    fn good_values_are_read() {
        let query = "status=open&limit=500&after=abc&types=order.held,order.released&since=2026-11-23T08:15:00%2B02:00";
        let params = Params::read(&LIST, query).unwrap();
        assert_eq!(
            params.page().unwrap(),
            PageRequest {
                limit: 500,
                after: Some("abc".into())
            }
        );
        assert_eq!(
            params.event_types("types").unwrap(),
            [EventType::OrderHeld, EventType::OrderReleased]
        );
        let since: Timestamp = params.parse("since").unwrap().unwrap();
        assert_eq!(since.to_string(), "2026-11-23T06:15:00Z");
        assert_eq!(
            Params::read(&LIST, "").unwrap().page().unwrap().limit,
            DEFAULT_LIMIT
        );
    }

    #[test]
    fn bad_values_are_refused() {
        for query in [
            "status=shut",
            "limit=0",
            "limit=501",
            "limit=x",
            "limit=-1",
            "limit=1&limit=2",
            "day=2026-13-01",
            "day=23.11.2026",
            "merchant_id=ord_0",
            "types=order.nothing",
            "since=yesterday",
            "after=",
        ] {
            assert_eq!(code(query), Some(Code::InvalidParameter), "{query}");
        }
        let typo = Params::read(&LIST, "merchant=x").unwrap_err();
        assert_eq!(typo.code, Code::UnknownParameter);
        assert_eq!(typo.hint.as_deref(), Some("did you mean `merchant_id`?"));
    }

    proptest! {
        #[test]
        fn no_query_panics(query in ".{0,80}") {
            let _ = Params::read(&LIST, &query);
        }
    }
}
