//! Shops that send signed webhooks: new orders, new revisions, doubled, in the wrong order, cut off on
//! the way, cut off and signed, and wrongly signed.
//!
//! What always holds: the book says of each order how often it was told and how often that was
//! acknowledged; what was not acknowledged is told again in the end, as shops do.

use super::client::Client;
use crate::support::gateway::SECRET;
use crate::support::orders::{order, sign};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// A shop tells something so often.
const PACE: Duration = Duration::from_millis(60);
/// Revisions are told by the second within one hour.
const MOST_REVISIONS: u32 = 3_500;

/// What was told of an order.
#[derive(Default, Clone, Copy)]
pub struct Told {
    pub tries: u32,
    pub acknowledged: u32,
    pub newest: u32,
    pub newest_acknowledged: u32,
}

/// What a shop did.
#[derive(Default)]
pub struct Book {
    pub orders: BTreeMap<u64, Told>,
    /// Signed texts that are no JSON.
    pub garbled: Told,
    pub doubled: u64,
    pub reordered: u64,
    pub cut_off: u64,
    pub wrongly_signed: u64,
    /// Answers by status; 0 is none.
    pub answers: BTreeMap<u16, u64>,
    pub wrong: Vec<String>,
}

pub struct Shop {
    pub connection: String,
    pub book: Mutex<Book>,
}

impl Shop {
    pub fn new(connection: String) -> Self {
        Self {
            connection,
            book: Mutex::default(),
        }
    }

    fn hook(&self) -> String {
        format!("/hooks/{}", self.connection)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Book) -> T) -> T {
        act(&mut self.book.lock().unwrap())
    }
}

fn body(id: u64, revision: u32) -> String {
    let mut order = order(id, revision);
    order["customer_note"] = json!(format!("revision {revision}"));
    order.to_string()
}

/// All shops, and how much of what they told was acknowledged.
pub struct Load {
    pub client: Client,
    pub shops: Vec<Shop>,
    pub acknowledged: watch::Sender<u64>,
    pub stop: watch::Sender<bool>,
}

impl Load {
    pub fn new(client: Client, shops: Vec<Shop>) -> Self {
        Self {
            client,
            shops,
            acknowledged: watch::channel(0).0,
            stop: watch::channel(false).0,
        }
    }

    /// Sends until it is told to stop.
    pub async fn run(&self, seed: u64) {
        let all = self.shops.iter().zip(1..).map(|(shop, n)| {
            let mut rng = StdRng::seed_from_u64(seed ^ (n << 32));
            async move {
                let mut pace = tokio::time::interval(PACE);
                pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
                let mut next = n * 1_000_000;
                while !*self.stop.borrow() {
                    pace.tick().await;
                    self.something(shop, &mut rng, &mut next).await;
                }
            }
        });
        futures_util::future::join_all(all).await;
    }

    async fn something(&self, shop: &Shop, rng: &mut StdRng, next: &mut u64) {
        // Mostly a young order: old ones are at rest.
        let known = shop.with(|book| {
            let young: Vec<(u64, u32)> = book
                .orders
                .iter()
                .rev()
                .take(20)
                .map(|(id, told)| (*id, told.newest))
                .collect();
            (!young.is_empty()).then(|| young[rng.random_range(0..young.len())])
        });
        let dice = rng.random_range(0..100);
        match known {
            Some((id, newest)) if dice >= 50 => match dice {
                50..70 => {
                    self.tell(shop, id, (newest + 1).min(MOST_REVISIONS)).await;
                }
                70..80 => {
                    shop.with(|book| book.doubled += 1);
                    let both = (self.tell(shop, id, newest), self.tell(shop, id, newest));
                    tokio::join!(both.0, both.1);
                }
                80..88 if newest > 1 => {
                    shop.with(|book| book.reordered += 1);
                    self.tell(shop, id, newest - 1).await;
                }
                88..92 => self.wrongly_signed(shop, id, newest).await,
                92..96 => self.cut_off(shop, &body(id, newest)).await,
                _ => self.garbled(shop, id, newest).await,
            },
            _ => {
                *next += 1;
                self.tell(shop, *next, 1).await;
            }
        }
    }

    async fn send(&self, shop: &Shop, signature: String, body: String) -> Option<u16> {
        let request = self
            .client
            .to_some("POST", &shop.hook())
            .header("content-type", "application/json")
            .header("x-wc-webhook-topic", "order.updated")
            .header("x-wc-webhook-signature", signature)
            .body(body);
        let status = request.send().await.ok().map(|a| a.status().as_u16());
        shop.with(|book| *book.answers.entry(status.unwrap_or(0)).or_default() += 1);
        status
    }

    /// Whether it was acknowledged. What is signed and known is taken, or the gateway cannot now.
    fn taken(&self, shop: &Shop, status: Option<u16>) -> bool {
        match status {
            Some(200) => {
                self.acknowledged.send_modify(|n| *n += 1);
                true
            }
            // Not now, and it took too long to come.
            None | Some(503 | 408) => false,
            Some(status) => {
                let wrong = format!("a signed webhook was answered with {status}");
                shop.with(|book| book.wrong.push(wrong));
                false
            }
        }
    }

    async fn tell(&self, shop: &Shop, id: u64, revision: u32) -> bool {
        shop.with(|book| {
            let told = book.orders.entry(id).or_default();
            told.tries += 1;
            told.newest = told.newest.max(revision);
        });
        let body = body(id, revision);
        let status = self.send(shop, sign(SECRET, &body), body).await;
        let taken = self.taken(shop, status);
        if taken {
            shop.with(|book| {
                let told = book.orders.entry(id).or_default();
                told.acknowledged += 1;
                told.newest_acknowledged = told.newest_acknowledged.max(revision);
            });
        }
        taken
    }

    async fn wrongly_signed(&self, shop: &Shop, id: u64, newest: u32) {
        shop.with(|book| book.wrongly_signed += 1);
        let body = body(id, newest);
        let status = self.send(shop, sign("another secret", &body), body).await;
        if !matches!(status, None | Some(401 | 408 | 503)) {
            let wrong = format!("a wrong signature was answered with {status:?}");
            shop.with(|book| book.wrong.push(wrong));
        }
    }

    /// Signed, and not JSON: it is kept and becomes a problem.
    async fn garbled(&self, shop: &Shop, id: u64, newest: u32) {
        shop.with(|book| book.garbled.tries += 1);
        let mut body = body(id, newest);
        let half = body.char_indices().nth(200).unwrap().0;
        body.truncate(half);
        let status = self.send(shop, sign(SECRET, &body), body).await;
        if self.taken(shop, status) {
            shop.with(|book| book.garbled.acknowledged += 1);
        }
    }

    /// Half of it arrives, then the connection ends: it is not acknowledged, and not kept.
    async fn cut_off(&self, shop: &Shop, body: &str) {
        shop.with(|book| book.cut_off += 1);
        let Ok(mut stream) = TcpStream::connect(self.client.node().door.addr).await else {
            return;
        };
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n\
             x-wc-webhook-topic: order.updated\r\nx-wc-webhook-signature: {}\r\ncontent-length: {}\r\n\r\n",
            shop.hook(),
            sign(SECRET, body),
            body.len()
        );
        let half = &body.as_bytes()[..body.len() / 2];
        let sent = async {
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(half).await?;
            stream.shutdown().await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let answer = tokio::time::timeout(Duration::from_secs(10), sent).await;
        if let Ok(Ok(answer)) = answer
            && answer.starts_with(b"HTTP/1.1 2")
        {
            shop.with(|book| {
                book.wrong
                    .push("half a webhook was acknowledged".to_owned())
            });
        }
    }

    /// Tells again what was not acknowledged; `true` when all is.
    pub async fn tells_the_rest(&self) -> bool {
        let mut all = true;
        for shop in &self.shops {
            let open: Vec<(u64, u32)> = shop.with(|book| {
                let open = book.orders.iter();
                open.filter(|(_, told)| told.newest_acknowledged < told.newest)
                    .map(|(id, told)| (*id, told.newest))
                    .collect()
            });
            for (id, newest) in open {
                all &= self.tell(shop, id, newest).await;
            }
        }
        all
    }

    /// Waits until so many more were acknowledged; `false` when that does not come in time.
    pub async fn goes_on(&self, more: u64, within: Duration) -> bool {
        let mut acknowledged = self.acknowledged.subscribe();
        let wanted = *acknowledged.borrow() + more;
        let waited = tokio::time::timeout(within, acknowledged.wait_for(|n| *n >= wanted)).await;
        waited.is_ok()
    }
}
