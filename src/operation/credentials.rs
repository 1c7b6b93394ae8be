//! A connection's credentials, and the two native ways in which they enter a request: templates
//! (`{api_key}`) in `auth`, and handles for the few calls that must hand a secret over in a body
//! (registering a webhook with the secret that is to sign it).
//!
//! What always holds: expressions never see a secret. `.secrets.<name>` is a handle: an opaque
//! text with a random part that lives for one request, replaced by the value when the bytes are
//! written. A payload cannot guess that part, so no data can call up a secret.

use super::value;
use jaq_json::{Map, Val};
use secrecy::{ExposeSecret, SecretString};
use std::collections::{BTreeMap, BTreeSet};

/// A connection's credentials by name.
pub type Credentials = BTreeMap<String, SecretString>;

/// A template that cannot be filled. Names fields, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The credential is not set.
    #[error("the credential `{0}` is not set")]
    Missing(String),
    /// A brace without its partner.
    #[error("a template has an open brace without a closing one")]
    Unclosed,
}

/// Fills `{name}` placeholders.
pub fn fill(template: &str, credentials: &Credentials) -> Result<SecretString, TemplateError> {
    let mut filled = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some((before, tail)) = rest.split_once('{') {
        let (name, behind) = tail.split_once('}').ok_or(TemplateError::Unclosed)?;
        let secret = credentials
            .get(name)
            .ok_or_else(|| TemplateError::Missing(name.to_owned()))?;
        filled.push_str(before);
        filled.push_str(secret.expose_secret());
        rest = behind;
    }
    filled.push_str(rest);
    Ok(filled.into())
}

/// The handles of one request.
pub struct Handles<'a> {
    credentials: &'a Credentials,
    prefix: String,
}

/// No text of a provider starts like this: a private-use character.
const MARK: char = '\u{F8FE}';

impl<'a> Handles<'a> {
    /// Handles for these credentials, with a fresh random part.
    pub fn new(credentials: &'a Credentials) -> Self {
        Self {
            credentials,
            prefix: format!("{MARK}{}:", uuid::Uuid::new_v4().simple()),
        }
    }

    fn handle(&self, name: &str) -> String {
        format!("{}{name}{MARK}", self.prefix)
    }

    /// `.secrets`: each credential's handle by its name.
    pub fn context(&self) -> Val {
        let entries = self
            .credentials
            .keys()
            .map(|name| (value::text(name), value::text(&self.handle(name))));
        Val::obj(entries.collect::<Map>())
    }

    /// Replaces handles in every text of `value`; `used` collects the names of those replaced.
    pub fn resolve(&self, value: Val, used: &mut BTreeSet<String>) -> Val {
        match &value {
            Val::TStr(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) if text.contains(&self.prefix) => {
                    value::text(&self.resolve_text(text, used))
                }
                _ => value,
            },
            Val::Arr(items) => items
                .iter()
                .map(|item| self.resolve(item.clone(), used))
                .collect(),
            Val::Obj(map) => {
                let members = map
                    .iter()
                    .map(|(name, member)| (name.clone(), self.resolve(member.clone(), used)));
                Val::obj(members.collect::<Map>())
            }
            _ => value,
        }
    }

    fn resolve_text(&self, text: &str, used: &mut BTreeSet<String>) -> String {
        let mut resolved = text.to_owned();
        for (name, secret) in self.credentials {
            let handle = self.handle(name);
            if resolved.contains(&handle) {
                resolved = resolved.replace(&handle, secret.expose_secret());
                used.insert(name.clone());
            }
        }
        resolved
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn credentials() -> Credentials {
        [("key", "k-1"), ("secret", "s&2")]
            .into_iter()
            .map(|(n, v)| (n.to_owned(), v.into()))
            .collect()
    }

    #[test]
    fn templates_name_what_is_missing() {
        let filled =
            |template| fill(template, &credentials()).map(|s| s.expose_secret().to_owned());
        assert_eq!(filled("Key {key}:{secret}!").unwrap(), "Key k-1:s&2!");
        assert_eq!(filled("plain").unwrap(), "plain");
        assert_eq!(
            filled("{token}").unwrap_err(),
            TemplateError::Missing("token".into())
        );
        assert_eq!(filled("{key").unwrap_err(), TemplateError::Unclosed);
    }

    #[test]
    fn handles_show_nothing_and_cannot_be_guessed() {
        let credentials = credentials();
        let handles = Handles::new(&credentials);
        let context = handles.context();
        assert!(!context.to_string().contains("s&2"));
        let handle = value::field(&context, "secret").unwrap().clone();
        let mut used = BTreeSet::new();
        let body = value::object([
            ("secret", handle.clone()),
            ("other", value::text("{secret}")),
        ]);
        let resolved = handles.resolve(body, &mut used);
        assert_eq!(
            value::to_json(&resolved),
            serde_json::json!({"secret": "s&2", "other": "{secret}"})
        );
        assert_eq!(used, BTreeSet::from(["secret".to_owned()]));
        // A handle of another request is only text.
        let other = Handles::new(&credentials).resolve(handle.clone(), &mut used);
        assert_eq!(other, handle);
    }
}
