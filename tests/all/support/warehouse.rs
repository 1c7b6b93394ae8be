//! A warehouse endpoint: verifies each delivery with an independent Standard Webhooks library,
//! remembers it, and answers as told.

use super::gateway::PATIENCE;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone)]
pub struct Warehouse {
    pub addr: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    /// (webhook-id, body) of each delivery that was answered with 2xx, in order of arrival.
    taken: watch::Sender<Vec<(String, Value)>>,
    /// How many different ids are among them.
    distinct: watch::Sender<BTreeSet<String>>,
    secret: Mutex<Option<String>>,
    /// Signatures of any age are taken: the gateways' clocks are set.
    any_time: AtomicBool,
    answer: Mutex<u16>,
    attempts: watch::Sender<usize>,
    refused: Mutex<Vec<String>>,
    places: Mutex<BTreeMap<String, String>>,
}

impl Warehouse {
    pub async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap()).await
    }

    pub async fn start_at(addr: SocketAddr) -> Self {
        let listener = TcpListener::bind(addr).await.unwrap();
        let warehouse = Self {
            addr: listener.local_addr().unwrap(),
            inner: Arc::new(Inner {
                taken: watch::channel(Vec::new()).0,
                distinct: watch::channel(BTreeSet::new()).0,
                secret: Mutex::new(None),
                any_time: AtomicBool::new(false),
                answer: Mutex::new(200),
                attempts: watch::channel(0).0,
                refused: Mutex::new(Vec::new()),
                places: Mutex::default(),
            }),
        };
        let inner = warehouse.inner.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, inner.clone()));
            }
        });
        warehouse
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.addr)
    }

    pub fn trust(&self, secret: &str) {
        *self.inner.secret.lock().unwrap() = Some(secret.to_owned());
    }

    /// Signatures of any age are taken from now on.
    pub fn takes_any_time(&self) {
        self.inner.any_time.store(true, Ordering::SeqCst);
    }

    /// How many different deliveries were taken.
    pub fn distinct(&self) -> usize {
        self.inner.distinct.borrow().len()
    }

    /// From now on every delivery gets this status.
    pub fn answer(&self, status: u16) {
        *self.inner.answer.lock().unwrap() = status;
    }

    pub fn taken(&self) -> Vec<(String, Value)> {
        self.inner.taken.borrow().clone()
    }

    /// Deliveries whose signature did not verify.
    pub fn refused(&self) -> Vec<String> {
        self.inner.refused.lock().unwrap().clone()
    }

    /// The last `traceparent` by webhook-id.
    pub fn places(&self) -> BTreeMap<String, String> {
        self.inner.places.lock().unwrap().clone()
    }

    pub async fn wait_for_attempts(&self, n: usize) {
        let mut attempts = self.inner.attempts.subscribe();
        tokio::time::timeout(PATIENCE, attempts.wait_for(|have| *have >= n))
            .await
            .expect("attempts in time")
            .unwrap();
    }

    /// Waits until so many different deliveries were taken.
    pub async fn wait_for_distinct(&self, n: usize) {
        let mut distinct = self.inner.distinct.subscribe();
        let waited = tokio::time::timeout(PATIENCE, distinct.wait_for(|ids| ids.len() >= n)).await;
        if waited.is_err() {
            let have = self.inner.distinct.borrow().len();
            panic!("the warehouse was told of {have} events, not of {n}");
        }
    }

    /// Waits until what was taken fits.
    pub async fn wait(
        &self,
        mut fits: impl FnMut(&[(String, Value)]) -> bool,
    ) -> Vec<(String, Value)> {
        let mut taken = self.inner.taken.subscribe();
        let result = tokio::time::timeout(PATIENCE, taken.wait_for(|all| fits(all))).await;
        match result {
            Ok(all) => all.unwrap().clone(),
            Err(_) => panic!(
                "the warehouse did not get it; it has {} deliveries",
                self.taken().len()
            ),
        }
    }
}

async fn serve(mut stream: TcpStream, inner: Arc<Inner>) {
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        let head_end = loop {
            if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
            if let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break end;
            }
        };
        let head = String::from_utf8_lossy(&buffer[..head_end]).into_owned();
        let header = |name: &str| {
            head.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name)
                    .then(|| value.trim().to_owned())
            })
        };
        let length: usize = header("content-length")
            .and_then(|l| l.parse().ok())
            .unwrap_or(0);
        while buffer.len() < head_end + 4 + length {
            if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let body = &buffer[head_end + 4..head_end + 4 + length];
        let status = judge(&inner, &header, body);
        inner.attempts.send_modify(|n| *n += 1);
        let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn judge(inner: &Inner, header: &dyn Fn(&str) -> Option<String>, body: &[u8]) -> u16 {
    let id = header("webhook-id").unwrap_or_default();
    if let Some(place) = header("traceparent") {
        inner.places.lock().unwrap().insert(id.clone(), place);
    }
    if let Some(secret) = inner.secret.lock().unwrap().as_deref() {
        let mut headers = http::HeaderMap::new();
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            headers.insert(name, header(name).unwrap_or_default().parse().unwrap());
        }
        let verifier = standardwebhooks::Webhook::new(secret).unwrap();
        let verified = if inner.any_time.load(Ordering::SeqCst) {
            let at = header("webhook-timestamp").and_then(|text| text.parse().ok());
            let signature = verifier.sign(&id, at.unwrap_or_default(), body).unwrap();
            let told = header("webhook-signature").unwrap_or_default();
            told.split(' ')
                .any(|one| one == signature)
                .then_some(())
                .ok_or_else(|| "the signature does not verify".to_owned())
        } else {
            let verified = verifier.verify(body, &headers);
            verified.map_err(|error| error.to_string())
        };
        if let Err(error) = verified {
            inner.refused.lock().unwrap().push(format!("{id}: {error}"));
            return 401;
        }
    }
    let status = *inner.answer.lock().unwrap();
    if (200..300).contains(&status) {
        let json = serde_json::from_slice(body).unwrap();
        inner.taken.send_modify(|all| all.push((id.clone(), json)));
        inner.distinct.send_if_modified(|ids| ids.insert(id));
    }
    status
}
