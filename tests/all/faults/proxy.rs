//! A TCP proxy that breaks what goes through it: refuses, delays, stalls, cuts, and cuts in the
//! middle of bytes.
//!
//! What always holds: a cut is a reset, so that neither end takes it for a proper end; what is
//! stalled is not lost and goes on when the stall ends; a connection keeps the target that it was
//! made to.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What goes through at once.
const CHUNK: usize = 16 << 10;

/// What becomes of bytes and of new connections.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Mode {
    Pass,
    /// New connections are reset.
    Refuse,
    /// Each chunk waits so long.
    Delay(Duration),
    /// Nothing moves, connections stay.
    Stall,
}

struct Inner {
    target: Mutex<SocketAddr>,
    mode: watch::Sender<Mode>,
    cuts: watch::Sender<u64>,
    /// So many chunks are still to be torn.
    to_tear: AtomicU32,
    torn: AtomicU64,
    open: watch::Sender<u64>,
}

#[derive(Clone)]
pub struct Proxy {
    pub addr: SocketAddr,
    inner: Arc<Inner>,
}

/// A chunk was torn: both ends are reset.
struct Torn;

impl Proxy {
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self {
            addr: listener.local_addr().unwrap(),
            inner: Arc::new(Inner {
                target: Mutex::new(target),
                mode: watch::channel(Mode::Pass).0,
                cuts: watch::channel(0).0,
                to_tear: AtomicU32::new(0),
                torn: AtomicU64::new(0),
                open: watch::channel(0).0,
            }),
        };
        let inner = Arc::downgrade(&proxy.inner);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Some(inner) = inner.upgrade() else {
                    return;
                };
                tokio::spawn(async move {
                    inner.open.send_modify(|n| *n += 1);
                    carry(near, &inner).await;
                    inner.open.send_modify(|n| *n -= 1);
                });
            }
        });
        proxy
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Where new connections lead from now on.
    pub fn aim(&self, target: SocketAddr) {
        *self.inner.target.lock().unwrap() = target;
    }

    pub fn set(&self, mode: Mode) {
        self.inner.mode.send_replace(mode);
    }

    /// Resets every connection.
    pub fn cut(&self) {
        self.inner.cuts.send_modify(|n| *n += 1);
    }

    /// Of so many chunks only the first half goes through, then the connection is reset.
    pub fn tear(&self, chunks: u32) {
        self.inner.to_tear.store(chunks, Ordering::SeqCst);
    }

    /// So many were torn until now.
    pub fn torn(&self) -> u64 {
        self.inner.torn.load(Ordering::SeqCst)
    }

    /// All is well from now on.
    pub fn heal(&self) {
        self.tear(0);
        self.set(Mode::Pass);
    }

    /// Waits until some connection is open.
    #[cfg(test)]
    async fn busy(&self, wanted: u64) {
        let mut open = self.inner.open.subscribe();
        open.wait_for(|n| *n == wanted).await.unwrap();
    }
}

async fn carry(mut near: TcpStream, inner: &Inner) {
    let mut cuts = inner.cuts.subscribe();
    if *inner.mode.borrow() == Mode::Refuse {
        let _ = near.set_zero_linger();
        return;
    }
    let target = *inner.target.lock().unwrap();
    let Ok(mut far) = TcpStream::connect(target).await else {
        let _ = near.set_zero_linger();
        return;
    };
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let whole = {
        let (from_near, to_near) = near.split();
        let (from_far, to_far) = far.split();
        let both = async {
            tokio::try_join!(
                pump(from_near, to_far, inner),
                pump(from_far, to_near, inner)
            )
        };
        tokio::select! {
            _ = cuts.changed() => false,
            done = both => done.is_ok(),
        }
    };
    if !whole {
        let _ = (near.set_zero_linger(), far.set_zero_linger());
    }
}

/// Carries one direction to its end.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    inner: &Inner,
) -> Result<(), Torn> {
    let mut mode = inner.mode.subscribe();
    let mut chunk = vec![0; CHUNK];
    loop {
        let n = from.read(&mut chunk).await.map_err(|_| Torn)?;
        if n == 0 {
            let _ = to.shutdown().await;
            return Ok(());
        }
        let now = *mode.wait_for(|mode| *mode != Mode::Stall).await.unwrap();
        if let Mode::Delay(span) = now {
            tokio::time::sleep(span).await;
        }
        let left = inner
            .to_tear
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if left.is_ok() {
            inner.torn.fetch_add(1, Ordering::SeqCst);
            let _ = to.write_all(&chunk[..n / 2]).await;
            return Err(Torn);
        }
        to.write_all(&chunk[..n]).await.map_err(|_| Torn)?;
    }
}

/// A server that says again what it is told.
#[cfg(test)]
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    addr
}

#[tokio::test]
async fn the_proxy_breaks_what_it_is_told_to_and_nothing_else() {
    let proxy = Proxy::to(echo().await).await;
    let mut buffer = [0; 8];
    let mut stream = TcpStream::connect(proxy.addr).await.unwrap();
    stream.write_all(b"12345678").await.unwrap();
    assert_eq!(stream.read_exact(&mut buffer).await.unwrap(), 8);
    // What is stalled goes on.
    proxy.set(Mode::Stall);
    stream.write_all(b"abcdefgh").await.unwrap();
    let waits = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut buffer));
    assert!(waits.await.is_err());
    proxy.set(Mode::Delay(Duration::from_millis(5)));
    assert_eq!(stream.read_exact(&mut buffer).await.unwrap(), 8);
    assert_eq!(&buffer, b"abcdefgh");
    // Half of it goes through, or none when the reset overtakes it.
    proxy.heal();
    proxy.tear(1);
    stream.write_all(b"12345678").await.unwrap();
    assert!(stream.read_exact(&mut buffer).await.is_err());
    assert_eq!(proxy.torn(), 1);
    proxy.busy(0).await;
    let mut stream = TcpStream::connect(proxy.addr).await.unwrap();
    proxy.busy(1).await;
    proxy.cut();
    assert!(stream.read_exact(&mut buffer).await.is_err());
    proxy.set(Mode::Refuse);
    let refused = async {
        let mut stream = TcpStream::connect(proxy.addr).await?;
        stream.read_exact(&mut buffer).await
    };
    assert!(refused.await.is_err());
    proxy.heal();
    let mut stream = TcpStream::connect(proxy.addr).await.unwrap();
    stream.write_all(b"12345678").await.unwrap();
    assert_eq!(stream.read_exact(&mut buffer).await.unwrap(), 8);
}
