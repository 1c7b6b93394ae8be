//! A PostgreSQL server of the bench's own: on a socket in its own folder, as an unprivileged user,
//! with every write synced as the server comes (`fsync`, `synchronous_commit` and `full_page_writes`
//! on). It is stopped and its files are removed when the bench ends, whichever way.

use crate::gateway::cpu_by_thread;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// What differs from the server's defaults: only sizes, and what is asked for in words is what it is.
const SETTINGS: [&str; 8] = [
    "listen_addresses=",
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    "max_connections=100",
    "shared_buffers=256MB",
    "max_wal_size=2GB",
    "checkpoint_timeout=10min",
];

/// Ends the server when the bench is gone, however it went.
const WATCH: &str = r#"
while kill -0 "$1" 2>/dev/null && [ -d "$2" ]; do sleep 1; done
[ -d "$2" ] || exit 0
$4 "$3/pg_ctl" -D "$2/data" -m immediate stop
rm -rf "$2"
"#;

/// See the module.
pub struct Database {
    folder: PathBuf,
    programs: PathBuf,
    made: AtomicUsize,
}

fn programs() -> Option<PathBuf> {
    let mut places: Vec<PathBuf> =
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        let mut found: Vec<_> = versions.flatten().map(|v| v.path().join("bin")).collect();
        found.sort();
        places.extend(found);
    }
    let has = |place: &PathBuf| place.join("initdb").exists() && place.join("pg_ctl").exists();
    places.into_iter().find(has)
}

/// The server does not run as root.
fn unprivileged() -> Vec<&'static str> {
    let user = Command::new("id").arg("-u").output().expect("id").stdout;
    match user == b"0\n" {
        true => vec![
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
        ],
        false => Vec::new(),
    }
}

fn run(program: &Path, args: &[&str]) {
    let mut words = unprivileged();
    let program = program.display().to_string();
    words.push(&program);
    let done = Command::new(words[0])
        .args(&words[1..])
        .args(args)
        .current_dir("/")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .expect("start a program of PostgreSQL");
    assert!(done.success(), "{program} {args:?}");
}

impl Database {
    /// Starts one; `None` (and a line that says so) where PostgreSQL is not installed.
    pub fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            println!("postgres  not measured: no initdb and pg_ctl (package `postgresql`)");
            return None;
        };
        let folder = std::env::temp_dir().join(format!("crossdock-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        if !unprivileged().is_empty() {
            std::os::unix::fs::chown(&folder, Some(65534), Some(65534)).expect("chown");
        }
        let data = folder.join("data").display().to_string();
        run(
            &programs.join("initdb"),
            &["-A", "trust", "-U", "postgres", "-E", "UTF8", "-D", &data],
        );
        let settings: String = SETTINGS.iter().map(|s| format!(" -c {s}")).collect();
        let options = format!("-k {}{settings}", folder.display());
        let log = folder.join("log").display().to_string();
        run(
            &programs.join("pg_ctl"),
            &[
                "-D", &data, "-l", &log, "-w", "-t", "60", "-o", &options, "start",
            ],
        );
        let watch = Command::new("setsid")
            .args(["--fork", "sh", "-c", WATCH, "watch"])
            .arg(std::process::id().to_string())
            .arg(&folder)
            .arg(&programs)
            .arg(unprivileged().join(" "))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(watch.expect("setsid").success());
        Some(Self {
            folder,
            programs,
            made: AtomicUsize::new(0),
        })
    }

    fn url(&self, name: &str) -> String {
        format!(
            "postgres:///{name}?user=postgres&host={}",
            self.folder.display()
        )
    }

    /// A new, empty database.
    pub async fn fresh(&self) -> String {
        let name = format!("bench_{}", self.made.fetch_add(1, Ordering::Relaxed));
        execute(&self.url("postgres"), &[&format!("CREATE DATABASE {name}")]).await;
        self.url(&name)
    }

    /// Statistics as an hour's running would have left them, and nothing left to be written.
    pub async fn settle(url: &str) {
        execute(url, &["VACUUM (ANALYZE)", "CHECKPOINT"]).await;
    }

    fn processes(&self) -> Vec<u32> {
        let pid = std::fs::read_to_string(self.folder.join("data/postmaster.pid"));
        let pid: u32 = pid
            .ok()
            .and_then(|text| text.lines().next()?.trim().parse().ok())
            .expect("the server runs");
        let mut found = vec![pid];
        for entry in std::fs::read_dir("/proc").expect("proc").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Ok(id) = name.parse::<u32>() else {
                continue;
            };
            let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let parent = stat.rsplit(')').next().and_then(|s| s.split(' ').nth(2));
            if parent.and_then(|p| p.parse().ok()) == Some(pid) {
                found.push(id);
            }
        }
        found
    }

    /// Seconds of CPU that the processes which run now have used.
    pub fn cpu(&self) -> f64 {
        let each = |id: u32| cpu_by_thread(&id.to_string()).values().sum::<f64>();
        self.processes().into_iter().map(each).sum()
    }

    /// Memory in MiB; what processes share is counted once. 0 where the system does not tell.
    pub fn memory_mib(&self) -> f64 {
        let kib = |id: u32| {
            let rollup = std::fs::read_to_string(format!("/proc/{id}/smaps_rollup"));
            let rollup = rollup.unwrap_or_default();
            let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
            let kib = line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<f64>().ok());
            kib.unwrap_or(0.0)
        };
        self.processes().into_iter().map(kib).sum::<f64>() / 1_024.0
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let data = self.folder.join("data").display().to_string();
        run(
            &self.programs.join("pg_ctl"),
            &["-D", &data, "-m", "immediate", "stop"],
        );
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn execute(url: &str, statements: &[&str]) {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
        .await
        .expect("connect");
    let connection = tokio::spawn(connection);
    for statement in statements {
        client.batch_execute(statement).await.expect("statement");
    }
    drop(client);
    let _ = connection.await;
}
