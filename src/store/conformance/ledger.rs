//! Conservation: whatever happens, the counters equal a count of the rows and nothing is lost.

use super::support::*;
use crate::canonical::inbox::{Disposition, InboxRecord, WireDelivery};
use crate::flow::change::ChangeSet;
use crate::store::{Scope, Store};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeSet;
use std::sync::Arc;

pub async fn many_appends_share_commits_and_none_is_lost(store: Arc<dyn Store>) {
    let bench = Arc::new(Bench::new(&store).await);
    let mut tasks = Vec::new();
    for n in 0..32 {
        let bench = Arc::clone(&bench);
        tasks.push(tokio::spawn(async move {
            let mut ids = Vec::new();
            for k in 0..20 {
                ids.push(bench.appended(&format!("{n}.{k}")).await.id);
            }
            ids
        }));
    }
    let mut sent = BTreeSet::new();
    for task in tasks {
        sent.extend(task.await.unwrap());
    }
    let found = store.pending_deliveries(0, 10_000).await.unwrap();
    let ids: BTreeSet<_> = found.iter().map(|d| d.wire.id).collect();
    assert_eq!((found.len(), ids), (640, sent));
    assert_eq!(check(&store).await, 640);
}

/// One step of a random history.
#[derive(Debug, Clone)]
enum Step {
    /// So many deliveries in one call, on this day.
    Append(usize, i64),
    /// Decide the nth waiting delivery: dispositions of its records, and how many re-reads.
    Decide(usize, Vec<usize>, usize),
    /// Decide it, but over a lock that is not there.
    Conflict(usize, Vec<usize>),
    /// Give the nth record another disposition.
    Retry(usize, usize),
    /// A poll that read so many again.
    Unchanged(usize, i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let kinds = || proptest::collection::vec(1usize..7, 1..4);
    let step = prop_oneof![
        (1usize..5, 0i64..3).prop_map(|(n, day)| Step::Append(n, day)),
        (0usize..9, kinds(), 0usize..3).prop_map(|(n, k, r)| Step::Decide(n, k, r)),
        (0usize..9, kinds()).prop_map(|(n, k)| Step::Conflict(n, k)),
        (0usize..9, 1usize..7).prop_map(|(n, k)| Step::Retry(n, k)),
        (0usize..4, 0i64..3).prop_map(|(n, day)| Step::Unchanged(n, day)),
    ];
    proptest::collection::vec(step, 1..25)
}

/// The counters balance and equal the recount; yields what was received.
async fn check(store: &Arc<dyn Store>) -> u64 {
    let counted = store.ledger(Scope::All, Default::default()).await.unwrap();
    assert!(counted.iter().all(|line| line.balances()), "{counted:?}");
    let mut recounted = store.recount_ledger().await.unwrap();
    let mut counted: Vec<_> = counted
        .into_iter()
        .filter(|line| line.received > 0)
        .collect();
    counted.sort_by_key(|line| (line.connection_id.clone(), line.day.clone()));
    recounted.sort_by_key(|line| (line.connection_id.clone(), line.day.clone()));
    assert_eq!(counted, recounted);
    counted.iter().map(|line| line.received).sum()
}

struct History {
    bench: Bench,
    waiting: Vec<WireDelivery>,
    records: Vec<InboxRecord>,
    received: u64,
}

impl History {
    fn set(&self, of: &WireDelivery, kinds: &[usize]) -> ChangeSet {
        let record =
            |(index, kind): (u32, &usize)| self.bench.record(of, index, Disposition::ALL[*kind]);
        self.bench
            .decided(of, (0..).zip(kinds).map(record).collect())
    }

    async fn run(&mut self, step: Step) {
        match step {
            Step::Append(n, day) => {
                let made: Vec<_> = (0..n)
                    .map(|_| WireDelivery {
                        received_at: at(day * 86_400),
                        ..self.bench.delivery("x")
                    })
                    .collect();
                self.bench
                    .store
                    .append_inbox(made.clone(), None)
                    .await
                    .unwrap();
                self.received += n as u64;
                self.waiting.extend(made);
            }
            Step::Decide(n, kinds, rereads) if !self.waiting.is_empty() => {
                let of = self.waiting.remove(n % self.waiting.len());
                let mut set = self.set(&of, &kinds);
                let result = set.delivery.as_mut().unwrap();
                result.unchanged = (0..rereads).map(|n| n.to_string()).collect();
                self.records.extend(result.records.clone());
                self.received += (kinds.len() + rereads - 1) as u64;
                self.bench.apply(set).await.unwrap();
            }
            Step::Conflict(n, kinds) if !self.waiting.is_empty() => {
                let of = self.waiting[n % self.waiting.len()].clone();
                let mut set = self.set(&of, &kinds);
                let mut missing = self.bench.order("none");
                missing.lock = 3;
                set.states = vec![missing];
                assert!(self.bench.apply(set).await.is_err());
            }
            Step::Retry(n, kind) if !self.records.is_empty() => {
                let at = n % self.records.len();
                self.records[at].disposition = Disposition::ALL[kind];
                let set = ChangeSet {
                    retried_record: Some(self.records[at].clone()),
                    ..ChangeSet::of(self.bench.merchant)
                };
                self.bench.apply(set).await.unwrap();
            }
            Step::Unchanged(n, day) => {
                let ids = (0..n).map(|n| n.to_string()).collect();
                let when = at(day * 86_400);
                let connection = &self.bench.connection;
                let store = &self.bench.store;
                store
                    .note_unchanged(connection, "order", ids, when, None)
                    .await
                    .unwrap();
                self.received += n as u64;
            }
            Step::Decide(..) | Step::Conflict(..) | Step::Retry(..) => {}
        }
    }
}

pub async fn counters_equal_a_recount_whatever_happens(store: Arc<dyn Store>) {
    let mut runner = TestRunner::new(Config::default());
    let mut total = 0;
    for _ in 0..12 {
        let history = steps().new_tree(&mut runner).unwrap().current();
        let mut run = History {
            bench: Bench::new(&store).await,
            waiting: Vec::new(),
            records: Vec::new(),
            received: 0,
        };
        for step in history.clone() {
            run.run(step).await;
        }
        total += run.received;
        assert_eq!(check(&store).await, total, "{history:?}");
        let pending = store.pending_deliveries(0, 10_000).await.unwrap();
        let own = pending
            .iter()
            .filter(|d| d.wire.connection_id == run.bench.connection.id);
        let own: BTreeSet<_> = own.map(|d| d.wire.id).collect();
        assert_eq!(
            own,
            run.waiting.iter().map(|d| d.id).collect(),
            "{history:?}"
        );
    }
}
