//! Tokens and the audit log: who may do what, and who did.
//!
//! What always holds: a token is shown once, when it is made; only its hash is stored.

use super::auth::{random_secret, token_hash};
use super::body::Body;
use super::change::audit as entry;
use super::gate::Call;
use super::idempotency::once;
use super::merchants::served;
use super::problem::Problem;
use super::reply::{self, Answer, Reply};
use super::text::name;
use crate::canonical::{MerchantId, Timestamp, TokenId};
use crate::store::query::{TokenRow, TokenScope};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// Whose it is or what for: it stands in the audit log.
    name: String,
    /// `admin`, `operator`, `merchant` or `warehouse`.
    #[schema(value_type = String)]
    scope: TokenScope,
    /// The only merchant it sees: must be given for `merchant`, may be for `operator` and
    /// `warehouse`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    merchant_id: Option<MerchantId>,
}

#[derive(Debug, Serialize)]
struct TokenView {
    id: TokenId,
    name: String,
    scope: TokenScope,
    merchant_id: Option<MerchantId>,
    created_at: Timestamp,
    revoked_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl TokenView {
    fn of(row: TokenRow, token: Option<String>) -> Self {
        Self {
            id: row.id,
            name: row.name,
            scope: row.scope,
            merchant_id: row.merchant_id,
            created_at: row.created_at,
            revoked_at: row.revoked_at,
            token,
        }
    }
}

/// `POST /v1/tokens`.
pub async fn create(call: Call, body: Body<NewToken>) -> Answer {
    once(call, body.hash, None, |call, ticket| async move {
        let token = random_secret("cdk_", true);
        let row = row(&call, body.value, &token).await?;
        let detail = json!({"scope": row.scope, "merchant_id": row.merchant_id});
        let audit = entry(&call, "token.create", &row.id.to_string(), detail);
        let reply = Reply::json(201, &TokenView::of(row.clone(), Some(token)))?;
        let answer = ticket.answer(&reply);
        call.state.store.insert_token(&row, audit, answer).await?;
        Ok(reply)
    })
    .await
}

async fn row(call: &Call, new: NewToken, token: &str) -> Result<TokenRow, Problem> {
    match (new.scope, new.merchant_id) {
        (TokenScope::Merchant, None) => {
            return Err(Problem::body(
                "merchant_id",
                "must be given for scope merchant",
            ));
        }
        (TokenScope::Admin, Some(_)) => {
            return Err(Problem::body(
                "merchant_id",
                "an administrator sees all merchants",
            ));
        }
        (_, Some(id)) => served(call, id).await?,
        _ => {}
    }
    Ok(TokenRow {
        id: TokenId::new(),
        name: name("name", &new.name)?,
        hash: token_hash(token),
        scope: new.scope,
        merchant_id: new.merchant_id,
        created_at: call.now(),
        revoked_at: None,
    })
}

/// `GET /v1/tokens`.
pub async fn list(call: Call) -> Answer {
    let rows = call.state.store.tokens().await?.into_iter();
    reply::whole_list(rows.map(|row| TokenView::of(row, None)).collect())
}

/// `DELETE /v1/tokens/{id}`.
pub async fn revoke(call: Call) -> Answer {
    let id: TokenId = call.id("id", "token")?;
    let audit = entry(&call, "token.revoke", &id.to_string(), json!({}));
    call.state.store.revoke_token(id, audit).await?;
    call.state.authenticator.forget();
    Ok(reply::no_content())
}

/// `GET /v1/audit`.
pub async fn audit(call: Call) -> Answer {
    // An entry tells its subject and not whose that is.
    call.principal.of_all()?;
    let (subject, page) = (call.params.text("subject"), call.params.page()?);
    let found = call.state.store.audit(subject, page).await;
    reply::list(&call.page_of(found)?)
}
