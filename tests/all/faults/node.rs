//! A gateway of the run: the real binary, started again whenever it has ended, reached through a
//! proxy.
//!
//! What always holds: whoever looks after it starts it again as long as it is wanted, as systemd and
//! Kubernetes do; how often it ended by itself is counted.

use super::proxy::Proxy;
use super::time::{NodeClock, Time};
use crate::support::Gateway;
use crate::support::gateway::{PATIENCE, free_addr, signal};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// Before a gateway that did not come up is tried again.
const AGAIN: Duration = Duration::from_millis(200);

pub struct Node {
    pub door: Proxy,
    pub clock: NodeClock,
    data: tempfile::TempDir,
    env: Vec<(&'static str, String)>,
    /// The process, while it is ready.
    up: watch::Sender<Option<String>>,
    wanted: watch::Sender<bool>,
    pub starts: AtomicU32,
    /// It did not come up: the store was away.
    pub failed_starts: AtomicU32,
    /// It ended and nobody had told it to.
    pub ended_itself: AtomicU32,
    told: AtomicU32,
}

impl Node {
    /// A node over this store; `env` are further settings.
    pub async fn new(store: &str, time: &Time, env: &[(&'static str, String)]) -> Arc<Self> {
        let mut data = tempfile::tempdir().unwrap();
        // For whoever looks for a fault.
        data.disable_cleanup(std::env::var_os("CROSSDOCK_FAULT_KEEP").is_some());
        std::fs::write(data.path().join("store-url"), store).unwrap();
        let door = Proxy::to(free_addr()).await;
        let clock = NodeClock::new(data.path(), time);
        let mut all = vec![
            ("CROSSDOCK_TEST_CLOCK", clock.file.display().to_string()),
            ("CROSSDOCK_PUBLIC_URL", door.url()),
            ("CROSSDOCK_LOG", "info".to_owned()),
            ("CROSSDOCK_LOG_FORMAT", "json".to_owned()),
        ];
        all.extend(env.iter().cloned());
        let node = Arc::new(Self {
            door,
            clock,
            data,
            env: all,
            up: watch::channel(None).0,
            wanted: watch::channel(true).0,
            starts: AtomicU32::new(0),
            failed_starts: AtomicU32::new(0),
            ended_itself: AtomicU32::new(0),
            told: AtomicU32::new(0),
        });
        tokio::spawn(node.clone().keep());
        node
    }

    pub fn folder(&self) -> &Path {
        self.data.path()
    }

    async fn keep(self: Arc<Self>) {
        while *self.wanted.borrow() {
            let env: Vec<(&str, &str)> = self.env.iter().map(|(k, v)| (*k, v.as_str())).collect();
            let Some(mut gateway) = Gateway::try_start(self.folder(), &env).await else {
                self.failed_starts.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(AGAIN).await;
                continue;
            };
            self.starts.fetch_add(1, Ordering::SeqCst);
            self.door.aim(gateway.addr);
            self.up.send_replace(Some(gateway.pid()));
            let status = gateway.gone().await;
            self.up.send_replace(None);
            let told = self.told.swap(0, Ordering::SeqCst) > 0;
            if !told {
                self.ended_itself.fetch_add(1, Ordering::SeqCst);
                eprintln!("a node ended by itself: {status}");
            }
        }
    }

    /// The process of a node that is ready.
    pub async fn ready(&self) -> String {
        let mut up = self.up.subscribe();
        let ready = tokio::time::timeout(2 * PATIENCE, up.wait_for(Option::is_some));
        let found = ready.await.expect("a node is ready in time");
        found.unwrap().clone().unwrap()
    }

    /// Sends a signal to the process, if it runs.
    pub fn signal(&self, which: &str) {
        if let Some(pid) = self.up.borrow().as_deref() {
            signal(which, pid);
        }
    }

    /// Ends it by this signal; returns when it is ready again.
    pub async fn again(&self, which: &str) {
        let pid = self.ready().await;
        self.end(which, &pid).await;
        self.ready().await;
    }

    /// Kills it; it is not waited for.
    pub async fn kill(&self) {
        let pid = self.ready().await;
        self.end("-KILL", &pid).await;
    }

    async fn end(&self, which: &str, pid: &str) {
        self.told.fetch_add(1, Ordering::SeqCst);
        signal(which, pid);
        let mut up = self.up.subscribe();
        let gone = up.wait_for(|now| now.as_deref() != Some(pid));
        let gone = tokio::time::timeout(PATIENCE, gone).await;
        gone.expect("a node that was told to end ends").unwrap();
    }

    /// Ends it for good, properly.
    pub async fn close(&self) {
        self.wanted.send_replace(false);
        let pid = self.up.borrow().clone();
        if let Some(pid) = pid {
            self.end("-TERM", &pid).await;
        }
    }

    /// What it logged last, for whoever looks for a fault.
    pub fn last_words(&self, lines: usize) -> String {
        let log = std::fs::read_to_string(self.folder().join("log")).unwrap_or_default();
        let all: Vec<&str> = log.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}
