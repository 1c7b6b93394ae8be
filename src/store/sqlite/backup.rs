//! A copy of the database, made while a server writes it.
//!
//! What always holds: the copy is one state of the database, with everything that was committed
//! before it was begun; it has its name only when it is whole, on the disk and was looked through; it
//! holds nothing of what was deleted before. Writers and readers go on meanwhile; the log grows until
//! it is done.

use super::{disk, reader};
use crate::store::StoreError;
use crate::store::sql::codec::Result;
use rusqlite::{Connection, OpenFlags, params};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Copies the database at `from` to a new file; yields its size.
///
/// # Errors
/// `NotFound` when there is no database; `Exists` when the file is there; `Corrupt` when the copy is
/// damaged, `Unavailable` when the disk says no: then there is no copy.
pub(in crate::store) fn back_up(from: &Path, to: &Path) -> Result<u64> {
    if !from.exists() {
        let path = from.display();
        return Err(StoreError::NotFound(format!("no database at {path}")));
    }
    if to.exists() {
        return Err(StoreError::Exists(to.display().to_string()));
    }
    let part = beside(to);
    let made = copy(from, &part).and_then(|()| take_name(&part, to));
    if made.is_err() {
        let _ = fs::remove_file(&part);
    }
    made
}

fn beside(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

fn copy(from: &Path, part: &Path) -> Result<()> {
    // For its owner only, as the database; one of a copy that was cut off counts for nothing.
    let _ = fs::remove_file(part);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(part)
        .map_err(|error| disk(part, &error))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(from, flags)?;
    conn.busy_timeout(Duration::from_secs(10))?;
    let name = part
        .to_str()
        .ok_or_else(|| StoreError::NotFound("the name of the copy is no UTF-8".to_owned()))?;
    conn.execute("VACUUM INTO ?", params![name])?;
    look_through(part)?;
    let written = File::open(part).and_then(|file| file.sync_all());
    written.map_err(|error| disk(part, &error))
}

fn look_through(part: &Path) -> Result<()> {
    let conn = reader::connect(part)?;
    let found: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" {
        Ok(())
    } else {
        Err(StoreError::Corrupt("the copy is damaged".to_owned()))
    }
}

fn take_name(part: &Path, to: &Path) -> Result<u64> {
    // Fails when somebody else made the file meanwhile.
    fs::hard_link(part, to).map_err(|error| disk(to, &error))?;
    fs::remove_file(part).map_err(|error| disk(part, &error))?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| disk(folder, &error))?;
    let about = fs::metadata(to).map_err(|error| disk(to, &error))?;
    Ok(about.len())
}
