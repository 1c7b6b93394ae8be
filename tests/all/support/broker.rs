//! A real `nats-server` with JetStream, in a directory that survives its death.

use super::gateway::{PATIENCE, free_addr};
use async_nats::ConnectOptions;
use async_nats::jetstream;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use futures_util::StreamExt;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};

/// The stream of these tests.
const STREAM: &str = "EVENTS";

/// How the server is set up, and how one is known to it: the tests' own connection and, in the
/// words of the API, the gateway.
#[derive(Clone, Default)]
pub struct Setup {
    pub args: Vec<String>,
    pub conf: String,
    pub login: Login,
}

/// One way to be known to a server.
#[derive(Clone, Default)]
pub enum Login {
    #[default]
    Nobody,
    User(String, String),
    Token(String),
    Nkey(String),
    Creds(String),
    /// Nobody in particular, over TLS.
    Tls,
}

impl Setup {
    pub fn args(args: &[&str], login: Login) -> Self {
        Self {
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            login,
            ..Self::default()
        }
    }

    pub fn conf(conf: impl Into<String>, login: Login) -> Self {
        Self {
            conf: conf.into(),
            login,
            ..Self::default()
        }
    }

    /// With a certificate of `tests/data/tls`.
    pub fn tls(more: &[&str]) -> Self {
        let (cert, key) = (tls_file("cert.pem"), tls_file("key.pem"));
        let mut args = vec!["--tls", "--tlscert", &cert, "--tlskey", &key];
        args.extend(more);
        Self::args(&args, Login::Tls)
    }
}

impl Login {
    pub fn user(name: &str, word: &str) -> Self {
        Self::User(name.to_owned(), word.to_owned())
    }

    /// `credentials` of a subscription.
    pub fn credentials(&self) -> Value {
        match self {
            Self::Nobody | Self::Tls => json!({}),
            Self::User(user, word) => json!({"user": user, "password": word}),
            Self::Token(token) => json!({"token": token}),
            Self::Nkey(seed) => json!({"nkey_seed": seed}),
            Self::Creds(text) => json!({"credentials_file": text}),
        }
    }

    fn options(&self) -> ConnectOptions {
        match self.clone() {
            Self::Nobody => ConnectOptions::new(),
            Self::User(user, word) => ConnectOptions::with_user_and_password(user, word),
            Self::Token(token) => ConnectOptions::with_token(token),
            Self::Nkey(seed) => ConnectOptions::with_nkey(seed),
            Self::Creds(text) => ConnectOptions::with_credentials(&text).unwrap(),
            Self::Tls => {
                let _ = rustls::crypto::ring::default_provider().install_default();
                ConnectOptions::new()
                    .require_tls(true)
                    .add_root_certificates(tls_file("ca.pem").into())
            }
        }
    }
}

pub struct Broker {
    child: tokio::process::Child,
    pub addr: SocketAddr,
    data: PathBuf,
    setup: Setup,
}

/// A message of the stream.
#[derive(Debug, Clone)]
pub struct Message {
    pub subject: String,
    pub id: String,
    pub sequence: String,
    pub content_type: String,
    pub replay_of: Option<String>,
    pub event: Value,
}

impl Broker {
    /// Starts one on a port of its own; returns when it is ready.
    pub async fn start(data: &Path, setup: Setup) -> Self {
        Self::start_at(free_addr(), data.to_owned(), setup).await
    }

    async fn start_at(addr: SocketAddr, data: PathBuf, setup: Setup) -> Self {
        let conf = data.join("nats.conf");
        std::fs::write(&conf, &setup.conf).unwrap();
        let mut child = tokio::process::Command::new(program())
            .args(["-a", "127.0.0.1", "-p", &addr.port().to_string(), "-js"])
            .arg("-sd")
            .arg(&data)
            .arg("-c")
            .arg(&conf)
            .args(&setup.args)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("nats-server starts (apt-get install nats-server, or make deps-test)");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        let ready = async {
            while let Ok(Some(line)) = lines.next_line().await {
                if line.contains("Server is ready") {
                    return true;
                }
                said.push_str(&line);
                said.push('\n');
            }
            false
        };
        let ready = tokio::time::timeout(PATIENCE, ready).await;
        assert!(ready.expect("ready in time"), "nats-server ended: {said}");
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self {
            child,
            addr,
            data,
            setup,
        }
    }

    /// SIGKILL, and what is needed to start it again.
    pub async fn kill(mut self) -> Dead {
        self.child.kill().await.unwrap();
        Dead {
            addr: self.addr,
            data: self.data.clone(),
            setup: self.setup.clone(),
        }
    }

    pub fn url(&self, prefix: &str) -> String {
        format!("nats://{}/{prefix}", self.addr)
    }

    async fn context(&self) -> jetstream::Context {
        let at = format!("localhost:{}", self.addr.port());
        jetstream::new(self.setup.login.options().connect(at).await.unwrap())
    }

    /// Makes the stream that takes `wh.>`.
    pub async fn make_stream(&self, max_message: i32) {
        let config = jetstream::stream::Config {
            name: STREAM.to_owned(),
            subjects: vec!["wh.>".to_owned()],
            max_message_size: max_message,
            ..Default::default()
        };
        self.context().await.create_stream(config).await.unwrap();
    }

    /// How many messages the stream holds.
    pub async fn count(&self) -> u64 {
        let stream = self.context().await.get_stream(STREAM).await.unwrap();
        stream.cached_info().state.messages
    }

    /// Waits for the first so many messages of the stream.
    pub async fn read(&self, n: usize) -> Vec<Message> {
        let stream = self.context().await.get_stream(STREAM).await.unwrap();
        let consumer = stream.create_consumer(OrderedConfig::default()).await;
        let messages = consumer.unwrap().messages().await.unwrap();
        let all = messages.take(n).map(|m| read(&m.unwrap())).collect();
        tokio::time::timeout(PATIENCE, all)
            .await
            .expect("so many messages in time")
    }
}

/// A broker that was killed.
pub struct Dead {
    addr: SocketAddr,
    data: PathBuf,
    setup: Setup,
}

impl Dead {
    /// At the same address, with what it had stored.
    pub async fn start(self) -> Broker {
        Broker::start_at(self.addr, self.data, self.setup).await
    }

    /// The same, set up otherwise.
    pub async fn start_as(self, setup: Setup) -> Broker {
        Broker::start_at(self.addr, self.data, setup).await
    }
}

fn read(message: &jetstream::Message) -> Message {
    let headers = message.headers.as_ref().unwrap();
    let maybe = |name: &str| headers.get(name).map(|value| value.as_str().to_owned());
    let header = |name: &str| maybe(name).unwrap();
    Message {
        subject: message.subject.to_string(),
        id: header("Nats-Msg-Id"),
        sequence: header("crossdock-sequence"),
        content_type: header("content-type"),
        replay_of: maybe("crossdock-replay-of"),
        event: serde_json::from_slice(&message.payload).unwrap(),
    }
}

/// A file of `tests/data/tls`.
pub fn tls_file(name: &str) -> String {
    format!("{}/tests/data/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Debian puts it where only root's path leads.
fn program() -> &'static str {
    let debian = "/usr/sbin/nats-server";
    if Path::new(debian).exists() {
        debian
    } else {
        "nats-server"
    }
}
