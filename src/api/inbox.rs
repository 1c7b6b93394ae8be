//! What arrived and what became of it: inbox, payloads, ledger.

use super::gate::Call;
use super::problem::Problem;
use super::reply::{self, Answer};
use crate::canonical::inbox::{Disposition, InboxRecord};
use crate::canonical::{InboxId, RawId};
use crate::store::query::{InboxFilter, LedgerFilter, PageRequest};
use actix_web::HttpResponse;
use actix_web::http::header;

/// Before the names of a delivery's own headers, where they are told with its payload.
pub const KEPT: &str = "delivery-header-";
/// The topic that a delivery came under, told with its payload.
pub const TOPIC: &str = "delivery-topic";

/// `GET /v1/inbox`.
pub async fn list(call: Call) -> Answer {
    let filter = InboxFilter {
        connection_id: call.params.parse("connection_id")?,
        disposition: call.params.word::<Disposition>("disposition")?,
        external_id: call.params.text("external_id").map(str::to_owned),
    };
    let (scope, page) = (call.principal.scope(), call.params.page()?);
    let found = call.state.store.inbox(scope, filter, page).await;
    reply::list(&call.page_of(found)?)
}

async fn record(call: &Call) -> Result<InboxRecord, Problem> {
    let id: InboxId = call.id("id", "inbox record")?;
    let (scope, store) = (call.principal.scope(), &call.state.store);
    let found = match store.inbox_record(scope, id).await? {
        Some(record) => Some(record),
        None => pending(call, id).await?,
    };
    found.ok_or_else(|| Problem::not_found("inbox record"))
}

/// A delivery without a disposition is listed as a record under the delivery's own UUID.
async fn pending(call: &Call, id: InboxId) -> Result<Option<InboxRecord>, Problem> {
    let (scope, store) = (call.principal.scope(), &call.state.store);
    let Some(wire) = store.delivery(RawId::from_uuid(id.uuid())).await? else {
        return Ok(None);
    };
    let filter = InboxFilter {
        connection_id: Some(wire.connection_id),
        disposition: Some(Disposition::Pending),
        external_id: None,
    };
    let mut page = PageRequest {
        limit: 500,
        after: None,
    };
    loop {
        let found = store.inbox(scope, filter.clone(), page.clone()).await?;
        if let Some(record) = found.data.into_iter().find(|record| record.id == id) {
            return Ok(Some(record));
        }
        match found.next {
            Some(after) => page.after = Some(after),
            None => return Ok(None),
        }
    }
}

/// `GET /v1/inbox/{id}`.
pub async fn get(call: Call) -> Answer {
    reply::ok(&record(&call).await?)
}

/// `GET /v1/inbox/{id}/payload`: the delivery as it came, byte for byte. Always a download, so
/// that what a stranger sent never runs as a page of ours.
pub async fn payload(call: Call) -> Answer {
    let record = record(&call).await?;
    let found = call.state.store.delivery(record.raw_id).await?;
    let wire = found.ok_or_else(|| Problem::not_found("payload: it is past its retention"))?;
    let declared = wire.headers.iter().find(|(name, _)| name == "content-type");
    // A sender's header may hold bytes that ours may not.
    let declared = declared.and_then(|(_, value)| header::HeaderValue::from_str(value).ok());
    let kind = declared.unwrap_or_else(|| header::HeaderValue::from_static(guess(&wire.body)));
    let name = format!("attachment; filename=\"{}\"", record.raw_id);
    let mut answer = HttpResponse::Ok();
    answer
        .insert_header((header::CONTENT_TYPE, kind))
        .insert_header((header::CONTENT_DISPOSITION, name));
    let kept = wire.headers.iter();
    let kept = kept.map(|(name, value)| (format!("{KEPT}{name}"), value));
    for (name, value) in kept.chain([(TOPIC.to_owned(), &wire.topic)]) {
        if let Ok(value) = header::HeaderValue::from_bytes(value.as_bytes()) {
            answer.insert_header((name, value));
        }
    }
    Ok(answer.body(wire.body))
}

/// Content types are kept only where a connector asks for that header.
fn guess(body: &[u8]) -> &'static str {
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{' | b'[') => "application/json",
        Some(b'<') => "application/xml",
        _ => "application/octet-stream",
    }
}

/// `GET /v1/ledger`.
pub async fn ledger(call: Call) -> Answer {
    let filter = LedgerFilter {
        connection_id: call.params.parse("connection_id")?,
        day: call.params.text("day").map(str::to_owned),
    };
    let lines = call
        .state
        .store
        .ledger(call.principal.scope(), filter)
        .await?;
    reply::whole_list(lines)
}
