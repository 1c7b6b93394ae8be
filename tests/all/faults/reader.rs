//! A reader by cursor that reads all the time, at whichever node.
//!
//! What always holds: it never goes back; what it saw is kept, in the order in which it saw it, so
//! that it can be compared with the whole log in the end.

use super::client::Client;
use serde_json::Value;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Before a node is asked that did not answer.
const AGAIN: Duration = Duration::from_millis(50);

/// An event as it was seen.
#[derive(Clone, PartialEq, Debug)]
pub struct Seen {
    pub sequence: u64,
    pub id: String,
    pub kind: String,
    pub merchant: String,
    /// What its place in the order of deliveries is kept for.
    pub order: Option<String>,
}

impl Seen {
    pub fn of(event: &Value) -> Self {
        let order = &event["data"]["order"]["id"];
        Self {
            sequence: event["sequence"].as_u64().unwrap(),
            id: event["id"].as_str().unwrap().to_owned(),
            kind: event["type"].as_str().unwrap().to_owned(),
            merchant: event["merchant_id"].as_str().unwrap_or_default().to_owned(),
            order: order
                .as_str()
                .or(event["data"]["order_id"].as_str())
                .map(str::to_owned),
        }
    }
}

pub struct Reader {
    client: Client,
    cursor: AtomicU64,
    seen: Mutex<Vec<Seen>>,
    pub wrong: Mutex<Vec<String>>,
    pub stop: watch::Sender<bool>,
    /// Everything goes to whoever works on events.
    to: mpsc::UnboundedSender<Value>,
}

impl Reader {
    pub fn new(client: Client) -> (Self, mpsc::UnboundedReceiver<Value>) {
        let (to, events) = mpsc::unbounded_channel();
        let reader = Self {
            client,
            cursor: AtomicU64::new(0),
            seen: Mutex::default(),
            wrong: Mutex::default(),
            stop: watch::channel(false).0,
            to,
        };
        (reader, events)
    }

    pub fn cursor(&self) -> u64 {
        self.cursor.load(Ordering::SeqCst)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub async fn run(&self) {
        while !*self.stop.borrow() {
            let after = self.cursor();
            let path = format!("/v1/events?after={after}&limit=500&wait=1");
            match self.client.call("GET", &path, &Value::Null).await {
                Some((200, page)) => self.take(after, &page),
                // A node that cannot now, or none at all.
                None | Some((503, _)) => tokio::time::sleep(AGAIN).await,
                Some((status, said)) => {
                    let wrong = format!("the feed answered {status}: {said}");
                    self.wrong.lock().unwrap().push(wrong);
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    fn take(&self, after: u64, page: &Value) {
        let next = page["next"].to_string();
        let next: u64 = next.trim_matches('"').parse().unwrap();
        let mut last = after;
        for event in page["data"].as_array().unwrap() {
            let seen = Seen::of(event);
            if seen.sequence <= last {
                let wrong = format!("after {last} the feed told {}", seen.sequence);
                self.wrong.lock().unwrap().push(wrong);
            }
            last = seen.sequence;
            self.seen.lock().unwrap().push(seen);
            let _ = self.to.send(event.clone());
        }
        if next < last {
            let wrong = format!("the cursor {next} is before the event {last}");
            self.wrong.lock().unwrap().push(wrong);
        }
        self.cursor.store(next.max(last), Ordering::SeqCst);
    }
}
