//! What a gateway logs, line by line as it comes, and in a file.

use super::gateway::PATIENCE;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    count: watch::Receiver<usize>,
    reader: JoinHandle<()>,
}

impl Log {
    /// Reads a gateway's stderr to its end; the file `log` of its directory goes on.
    pub fn of(stderr: impl AsyncRead + Unpin + Send + 'static, data: &Path) -> Self {
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(data.join("log"))
            .unwrap();
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let (told, count) = watch::channel(0);
        let kept = lines.clone();
        let reader = tokio::spawn(async move {
            let mut read = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = read.next_line().await {
                writeln!(file, "{line}").unwrap();
                let mut lines = kept.lock().unwrap();
                lines.push(line);
                told.send_replace(lines.len());
            }
        });
        Self {
            lines,
            count,
            reader,
        }
    }

    /// Waits until so many lines fit.
    pub async fn wait_for(&self, n: usize, fits: impl Fn(&str) -> bool) {
        let (mut seen, mut found) = (0, 0);
        let mut count = self.count.clone();
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                count.wait_for(|have| *have > seen).await.unwrap();
                let lines = self.lines.lock().unwrap();
                found += lines[seen..].iter().filter(|line| fits(line)).count();
                seen = lines.len();
                if found >= n {
                    return;
                }
            }
        });
        waited.await.expect("it is logged in time");
    }

    /// Waits until all is read: the process has ended.
    pub async fn ended(&mut self) {
        let _ = (&mut self.reader).await;
    }
}
