//! Wake-up calls between nodes.
//!
//! What always holds: a call is a hint. Every few seconds all bells ring, whatever was heard, so
//! that a call that was lost costs a little time and nothing else.

use super::connect::Connector;
use crate::store::StoreError;
use crate::store::sql::Shared;
use crate::store::wake::Bells;
use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio_postgres::AsyncMessage;

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

/// Listens until the store is gone. `together`: keeps those off that want the store alone.
pub(super) fn start(connector: Arc<Connector>, shared: &Arc<Shared>, together: bool) {
    let shared = Arc::downgrade(shared);
    let runtime = connector.runtime().clone();
    runtime.spawn(async move {
        while shared.strong_count() > 0 {
            if let Err(error) = listen(&connector, &shared, together).await {
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

async fn listen(
    connector: &Connector,
    shared: &Weak<Shared>,
    together: bool,
) -> Result<(), StoreError> {
    let (client, mut connection) = connector.raw().await?;
    let heard = async {
        while let Some(message) = poll_fn(|cx| connection.poll_message(cx)).await {
            if let AsyncMessage::Notification(call) = message?
                && let Some((node, letters)) = call.payload().split_once(' ')
                && node != connector.node()
            {
                ring(shared, bells(letters));
            }
        }
        Ok::<(), StoreError>(())
    };
    let slowly = async {
        if together {
            client.batch_execute(&connector.together()).await?;
        }
        client.batch_execute(&connector.listening()).await?;
        while shared.strong_count() > 0 {
            ring(shared, ALL);
            tokio::time::sleep(SLOW).await;
        }
        Ok::<(), StoreError>(())
    };
    tokio::select! {
        ended = heard => ended,
        ended = slowly => ended,
    }
}
