//! Who calls: bearer tokens, their scopes, and what of the store they see.
//!
//! What always holds: tokens are known by their SHA-256 only; the administrator's token is
//! compared in constant time; [`Principal::scope`] is the only maker of [`Scope`]s for requests;
//! a token that cannot be placed sees nothing.

use super::problem::{Code, Problem};
use crate::canonical::{MerchantId, Timestamp};
use crate::store::query::{TokenRow, TokenScope};
use crate::store::{Scope, Store, StoreError};
use base64::Engine;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Mutex;
use subtle::ConstantTimeEq;

/// A looked-up token is trusted so long without a new look; a revocation on another node takes
/// effect within this time, on this node at once.
pub const CACHE_SECONDS: i64 = 30;
/// So many tokens are remembered at most.
const CACHE_ENTRIES: usize = 4_096;
/// Longer texts are no tokens of ours.
const MAX_TOKEN: usize = 512;

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The token's name, for the audit log and `placed_by`.
    pub name: String,
    /// The token's own key, part of every `Idempotency-Key`'s scope.
    pub key: String,
    /// What the token may do.
    pub token_scope: TokenScope,
    sees: Scope,
}

impl Principal {
    /// The administrator, by the token of the settings.
    pub fn admin() -> Self {
        Self {
            name: "admin".into(),
            key: "admin".into(),
            token_scope: TokenScope::Admin,
            sees: Scope::All,
        }
    }
    /// Who calls a public route: nobody, who sees nothing.
    pub fn nobody() -> Self {
        Self {
            name: "nobody".into(),
            key: "nobody".into(),
            token_scope: TokenScope::Merchant,
            sees: Scope::Merchant(MerchantId::from_uuid(uuid::Uuid::max())),
        }
    }
    /// The bearer of a stored token; `None` when the row makes no sense (a merchant's token
    /// without merchant must not see everything).
    pub fn of(row: &TokenRow) -> Option<Self> {
        let sees = match (row.scope, row.merchant_id) {
            (TokenScope::Merchant, Some(merchant)) => Scope::Merchant(merchant),
            (TokenScope::Merchant, None) => return None,
            // A warehouse's or operator's token that is bound to a merchant stays bound to it.
            (TokenScope::Warehouse | TokenScope::Operator, Some(merchant)) => {
                Scope::Merchant(merchant)
            }
            _ => Scope::All,
        };
        Some(Self {
            name: row.name.clone(),
            key: row.id.to_string(),
            token_scope: row.scope,
            sees,
        })
    }
    /// What it is given may be printed: the people and programs of the depot.
    pub const fn prints(&self) -> bool {
        !matches!(self.token_scope, TokenScope::Merchant)
    }
    /// Which rows it may see.
    pub fn scope(&self) -> Scope {
        self.sees
    }
    /// The only merchant it may act for, if it is bound to one.
    pub fn merchant(&self) -> Option<MerchantId> {
        match self.sees {
            Scope::All => None,
            Scope::Merchant(merchant) => Some(merchant),
        }
    }
    /// For what concerns all merchants: a token that is bound to one may not do it, whatever its
    /// scope.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn of_all(&self) -> Result<(), Problem> {
        match self.sees {
            Scope::All => Ok(()),
            Scope::Merchant(_) => Err(Problem::new(
                Code::Forbidden,
                "this concerns all merchants, and the token is bound to one",
            )),
        }
    }
    /// The merchant to act for: the one named, else the token's own.
    ///
    /// # Errors
    /// `forbidden` for another's merchant, `invalid_body` when it must be named and is not.
    pub fn act_for(&self, named: Option<MerchantId>) -> Result<MerchantId, Problem> {
        match (named, self.merchant()) {
            (Some(named), _) if self.sees.sees(named) => Ok(named),
            (Some(_), _) => Err(Problem::new(
                Code::Forbidden,
                "the token belongs to another merchant",
            )),
            (None, Some(own)) => Ok(own),
            (None, None) => Err(Problem::body("merchant_id", "must be given")),
        }
    }
}

/// The hash by which a token is known.
pub fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// A fresh random text of 256 bits after a prefix.
pub fn random_secret(prefix: &str, url_safe: bool) -> String {
    let bytes: [u8; 32] = rand::random();
    let text = if url_safe {
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
    } else {
        base64::engine::general_purpose::STANDARD.encode(bytes)
    };
    format!("{prefix}{text}")
}

/// Looks tokens up, and remembers them for a short time.
#[derive(Debug)]
pub struct Authenticator {
    admin: Option<[u8; 32]>,
    seen: Mutex<HashMap<[u8; 32], (Timestamp, Principal)>>,
}

impl Authenticator {
    /// With the administrator's token of the settings, if there is one.
    pub fn new(admin: Option<&SecretString>) -> Self {
        Self {
            admin: admin.map(|token| token_hash(token.expose_secret())),
            seen: Mutex::new(HashMap::new()),
        }
    }
    /// Who sent this `Authorization` header?
    ///
    /// # Errors
    /// `unauthorized`, or `store_unavailable` when the token cannot be looked up.
    pub async fn authenticate(
        &self,
        store: &dyn Store,
        header: Option<&str>,
        now: Timestamp,
    ) -> Result<Principal, Problem> {
        let token = bearer(header)?;
        let hash = token_hash(token);
        // Hashes are compared, so neither length nor prefix of the real token leaks through time.
        if self.admin.is_some_and(|admin| admin.ct_eq(&hash).into()) {
            return Ok(Principal::admin());
        }
        if let Some(principal) = self.remembered(&hash, now) {
            return Ok(principal);
        }
        let principal = look_up(store, &hash).await?.ok_or_else(unknown)?;
        self.remember(hash, now, principal.clone());
        Ok(principal)
    }
    /// Forgets everything remembered: a token was revoked.
    pub fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], (Timestamp, Principal)>> {
        self.seen
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
    fn remembered(&self, hash: &[u8; 32], now: Timestamp) -> Option<Principal> {
        let seen = self.lock();
        let (at, principal) = seen.get(hash)?;
        fresh(*at, now).then(|| principal.clone())
    }
    fn remember(&self, hash: [u8; 32], now: Timestamp, principal: Principal) {
        let mut seen = self.lock();
        if seen.len() >= CACHE_ENTRIES {
            seen.retain(|_, (at, _)| fresh(*at, now));
        }
        if seen.len() < CACHE_ENTRIES {
            seen.insert(hash, (now, principal));
        }
    }
}

fn fresh(at: Timestamp, now: Timestamp) -> bool {
    (0..CACHE_SECONDS).contains(&(now.as_second() - at.as_second()))
}

async fn look_up(store: &dyn Store, hash: &[u8; 32]) -> Result<Option<Principal>, StoreError> {
    let row = store.token_by_hash(hash).await?;
    Ok(row
        .filter(|row| row.revoked_at.is_none())
        .as_ref()
        .and_then(Principal::of))
}

fn bearer(header: Option<&str>) -> Result<&str, Problem> {
    let Some(header) = header else {
        return Err(Problem::new(Code::Unauthorized, "the request has no token")
            .hint("send the header `Authorization: Bearer <token>`"));
    };
    match header.split_once(' ') {
        Some((scheme, token))
            if scheme.eq_ignore_ascii_case("bearer")
                && !token.trim().is_empty()
                && token.len() <= MAX_TOKEN =>
        {
            Ok(token.trim())
        }
        _ => Err(Problem::new(
            Code::Unauthorized,
            "the Authorization header is not a bearer token",
        )
        .hint("send the header `Authorization: Bearer <token>`")),
    }
}

fn unknown() -> Problem {
    Problem::new(Code::Unauthorized, "the token is unknown or revoked")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::canonical::TokenId;

    fn row(scope: TokenScope, merchant_id: Option<MerchantId>) -> TokenRow {
        TokenRow {
            id: TokenId::new(),
            name: "t".into(),
            hash: [0; 32],
            scope,
            merchant_id,
            created_at: Timestamp::UNIX_EPOCH,
            revoked_at: None,
        }
    }

    #[test]
    fn a_merchants_token_sees_its_own_only() {
        let own = MerchantId::new();
        let principal = Principal::of(&row(TokenScope::Merchant, Some(own))).unwrap();
        assert_eq!(principal.scope(), Scope::Merchant(own));
        assert_eq!(principal.act_for(None).unwrap(), own);
        let other = principal.act_for(Some(MerchantId::new())).unwrap_err();
        assert_eq!(other.code, Code::Forbidden);
        assert_eq!(Principal::of(&row(TokenScope::Merchant, None)), None);
        let staff = Principal::of(&row(TokenScope::Operator, None)).unwrap();
        assert_eq!(staff.scope(), Scope::All);
        assert_eq!(staff.act_for(None).unwrap_err().code, Code::InvalidBody);
    }

    #[test]
    fn only_bearer_tokens_are_taken() {
        assert_eq!(bearer(Some("bearer abc")).unwrap(), "abc");
        for bad in [
            None,
            Some(""),
            Some("abc"),
            Some("Basic abc"),
            Some("Bearer  "),
        ] {
            assert_eq!(bearer(bad).unwrap_err().code, Code::Unauthorized, "{bad:?}");
        }
    }

    #[test]
    fn a_remembered_token_ages_and_can_be_forgotten() {
        let keeper = Authenticator::new(None);
        let now = Timestamp::from_second(1_000).unwrap();
        keeper.remember([1; 32], now, Principal::admin());
        let later = |s: i64| Timestamp::from_second(1_000 + s).unwrap();
        assert!(keeper.remembered(&[1; 32], later(29)).is_some());
        assert!(keeper.remembered(&[1; 32], later(30)).is_none());
        keeper.forget();
        assert!(keeper.remembered(&[1; 32], now).is_none());
    }

    #[test]
    fn secrets_are_long_and_differ() {
        let (a, b) = (
            random_secret("whsec_", false),
            random_secret("whsec_", false),
        );
        assert_ne!(a, b);
        assert_eq!(a.len(), "whsec_".len() + 44);
    }
}
