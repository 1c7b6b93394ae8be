//! How one is known to a broker.
//!
//! What always holds: credentials are kept sealed in the place of a webhook's signing secret, are
//! never shown again, and have one form: nobody, a user with a password, a token, an nkey, or the
//! text of a credentials file (a JWT with its nkey).

use async_nats::ConnectOptions;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// Characters of any one of them.
const MAX: usize = 16_000;
/// Characters of an nkey's seed.
const SEED: usize = 58;

/// Who connects.
#[derive(Clone, Default)]
pub enum Credentials {
    /// Nobody in particular.
    #[default]
    None,
    /// A user and a password.
    User(String, SecretString),
    /// A token.
    Token(SecretString),
    /// The seed of an nkey (`SU…`).
    Nkey(SecretString),
    /// The text of a credentials file.
    File(SecretString),
}

/// The sealed form.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sealed {
    None,
    User(String, String),
    Token(String),
    Nkey(String),
    File(String),
}

impl Credentials {
    /// What is given of a user, a password, a token, an nkey's seed and a credentials file's text.
    ///
    /// # Errors
    /// What does not fit, for people; nothing of what was given is in it.
    pub fn of(
        user: Option<String>,
        password: Option<String>,
        token: Option<String>,
        nkey: Option<String>,
        file: Option<String>,
    ) -> Result<Self, &'static str> {
        let all = [&user, &password, &token, &nkey, &file];
        let fits = |text: &&String| !text.is_empty() && text.len() <= MAX;
        if !all.into_iter().flatten().all(|text| fits(&text)) {
            return Err("each is 1 to 16,000 characters");
        }
        let found = match (user, password, token, nkey, file) {
            (None, None, None, None, None) => Self::None,
            (Some(user), Some(word), None, None, None) => Self::User(user, word.into()),
            (None, None, Some(token), None, None) => Self::Token(token.into()),
            (None, None, None, Some(seed), None) => Self::Nkey(seed.into()),
            (None, None, None, None, Some(file)) => Self::File(file.into()),
            _ => {
                return Err(
                    "one of user with password, token, nkey_seed or credentials_file is wanted",
                );
            }
        };
        found.options()?;
        Ok(found)
    }

    /// As they are kept.
    ///
    /// # Errors
    /// Never in practice: texts are always JSON.
    pub fn sealed(&self) -> Result<SecretString, serde_json::Error> {
        let text = |secret: &SecretString| secret.expose_secret().to_owned();
        let form = match self {
            Self::None => Sealed::None,
            Self::User(user, word) => Sealed::User(user.clone(), text(word)),
            Self::Token(token) => Sealed::Token(text(token)),
            Self::Nkey(seed) => Sealed::Nkey(text(seed)),
            Self::File(file) => Sealed::File(text(file)),
        };
        Ok(serde_json::to_string(&form)?.into())
    }

    /// As [`Credentials::sealed`] wrote them.
    pub(super) fn unsealed(secret: &SecretString) -> Result<Self, String> {
        let form = serde_json::from_str(secret.expose_secret())
            .map_err(|_| "the sealed credentials cannot be read".to_owned())?;
        Ok(match form {
            Sealed::None => Self::None,
            Sealed::User(user, word) => Self::User(user, word.into()),
            Sealed::Token(token) => Self::Token(token.into()),
            Sealed::Nkey(seed) => Self::Nkey(seed.into()),
            Sealed::File(file) => Self::File(file.into()),
        })
    }

    /// Options of a connection with these.
    pub(super) fn options(&self) -> Result<ConnectOptions, &'static str> {
        let text = |secret: &SecretString| secret.expose_secret().to_owned();
        Ok(match self {
            Self::None => ConnectOptions::new(),
            Self::User(user, word) => {
                ConnectOptions::with_user_and_password(user.clone(), text(word))
            }
            Self::Token(token) => ConnectOptions::with_token(text(token)),
            Self::Nkey(seed) => {
                let seed = text(seed);
                let sign = |c: char| matches!(c, 'A'..='Z' | '2'..='7');
                if seed.len() != SEED || !seed.starts_with("SU") || !seed.chars().all(sign) {
                    return Err("nkey_seed is no seed of a user's nkey (SU…)");
                }
                ConnectOptions::with_nkey(seed)
            }
            Self::File(file) => ConnectOptions::with_credentials(file.expose_secret())
                .map_err(|_| "credentials_file is not the text of a NATS credentials file")?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn one_form_is_taken_and_comes_back_from_its_seal() {
        let given = Credentials::of(some("wms"), some("geheim"), None, None, None).unwrap();
        let sealed = given.sealed().unwrap();
        assert_eq!(sealed.expose_secret(), r#"{"user":["wms","geheim"]}"#);
        let Credentials::User(user, word) = Credentials::unsealed(&sealed).unwrap() else {
            unreachable!("another form")
        };
        assert_eq!((user.as_str(), word.expose_secret()), ("wms", "geheim"));
        let nobody = Credentials::of(None, None, None, None, None).unwrap();
        assert_eq!(nobody.sealed().unwrap().expose_secret(), r#""none""#);
    }

    #[test]
    fn halves_mixtures_and_wrong_shapes_are_refused_without_being_told() {
        for (user, word, token, nkey, file) in [
            (some("wms"), None, None, None, None),
            (some("wms"), some("geheim"), some("geheim"), None, None),
            (None, None, some(""), None, None),
            (None, None, None, some("SUgeheim"), None),
            (None, None, None, None, some("geheim")),
        ] {
            let refused = Credentials::of(user, word, token, nkey, file)
                .err()
                .unwrap();
            assert!(!refused.contains("geheim"), "{refused}");
        }
    }
}
