#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
use super::*;
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use reqwest::dns::Resolve as _;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;
use wiremock::matchers::{body_string, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const LIMITS: SendLimits = SendLimits {
    timeout: Duration::from_secs(20),
    max_body: 64 << 10,
};

/// Answers one list of addresses after the other, then the last for ever.
struct Scripted(Vec<Vec<&'static str>>, AtomicUsize);

#[async_trait]
impl Lookup for Scripted {
    async fn lookup(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        let turn = self.1.fetch_add(1, Ordering::SeqCst).min(self.0.len() - 1);
        match self.0[turn].as_slice() {
            [] => Err(std::io::Error::other("no such host")),
            addresses => Ok(addresses.iter().map(|text| text.parse().unwrap()).collect()),
        }
    }
}

fn client(allow_private: bool, answers: Vec<Vec<&'static str>>) -> GuardedClient {
    let lookup = Arc::new(Scripted(answers, AtomicUsize::new(0)));
    GuardedClient::new(ClientConfig {
        allow_private,
        lookup,
        ..ClientConfig::default()
    })
    .unwrap()
}

fn open() -> GuardedClient {
    client(true, vec![vec![]])
}

fn get(url: &str) -> PlannedRequest {
    PlannedRequest::new(
        Method::GET,
        Url::parse(url).unwrap(),
        HeaderMap::new(),
        Bytes::new(),
    )
}

/// A listener that reads one request and then does as it is told. Returns its base URL.
async fn listener<F, R>(answer: F) -> String
where
    F: FnOnce(TcpStream) -> R + Send + 'static,
    R: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 4096];
        assert!(stream.read(&mut head).await.unwrap() > 0);
        answer(stream).await;
    });
    format!("http://{address}")
}

#[tokio::test]
async fn an_answer_comes_back_whole() {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(418)
        .insert_header("x-left", "3")
        .set_body_string("short and stout");
    Mock::given(method("POST"))
        .and(path("/pot"))
        .and(header("x-a", "b"))
        .and(body_string("tea"))
        .respond_with(answer)
        .mount(&server)
        .await;
    let mut request = get(&format!("{}/pot", server.uri()));
    request.method = Method::POST;
    request.body = Bytes::from_static(b"tea");
    request.headers.insert("x-a", "b".parse().unwrap());
    let answer = open().send(&request, LIMITS).await.unwrap();
    assert_eq!(
        (answer.status, answer.body.as_ref()),
        (418, b"short and stout".as_ref())
    );
    assert_eq!(answer.headers["x-left"], "3");
}

#[tokio::test]
async fn private_addresses_are_refused_before_anything_is_sent() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200))
        .expect(0)
        .mount(&server)
        .await;
    let port = server.address().port();
    let guarded = client(
        false,
        vec![
            vec!["127.0.0.1"],
            vec!["::1", "10.0.0.1"],
            vec!["::ffff:127.0.0.1"],
            vec!["169.254.169.254"],
        ],
    );
    let blocked = SendError {
        sent: Sent::NotSent,
        failure: Failure::Blocked,
        status: None,
    };
    let literal = [
        "127.0.0.1",
        "2130706433",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "10.0.0.1",
        "169.254.169.254",
        "0.0.0.0",
    ];
    for host in literal.into_iter().chain(["rebind.example"; 4]) {
        let answer = guarded
            .send(&get(&format!("http://{host}:{port}/")), LIMITS)
            .await;
        assert_eq!(answer.unwrap_err(), blocked, "{host}");
    }
}

#[tokio::test]
async fn a_name_is_judged_by_the_addresses_that_are_connected_to() {
    // A name that is public when looked at and private when connected to: each connect resolves
    // through the guard, so that only the public addresses of any answer are left.
    let lookup = Arc::new(Scripted(
        vec![vec!["8.8.8.8", "127.0.0.1"], vec!["127.0.0.1"]],
        AtomicUsize::new(0),
    ));
    let resolver = GuardedResolver::new(lookup, false);
    let first: Vec<_> = resolver
        .resolve("rebind.example".parse().unwrap())
        .await
        .unwrap()
        .collect();
    assert_eq!(first, ["8.8.8.8:0".parse().unwrap()]);
    let second = resolver.resolve("rebind.example".parse().unwrap()).await;
    assert!(second.err().unwrap().is::<Blocked>());
}

#[tokio::test]
async fn names_resolve_through_the_given_look_up() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    let url = format!("http://shop.example:{}/", server.address().port());
    let answer = client(true, vec![vec!["127.0.0.1"]])
        .send(&get(&url), LIMITS)
        .await
        .unwrap();
    assert_eq!(answer.status, 204);
    let lost = client(true, vec![vec![]])
        .send(&get(&url), LIMITS)
        .await
        .unwrap_err();
    assert_eq!(
        lost,
        SendError {
            sent: Sent::NotSent,
            failure: Failure::Unresolved,
            status: None
        }
    );
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let server = MockServer::start().await;
    let there =
        ResponseTemplate::new(302).insert_header("location", format!("{}/there", server.uri()));
    Mock::given(path("/here"))
        .respond_with(there)
        .mount(&server)
        .await;
    Mock::given(path("/there"))
        .respond_with(ResponseTemplate::new(200))
        .expect(0)
        .mount(&server)
        .await;
    assert_eq!(
        open()
            .send(&get(&format!("{}/here", server.uri())), LIMITS)
            .await
            .unwrap()
            .status,
        302
    );
}

#[tokio::test]
async fn a_large_answer_is_cut_off() {
    let too_large = SendError {
        sent: Sent::Answered,
        failure: Failure::TooLarge,
        status: Some(200),
    };
    let stated = listener(|mut stream| async move {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 999999\r\n\r\n")
            .await
            .unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    assert_eq!(
        open().send(&get(&stated), LIMITS).await.unwrap_err(),
        too_large
    );
    let endless = listener(|mut stream| async move {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            .await
            .unwrap();
        let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
        while stream.write_all(chunk.as_bytes()).await.is_ok() {}
    })
    .await;
    assert_eq!(
        open().send(&get(&endless), LIMITS).await.unwrap_err(),
        too_large
    );
}

/// 300,000 zero bytes in 325.
const BOMB: &str = "H4sIAAAAAAACA+3BAQ0AAADCoPdPbQ8HFAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/Bj74rL24JMEAA==";
/// `{"ok":true}`
const SMALL: &str = "H4sIAAAAAAACA6tWys9WsiopKk2tBQCQX9SnCwAAAA==";

#[tokio::test]
async fn compression_is_undone_and_counted() {
    let server = MockServer::start().await;
    let zipped = |bytes: &[u8]| {
        ResponseTemplate::new(200)
            .insert_header("content-encoding", "gzip")
            .set_body_bytes(bytes)
    };
    let (bomb, small) = (
        STANDARD.decode(BOMB).unwrap(),
        STANDARD.decode(SMALL).unwrap(),
    );
    Mock::given(path("/bomb"))
        .respond_with(zipped(&bomb))
        .mount(&server)
        .await;
    Mock::given(path("/small"))
        .respond_with(zipped(&small))
        .mount(&server)
        .await;
    Mock::given(path("/damaged"))
        .respond_with(zipped(b"this is no gzip at all"))
        .mount(&server)
        .await;
    let send = async |at: &str| {
        open()
            .send(&get(&format!("{}{at}", server.uri())), LIMITS)
            .await
    };
    assert_eq!(
        send("/small").await.unwrap().body.as_ref(),
        br#"{"ok":true}"#
    );
    let error = |failure| SendError {
        sent: Sent::Answered,
        failure,
        status: Some(200),
    };
    assert_eq!(send("/bomb").await.unwrap_err(), error(Failure::TooLarge));
    assert_eq!(
        send("/damaged").await.unwrap_err(),
        error(Failure::Undecodable)
    );
}

#[tokio::test]
async fn a_lost_answer_may_have_been_executed() {
    let silent = listener(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let short = SendLimits {
        timeout: Duration::from_millis(200),
        ..LIMITS
    };
    let lost = open().send(&get(&silent), short).await.unwrap_err();
    assert_eq!(
        lost,
        SendError {
            sent: Sent::Maybe,
            failure: Failure::Timeout,
            status: None
        }
    );

    let closing = listener(|stream| async move { drop(stream) }).await;
    let lost = open().send(&get(&closing), LIMITS).await.unwrap_err();
    assert_eq!(
        lost,
        SendError {
            sent: Sent::Maybe,
            failure: Failure::Broken,
            status: None
        }
    );

    let halfway = listener(|mut stream| async move {
        stream
            .write_all(b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{\"id\"")
            .await
            .unwrap();
    })
    .await;
    let lost = open().send(&get(&halfway), LIMITS).await.unwrap_err();
    assert_eq!(
        lost,
        SendError {
            sent: Sent::Maybe,
            failure: Failure::Broken,
            status: Some(201)
        }
    );
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let refused = open()
        .send(&get(&format!("http://{closed}/")), LIMITS)
        .await
        .unwrap_err();
    assert_eq!(
        refused,
        SendError {
            sent: Sent::NotSent,
            failure: Failure::Connect,
            status: None
        }
    );

    let plain = listener(|mut stream| async move {
        stream
            .write_all(b"HTTP/1.1 400 no TLS here\r\n\r\n")
            .await
            .unwrap()
    })
    .await;
    let no_tls = open()
        .send(&get(&plain.replace("http:", "https:")), LIMITS)
        .await
        .unwrap_err();
    assert_eq!(
        no_tls,
        SendError {
            sent: Sent::NotSent,
            failure: Failure::Tls,
            status: None
        }
    );
}
