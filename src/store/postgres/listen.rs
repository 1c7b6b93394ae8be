//! Wake-up calls between nodes.
//!
//! What always holds: a call is a hint. Every few seconds all bells ring, whatever was heard, so
//! that a call that was lost costs a little time and nothing else. With each change of the set-up,
//! and as often, keys that another node has erased are forgotten here.

use super::connect::Connector;
use crate::store::StoreError;
use crate::store::sql::Shared;
use crate::store::wake::Bells;
use std::collections::HashSet;
use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::{AsyncMessage, Client};

/// How often all bells ring without a call.
const SLOW: Duration = Duration::from_secs(10);
/// Before the connection is made again.
const AGAIN: Duration = Duration::from_secs(1);

const ALL: Bells = Bells {
    deliveries: true,
    events: true,
    jobs: true,
    setup: true,
};

/// The bells as letters; `None` when there is none.
pub(super) fn text(bells: Bells) -> Option<String> {
    let letters = [
        (bells.deliveries, 'd'),
        (bells.events, 'e'),
        (bells.jobs, 'j'),
        (bells.setup, 's'),
    ];
    let text: String = letters.iter().filter(|l| l.0).map(|l| l.1).collect();
    (!text.is_empty()).then_some(text)
}

fn bells(text: &str) -> Bells {
    Bells {
        deliveries: text.contains('d'),
        events: text.contains('e'),
        jobs: text.contains('j'),
        setup: text.contains('s'),
    }
}

/// Listens until the store is gone.
pub(super) fn start(connector: Arc<Connector>, shared: &Arc<Shared>) {
    let shared = Arc::downgrade(shared);
    let runtime = connector.runtime().clone();
    runtime.spawn(async move {
        while shared.strong_count() > 0 {
            if let Err(error) = listen(&connector, &shared).await {
                tracing::warn!(%error, "calls of other nodes are not heard; they are polled for");
            }
            tokio::time::sleep(AGAIN).await;
            ring(&shared, ALL);
        }
    });
}

fn ring(shared: &Weak<Shared>, bells: Bells) {
    if let Some(shared) = shared.upgrade() {
        shared.wake.ring(bells);
    }
}

async fn listen(connector: &Connector, shared: &Weak<Shared>) -> Result<(), StoreError> {
    let (client, mut connection) = connector.raw().await?;
    let changed = Notify::new();
    let heard = async {
        while let Some(message) = poll_fn(|cx| connection.poll_message(cx)).await {
            if let AsyncMessage::Notification(call) = message?
                && let Some((node, letters)) = call.payload().split_once(' ')
                && node != connector.node()
            {
                let bells = bells(letters);
                if bells.setup {
                    changed.notify_one();
                }
                ring(shared, bells);
            }
        }
        Ok::<(), StoreError>(())
    };
    let slowly = async {
        client.batch_execute(&connector.listening()).await?;
        while shared.strong_count() > 0 {
            forget_erased(&client, shared).await?;
            ring(shared, ALL);
            let next = Instant::now() + SLOW;
            while timeout_at(next, changed.notified()).await.is_ok() {
                forget_erased(&client, shared).await?;
            }
        }
        Ok::<(), StoreError>(())
    };
    tokio::select! {
        ended = heard => ended,
        ended = slowly => ended,
    }
}

/// Forgets the data keys that are not in the store any more: their merchants were erased.
async fn forget_erased(client: &Client, shared: &Weak<Shared>) -> Result<(), StoreError> {
    let loaded = shared.upgrade().map(|shared| shared.vault.loaded());
    let mut gone = loaded.unwrap_or_default();
    if gone.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = gone.iter().map(|id| i64::from(*id)).collect();
    let sql = "SELECT key_id FROM data_keys WHERE key_id = ANY($1)";
    let mut there = HashSet::new();
    for row in client.query(sql, &[&ids]).await? {
        there.insert(row.try_get::<_, i64>(0)?);
    }
    gone.retain(|id| !there.contains(&i64::from(*id)));
    if let Some(shared) = shared.upgrade().filter(|_| !gone.is_empty()) {
        shared.vault.forget_keys(&gone);
    }
    Ok(())
}
