//! What the embedded store's writer writes on.
//!
//! What always holds: only this connection writes; the log is copied into the database beside it.

use super::checkpoint::Checkpointer;
use super::open_batches::OpenBatches;
use crate::store::StoreError;
use crate::store::sql::Shared;
use crate::store::sql::codec::Result;
use crate::store::sql::commit::Ground;
use crate::store::sql::conn::Conn;
use crate::store::sql::writer::Inbox;
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Pages of log after which the checkpointer starts to copy them into the database.
const CHECKPOINT_PAGES: usize = 8_000;

/// The thread's own.
pub(super) struct File {
    conn: Connection,
    open: OpenBatches,
    /// Pages in the log, told by SQLite after each commit.
    log_pages: Arc<AtomicUsize>,
    checkpointer: Checkpointer,
    disk_checked: Option<(Instant, bool)>,
    /// Keeps other servers off; let go after the connection (fields are dropped in order).
    _lock: std::fs::File,
}

impl File {
    pub(super) fn new(mut conn: Connection, shared: &Shared, lock: std::fs::File) -> Result<Self> {
        let log_pages = Arc::new(AtomicUsize::new(0));
        let pages = Arc::clone(&log_pages);
        let hooked = conn.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, n: i32| {
            pages.store(usize::try_from(n).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }));
        if let Err(error) = hooked {
            tracing::warn!(%error, "the store cannot watch its log; it is checkpointed by SQLite");
            let _ = conn.pragma_update(None, "wal_autocheckpoint", 8000);
        }
        Ok(Self {
            open: OpenBatches::load(&conn)?,
            conn,
            log_pages,
            checkpointer: Checkpointer::start(&shared.options.path),
            disk_checked: None,
            _lock: lock,
        })
    }

    /// Asks the disk at most a few times a second.
    fn room_on_disk(&mut self, shared: &Shared) -> Result<()> {
        let fresh = self
            .disk_checked
            .filter(|(at, _)| at.elapsed() < Duration::from_millis(250));
        let room = if let Some((_, room)) = fresh {
            room
        } else {
            let needed = shared.options.min_free_mb.saturating_mul(1 << 20);
            let room = free_bytes(&shared.options.path).is_none_or(|free| free >= needed);
            self.disk_checked = Some((Instant::now(), room));
            room
        };
        if room {
            Ok(())
        } else {
            Err(StoreError::Unavailable(format!(
                "less than {} MiB are free on the disk",
                shared.options.min_free_mb
            )))
        }
    }
}

impl Ground for File {
    fn begin(&mut self, shared: &Shared) -> Result<()> {
        self.room_on_disk(shared)?;
        self.conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(())
    }

    fn parts(&mut self) -> Result<(Conn<'_>, &mut dyn Inbox)> {
        Ok((Conn::Sqlite(&self.conn), &mut self.open))
    }

    fn abandon(&mut self) {
        if !self.conn.is_autocommit() {
            let _ = self.conn.execute_batch("ROLLBACK");
        }
        self.open.forget();
    }

    /// The checkpointer copies the log beside us; the little that is left when it is done we copy
    /// ourselves, so that the log starts again from its beginning.
    fn rest(&mut self) {
        if self.log_pages.load(Ordering::Relaxed) < CHECKPOINT_PAGES {
            return;
        }
        if self.checkpointer.done.swap(false, Ordering::AcqRel) {
            let _ = self
                .conn
                .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
            self.log_pages.store(0, Ordering::Relaxed);
        } else {
            self.checkpointer.ask();
        }
    }

    fn close(&mut self) {
        self.checkpointer.stop();
        let _ = self.conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    }
}

/// Free bytes on the disk of the database.
pub(in crate::store) fn free_bytes(path: &Path) -> Option<u64> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    fs4::available_space(folder.unwrap_or(Path::new("."))).ok()
}
