//! Merchants: the 3PL's clients.

use super::body::Body;
use super::change::audit;
use super::gate::Call;
use super::idempotency::once;
use super::problem::{Code, Problem};
use super::reply::{self, Answer, Reply};
use super::rules;
use super::text::{name, object_size};
use crate::canonical::MerchantId;
use crate::canonical::connection::{ConnectionState, Merchant};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// A merchant to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMerchant {
    /// What people call it: 1 to 200 characters.
    name: String,
    /// IANA name of its time zone; `UTC` when left out.
    #[serde(default)]
    timezone: Option<String>,
    /// Settings of its own.
    #[serde(default)]
    #[schema(value_type = Object)]
    settings: Map<String, Value>,
}

/// `POST /v1/merchants`.
pub async fn create(call: Call, body: Body<NewMerchant>) -> Answer {
    call.principal.of_all()?;
    once(
        call,
        body.hash,
        Some("/v1/merchants"),
        |call, ticket| async move {
            let merchant = merchant(body.value, &call)?;
            let subject = merchant.id.to_string();
            let audit = audit(&call, "merchant.create", &subject, json!({}));
            let reply = Reply::created("/v1/merchants", &merchant)?;
            let answer = ticket.answer(&reply);
            let store = &call.state.store;
            store.insert_merchant(&merchant, audit, answer).await?;
            Ok(reply)
        },
    )
    .await
}

fn zone(timezone: String) -> Result<String, Problem> {
    match jiff::tz::TimeZone::get(&timezone) {
        Ok(_) => Ok(timezone),
        Err(_) => Err(Problem::body(
            "timezone",
            "an IANA time zone is wanted, such as Europe/Sofia",
        )),
    }
}

fn fitting(settings: &Map<String, Value>) -> Result<(), Problem> {
    object_size("settings", settings)?;
    let unfit = rules::check_merchant("settings", settings);
    match unfit.is_empty() {
        true => Ok(()),
        false => Err(Problem::fields(unfit)),
    }
}

fn merchant(new: NewMerchant, call: &Call) -> Result<Merchant, Problem> {
    let timezone = zone(new.timezone.unwrap_or_else(|| "UTC".into()))?;
    fitting(&new.settings)?;
    Ok(Merchant {
        id: MerchantId::new(),
        name: name("name", &new.name)?,
        timezone,
        settings: new.settings,
        created_at: call.now(),
        erased_at: None,
    })
}

/// `GET /v1/merchants`.
pub async fn list(call: Call) -> Answer {
    let (scope, page) = (call.principal.scope(), call.params.page()?);
    let found = call.state.store.merchants(scope, page).await;
    reply::list(&call.page_of(found)?)
}

/// `GET /v1/merchants/{id}`.
pub async fn get(call: Call) -> Answer {
    let id: MerchantId = call.id("id", "merchant")?;
    let found = call
        .state
        .store
        .merchant(call.principal.scope(), id)
        .await?;
    reply::ok(&found.ok_or_else(|| Problem::not_found("merchant"))?)
}

/// Whether something may be begun for a merchant: it is there for the caller, and was not erased.
pub(super) async fn is_served(call: &Call, id: MerchantId) -> Result<bool, Problem> {
    let scope = call.principal.scope();
    let found = call.state.store.merchant(scope, id).await?;
    Ok(found.is_some_and(|merchant| merchant.erased_at.is_none()))
}

/// As [`is_served`], for a merchant that a body names.
pub(super) async fn served(call: &Call, id: MerchantId) -> Result<(), Problem> {
    match is_served(call, id).await? {
        true => Ok(()),
        false => Err(Problem::body(
            "merchant_id",
            "there is no such merchant, or it was erased",
        )),
    }
}

/// What may be changed of a merchant. Keys left out stay as they are.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MerchantPatch {
    /// What people call it.
    #[serde(default)]
    name: Option<String>,
    /// IANA name of its time zone.
    #[serde(default)]
    timezone: Option<String>,
    /// Merged by name; null removes a setting.
    #[serde(default)]
    #[schema(value_type = Object)]
    settings: Map<String, Value>,
}

/// `PATCH /v1/merchants/{id}`.
pub async fn change(call: Call, body: Body<MerchantPatch>) -> Answer {
    let id: MerchantId = call.id("id", "merchant")?;
    let store = &call.state.store;
    let found = store.merchant(call.principal.scope(), id).await?;
    let mut merchant = found.ok_or_else(|| Problem::not_found("merchant"))?;
    let patch = body.value;
    if let Some(text) = &patch.name {
        merchant.name = name("name", text)?;
    }
    if let Some(text) = patch.timezone {
        merchant.timezone = zone(text)?;
    }
    let keys: Vec<String> = patch.settings.keys().cloned().collect();
    for (key, value) in patch.settings {
        match value {
            Value::Null => drop(merchant.settings.remove(&key)),
            value => drop(merchant.settings.insert(key, value)),
        }
    }
    fitting(&merchant.settings)?;
    let log = json!({"settings": keys});
    let audit = audit(&call, "merchant.change", &id.to_string(), log);
    store.update_merchant(&merchant, audit).await?;
    reply::ok(&merchant)
}

/// That a merchant is to be erased.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EraseMerchant {
    /// Its name as it is now, so that no other one is erased by mistake.
    name: String,
}

/// `POST /v1/merchants/{id}/erase`.
pub async fn erase(call: Call, body: Body<EraseMerchant>) -> Answer {
    call.principal.of_all()?;
    let id: MerchantId = call.id("id", "merchant")?;
    let store = &call.state.store;
    let scope = call.principal.scope();
    let found = store.merchant(scope, id).await?;
    let merchant = found.ok_or_else(|| Problem::not_found("merchant"))?;
    if merchant.name != body.value.name {
        return Err(Problem::body("name", "it is not this merchant's name"));
    }
    // What still comes in could be neither sealed nor read.
    let open = store.connections(scope).await?.into_iter();
    let open = open.filter(|c| c.merchant_id == id && c.state != ConnectionState::Deleted);
    let open: Vec<String> = open.map(|c| c.id.to_string()).collect();
    if !open.is_empty() {
        let detail = format!("{} of its connections are not deleted", open.len());
        let problem = Problem::new(Code::InvalidState, detail);
        return Err(problem
            .hint("Delete them first: DELETE /v1/connections/{id}.")
            .current(json!({"connections": open})));
    }
    let audit = audit(&call, "merchant.erase", &id.to_string(), json!({}));
    store.erase_merchant(id, audit).await?;
    let erased = store.merchant(scope, id).await?;
    reply::ok(&erased.unwrap_or(merchant))
}
