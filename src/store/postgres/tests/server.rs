//! A private PostgreSQL server for tests: started by whichever test needs it first, shared by all
//! test processes, stopped when none is left.
//!
//! What always holds: it listens on a socket in a folder of its own and nowhere else; every store
//! has a schema of its own in it; nothing is left behind a few seconds after the last test.
#![allow(dead_code)]

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Keeps the server up as long as this process lives.
static KEPT: OnceLock<(PathBuf, File)> = OnceLock::new();

const SETTINGS: [&str; 9] = [
    "listen_addresses=''",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=500",
    "shared_buffers=64MB",
    "jit=off",
    "max_locks_per_transaction=512",
    "wal_level=minimal' -c 'max_wal_senders=0",
];

/// Stops the server when no test process holds the lock of the users any more.
const WATCH: &str = r#"
sleep 5
while :; do
  if flock -n -x "$1.users" true; then
    sleep 3
    exec 9>"$1.start"; flock 9
    if flock -n -x "$1.users" true; then
      $3 "$2/pg_ctl" -D "$1/data" -m immediate stop
      rm -rf "$1" "$1.users" "$1.start"
      exit 0
    fi
    exec 9>&-
  fi
  sleep 1
done
"#;

/// Where the server's programs are.
pub fn programs() -> PathBuf {
    let mut places: Vec<PathBuf> =
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        let mut found: Vec<PathBuf> = versions.flatten().map(|v| v.path().join("bin")).collect();
        found.sort();
        places.extend(found);
    }
    let has = |place: &PathBuf| place.join("initdb").exists() && place.join("pg_ctl").exists();
    places.into_iter().find(has).expect(
        "no initdb and pg_ctl: install PostgreSQL (`make deps-test`, or the package `postgresql`)",
    )
}

/// The server does not run as root: what goes before its commands.
pub fn drop_privileges() -> Vec<&'static str> {
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    if root {
        vec![
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
        ]
    } else {
        Vec::new()
    }
}

pub fn run(command: &mut Command) {
    let done = command.stdin(Stdio::null()).output().unwrap();
    assert!(
        done.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
}

pub fn as_server(program: &Path) -> Command {
    let before = drop_privileges();
    let mut command = match before.split_first() {
        None => Command::new(program),
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
    };
    command.current_dir("/").env("LC_ALL", "C.UTF-8");
    command
}

fn open(path: &Path) -> File {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .unwrap()
}

fn beside(folder: &Path, ending: &str) -> PathBuf {
    let mut path = folder.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// Makes a folder of the server's own, with an empty database cluster `data` in it.
pub fn make(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    own(folder);
    run(as_server(&programs().join("initdb"))
        .args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync"])
        .arg("-D")
        .arg(folder.join("data")));
}

/// Gives a path to whoever the server runs as.
pub fn own(path: &Path) {
    if !drop_privileges().is_empty() {
        std::os::unix::fs::chown(path, Some(65534), Some(65534)).unwrap();
    }
}

/// Starts what stops the server when its time is over, however the test ended: a script that is told
/// the folder, where the programs are, and what goes before them.
pub fn watch(script: &str, folder: &Path, programs: &Path) {
    let mut watch = Command::new("setsid");
    watch
        .args(["--fork", "sh", "-c", script, "watch"])
        .arg(folder)
        .arg(programs)
        .arg(drop_privileges().join(" "))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    assert!(watch.status().unwrap().success());
}

fn start(folder: &Path) {
    let bin = programs();
    // One that was just stopped may still be writing.
    let gone = (0..10_000).any(|_| std::fs::remove_dir_all(folder).is_ok() || !folder.exists());
    assert!(gone, "{} cannot be emptied", folder.display());
    make(folder);
    let data = folder.join("data");
    let options: String = SETTINGS.iter().map(|s| format!(" -c '{s}'")).collect();
    let options = options.replace("=''", "=");
    let options = format!("-k {}{options}", folder.display());
    run(as_server(&bin.join("pg_ctl"))
        .arg("-D")
        .arg(&data)
        .arg("-l")
        .arg(folder.join("log"))
        .args(["-w", "-t", "60", "-o", &options, "start"])
        .stdout(Stdio::null()));
    watch(WATCH, folder, &bin);
}

/// The folder of the running server.
fn folder() -> &'static Path {
    let (folder, _) = KEPT.get_or_init(|| {
        let of = std::env::current_exe().unwrap();
        let of = of.parent().unwrap().to_string_lossy().into_owned();
        let name = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, of.as_bytes()).simple();
        let name = name.to_string();
        let folder = std::env::temp_dir().join(format!("crossdock-pg-{}", &name[..12]));
        // The watcher removes the locks with the server: only one that is still there counts.
        let users = loop {
            let starting = open(&beside(&folder, ".start"));
            starting.lock().unwrap();
            if !beside(&folder, ".start").exists() {
                continue;
            }
            let users = open(&beside(&folder, ".users"));
            users.lock_shared().unwrap();
            let running = std::os::unix::net::UnixStream::connect(folder.join(".s.PGSQL.5432"));
            if running.is_err() {
                start(&folder);
            }
            break users;
        };
        (folder, users)
    });
    folder
}

/// The URL of a new, empty schema.
pub async fn fresh_url() -> String {
    let folder = folder().to_string_lossy().into_owned();
    let base = format!("postgres:///postgres?user=postgres&host={folder}");
    let schema = format!("t_{}", uuid::Uuid::now_v7().simple());
    let (client, connection) = tokio_postgres::connect(&base, tokio_postgres::NoTls)
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    client
        .batch_execute(&format!("CREATE SCHEMA {schema}"))
        .await
        .unwrap();
    drop(client);
    connection.await.unwrap().unwrap();
    format!("{base}&options=-c%20search_path%3D{schema}")
}
