//! `Idempotency-Key`: the same POST sent twice is done once and answered alike for 48 hours.
//!
//! What always holds: the key is claimed before any work; the answer is stored in the transaction
//! of the work ([`Ticket::answer`]), and by itself only where nothing was written; a failure frees
//! the key; the work goes on when the caller hangs up, so that no key stays in flight for that.

use super::gate::Call;
use super::problem::{Code, Problem};
use super::reply::{Answer, Reply};
use crate::flow::change::IdempotentAnswer;
use crate::store::query::IdempotencyClaim;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use uuid::Uuid;

/// The right to do the work of a request.
#[derive(Debug, Clone)]
pub struct Ticket {
    claim: Option<(String, String)>,
    stored: Arc<AtomicBool>,
}

impl Ticket {
    /// The answer as part of what the store writes: it becomes durable with what it reports. `None`
    /// when the request has no key.
    pub fn answer(&self, reply: &Reply) -> Option<IdempotentAnswer> {
        let (scope, key) = self.claim.clone()?;
        self.stored.store(true, Ordering::Release);
        Some(IdempotentAnswer {
            scope,
            key,
            status: reply.status,
            body: reply.body.clone(),
        })
    }
}

impl Ticket {
    /// An id for what is made out of `from` that the same key gives again: work that is written in
    /// several pieces can be begun anew after a crash and makes nothing twice. It sorts with `from`.
    pub fn id_from(&self, from: Uuid) -> Uuid {
        let Some((scope, key)) = &self.claim else {
            return Uuid::now_v7();
        };
        let derived = Uuid::new_v5(&from, format!("{scope} {key}").as_bytes());
        let mut bytes = *derived.as_bytes();
        bytes
            .iter_mut()
            .zip(from.as_bytes())
            .take(6)
            .for_each(|(to, time)| *to = *time);
        Uuid::from_bytes(bytes)
    }
}

/// Does the work of a creating POST once per key.
///
/// `collection` is the path under which what was created can be read.
///
/// # Errors
/// `in_flight`, `idempotency_mismatch`, or what the work says.
pub async fn once<F, W>(
    call: Call,
    body_hash: [u8; 32],
    collection: Option<&'static str>,
    work: F,
) -> Answer
where
    F: FnOnce(Call, Ticket) -> W + 'static,
    W: Future<Output = Result<Reply, Problem>> + 'static,
{
    let task = actix_web::rt::spawn(async move {
        let ticket = match claim(&call, body_hash, collection).await? {
            Claimed::Go(ticket) => ticket,
            Claimed::Again(reply) => return Ok(reply),
        };
        let inner = ticket.clone();
        let result = settle(work(call.clone(), inner)).await;
        finish(&call, &ticket, &result).await;
        result
    });
    match task.await {
        Ok(result) => result.map(Reply::send),
        Err(error) => Err(Problem::internal(error)),
    }
}

/// Runs the work and turns a panic into a problem, so that the key is freed.
async fn settle(work: impl Future<Output = Result<Reply, Problem>>) -> Result<Reply, Problem> {
    use futures_util::FutureExt;
    let work = std::panic::AssertUnwindSafe(work).catch_unwind().await;
    work.unwrap_or_else(|_| Err(Problem::internal("panic in a handler")))
}

enum Claimed {
    Go(Ticket),
    Again(Reply),
}

async fn claim(
    call: &Call,
    body_hash: [u8; 32],
    collection: Option<&'static str>,
) -> Result<Claimed, Problem> {
    let Some(key) = call.idempotency_key.clone() else {
        return Ok(Claimed::Go(ticket(None)));
    };
    let scope = format!("{} POST {}", call.principal.key, call.path);
    let store = &call.state.store;
    match store
        .claim_idempotency(&scope, &key, body_hash, call.now())
        .await?
    {
        IdempotencyClaim::Fresh => Ok(Claimed::Go(ticket(Some((scope, key))))),
        IdempotencyClaim::Done(status, body) => {
            let reply = Reply {
                status,
                body,
                location: None,
            };
            let collection = collection.filter(|_| status == 201);
            Ok(Claimed::Again(reply.located(collection)))
        }
        IdempotencyClaim::InFlight => Err(Problem::new(
            Code::InFlight,
            "the first request with this Idempotency-Key is not done yet",
        )),
        IdempotencyClaim::Mismatch => Err(Problem::new(
            Code::IdempotencyMismatch,
            "this Idempotency-Key was used with another body",
        )),
    }
}

fn ticket(claim: Option<(String, String)>) -> Ticket {
    Ticket {
        claim,
        stored: Arc::new(AtomicBool::new(false)),
    }
}

/// Stores the answer where nothing else was written, and frees the key after a failure. That the answer
/// could not be stored is no reason to report the work as failed: it is done.
async fn finish(call: &Call, ticket: &Ticket, result: &Result<Reply, Problem>) {
    let Some((scope, key)) = &ticket.claim else {
        return;
    };
    let answer = match result {
        Ok(_) if ticket.stored.load(Ordering::Acquire) => return,
        Ok(reply) => Some((reply.status, reply.body.clone())),
        Err(_) => None,
    };
    if let Err(error) = call
        .state
        .store
        .finish_idempotency(scope, key, answer)
        .await
    {
        tracing::warn!(%error, "an idempotent answer could not be stored");
    }
}
