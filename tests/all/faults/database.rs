//! A PostgreSQL server of its own that is stopped and killed: with `fsync`, on a port of the loopback.
//!
//! What always holds: nothing of it is left behind, also when the test itself is killed.

use crate::postgres::server::{as_server, drop_privileges, programs, run};
use crate::support::gateway::{free_addr, signal};
use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// Stops the server when the test lets go of the lock, however it ended.
const WATCH: &str = r#"
flock -x "$1.held" true
$3 "$2/pg_ctl" -D "$1/data" -m immediate stop
rm -rf "$1" "$1.held"
"#;
/// A server that was killed may be in the way of the next one for a moment.
const TRIES: u32 = 50;

struct Inner {
    folder: PathBuf,
    programs: PathBuf,
    addr: SocketAddr,
    _held: File,
}

#[derive(Clone)]
pub struct Database(Arc<Inner>);

/// How it ends.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// As an operator stops it.
    Fast,
    /// It aborts everything and recovers when it starts.
    Immediate,
    /// `kill -9` of its main process.
    Killed,
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

impl Database {
    pub async fn start() -> Self {
        blocking(|| {
            let database = Self::made();
            assert!(database.try_begin(), "the server does not start");
            database
        })
        .await
    }

    /// Its address; everything goes through a proxy to there.
    pub fn addr(&self) -> SocketAddr {
        self.0.addr
    }

    /// The store's URL at this address.
    pub fn url(&self, addr: SocketAddr) -> String {
        format!("postgres://postgres@{addr}/postgres")
    }

    /// Ends and starts again.
    pub async fn again(&self, end: End) {
        let database = self.clone();
        blocking(move || {
            match end {
                End::Fast => run(database.control().args(["-m", "fast", "-w", "stop"])),
                End::Immediate => run(database.control().args(["-m", "immediate", "-w", "stop"])),
                End::Killed => database.kill(),
            }
            let begun = (0..TRIES).any(|_| database.try_begin());
            assert!(begun, "the server does not start after {end:?}");
        })
        .await;
    }

    fn made() -> Self {
        let name = format!("crossdock-faults-{}", uuid::Uuid::now_v7().simple());
        let folder = std::env::temp_dir().join(name);
        let bin = programs();
        std::fs::create_dir_all(&folder).unwrap();
        if !drop_privileges().is_empty() {
            std::os::unix::fs::chown(&folder, Some(65534), Some(65534)).unwrap();
        }
        let held = File::create(folder.with_extension("held")).unwrap();
        held.lock().unwrap();
        let mut watch = Command::new("setsid");
        watch
            .args(["--fork", "sh", "-c", WATCH, "watch"])
            .arg(&folder)
            .arg(&bin)
            .arg(drop_privileges().join(" "))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        assert!(watch.status().unwrap().success());
        run(as_server(&bin.join("initdb"))
            .args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "-D"])
            .arg(folder.join("data")));
        Self(Arc::new(Inner {
            folder,
            programs: bin,
            addr: free_addr(),
            _held: held,
        }))
    }

    fn control(&self) -> Command {
        let mut command = as_server(&self.0.programs.join("pg_ctl"));
        command
            .arg("-D")
            .arg(self.0.folder.join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    fn try_begin(&self) -> bool {
        let options = format!(
            "-k {} -c listen_addresses=127.0.0.1 -c port={} -c fsync=on -c max_connections=200 \
             -c shared_buffers=64MB -c jit=off",
            self.0.folder.display(),
            self.0.addr.port(),
        );
        let mut command = self.control();
        command
            .arg("-l")
            .arg(self.0.folder.join("log"))
            .args(["-w", "-t", "60", "-o", &options, "start"]);
        command.status().unwrap().success()
    }

    fn kill(&self) {
        let file = self.0.folder.join("data/postmaster.pid");
        let text = std::fs::read_to_string(file).unwrap();
        signal("-KILL", text.lines().next().unwrap());
    }
}
