//! A warehouse that acknowledges at once: counts deliveries and when each event's came.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What came.
#[derive(Clone)]
pub struct Receiver {
    pub addr: SocketAddr,
    /// Per order number: when its delivery came.
    pub seen: Arc<Mutex<HashMap<String, Instant>>>,
    pub count: watch::Receiver<usize>,
}

impl Receiver {
    /// Waits until so many are there.
    pub async fn wait(&mut self, count: usize, seconds: u64) {
        let all = self.count.wait_for(|n| *n >= count);
        let told = tokio::time::timeout(Duration::from_secs(seconds), all).await;
        let told = told.map(|there| there.map(|n| *n));
        assert!(matches!(told, Ok(Ok(_))), "not all orders were delivered");
    }

    /// From due to delivered in µs, sorted, of orders that were due one after the other; those that
    /// did not come are left out.
    pub fn latencies_us(&self, first: Instant, per_second: f64, orders: Range<usize>) -> Vec<u64> {
        let seen = self.seen.lock().expect("lock");
        let each = orders.enumerate().filter_map(|(index, number)| {
            let due = first + Duration::from_secs_f64(index as f64 / per_second);
            let at = seen.get(&number.to_string())?;
            Some(at.saturating_duration_since(due).as_micros() as u64)
        });
        let mut all: Vec<u64> = each.collect();
        all.sort_unstable();
        all
    }
}

/// An address that takes connections and never answers.
pub fn silent() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let addr = listener.local_addr().expect("addr");
    std::thread::Builder::new()
        .name("silent".into())
        .spawn(move || {
            let mut kept = Vec::new();
            while let Ok((stream, _)) = listener.accept() {
                kept.push(stream);
            }
        })
        .expect("thread");
    addr
}

pub fn start() -> Receiver {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    listener.set_nonblocking(true).expect("nonblocking");
    let addr = listener.local_addr().expect("addr");
    let seen = Arc::new(Mutex::new(HashMap::new()));
    let (counted, count) = watch::channel(0usize);
    let counted = Arc::new(counted);
    let inner = seen.clone();
    // A thread of its own, so that its CPU is told apart from the load generator's. It ends with
    // the process.
    std::thread::Builder::new()
        .name("receiver".into())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("runtime");
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).expect("listener");
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, inner.clone(), counted.clone()));
                }
            });
        })
        .expect("thread");
    Receiver { addr, seen, count }
}

async fn serve(
    mut stream: TcpStream,
    seen: Arc<Mutex<HashMap<String, Instant>>>,
    counted: Arc<watch::Sender<usize>>,
) {
    let mut buffer = Vec::with_capacity(32 * 1024);
    loop {
        buffer.clear();
        let (end, length) = loop {
            if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
            if let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
                let length: usize = head
                    .lines()
                    .find_map(|l| l.strip_prefix("content-length:")?.trim().parse().ok())
                    .unwrap_or(0);
                break (end + 4, length);
            }
        };
        while buffer.len() < end + length {
            if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
        }
        if let Some(number) = external_id(&buffer[end..end + length]) {
            let fresh = seen
                .lock()
                .expect("lock")
                .insert(number, Instant::now())
                .is_none();
            if fresh {
                counted.send_modify(|n| *n += 1);
            }
        }
        if stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .await
            .is_err()
        {
            return;
        }
    }
}

/// The `external_number` of the order inside, by a search rather than a parse: it must cost little.
fn external_id(body: &[u8]) -> Option<String> {
    let key = b"\"external_number\":\"";
    let start = body.windows(key.len()).position(|w| w == key)? + key.len();
    let end = body.get(start..)?.iter().position(|b| *b == b'"')? + start;
    String::from_utf8(body.get(start..end)?.to_vec()).ok()
}
