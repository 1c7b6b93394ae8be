//! A PostgreSQL server of a test's own, which may be stopped and killed: with `fsync`, on a port of the
//! loopback address.
//!
//! What always holds: nothing of it is left behind, also when the test itself is killed.

use super::gateway::{free_addr, signal};
use crate::postgres::server::{as_server, make, own, programs, run, watch};
use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Stops the server when the test lets go of the lock, however it ended.
const WATCH: &str = r#"
flock -x "$1.held" true
$3 "$2/pg_ctl" -D "$1/data" -m immediate stop
rm -rf "$1" "$1.held"
"#;
/// One that was killed may be in the way of the next one for a moment.
const TRIES: u32 = 50;

pub struct Database {
    folder: PathBuf,
    programs: PathBuf,
    addr: SocketAddr,
    _held: File,
}

impl Database {
    /// Made, not started.
    pub fn made() -> Self {
        let name = format!("crossdock-own-{}", uuid::Uuid::now_v7().simple());
        let folder = std::env::temp_dir().join(name);
        let programs = programs();
        let held = File::create(folder.with_extension("held")).unwrap();
        held.lock().unwrap();
        watch(WATCH, &folder, &programs);
        make(&folder);
        Self {
            folder,
            programs,
            addr: free_addr(),
            _held: held,
        }
    }

    /// Made and started.
    pub fn start() -> Self {
        let database = Self::made();
        database.begin("");
        database
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// A file of its own, readable by nobody else.
    pub fn put(&self, name: &str, text: &str) {
        let path = self.folder.join("data").join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        own(&path);
    }

    /// Starts it, with these settings too.
    pub fn begin(&self, more: &str) {
        let options = format!(
            "-k {} -c listen_addresses=127.0.0.1 -c port={} -c fsync=on -c max_connections=200 \
             -c shared_buffers=64MB -c jit=off {more}",
            self.folder.display(),
            self.addr.port(),
        );
        let begun = (0..TRIES).any(|_| {
            let mut command = self.control();
            command.arg("-l").arg(self.folder.join("log"));
            command.args(["-w", "-t", "60", "-o", &options, "start"]);
            command.status().unwrap().success()
        });
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        assert!(begun, "the server does not start: {log}");
    }

    /// As an operator stops it.
    pub fn stop(&self) {
        run(self.control().args(["-m", "fast", "-w", "stop"]));
    }

    /// As a power cut: everything is aborted, and recovered at the next start.
    pub fn cut(&self) {
        run(self.control().args(["-m", "immediate", "-w", "stop"]));
    }

    /// `kill -9` of its main process.
    pub fn kill(&self) {
        let file = self.folder.join("data/postmaster.pid");
        let text = std::fs::read_to_string(file).unwrap();
        signal("-KILL", text.lines().next().unwrap());
    }

    fn control(&self) -> Command {
        let mut command = as_server(&self.programs.join("pg_ctl"));
        command
            .arg("-D")
            .arg(self.folder.join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// The store's URL, by this name of the machine.
    pub fn url(&self, host: &str) -> String {
        let port = self.addr.port();
        format!("postgres://postgres:sesame@{host}:{port}/postgres")
    }
}
