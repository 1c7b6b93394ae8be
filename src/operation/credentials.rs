//! A connection's credentials, and the two native ways in which they enter a request: templates
//! (`{api_key}`) in `auth`, and placeholders in the bodies of the few steps that name the secrets
//! they hand over (registering a webhook with the secret that is to sign it).
//!
//! What always holds: expressions never see a secret; a body gets only those secrets that its step
//! names in the manifest; errors name fields, never values.

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

/// Puts secrets into a body: `{name}` in any text of `value`, for these names only. `used`
/// collects the names of those that were put in.
pub fn place(
    value: Val,
    names: &[String],
    credentials: &Credentials,
    used: &mut BTreeSet<String>,
) -> Result<Val, TemplateError> {
    match &value {
        Val::TStr(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => match place_text(text, names, credentials, used)? {
                Some(placed) => Ok(value::text(&placed)),
                None => Ok(value),
            },
            Err(_) => Ok(value),
        },
        Val::Arr(items) => items
            .iter()
            .map(|item| place(item.clone(), names, credentials, used))
            .collect(),
        Val::Obj(map) => {
            let mut placed = Map::default();
            for (name, member) in map.iter() {
                placed.insert(
                    name.clone(),
                    place(member.clone(), names, credentials, used)?,
                );
            }
            Ok(Val::obj(placed))
        }
        _ => Ok(value),
    }
}

/// None when the text has no placeholder. What was put in is not searched again.
fn place_text(
    text: &str,
    names: &[String],
    credentials: &Credentials,
    used: &mut BTreeSet<String>,
) -> Result<Option<String>, TemplateError> {
    let mut placed = String::new();
    let mut rest = text;
    let mut found = false;
    while let Some((before, tail)) = rest.split_once('{') {
        placed.push_str(before);
        match tail
            .split_once('}')
            .filter(|(name, _)| names.iter().any(|known| known == name))
        {
            Some((name, behind)) => {
                let secret = credentials
                    .get(name)
                    .ok_or_else(|| TemplateError::Missing(name.to_owned()))?;
                placed.push_str(secret.expose_secret());
                used.insert(name.to_owned());
                (rest, found) = (behind, true);
            }
            None => {
                placed.push('{');
                rest = tail;
            }
        }
    }
    placed.push_str(rest);
    Ok(found.then_some(placed))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

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
    fn a_body_gets_only_the_secrets_that_the_step_names() {
        let mut used = BTreeSet::new();
        let body = json!({"secret": "{secret}", "list": ["a {secret} {key} {", 1], "key": "{key}", "{secret}": null});
        let placed = place(
            value::from_json(&body),
            &["secret".into()],
            &credentials(),
            &mut used,
        )
        .unwrap();
        let expected = json!({"secret": "s&2", "list": ["a s&2 {key} {", 1], "key": "{key}", "{secret}": null});
        assert_eq!(value::to_json(&placed), expected);
        assert_eq!(used, BTreeSet::from(["secret".to_owned()]));
        let missing = place(
            value::text("{token}"),
            &["token".into()],
            &credentials(),
            &mut used,
        );
        assert_eq!(missing.unwrap_err(), TemplateError::Missing("token".into()));
    }
}
