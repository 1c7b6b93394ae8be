//! The server itself, over a socket.

use super::house::{ADMIN, house};
use crate::api::server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends bytes, ends the sending side, and reads all that comes back.
async fn exchange(at: std::net::SocketAddr, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(at).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    socket.shutdown().await.unwrap();
    let mut told = Vec::new();
    socket.read_to_end(&mut told).await.unwrap();
    String::from_utf8_lossy(&told).into_owned()
}

#[actix_web::test]
async fn it_serves_survives_nonsense_and_stops() {
    let house = house();
    let (running, addresses) = server("127.0.0.1:0", 1, house.state.clone()).unwrap();
    let handle = running.handle();
    let running = tokio::spawn(running);
    let at = addresses[0];
    let healthy = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert!(exchange(at, healthy).await.starts_with("HTTP/1.1 200"));
    let head = format!(
        "POST /v1/merchants HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\n\
         Content-Type: application/json\r\nConnection: close\r\n"
    );
    let bodies = [
        "Content-Length: 100\r\n\r\n{\"name\":",
        "Content-Length: x\r\n\r\n{}",
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n2\r\n{",
    ];
    for body in bodies {
        let told = exchange(at, format!("{head}{body}").as_bytes()).await;
        assert!(
            !told.contains("201 Created") && !told.contains(" 500 "),
            "{body}: {told}"
        );
    }
    exchange(at, b"\x16\x03\x01\x00\xff not http at all").await;
    let whole = format!("{head}Content-Length: 15\r\n\r\n{{\"name\": \"Foto\"}}");
    let told = exchange(at, whole.replace("15", "16").as_bytes()).await;
    assert!(told.starts_with("HTTP/1.1 201"), "{told}");
    house.state.stop();
    handle.stop(true).await;
    running.await.unwrap().unwrap();
}
