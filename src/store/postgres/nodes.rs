//! Who takes part: each node's row, and the lock by which the others see that it lives.
//!
//! What always holds: a node is alive while it holds its own lock and its row moves on; one that
//! holds its lock and stands still for long is put out, so that its things come free; of one that is
//! gone without a word everybody waits until the store does not vouch for it any more.

use super::join::VOUCHED;
use crate::store::StoreError;
use crate::store::sql::codec::Result;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio_postgres::Client;

/// A node whose row stood still for so long is put out.
const HUNG: Duration = Duration::from_secs(12);

/// The number of a node's lock.
const LOCK: &str = "hashtextextended('crossdock node ' || current_schema() || node, 0)";

/// The server's time, in microseconds.
const NOW: &str = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

/// What a look at the nodes came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Who is to have a share.
    pub alive: Vec<String>,
    /// One fell silent a moment ago: nothing may be taken yet.
    pub wait: bool,
    /// Whose sessions are to be ended.
    hung: Vec<i32>,
}

/// A node's row, and who holds its lock.
struct Row {
    node: String,
    seen_at: i64,
    /// How long ago that was by the server's time, in microseconds.
    age: i64,
    session: Option<i32>,
}

/// The nodes, as this one sees them.
pub(super) struct Nodes {
    me: String,
    /// When each row was seen to move: the server's clock may jump.
    moved: HashMap<String, (i64, Instant)>,
}

impl Nodes {
    pub(super) fn new(node: &str) -> Self {
        Self {
            me: node.to_owned(),
            moved: HashMap::new(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.me
    }

    /// Takes this node's lock and writes its row.
    pub(super) async fn enter(&mut self, client: &Client) -> Result<()> {
        self.moved.clear();
        let sql = format!("SELECT pg_try_advisory_lock({LOCK}) FROM (SELECT $1::text AS node) n");
        if !client.query_one(&sql, &[&self.me]).await?.try_get(0)? {
            // A session of ours that the server does not know to be dead. We have given up what it
            // stands for.
            self.end_former(client).await?;
            return Err(StoreError::Unavailable(
                "a former session of this node is still there".to_owned(),
            ));
        }
        let sql = format!(
            "INSERT INTO nodes (node, started_at, seen_at) VALUES ($1, {NOW}, {NOW})
             ON CONFLICT (node) DO UPDATE SET seen_at = excluded.seen_at"
        );
        client.execute(&sql, &[&self.me]).await?;
        Ok(())
    }

    async fn end_former(&self, client: &Client) -> Result<()> {
        let former = rows(client).await?;
        let former = former.into_iter().filter(|row| row.node == self.me);
        let sessions: Vec<i32> = former.filter_map(|row| row.session).collect();
        end(client, &sessions).await
    }

    /// This node is there.
    pub(super) async fn beat(&self, client: &Client) -> Result<()> {
        let sql = format!("UPDATE nodes SET seen_at = {NOW} WHERE node = $1");
        match client.execute(&sql, &[&self.me]).await? {
            0 => Err(StoreError::Unavailable(
                "this node's row was taken away".to_owned(),
            )),
            _ => Ok(()),
        }
    }

    /// Who is there. Ends the sessions of those that hang.
    pub(super) async fn look(&mut self, client: &Client) -> Result<Seen> {
        let rows = rows(client).await?;
        let seen = self.judge(&rows, Instant::now());
        if !seen.hung.is_empty() {
            tracing::warn!(
                nodes = seen.hung.len(),
                "nodes that stand still are put out: others do their work"
            );
            end(client, &seen.hung).await?;
        }
        let long_gone = i64::try_from(HUNG.as_micros()).unwrap_or(i64::MAX);
        let gone: Vec<&str> = rows
            .iter()
            .filter(|row| row.session.is_none() && row.age > long_gone)
            .map(|row| row.node.as_str())
            .collect();
        if !gone.is_empty() {
            let sql = format!("DELETE FROM nodes WHERE node = ANY($1) AND {NOW} - seen_at > $2");
            client.execute(&sql, &[&gone, &long_gone]).await?;
        }
        Ok(seen)
    }

    fn judge(&mut self, rows: &[Row], now: Instant) -> Seen {
        let mut seen = Seen {
            alive: Vec::new(),
            wait: false,
            hung: Vec::new(),
        };
        self.moved
            .retain(|node, _| rows.iter().any(|row| row.node == *node));
        for row in rows {
            let known = self.moved.get(&row.node).copied();
            let moved = known.filter(|(seen_at, _)| *seen_at == row.seen_at);
            let since = moved.map_or(now, |(_, since)| since);
            self.moved.insert(row.node.clone(), (row.seen_at, since));
            let still = now.saturating_duration_since(since);
            match row.session {
                Some(_) if row.node == self.me || still <= HUNG => {
                    seen.alive.push(row.node.clone());
                }
                Some(session) => seen.hung.push(session),
                None => {
                    let vouched = i64::try_from(VOUCHED.as_micros()).unwrap_or(i64::MAX);
                    seen.wait |= row.age <= vouched && still <= VOUCHED;
                }
            }
        }
        seen
    }

    /// This node is not there any more.
    pub(super) async fn part(&self, client: &Client) -> Result<()> {
        client
            .execute("DELETE FROM nodes WHERE node = $1", &[&self.me])
            .await?;
        Ok(())
    }
}

async fn rows(client: &Client) -> Result<Vec<Row>> {
    let sql = format!(
        "SELECT n.node, n.seen_at, {NOW} - n.seen_at, l.pid
         FROM (SELECT node, seen_at, {LOCK} AS number FROM nodes) n
         LEFT JOIN pg_locks l ON l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
           AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND ((l.classid::bigint << 32) | l.objid::bigint) = n.number
         ORDER BY n.node"
    );
    let mut found = Vec::new();
    for row in client.query(&sql, &[]).await? {
        found.push(Row {
            node: row.try_get(0)?,
            seen_at: row.try_get(1)?,
            age: row.try_get(2)?,
            session: row.try_get(3)?,
        });
    }
    Ok(found)
}

async fn end(client: &Client, sessions: &[i32]) -> Result<()> {
    let sql = "SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS t(pid)";
    client.query(sql, &[&sessions]).await?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn row(node: &str, seen_at: i64, age: Duration, session: Option<i32>) -> Row {
        Row {
            node: node.to_owned(),
            seen_at,
            age: i64::try_from(age.as_micros()).unwrap(),
            session,
        }
    }

    const SHORT: Duration = Duration::from_millis(300);

    #[test]
    fn who_holds_its_lock_and_moves_is_alive() {
        let mut nodes = Nodes::new("a");
        let start = Instant::now();
        let both = |n| [row("a", n, SHORT, Some(1)), row("b", n, SHORT, Some(2))];
        for (n, after) in [(1, 0), (2, 10), (3, 20), (4, 30)] {
            let seen = nodes.judge(&both(n), start + Duration::from_secs(after));
            assert_eq!(seen.alive, ["a", "b"]);
            assert!(!seen.wait && seen.hung.is_empty());
        }
    }

    #[test]
    fn one_that_fell_silent_is_waited_for_as_long_as_the_store_vouches() {
        let mut nodes = Nodes::new("a");
        let start = Instant::now();
        let seen = nodes.judge(&[row("b", 7, SHORT, None)], start);
        assert!(seen.alive.is_empty() && seen.wait);
        let later = nodes.judge(&[row("b", 7, VOUCHED + SHORT, None)], start + SHORT);
        assert!(!later.wait, "by the server's time it is over");
        // The server's clock went back: our own says when it is over.
        let back = nodes.judge(&[row("b", 7, SHORT, None)], start + VOUCHED + SHORT);
        assert!(!back.wait);
    }

    #[test]
    fn one_that_stands_still_is_put_out_whatever_the_servers_clock_says() {
        let mut nodes = Nodes::new("a");
        let start = Instant::now();
        let hour = Duration::from_secs(3600);
        let jumped = nodes.judge(&[row("b", 7, hour, Some(2))], start);
        assert_eq!((jumped.alive.len(), jumped.hung.len()), (1, 0));
        let later = nodes.judge(&[row("b", 7, SHORT, Some(2))], start + HUNG + SHORT);
        assert_eq!((later.alive.len(), later.hung), (0, vec![2]));
        assert!(!later.wait);
    }
}
