//! Cash on delivery: the items, and the ledger in sums.
//!
//! What always holds: a merchant sees its own items only; sums are made of the same rows as the
//! list, so that they balance.

use super::gate::Call;
use super::problem::Problem;
use super::reply::{self, Answer};
use crate::store::query::CodFilter;

fn filter(call: &Call) -> Result<CodFilter, Problem> {
    Ok(CodFilter {
        merchant_id: call.params.parse("merchant_id")?,
        connection_id: call.params.parse("connection_id")?,
        order_id: call.params.parse("order_id")?,
        status: call.params.word("status")?,
    })
}

/// `GET /v1/cod/items`.
pub async fn items(call: Call) -> Answer {
    let (filter, scope, page) = (filter(&call)?, call.principal.scope(), call.params.page()?);
    let found = call.state.store.cod_items(scope, filter, page).await;
    let page = call.page_of(found)?;
    Ok(reply::raw_list(page.data.iter(), page.next.as_deref()))
}

/// `GET /v1/cod/statement`.
pub async fn statement(call: Call) -> Answer {
    let (filter, scope) = (filter(&call)?, call.principal.scope());
    let sums = call.state.store.cod_statement(scope, filter).await?;
    reply::whole_list(sums)
}
