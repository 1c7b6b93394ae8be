//! Subscriptions: who gets events delivered, signed by the Standard Webhooks specification or to a
//! broker's stream.
//!
//! What always holds: the signing secret is shown once, a broker's credentials never; a merchant's
//! token subscribes to its own events only.

use super::body::Body;
use super::change::audit;
use super::gate::Call;
use super::idempotency::once;
use super::merchants::served;
use super::problem::Problem;
use super::reply::{self, Answer, Reply};
use super::targets::{BrokerCredentials, Target, target, webhook};
use crate::canonical::event::EventType;
use crate::canonical::{MerchantId, SubscriptionId};
use crate::clock::after;
use crate::egress::nats::is_broker;
use crate::egress::sign::with_former;
use crate::store::query::{Subscription, SubscriptionState};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;
use utoipa::ToSchema;

/// A subscription to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSubscription {
    /// Where events are sent: a webhook (`http` or `https`), or a stream of NATS JetStream by
    /// `nats://host:port/SUBJECT-PREFIX` (`tls://…` requires TLS).
    url: String,
    /// For a broker that wants to know who connects; kept sealed, never shown.
    #[serde(default)]
    credentials: Option<BrokerCredentials>,
    /// Which types; all when empty or left out.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    event_types: Vec<EventType>,
    /// Only this merchant's events; a merchant's token always means its own.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    merchant_id: Option<MerchantId>,
    /// Where to begin: `end` (the default: what happens from now on), `start`, or a cursor of the
    /// feed.
    #[serde(default)]
    from: Option<String>,
}

/// What may be changed of a subscription.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionPatch {
    /// `active` or `disabled`.
    state: PatchState,
    /// Why it is disabled.
    #[serde(default)]
    reason: Option<String>,
}

/// The states a person may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum PatchState {
    Active,
    Disabled,
}

#[derive(Serialize)]
struct WithSecret<'a> {
    #[serde(flatten)]
    subscription: &'a Subscription,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
}

/// `POST /v1/subscriptions`.
pub async fn create(call: Call, body: Body<NewSubscription>) -> Answer {
    once(
        call,
        body.hash,
        Some("/v1/subscriptions"),
        |call, ticket| async move {
            let mut new = body.value;
            let target = target(&new.url, new.credentials.take())?;
            let subscription = subscription(&call, new, &target).await?;
            let detail = json!({"event_types": subscription.event_types});
            let audit = audit(
                &call,
                "subscription.create",
                &subscription.id.to_string(),
                detail,
            );
            let shown = WithSecret {
                subscription: &subscription,
                secret: target.shown.as_deref(),
            };
            let reply = Reply::created("/v1/subscriptions", &shown)?;
            let answer = ticket.answer(&reply);
            let store = &call.state.store;
            store
                .insert_subscription(&subscription, &target.sealed, audit, answer)
                .await?;
            Ok(reply)
        },
    )
    .await
}

async fn subscription(
    call: &Call,
    new: NewSubscription,
    target: &Target,
) -> Result<Subscription, Problem> {
    let merchant_id = match new.merchant_id {
        None => call.principal.merchant(),
        Some(_) => Some(call.principal.act_for(new.merchant_id)?),
    };
    if let Some(id) = merchant_id {
        served(call, id).await?;
    }
    let mut event_types = new.event_types;
    let mut seen = std::collections::HashSet::new();
    event_types.retain(|kind| seen.insert(*kind));
    Ok(Subscription {
        id: SubscriptionId::new(),
        url: target.url.clone(),
        event_types,
        merchant_id,
        state: SubscriptionState::Active,
        disabled_reason: None,
        cursor: begin(call, new.from.as_deref()).await?,
        created_at: call.now(),
    })
}

async fn begin(call: &Call, from: Option<&str>) -> Result<u64, Problem> {
    match from {
        None | Some("end") => Ok(call.state.store.last_sequence().await?),
        Some("start") => Ok(0),
        Some(cursor) => cursor
            .parse()
            .map_err(|_| Problem::body("from", "`end`, `start` or a cursor of the feed is wanted")),
    }
}

/// `GET /v1/subscriptions`.
pub async fn list(call: Call) -> Answer {
    let mut all = call
        .state
        .store
        .subscriptions(call.principal.scope())
        .await?;
    all.retain(|s| s.state != SubscriptionState::Deleted);
    reply::whole_list(all)
}

/// A subscription that the caller may see.
///
/// # Errors
/// `not_found`.
pub async fn visible(call: &Call, id: SubscriptionId) -> Result<Subscription, Problem> {
    let all = call
        .state
        .store
        .subscriptions(call.principal.scope())
        .await?;
    all.into_iter()
        .find(|s| s.id == id && s.state != SubscriptionState::Deleted)
        .ok_or_else(|| Problem::not_found("subscription"))
}

/// `GET /v1/subscriptions/{id}`.
pub async fn get(call: Call) -> Answer {
    let id = call.id("id", "subscription")?;
    reply::ok(&visible(&call, id).await?)
}

/// `PATCH /v1/subscriptions/{id}`.
pub async fn change(call: Call, body: Body<SubscriptionPatch>) -> Answer {
    let id: SubscriptionId = call.id("id", "subscription")?;
    visible(&call, id).await?;
    let (state, reason) = match body.value.state {
        PatchState::Active => (SubscriptionState::Active, None),
        PatchState::Disabled => {
            let reason = body.value.reason.unwrap_or_else(|| "by hand".into());
            (
                SubscriptionState::Disabled,
                Some(super::text::note("reason", &reason)?),
            )
        }
    };
    set(&call, id, state, reason).await?;
    reply::ok(&visible(&call, id).await?)
}

/// `DELETE /v1/subscriptions/{id}`.
pub async fn delete(call: Call) -> Answer {
    let id: SubscriptionId = call.id("id", "subscription")?;
    visible(&call, id).await?;
    set(&call, id, SubscriptionState::Deleted, None).await?;
    Ok(reply::no_content())
}

/// A new signing secret, or new credentials for a broker.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSecret {
    /// So many hours deliveries bear a signature by the former secret too; 24 when left out, 0 when
    /// it has become known, at most 168. Webhooks only.
    #[serde(default)]
    former_hours: Option<u32>,
    /// What a broker is to know the gateway by from now on; `{}` for nobody in particular. Wanted for
    /// brokers, and for them only.
    #[serde(default)]
    credentials: Option<BrokerCredentials>,
}

/// So long the former secret signs too, when nothing else is said.
const FORMER_HOURS: u32 = 24;
/// … and at most: a week.
const MAX_FORMER_HOURS: u32 = 168;

/// `POST /v1/subscriptions/{id}/secret`.
pub async fn renew(call: Call, body: Body<NewSecret>) -> Answer {
    once(call, body.hash, None, move |call, ticket| async move {
        let id: SubscriptionId = call.id("id", "subscription")?;
        let subscription = visible(&call, id).await?;
        let (target, detail) = renewed(&call, &subscription, body.value).await?;
        let audit = audit(&call, "subscription.secret", &id.to_string(), detail);
        let shown = WithSecret {
            subscription: &subscription,
            secret: target.shown.as_deref(),
        };
        let reply = Reply::json(200, &shown)?;
        let answer = ticket.answer(&reply);
        let store = &call.state.store;
        store
            .set_subscription_secret(id, &target.sealed, audit, answer)
            .await?;
        Ok(reply)
    })
    .await
}

/// The same target with what is sealed anew, and what the audit log says of it.
async fn renewed(
    call: &Call,
    subscription: &Subscription,
    new: NewSecret,
) -> Result<(Target, Value), Problem> {
    if is_broker(&subscription.url) {
        if new.former_hours.is_some() {
            let what = "a broker is told one set of credentials: nothing of the former ones stays";
            return Err(Problem::body("former_hours", what));
        }
        let given = new.credentials.ok_or_else(|| {
            Problem::body(
                "credentials",
                "wanted for a broker, {} for nobody in particular",
            )
        })?;
        let target = target(&subscription.url, Some(given))?;
        return Ok((target, json!({"credentials": "new"})));
    }
    let mut target = webhook(subscription.url.clone(), new.credentials)?;
    let hours = new.former_hours.unwrap_or(FORMER_HOURS);
    if hours > MAX_FORMER_HOURS {
        let what = format!("0 to {MAX_FORMER_HOURS} hours are wanted");
        return Err(Problem::body("former_hours", what));
    }
    if hours > 0 {
        let former = call.state.store.subscription_secret(subscription.id);
        let until = after(call.now(), Duration::from_secs(u64::from(hours) * 3_600));
        target.sealed = with_former(&target.sealed, &former.await?, until.as_second());
    }
    Ok((target, json!({"former_hours": hours})))
}

async fn set(
    call: &Call,
    id: SubscriptionId,
    state: SubscriptionState,
    reason: Option<String>,
) -> Result<(), Problem> {
    let audit = audit(
        call,
        "subscription.state",
        &id.to_string(),
        json!({"state": state}),
    );
    let store = &call.state.store;
    store
        .set_subscription_state(id, state, reason, Some(audit))
        .await?;
    Ok(())
}
