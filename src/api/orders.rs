//! Orders: lists, one with its story, and what people do with them.

use super::body::Body;
use super::command::{Target, carry_out, load};
use super::create::{NewOrder, create_order};
use super::gate::Call;
use super::idempotency::once;
use super::problem::Problem;
use super::reply::{self, Answer};
use super::text::{note, object_size, reason};
use super::view::OrderView;
use crate::canonical::hold::HoldReason;
use crate::canonical::order::OrderStatus;
use crate::canonical::{LineId, OrderId, Quantity};
use crate::flow::{Choice, Command, Refusal, RefusedLine};
use crate::store::query::OrderFilter;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// `GET /v1/orders`.
pub async fn list(call: Call) -> Answer {
    let filter = OrderFilter {
        merchant_id: call.params.parse("merchant_id")?,
        connection_id: call.params.parse("connection_id")?,
        status: call.params.word::<OrderStatus>("status")?,
        external_id: call.params.text("external_id").map(str::to_owned),
        q: call.params.text("q").map(str::to_owned),
        awaiting_answer: call.params.text("awaiting").is_some(),
        answer_until: None,
    };
    let (scope, page) = (call.principal.scope(), call.params.page()?);
    let page = call.page_of(call.state.store.orders(scope, filter, page).await)?;
    Ok(reply::raw_list(page.data.iter(), page.next.as_deref()))
}

fn order_id(call: &Call) -> Result<OrderId, Problem> {
    call.id("id", "order")
}

/// `GET /v1/orders/{id}`.
pub async fn get(call: Call) -> Answer {
    let id = order_id(&call)?;
    let found = call.state.store.order(call.principal.scope(), id).await?;
    let state = found.ok_or_else(|| Problem::not_found("order"))?;
    reply::ok(&OrderView::of(&state))
}

/// `GET /v1/orders/{id}/timeline`.
pub async fn timeline(call: Call) -> Answer {
    let id = order_id(&call)?;
    let scope = call.principal.scope();
    let entries = call.state.store.timeline(scope, id).await?;
    if entries.is_empty() && call.state.store.order(scope, id).await?.is_none() {
        return Err(Problem::not_found("order"));
    }
    reply::whole_list(entries)
}

/// `POST /v1/orders`.
pub async fn create(call: Call, body: Body<NewOrder>) -> Answer {
    once(
        call,
        body.hash,
        Some("/v1/orders"),
        |call, ticket| async move { create_order(&call, &ticket, body.value).await },
    )
    .await
}

async fn run(call: &Call, what: Command, action: &str, detail: Value) -> Answer {
    let target = Target::Order(order_id(call)?);
    let done = carry_out(call, target, &what, action, detail).await?;
    reply::ok(&OrderView::of(&done.state))
}

/// Why nothing should go on.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldOrder {
    /// A reason of the model; `other` when left out.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    reason: HoldReason,
    /// In words.
    #[serde(default)]
    detail: Option<String>,
}

/// `POST /v1/orders/{id}/hold`.
pub async fn hold(call: Call, body: Body<HoldOrder>) -> Answer {
    let detail = body
        .value
        .detail
        .map(|text| note("detail", &text))
        .transpose()?;
    let reason = body.value.reason;
    let log = json!({"reason": reason});
    run(&call, Command::Hold { reason, detail }, "order.hold", log).await
}

/// Which holds to clear.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseOrder {
    /// Only holds with these reasons; all when left out.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    reasons: Option<Vec<HoldReason>>,
}

/// `POST /v1/orders/{id}/release`.
pub async fn release(call: Call, body: Body<ReleaseOrder>) -> Answer {
    let reasons = body.value.reasons;
    let log = json!({"reasons": reasons});
    run(&call, Command::Release { reasons }, "order.release", log).await
}

/// Why it is cancelled.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelOrder {
    /// In words.
    #[serde(default)]
    reason: Option<String>,
}

/// `POST /v1/orders/{id}/cancel`.
pub async fn cancel(call: Call, body: Body<CancelOrder>) -> Answer {
    let reason = body
        .value
        .reason
        .map(|text| note("reason", &text))
        .transpose()?;
    run(&call, Command::Cancel { reason }, "order.cancel", json!({})).await
}

/// Corrections that are laid over what the channel says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OverrideOrder {
    /// Dotted path → value: `{"ship_to.postal_code": "1000"}`. Not empty.
    #[schema(value_type = Object)]
    set: BTreeMap<String, Value>,
    /// Why. Must say something.
    reason: String,
}

/// `PATCH /v1/orders/{id}`.
pub async fn correct(call: Call, body: Body<OverrideOrder>) -> Answer {
    let OverrideOrder { set, reason: why } = body.value;
    if set.is_empty() {
        return Err(Problem::body("set", "nothing is set"));
    }
    // Values may be addresses and names: the log has the paths only.
    let paths: Vec<_> = set.keys().cloned().collect();
    let log = json!({"paths": paths});
    let reason = reason("reason", &why)?;
    run(
        &call,
        Command::Override { set, reason },
        "order.override",
        log,
    )
    .await
}

/// How it is accepted.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptOrder {
    /// What of the channel's options (`acceptance.options`), in its own words; by the settings when
    /// left out.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    choice: Option<Map<String, Value>>,
}

/// `POST /v1/orders/{id}/accept`.
pub async fn accept(call: Call, body: Body<AcceptOrder>) -> Answer {
    let choice = body.value.choice;
    if let Some(choice) = &choice {
        object_size("choice", choice)?;
    }
    let log = json!({"choice": choice});
    run(&call, Command::AcceptOrder { choice }, "order.accept", log).await
}

/// Why it is refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefuseOrder {
    /// `out_of_stock`, `limited_quantity`, `wrong_price`, `discontinued`, `wrong_category`, `other`;
    /// or one of the channel's options, or words.
    reason: String,
    /// In words, for the channel.
    #[serde(default)]
    note: Option<String>,
    /// Only these lines are why; all when left out.
    #[serde(default)]
    lines: Option<Vec<RefuseLine>>,
}

/// A line that is not taken.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefuseLine {
    /// `lin_…`.
    #[schema(value_type = String)]
    line_id: LineId,
    /// Where it is not the order's.
    #[serde(default)]
    reason: Option<String>,
    /// How much there is.
    #[serde(default)]
    #[schema(value_type = Option<f64>)]
    available: Option<Quantity>,
}

/// `POST /v1/orders/{id}/refuse`.
pub async fn refuse(call: Call, body: Body<RefuseOrder>) -> Answer {
    let RefuseOrder {
        reason: why,
        note: words,
        lines,
    } = body.value;
    let one = |line: RefuseLine| {
        let why = line.reason.map(|text| reason("lines.reason", &text));
        Ok(RefusedLine {
            line_id: line.line_id,
            reason: why.transpose()?,
            available: line.available,
        })
    };
    let lines = lines.map(|lines| lines.into_iter().map(one).collect::<Result<_, Problem>>());
    let refusal = Refusal {
        reason: reason("reason", &why)?,
        note: words.map(|text| note("note", &text)).transpose()?,
        lines: lines.transpose()?,
    };
    let log = json!({"reason": refusal.reason});
    run(&call, Command::RefuseOrder(refusal), "order.refuse", log).await
}

/// Whose word counts.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolveConflict {
    /// The path in conflict, as in `overrides`.
    path: String,
    /// `ours` keeps the correction, `theirs` takes the channel's value.
    #[schema(value_type = String)]
    choose: Choice,
}

/// `POST /v1/orders/{id}/resolve-conflict`.
pub async fn resolve_conflict(call: Call, body: Body<ResolveConflict>) -> Answer {
    let ResolveConflict { path, choose } = body.value;
    let log = json!({"path": path, "choose": choose});
    run(
        &call,
        Command::ResolveConflict { path, choose },
        "order.resolve_conflict",
        log,
    )
    .await
}

/// Reads an order that the caller may see (for other resources).
///
/// # Errors
/// `not_found`, or the store's.
pub async fn visible(
    call: &Call,
    target: Target,
) -> Result<crate::flow::change::OrderState, Problem> {
    load(call, target).await.map_err(|stop| match stop {
        super::change::Stop::Store(error) => error.into(),
        super::change::Stop::Problem(problem) => problem,
    })
}
