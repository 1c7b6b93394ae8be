//! Commands on orders: read the order, let flow decide, write it, and try anew when others were
//! faster. Flow decides what is possible; this file only carries it out.

use super::change::{Stop, apply, audit, until_settled};
use super::gate::Call;
use super::problem::{Code, FieldError, Problem};
use super::view::OrderView;
use crate::canonical::connection::{Connection, Merchant};
use crate::canonical::{FulfillmentOrderId, OrderId, ShipmentId};
use crate::flow::change::{ChangeSet, OrderState};
use crate::flow::{Command, CommandAnswer, FlowContext, FlowError, command};
use crate::store::Scope;
use crate::worker::world::AskedPoint;
use serde_json::Value;

/// On which order.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// Named itself.
    Order(OrderId),
    /// The one of this part.
    Part(FulfillmentOrderId),
    /// The one of this shipment.
    Shipment(ShipmentId),
}

/// What a command came to.
#[derive(Debug)]
pub struct Done {
    /// The order as it is now.
    pub state: OrderState,
    /// What the command was about.
    pub answer: CommandAnswer,
    /// False when it was carried out before, or nothing had to change.
    pub changed: bool,
}

/// Carries a command out. `action` and `detail` go to the audit log: no personal data.
///
/// # Errors
/// `not_found`, what flow says, `conflict` when others are always faster.
pub async fn carry_out(
    call: &Call,
    target: Target,
    what: &Command,
    action: &str,
    detail: Value,
) -> Result<Done, Problem> {
    until_settled(|| attempt(call, target, what, action, detail.clone())).await
}

async fn attempt(
    call: &Call,
    target: Target,
    what: &Command,
    action: &str,
    detail: Value,
) -> Result<Done, Stop> {
    let state = load(call, target).await?;
    let (connection, merchant) = surroundings(call, &state).await?;
    let asked = asked(&state, what);
    let world = call.state.worlds.with_points(&merchant, &asked).await?;
    let ctx = FlowContext {
        now: call.now(),
        connection: &connection,
        merchant: &merchant,
        similar: None,
        world: &world,
    };
    let subject = match target {
        Target::Order(id) => id.to_string(),
        Target::Part(id) => id.to_string(),
        Target::Shipment(id) => id.to_string(),
    };
    let actor = &call.principal.name;
    let decided = command(&ctx, state.clone(), what.clone(), actor);
    let (outcome, answer) = decided.map_err(|error| refused(error, &state))?;
    let Some(mut next) = outcome.state.clone() else {
        return Ok(Done {
            state,
            answer,
            changed: false,
        });
    };
    let mut change = ChangeSet::of(state.order.meta.merchant_id);
    change.take(outcome);
    change.audit.push(audit(call, action, &subject, detail));
    apply(call, change).await?;
    next.lock = next.lock.saturating_add(1);
    Ok(Done {
        state: next,
        answer,
        changed: true,
    })
}

/// Reads the order of a command, or of a page.
///
/// # Errors
/// `not_found` when it is not there or not the caller's.
pub async fn load(call: &Call, target: Target) -> Result<OrderState, Stop> {
    let (store, scope) = (&call.state.store, call.principal.scope());
    let found = match target {
        Target::Order(id) => store.order(scope, id).await?,
        Target::Part(id) => store.order_of_fulfillment(scope, id).await?,
        Target::Shipment(id) => store.order_of_shipment(scope, id).await?,
    };
    let found = found.inspect(|state| call.about.order(state.order.meta.id));
    found.ok_or_else(|| {
        Problem::not_found(match target {
            Target::Order(_) => "order",
            Target::Part(_) => "fulfillment order",
            Target::Shipment(_) => "shipment",
        })
        .into()
    })
}

/// Whose settings apply. The order is the caller's, so what it refers to may be read for it even
/// where it belongs to the operator.
async fn surroundings(call: &Call, state: &OrderState) -> Result<(Connection, Merchant), Stop> {
    let meta = &state.order.meta;
    let store = &call.state.store;
    let connection = store.connection(Scope::All, meta.connection_id).await?;
    let merchant = store.merchant(Scope::All, meta.merchant_id).await?;
    match (connection, merchant) {
        (Some(connection), Some(merchant)) => Ok((connection, merchant)),
        _ => Err(Problem::internal("an order without its connection or merchant").into()),
    }
}

/// The pickup points that the decision may ask about: the order's, and a corrected one.
fn asked(state: &OrderState, what: &Command) -> Vec<AskedPoint> {
    let facts = &state.order.facts;
    let corrected = match what {
        Command::Override { set, .. } => AskedPoint::corrected(facts, set),
        _ => None,
    };
    AskedPoint::of(facts).into_iter().chain(corrected).collect()
}

/// What flow's refusals are in HTTP, with the object as it is where that helps.
pub fn refused(error: FlowError, state: &OrderState) -> Problem {
    let current = match &error {
        FlowError::IllegalState { .. } => serde_json::to_value(OrderView::of(state)).ok(),
        _ => error
            .current()
            .and_then(|part| serde_json::to_value(part).ok()),
    };
    let problem = refused_new(error);
    match current {
        Some(current) => problem.current(current),
        None => problem,
    }
}

/// What flow's refusals are in HTTP, where nothing is stored yet.
pub fn refused_new(error: FlowError) -> Problem {
    let detail = error.to_string();
    match &error {
        FlowError::StaleRevision { .. } => Problem::new(Code::StaleRevision, detail),
        FlowError::RequestPending { .. } => Problem::new(Code::RequestPending, detail),
        FlowError::NotFound(_) => Problem::new(Code::NotFound, detail),
        FlowError::IllegalState { .. } => Problem::new(Code::InvalidState, detail),
        FlowError::Invalid { .. } | FlowError::BrokenContract { .. } => {
            let fields = error.fields().into_iter();
            Problem::fields(
                fields
                    .map(|(path, message)| FieldError::new(path, message))
                    .collect(),
            )
        }
        FlowError::ShipmentRefReused => {
            Problem::new(Code::Exists, detail).field("shipment_ref", "in use with other content")
        }
        FlowError::Money(_) => Problem::new(Code::InvalidBody, detail),
        FlowError::Corrupt(cause) => Problem::internal(cause),
    }
}
