//! The checkpointer: copies the log into the database while the writer goes on.
//!
//! What always holds: it only copies; the writer alone appends, and the log starts again from its
//! beginning once all of it was copied.

use super::connect;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A thread with a connection of its own that copies the log into the database while the writer
/// goes on.
pub(super) struct Checkpointer {
    ask: Option<std::sync::mpsc::SyncSender<()>>,
    /// Set when it has copied what there was.
    pub(super) done: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Checkpointer {
    pub(super) fn start(path: &Path) -> Self {
        let (ask, asked) = std::sync::mpsc::sync_channel(1);
        let done = Arc::new(AtomicBool::new(false));
        let (path, finished) = (path.to_owned(), Arc::clone(&done));
        let thread = std::thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn(move || {
                let Ok(conn) = connect(&path) else { return };
                while asked.recv().is_ok() {
                    let _ = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
                    finished.store(true, Ordering::Release);
                }
            })
            .ok();
        Self {
            ask: Some(ask),
            done,
            thread,
        }
    }
    pub(super) fn ask(&self) {
        if let Some(ask) = &self.ask {
            let _ = ask.try_send(());
        }
    }
    pub(super) fn stop(&mut self) {
        self.ask = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
