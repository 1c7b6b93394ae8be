//! Where a subscription's events may go: a web address, or a broker with credentials.
//!
//! What always holds: an address that is kept, and shown, has no credentials in it; a webhook has a
//! signing secret of ours, a broker the subscriber's credentials, and either is kept sealed.

use super::auth::random_secret;
use super::problem::Problem;
use super::text::web_address;
use crate::egress::nats::{Address, Credentials, is_broker};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

/// How the gateway is known to a broker: one of a user with a password, a token, an nkey's seed, or
/// the text of a credentials file.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BrokerCredentials {
    /// A user, with `password`.
    #[serde(default)]
    user: Option<String>,
    /// The user's password.
    #[serde(default)]
    password: Option<String>,
    /// A token.
    #[serde(default)]
    token: Option<String>,
    /// The seed of a user's nkey: `SU…`.
    #[serde(default)]
    nkey_seed: Option<String>,
    /// The text of a `.creds` file: a JWT and its nkey.
    #[serde(default)]
    credentials_file: Option<String>,
}

impl std::fmt::Debug for BrokerCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BrokerCredentials")
    }
}

/// A target that was checked.
pub struct Target {
    /// As it is kept and shown.
    pub url: String,
    /// What is kept sealed.
    pub sealed: SecretString,
    /// What is shown once: a webhook's signing secret.
    pub shown: Option<String>,
}

/// Checks what a subscription says of its target.
///
/// # Errors
/// `invalid_body` at `url` or `credentials`.
pub fn target(url: &str, credentials: Option<BrokerCredentials>) -> Result<Target, Problem> {
    if is_broker(url) {
        return broker(url, credentials);
    }
    webhook(web_address("url", url)?, credentials)
}

/// The target at a web address that was checked before, with a secret of its own.
///
/// # Errors
/// `invalid_body` at `credentials`.
pub fn webhook(url: String, credentials: Option<BrokerCredentials>) -> Result<Target, Problem> {
    if credentials.is_some() {
        let message = "only a broker (nats://, tls://) takes credentials: webhooks are signed";
        return Err(Problem::body("credentials", message));
    }
    let secret = random_secret("whsec_", false);
    Ok(Target {
        url,
        sealed: SecretString::from(secret.as_str()),
        shown: Some(secret),
    })
}

fn broker(url: &str, given: Option<BrokerCredentials>) -> Result<Target, Problem> {
    if url.len() > 2_000 {
        return Err(Problem::body("url", "more than 2,000 characters"));
    }
    let at = Address::parse(url).map_err(|message| Problem::body("url", message))?;
    let credentials = match given {
        None => Credentials::None,
        Some(given) => Credentials::of(
            given.user,
            given.password,
            given.token,
            given.nkey_seed,
            given.credentials_file,
        )
        .map_err(|message| Problem::body("credentials", message))?,
    };
    let sealed = credentials
        .sealed()
        .map_err(|_| Problem::body("credentials", "they cannot be kept"))?;
    Ok(Target {
        url: at.text(),
        sealed,
        shown: None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use secrecy::ExposeSecret;

    fn credentials(json: &str) -> Option<BrokerCredentials> {
        Some(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn webhooks_get_a_secret_and_brokers_keep_theirs() {
        let hook = target("https://wms.example/in", None).unwrap();
        assert_eq!(hook.shown.as_deref(), Some(hook.sealed.expose_secret()));
        let given = credentials(r#"{"user": "gw", "password": "geheim"}"#);
        assert_eq!(format!("{given:?}"), "Some(BrokerCredentials)");
        let broker = target("NATS://broker.example/wh", given).unwrap();
        assert_eq!(broker.url, "nats://broker.example:4222/wh");
        assert_eq!(broker.shown, None);
        assert!(broker.sealed.expose_secret().contains("geheim"));
        assert!(target("tls://broker.example/wh", None).is_ok());
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let token = || credentials(r#"{"token": "geheim"}"#);
        assert!(target("https://wms.example/in", token()).is_err());
        assert!(target("nats://gw:geheim@broker.example/wh", None).is_err());
        assert!(target("nats://broker.example", token()).is_err());
        let half = credentials(r#"{"user": "gw"}"#);
        assert!(target("nats://broker.example/wh", half).is_err());
    }
}
