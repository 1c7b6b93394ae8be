//! What an answer means: the manifest's rules first, then HTTP's own words. Pure.
//!
//! What always holds: the first rule whose conditions all hold decides, and is taken at its word;
//! a lost or failed answer of a step that must not be repeated is `ambiguous`, never `transient`;
//! messages are short, without control characters, e-mail addresses and long numbers, because
//! providers quote our data back at us.

use super::client::{Answer, Failure, SendError, Sent};
use super::decode::{Decoded, Fault};
use super::provider::Provider;
use super::retry_after;
use super::value::{as_str, field, scalar, truthy};
use crate::canonical::Timestamp;
use crate::canonical::problem::Class;
use crate::manifest::model::ErrorRule;
use jaq_json::Val;
use reqwest::header::WWW_AUTHENTICATE;
use std::time::Duration;

/// Longest message in characters.
const MESSAGE: usize = 300;
/// Longest code and field name in characters.
const WORD: usize = 100;
/// Most field names kept.
const FIELDS: usize = 50;

/// What a call came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// None is success.
    pub class: Option<Class>,
    /// A stable code: the provider's own where a rule reads it, else ours. Empty on success.
    pub code: String,
    /// For people; no personal data. Empty on success.
    pub message: String,
    /// The fields that were refused.
    pub fields: Vec<String>,
    /// How long the provider wants us to wait.
    pub retry_after: Option<Duration>,
    /// The HTTP status, when there was an answer.
    pub status: Option<u16>,
}

impl Outcome {
    /// Success.
    pub fn ok(status: Option<u16>) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// A failure of ours, before or after the call.
    pub fn failed(class: Class, code: &str, message: &str) -> Self {
        Self {
            class: Some(class),
            code: code.to_owned(),
            message: clean(message, MESSAGE),
            ..Self::default()
        }
    }

    /// True when nothing went wrong.
    pub const fn is_ok(&self) -> bool {
        self.class.is_none()
    }
}

/// What judging needs to know of the call.
#[derive(Clone, Copy)]
pub struct Judge<'a> {
    /// Rules and their expressions.
    pub provider: &'a dyn Provider,
    /// The operation's name; rules may be bound to some.
    pub operation: &'a str,
    /// The step may be sent again when its answer is lost.
    pub repeatable: bool,
    /// The credentials can be renewed by themselves.
    pub refreshable: bool,
    /// The moment of the answer.
    pub now: Timestamp,
}

impl Judge<'_> {
    /// Judges an answer. `context` is the context after the answer (`.status`, `.headers`, `.body`).
    pub fn answer(&self, answer: &Answer, decoded: &Decoded, context: &Val) -> Outcome {
        let rule = self
            .provider
            .manifest()
            .errors
            .iter()
            .find(|rule| self.holds(rule, answer, context));
        match rule {
            Some(rule) => self.by_rule(rule, answer, context),
            None => self.by_status(answer, decoded),
        }
    }

    /// Judges a call without a usable answer.
    pub fn lost(&self, error: &SendError) -> Outcome {
        let class = match (error.sent, error.failure) {
            (_, Failure::Blocked | Failure::Request) => Class::Invalid,
            (Sent::NotSent, _) => Class::Transient,
            (Sent::Maybe, _) => self.unknown_outcome(),
            // The status stands although its body cannot be read.
            (Sent::Answered, _) => match error.status {
                Some(status) if status >= 400 => self.class_of(status, false, false),
                _ => self.unusable(),
            },
        };
        Outcome {
            status: error.status,
            ..Outcome::failed(class, error.failure.code(), &error.to_string())
        }
    }

    const fn unknown_outcome(&self) -> Class {
        if self.repeatable {
            Class::Transient
        } else {
            Class::Ambiguous
        }
    }

    /// A success whose answer cannot be read: the call has happened.
    const fn unusable(&self) -> Class {
        if self.repeatable {
            Class::BrokenContract
        } else {
            Class::Ambiguous
        }
    }

    fn holds(&self, rule: &ErrorRule, answer: &Answer, context: &Val) -> bool {
        let named =
            rule.operations.is_empty() || rule.operations.iter().any(|name| name == self.operation);
        let status =
            rule.status.is_empty() || rule.status.iter().any(|status| status.fits(answer.status));
        let header = rule.header.as_ref().is_none_or(|(name, part)| {
            answer
                .headers
                .get_all(name.as_str())
                .iter()
                .any(|value| contains(value.as_bytes(), part.as_bytes()))
        });
        let text = || {
            rule.text
                .as_ref()
                .is_none_or(|part| contains(&answer.body, part.as_bytes()))
        };
        // An expression that fails (an array where an object was expected) does not hold.
        let jq = || {
            rule.jq
                .as_ref()
                .is_none_or(|jq| self.eval(jq, context).is_some_and(|value| truthy(&value)))
        };
        named && status && header && text() && jq()
    }

    fn eval(&self, expression: &str, context: &Val) -> Option<Val> {
        self.provider.eval(expression, context).ok()
    }

    fn by_rule(&self, rule: &ErrorRule, answer: &Answer, context: &Val) -> Outcome {
        let Some(class) = rule.class.class() else {
            return Outcome::ok(Some(answer.status));
        };
        let read = |expression: &Option<String>, limit| {
            let value = self.eval(expression.as_ref()?, context)?;
            scalar(&value)
                .map(|text| clean(&text, limit))
                .filter(|text| !text.is_empty())
        };
        let stated = rule
            .retry_after
            .as_ref()
            .and_then(|jq| self.eval(jq, context));
        let stated = stated.and_then(|value| retry_after::seconds(&scalar(&value)?));
        Outcome {
            class: Some(class),
            code: read(&rule.code, WORD).unwrap_or_else(|| format!("http_{}", answer.status)),
            message: read(&rule.message, MESSAGE).unwrap_or_else(|| default_message(answer.status)),
            fields: rule
                .fields
                .as_ref()
                .and_then(|jq| self.eval(jq, context))
                .map(|value| names(&value))
                .unwrap_or_default(),
            retry_after: stated.or_else(|| retry_after::from_headers(&answer.headers, self.now)),
            status: Some(answer.status),
        }
    }

    fn by_status(&self, answer: &Answer, decoded: &Decoded) -> Outcome {
        let status = answer.status;
        if (200..300).contains(&status) {
            let fault = match &decoded.fault {
                None => return Outcome::ok(Some(status)),
                Some(Fault::Html) => (
                    "html_instead_of_data",
                    "the answer is a web page where data was due".to_owned(),
                ),
                Some(Fault::Malformed(why)) => (
                    "answer_malformed",
                    format!("the answer cannot be read: {why}"),
                ),
            };
            return Outcome {
                status: Some(status),
                ..Outcome::failed(self.unusable(), fault.0, &fault.1)
            };
        }
        let html = decoded.fault == Some(Fault::Html);
        let class = self.class_of(status, html, answer.headers.contains_key(WWW_AUTHENTICATE));
        Outcome {
            retry_after: retry_after::from_headers(&answer.headers, self.now),
            status: Some(status),
            ..Outcome::failed(class, &format!("http_{status}"), &default_message(status))
        }
    }

    /// HTTP's own words. A 401 or 403 that comes as a web page is a firewall's, not the API's, and
    /// passes; unless it asks for a login (`WWW-Authenticate`).
    const fn class_of(&self, status: u16, html: bool, asks_for_login: bool) -> Class {
        match status {
            401 if html && !asks_for_login => Class::Transient,
            401 if self.refreshable => Class::AuthExpired,
            401 => Class::AuthBroken,
            403 if html => Class::Transient,
            403 => Class::AuthBroken,
            404 | 410 => Class::Gone,
            408 | 425 | 429 => Class::Throttled,
            409 => Class::Conflict,
            400..500 => Class::Invalid,
            500.. => self.unknown_outcome(),
            // A redirect is not followed: the base URL is not the provider's.
            _ => Class::BrokenContract,
        }
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    part.is_empty() || bytes.windows(part.len()).any(|window| window == part)
}

fn default_message(status: u16) -> String {
    let reason = match status {
        300..400 => "the provider redirects to another address: correct the base URL",
        401 => "the credentials were refused",
        403 => "the credentials do not permit this",
        404 | 410 => "the provider does not know it (any more)",
        408 | 425 | 429 => "too many calls",
        409 => "it was changed meanwhile",
        400..500 => "the request was refused",
        500.. => "the provider failed",
        _ => "the provider answered in an unexpected way",
    };
    format!("HTTP {status}: {reason}")
}

/// The refused fields: texts, or objects that name theirs.
fn names(value: &Val) -> Vec<String> {
    let items: &[Val] = match value {
        Val::Arr(items) => items,
        one => std::slice::from_ref(one),
    };
    let name = |item: &Val| {
        as_str(item)
            .or_else(|| as_str(field(item, "field")?))
            .map(|text| clean(text, WORD))
    };
    items
        .iter()
        .filter_map(name)
        .filter(|text| !text.is_empty())
        .take(FIELDS)
        .collect()
}

/// A text that may be stored and shown: one line, capped, without e-mail addresses and long
/// numbers (phones, cards).
pub(crate) fn clean(text: &str, limit: usize) -> String {
    let words = text
        .split_whitespace()
        .map(|word| if word.contains('@') { "***" } else { word });
    let line: String = words
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    let mut shown = String::with_capacity(line.len());
    let mut run = String::new();
    for c in line.chars() {
        if c.is_ascii_digit() || (!run.is_empty() && matches!(c, ' ' | '-' | '(' | ')' | '/')) {
            run.push(c);
        } else {
            flush(&mut run, &mut shown);
            shown.push(c);
        }
    }
    flush(&mut run, &mut shown);
    match shown.char_indices().nth(limit) {
        Some((end, _)) => shown.get(..end).unwrap_or("").to_owned(),
        None => shown,
    }
}

/// Writes a run of digits and separators, masked when it has as many digits as a phone number.
fn flush(run: &mut String, shown: &mut String) {
    let digits = run.bytes().filter(u8::is_ascii_digit).count();
    if digits >= 9 {
        let tail: &str = run.trim_end_matches(|c: char| !c.is_ascii_digit());
        shown.push_str("***");
        shown.push_str(run.strip_prefix(tail).unwrap_or(""));
    } else {
        shown.push_str(run);
    }
    run.clear();
}

#[cfg(test)]
mod tests;
