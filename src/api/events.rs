//! The feed of events: a cursor, a long poll, and a stream.
//!
//! What always holds: `next` is always the cursor to go on from, also when there is nothing new;
//! events come in the order of their sequence, and one that was read is never overtaken by an
//! earlier one; a waiting reader costs nothing until something happens.

use super::gate::Call;
use super::problem::{Code, Problem};
use super::reply::{self, Answer};
use crate::canonical::EventId;
use crate::canonical::event::EventType;
use crate::store::query::EventPage;
use actix_web::HttpResponse;
use actix_web::http::header;
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream;
use std::time::Duration;
use tokio::time::Instant;

/// Longest wait of a long poll.
pub const MAX_WAIT_SECONDS: u64 = 30;
/// A stream says something at least so often, so that proxies keep it open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A stream ends after this time; its reader comes back with `Last-Event-ID`, and its token is
/// looked at again.
const STREAM_LIFE: Duration = Duration::from_secs(15 * 60);
/// Events of one read of a stream.
const STREAM_CHUNK: usize = 200;

/// `GET /v1/events`.
pub async fn list(call: Call) -> Answer {
    let after = cursor(&call, call.params.text("after"))?.unwrap_or(0);
    let page = call.params.page()?;
    let types = call.params.event_types("types")?;
    let wait = call.params.parse::<u64>("wait")?.unwrap_or(0);
    let deadline = Instant::now() + Duration::from_secs(wait);
    let found = read(&call, after, page.limit, &types, deadline).await?;
    let next = found.next.max(after).to_string();
    let data: Vec<&Bytes> = found.data.iter().map(|event| &event.json).collect();
    Ok(reply::raw_list(data.into_iter(), Some(&next)))
}

/// `GET /v1/events/{id}`.
pub async fn get(call: Call) -> Answer {
    let id: EventId = call.id("id", "event")?;
    let found = call.state.store.event(call.principal.scope(), id).await?;
    let event = found.ok_or_else(|| Problem::not_found("event"))?;
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .body(event.json))
}

fn cursor(call: &Call, text: Option<&str>) -> Result<Option<u64>, Problem> {
    let Some(text) = text else { return Ok(None) };
    text.parse().map(Some).map_err(|_| {
        let place = call.route.path;
        Problem::new(
            Code::InvalidParameter,
            format!("the cursor is not one that {place} gave"),
        )
        .field("after", "a cursor of the feed is wanted: a whole number")
    })
}

/// Reads until there is something or the time is up. What was looked at in vain is not looked at
/// again: the cursor moves on through events that the reader does not get.
async fn read(
    call: &Call,
    mut after: u64,
    limit: usize,
    types: &[EventType],
    deadline: Instant,
) -> Result<EventPage, Problem> {
    loop {
        // Asked for before reading, or an event between the two would be slept through.
        let mut bell = call.state.store.wake().events();
        let page = call
            .state
            .store
            .events(call.principal.scope(), after, limit, types)
            .await?;
        if !page.data.is_empty() {
            return Ok(page);
        }
        if page.next > after {
            after = page.next;
            if Instant::now() < deadline {
                continue;
            }
            return Ok(page);
        }
        let pause = deadline.min(Instant::now() + call.state.settings.poll_fallback);
        tokio::select! {
            _ = tokio::time::timeout_at(pause, bell.changed()) => {}
            () = call.state.stopped() => return Ok(page),
        }
        if Instant::now() >= deadline {
            return Ok(page);
        }
    }
}

/// `GET /v1/events/stream`.
pub async fn stream(call: Call) -> Answer {
    let types = call.params.event_types("types")?;
    let given = call.last_event_id.as_deref().or(call.params.text("after"));
    let after = match cursor(&call, given)? {
        Some(after) => after,
        None => call.state.store.last_sequence().await?,
    };
    let reader = Reader {
        call,
        types,
        after,
        until: Instant::now() + STREAM_LIFE,
    };
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // Proxies that gather answers would hold events back.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(stream::unfold(Some(reader), |reader| async move {
            let mut reader = reader?;
            let chunk = reader.chunk().await?;
            Some((Ok::<_, Problem>(chunk), Some(reader)))
        })))
}

struct Reader {
    call: Call,
    types: Vec<EventType>,
    after: u64,
    until: Instant,
}

impl Reader {
    /// The next bytes; `None` ends the stream.
    async fn chunk(&mut self) -> Option<Bytes> {
        if Instant::now() >= self.until || self.call.state.stopping() {
            return None;
        }
        let deadline = self.until.min(Instant::now() + KEEP_ALIVE);
        let page = read(&self.call, self.after, STREAM_CHUNK, &self.types, deadline)
            .await
            .ok()?;
        self.after = self.after.max(page.next);
        let mut out = BytesMut::new();
        for event in &page.data {
            out.put_slice(
                format!(
                    "id: {}\nevent: {}\ndata: ",
                    event.sequence,
                    event.kind.as_str()
                )
                .as_bytes(),
            );
            out.put_slice(&event.json);
            out.put_slice(b"\n\n");
        }
        if out.is_empty() {
            // The cursor has moved through events of others: the reader should come back there.
            out.put_slice(format!("id: {}\n: still here\n\n", self.after).as_bytes());
        }
        Some(out.freeze())
    }
}
