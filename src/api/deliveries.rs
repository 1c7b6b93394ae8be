//! Deliveries and replays: what was not simply delivered, and sending events again.
//!
//! What always holds: a replay is a new delivery with a `webhook-id` of its own and `replay_of`;
//! a `dry_run` counts and changes nothing.

use super::body::Body;
use super::change::audit;
use super::gate::Call;
use super::idempotency::{Ticket, once};
use super::problem::{Code, Problem};
use super::reply::{self, Answer, Reply};
use super::subscriptions::visible;
use crate::canonical::event::EventType;
use crate::canonical::{DeliveryId, SubscriptionId, Timestamp};
use crate::store::Scope;
use crate::store::query::{
    DeliveryFilter, DeliveryRow, DeliveryState, EventPage, RenderedEvent, Subscription,
};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

/// So many events one replay may cover.
const MAX_REPLAY: usize = 100_000;
/// Events read at once.
const CHUNK: usize = 500;
/// Clocks of nodes differ: events are stamped in commit order, their times may lie so much apart.
const CLOCK_SLACK_SECONDS: i64 = 120;

/// Events to be sent again.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReplay {
    /// Events from this moment on (RFC 3339).
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// … to this one, included.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// To whom.
    #[schema(value_type = String)]
    subscription_id: SubscriptionId,
    /// Only these types; all that the subscription takes when left out.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    types: Vec<EventType>,
    /// Count only.
    #[serde(default)]
    dry_run: bool,
}

/// `GET /v1/deliveries`.
pub async fn list(call: Call) -> Answer {
    let filter = DeliveryFilter {
        subscription_id: call.params.parse("subscription_id")?,
        state: call.params.word::<DeliveryState>("state")?,
        event_id: call.params.parse("event_id")?,
    };
    let (scope, page) = (call.principal.scope(), call.params.page()?);
    let found = call.state.store.deliveries(scope, filter, page).await;
    reply::list(&call.page_of(found)?)
}

/// `GET /v1/deliveries/{id}`.
pub async fn get(call: Call) -> Answer {
    reply::ok(&delivery(&call).await?)
}

async fn delivery(call: &Call) -> Result<DeliveryRow, Problem> {
    let id: DeliveryId = call.id("id", "delivery")?;
    let found = call
        .state
        .store
        .delivery_row(call.principal.scope(), id)
        .await?;
    found.ok_or_else(|| Problem::not_found("delivery"))
}

/// `POST /v1/deliveries/{id}/replay`.
pub async fn replay_one(call: Call, body: Body<Empty>) -> Answer {
    once(
        call,
        body.hash,
        Some("/v1/deliveries"),
        |call, ticket| async move {
            let old = delivery(&call).await?;
            visible(&call, old.subscription_id).await?;
            let event = call
                .state
                .store
                .event(call.principal.scope(), old.event_id)
                .await?;
            let event = event.ok_or_else(|| Problem::not_found("event"))?;
            let row = again(DeliveryId::new(), &event, old.subscription_id, call.now());
            let reply = Reply::created("/v1/deliveries", &row)?;
            let answer = ticket.answer(&reply);
            let log = json!({"event_id": event.id, "subscription_id": old.subscription_id});
            let audit = audit(&call, "delivery.replay", &old.id.to_string(), log);
            let store = &call.state.store;
            store
                .insert_deliveries(vec![row], Some(audit), answer)
                .await?;
            Ok(reply)
        },
    )
    .await
}

/// `POST /v1/replays`.
pub async fn replay(call: Call, body: Body<NewReplay>) -> Answer {
    once(call, body.hash, None, |call, ticket| async move {
        let wanted = body.value;
        if wanted.from > wanted.to {
            return Err(Problem::body("to", "lies before `from`"));
        }
        let subscription = visible(&call, wanted.subscription_id).await?;
        let end = call.state.store.last_sequence().await?;
        let count = count(&call, &wanted, &subscription, end).await?;
        let status = if wanted.dry_run { 200 } else { 202 };
        let told = json!({"count": count, "dry_run": wanted.dry_run});
        let reply = Reply::json(status, &told)?;
        if !wanted.dry_run {
            let made = Making {
                call: &call,
                ticket: &ticket,
                reply: &reply,
                count,
            };
            made.enqueue(&wanted, &subscription, end).await?;
        }
        Ok(reply)
    })
    .await
}

/// No body is needed.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Empty {}

/// `end`: the log's last event when the request came, so that counting and making see the same.
async fn count(
    call: &Call,
    wanted: &NewReplay,
    to: &Subscription,
    end: u64,
) -> Result<usize, Problem> {
    let mut count = 0;
    let mut cursor = first_after(call, wanted.from).await?;
    while let Some((found, next)) = span(call, wanted, to, cursor, end).await? {
        count += found.len();
        if count > MAX_REPLAY {
            return Err(Problem::new(
                Code::ReplayTooLarge,
                format!("more than {MAX_REPLAY} events lie between `from` and `to`"),
            ));
        }
        cursor = next;
    }
    Ok(count)
}

/// Deliveries in the making, and what is answered of them.
struct Making<'a> {
    call: &'a Call,
    ticket: &'a Ticket,
    reply: &'a Reply,
    count: usize,
}

impl Making<'_> {
    /// Writes in pieces, so that intake does not wait for a large one. The answer goes with the
    /// last, the audit entry with the first; what a crash leaves half done is done anew under the
    /// same ids.
    async fn enqueue(
        &self,
        wanted: &NewReplay,
        to: &Subscription,
        end: u64,
    ) -> Result<(), Problem> {
        let store = &self.call.state.store;
        let log = json!({"from": wanted.from, "to": wanted.to, "types": wanted.types, "count": self.count});
        let mut audit = Some(audit(self.call, "replay.create", &to.id.to_string(), log));
        let mut last = Vec::new();
        let mut cursor = first_after(self.call, wanted.from).await?;
        while let Some((found, next)) = span(self.call, wanted, to, cursor, end).await? {
            let rows: Vec<_> = found.iter().map(|event| self.row(event, to)).collect();
            if !rows.is_empty() {
                let full = std::mem::replace(&mut last, rows);
                if !full.is_empty() {
                    store.insert_deliveries(full, audit.take(), None).await?;
                }
            }
            cursor = next;
        }
        let answer = self.ticket.answer(self.reply);
        Ok(store.insert_deliveries(last, audit, answer).await?)
    }

    fn row(&self, event: &RenderedEvent, to: &Subscription) -> DeliveryRow {
        let id = DeliveryId::from_uuid(self.ticket.id_from(event.id.uuid()));
        again(id, event, to.id, self.call.now())
    }
}

fn again(id: DeliveryId, event: &RenderedEvent, to: SubscriptionId, now: Timestamp) -> DeliveryRow {
    DeliveryRow {
        id,
        subscription_id: to,
        merchant_id: event.merchant_id,
        event_id: event.id,
        sequence: event.sequence,
        ordering_key: event.ordering_key.clone(),
        state: DeliveryState::Waiting,
        attempts: 0,
        first_at: now,
        next_at: Some(now),
        last_status: None,
        last_error: None,
        replay_of: Some(event.id),
    }
}

/// The next stretch of the log: what of it is wanted, and where to go on; `None` at the end.
async fn span(
    call: &Call,
    wanted: &NewReplay,
    to: &Subscription,
    after: u64,
    end: u64,
) -> Result<Option<(Vec<RenderedEvent>, u64)>, Problem> {
    if after >= end {
        return Ok(None);
    }
    let page = call
        .state
        .store
        .events(reach(call, to), after, CHUNK, &[])
        .await?;
    let past = page.data.last().is_some_and(|event| {
        event.at.as_second() > wanted.to.as_second().saturating_add(CLOCK_SLACK_SECONDS)
    });
    let next = if past { u64::MAX } else { page.next };
    if page.next <= after {
        return Ok(None);
    }
    let takes = |kind: &EventType, list: &[EventType]| list.is_empty() || list.contains(kind);
    let mut data = page.data;
    data.retain(|event| {
        event.sequence <= end
            && (wanted.from..=wanted.to).contains(&event.at)
            && takes(&event.kind, &to.event_types)
            && takes(&event.kind, &wanted.types)
    });
    Ok(Some((data, next)))
}

/// A subscription gets its merchant's events; one of all merchants, those the caller sees.
fn reach(call: &Call, to: &Subscription) -> Scope {
    to.merchant_id
        .map_or(call.principal.scope(), Scope::Merchant)
}

/// The cursor before the first event that may lie at or after a moment: a search by halves, since
/// the log is (but for clocks) in order of time.
async fn first_after(call: &Call, from: Timestamp) -> Result<u64, Problem> {
    let wanted = from.as_second().saturating_sub(CLOCK_SLACK_SECONDS);
    let (mut low, mut high) = (0, call.state.store.last_sequence().await?);
    while low < high {
        let middle = low + (high - low) / 2;
        let page: EventPage = call.state.store.events(Scope::All, middle, 1, &[]).await?;
        match page.data.first() {
            Some(event) if event.at.as_second() < wanted => low = event.sequence.max(middle + 1),
            _ => high = middle,
        }
    }
    Ok(low)
}
