//! A PostgreSQL server of a test's own, which may be stopped and killed: lost and found again, over
//! TLS; and backups of both stores.

mod backups;
mod lost;
mod tls;

use super::postgres::server::{as_server, drop_privileges, programs, run};
use super::support::gateway::{free_addr, signal};
use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
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

/// The server. On the loopback address, with `fsync`.
pub struct Database {
    folder: PathBuf,
    programs: PathBuf,
    addr: SocketAddr,
    _held: File,
}

impl Database {
    /// Made, not started.
    fn made() -> Self {
        let name = format!("crossdock-own-{}", uuid::Uuid::now_v7().simple());
        let folder = std::env::temp_dir().join(name);
        let programs = programs();
        std::fs::create_dir_all(&folder).unwrap();
        if !drop_privileges().is_empty() {
            chown(&folder, Some(65534), Some(65534)).unwrap();
        }
        let held = File::create(folder.with_extension("held")).unwrap();
        held.lock().unwrap();
        let mut watch = Command::new("setsid");
        watch
            .args(["--fork", "sh", "-c", WATCH, "watch"])
            .arg(&folder)
            .arg(&programs)
            .arg(drop_privileges().join(" "))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        assert!(watch.status().unwrap().success());
        run(as_server(&programs.join("initdb"))
            .args([
                "-A",
                "trust",
                "-U",
                "postgres",
                "-E",
                "UTF8",
                "--no-sync",
                "-D",
            ])
            .arg(folder.join("data")));
        Self {
            folder,
            programs,
            addr: free_addr(),
            _held: held,
        }
    }

    /// Made and started.
    fn start() -> Self {
        let database = Self::made();
        database.begin("");
        database
    }

    /// A file of its own, readable by nobody else.
    fn put(&self, name: &str, text: &str) {
        let path = self.folder.join("data").join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        if !drop_privileges().is_empty() {
            chown(&path, Some(65534), Some(65534)).unwrap();
        }
    }

    /// Starts it, with these settings too.
    fn begin(&self, more: &str) {
        let options = format!(
            "-k {} -c listen_addresses=127.0.0.1 -c port={} -c max_connections=100 \
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

    /// As a power cut: everything is aborted, and recovered at the next start.
    fn cut(&self) {
        run(self.control().args(["-m", "immediate", "-w", "stop"]));
    }

    /// `kill -9` of its main process.
    fn kill(&self) {
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
    fn url(&self, host: &str) -> String {
        let port = self.addr.port();
        format!("postgres://postgres:sesame@{host}:{port}/postgres")
    }
}
