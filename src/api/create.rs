//! Orders that no channel sends: taken by phone, or entered by software over the API.

use super::change::{apply, audit};
use super::command::refused_new;
use super::gate::Call;
use super::idempotency::Ticket;
use super::openapi::requests;
use super::problem::{Code, Problem};
use super::reply::Reply;
use super::view::OrderView;
use crate::canonical::connection::{Connection, ConnectionState};
use crate::canonical::order::Source;
use crate::canonical::{ConnectionId, MappedOrder, Order};
use crate::flow::change::{ChangeSet, OrderState};
use crate::flow::{self, FlowContext, FlowError, create};
use crate::store::Scope;
use crate::worker::world::AskedPoint;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

/// Whether a person took it or a program sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Origin {
    Phone,
    #[default]
    Api,
}

/// An order to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    /// The connection (shop) that it belongs to.
    #[schema(value_type = String)]
    connection_id: ConnectionId,
    /// `phone` or `api`.
    #[serde(default)]
    source: Origin,
    /// The order, in the words of the model. Without `external_id` it gets one.
    #[schema(value_type = requests::OrderFacts)]
    order: MappedOrder,
}

/// Makes the order.
///
/// # Errors
/// `invalid_body` with the fields that are missing or wrong, `exists` when the connection has an
/// order with this external id.
pub async fn create_order(call: &Call, ticket: &Ticket, new: NewOrder) -> Result<Reply, Problem> {
    let connection = connection(call, new.connection_id).await?;
    let store = &call.state.store;
    let merchant = store.merchant(Scope::All, connection.merchant_id).await?;
    let merchant = merchant.ok_or_else(|| Problem::internal("a connection without merchant"))?;
    if let Some(external_id) = new.order.external_id.text() {
        not_there(call, &connection, external_id).await?;
    }
    let asked = Vec::from_iter(AskedPoint::of_mapped(&new.order));
    let world = call.state.worlds.with_points(&merchant, &asked).await?;
    let mut ctx = FlowContext {
        now: call.now(),
        connection: &connection,
        merchant: &merchant,
        similar: None,
        world: &world,
    };
    let similar = similar(call, &ctx, &new.order).await?;
    ctx.similar = similar.as_deref();
    let source = match new.source {
        Origin::Phone => Source::Phone,
        Origin::Api => Source::Api,
    };
    let actor = &call.principal.name;
    let (state, outcome) = create(&ctx, new.order, source, actor).map_err(refused)?;
    let reply = Reply::created("/v1/orders", &OrderView::of(&state))?;
    let mut change = ChangeSet::of(connection.merchant_id);
    change.take(outcome);
    let (subject, log) = (state.order.meta.id.to_string(), json!({"source": source}));
    change
        .audit
        .push(audit(call, "order.create", &subject, log));
    change.idempotency = ticket.answer(&reply);
    apply(call, change).await?;
    call.about.new_order(state.order.meta.id);
    Ok(reply)
}

/// What is stored of orders like the new one, where its merchant wants that looked for.
async fn similar(
    call: &Call,
    ctx: &FlowContext<'_>,
    order: &MappedOrder,
) -> Result<Option<Vec<Order>>, Problem> {
    let Some(wanted) = flow::similar_to(ctx, &order.clone().into()) else {
        return Ok(None);
    };
    let found = call.state.store.similar_orders(&[wanted]).await?;
    Ok(Some(found.into_iter().flatten().collect()))
}

/// Flow's paths begin at the order; the body's one level above.
fn refused(error: FlowError) -> Problem {
    let mut problem = refused_new(error);
    for field in &mut problem.fields {
        field.path = format!("order.{}", field.path);
    }
    match problem.fields.is_empty() {
        true => problem,
        false => Problem::fields(problem.fields),
    }
}

async fn connection(call: &Call, id: ConnectionId) -> Result<Connection, Problem> {
    let found = call
        .state
        .store
        .connection(call.principal.scope(), id)
        .await?;
    match found {
        Some(connection) if connection.state != ConnectionState::Deleted => Ok(connection),
        _ => Err(Problem::body(
            "connection_id",
            "there is no such connection",
        )),
    }
}

/// The store refuses a second one too; this gives the answer its object.
async fn not_there(call: &Call, connection: &Connection, external_id: &str) -> Result<(), Problem> {
    let keys = [(connection.id, external_id.to_owned())];
    let found = call.state.store.orders_by_external(&keys).await?;
    let Some(state): Option<OrderState> = found.into_iter().flatten().next() else {
        return Ok(());
    };
    let problem = Problem::new(
        Code::Exists,
        "this connection has an order with this external_id",
    )
    .field("order.external_id", "in use");
    Err(match serde_json::to_value(OrderView::of(&state)) {
        Ok(current) => problem.current(current),
        Err(_) => problem,
    })
}
