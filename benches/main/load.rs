//! A bounded load generator for loopback: keep-alive connections that send requests made before
//! the clock starts, and read just the status of each answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What a run came to.
pub struct Run {
    pub requests: usize,
    pub not_2xx: usize,
    pub seconds: f64,
    /// Sorted, in microseconds.
    pub latencies_us: Vec<u64>,
}

impl Run {
    pub fn rate(&self) -> f64 {
        self.requests as f64 / self.seconds
    }
    pub fn percentile_ms(&self, p: f64) -> f64 {
        percentile(&self.latencies_us, p) / 1_000.0
    }
}

pub fn percentile(sorted: &[u64], p: f64) -> f64 {
    let index = ((sorted.len() as f64 - 1.0) * p).round() as usize;
    sorted.get(index).copied().unwrap_or(0) as f64
}

/// Sends every request once over so many connections, as fast as they are answered.
pub async fn blast(addr: SocketAddr, requests: Arc<Vec<Vec<u8>>>, connections: usize) -> Run {
    blast_over(&[addr], requests, connections).await
}

/// The same with connections spread over several servers.
pub async fn blast_over(
    addrs: &[SocketAddr],
    requests: Arc<Vec<Vec<u8>>>,
    connections: usize,
) -> Run {
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let addrs = addrs.iter().cycle().take(connections);
    let tasks: Vec<_> = addrs
        .map(|addr| tokio::spawn(connection(*addr, requests.clone(), next.clone(), None)))
        .collect();
    collect(tasks, requests.len(), started).await
}

/// Sends what `make` makes, one after the other over each connection, as fast as it is answered,
/// until told to stop; how many were taken.
pub async fn flood(
    addr: SocketAddr,
    make: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static,
    connections: usize,
    stop: Arc<AtomicBool>,
) -> Run {
    let (next, make) = (Arc::new(AtomicUsize::new(0)), Arc::new(make));
    let started = Instant::now();
    let tasks: Vec<_> = (0..connections)
        .map(|_| {
            let (next, make, stop) = (next.clone(), make.clone(), stop.clone());
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(addr).await.expect("connect");
                stream.set_nodelay(true).expect("nodelay");
                let mut buffer = vec![0u8; 16 * 1024];
                let (mut latencies, mut bad) = (Vec::new(), 0);
                while !stop.load(Ordering::Relaxed) {
                    let request = make(next.fetch_add(1, Ordering::Relaxed));
                    let sent = Instant::now();
                    stream.write_all(&request).await.expect("write");
                    let status = read_answer(&mut stream, &mut buffer).await;
                    latencies.push(sent.elapsed().as_micros() as u64);
                    bad += usize::from(!(200..300).contains(&status));
                }
                (latencies, bad)
            })
        })
        .collect();
    collect(tasks, 0, started).await
}

/// Sends requests at a steady pace (open loop): latency counts from when each was due.
pub async fn paced(
    addr: SocketAddr,
    requests: Arc<Vec<Vec<u8>>>,
    connections: usize,
    per_second: f64,
) -> Run {
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let pace = Some((started, Duration::from_secs_f64(1.0 / per_second)));
    let tasks: Vec<_> = (0..connections)
        .map(|_| tokio::spawn(connection(addr, requests.clone(), next.clone(), pace)))
        .collect();
    collect(tasks, requests.len(), started).await
}

async fn collect(
    tasks: Vec<tokio::task::JoinHandle<(Vec<u64>, usize)>>,
    requests: usize,
    started: Instant,
) -> Run {
    let mut latencies_us = Vec::with_capacity(requests);
    let mut not_2xx = 0;
    for task in tasks {
        let (latencies, bad) = task.await.expect("load task");
        latencies_us.extend(latencies);
        not_2xx += bad;
    }
    let seconds = started.elapsed().as_secs_f64();
    latencies_us.sort_unstable();
    Run {
        requests: latencies_us.len(),
        not_2xx,
        seconds,
        latencies_us,
    }
}

async fn connection(
    addr: SocketAddr,
    requests: Arc<Vec<Vec<u8>>>,
    next: Arc<AtomicUsize>,
    pace: Option<(Instant, Duration)>,
) -> (Vec<u64>, usize) {
    let mut stream = TcpStream::connect(addr).await.expect("connect");
    stream.set_nodelay(true).expect("nodelay");
    let mut buffer = vec![0u8; 16 * 1024];
    let (mut latencies, mut bad) = (Vec::new(), 0);
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(request) = requests.get(index) else {
            return (latencies, bad);
        };
        let mut due = Instant::now();
        if let Some((start, gap)) = pace {
            due = start + gap * index as u32;
            tokio::time::sleep_until(due.into()).await;
        }
        stream.write_all(request).await.expect("write");
        let status = read_answer(&mut stream, &mut buffer).await;
        latencies.push(due.elapsed().as_micros() as u64);
        if !(200..300).contains(&status) {
            bad += 1;
        }
    }
}

/// Reads one answer whole (content-length or no body) and returns its status.
async fn read_answer(stream: &mut TcpStream, buffer: &mut [u8]) -> u16 {
    let mut have = 0;
    loop {
        let n = stream.read(&mut buffer[have..]).await.expect("read");
        assert!(n > 0, "the server closed the connection");
        have += n;
        let Some(end) = find(&buffer[..have], b"\r\n\r\n") else {
            continue;
        };
        let head = std::str::from_utf8(&buffer[..end]).expect("head");
        let status: u16 = head
            .get(9..12)
            .and_then(|s| s.parse().ok())
            .expect("status");
        let length: usize = head
            .lines()
            .find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse().ok())?
            })
            .unwrap_or(0);
        while have < end + 4 + length {
            let n = stream.read(&mut buffer[have..]).await.expect("read");
            assert!(n > 0);
            have += n;
        }
        return status;
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}
