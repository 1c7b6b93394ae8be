//! Problems.

use super::support::*;
use crate::canonical::event::EventType;
use crate::canonical::inbox::Disposition;
use crate::canonical::problem::ProblemStatus;
use crate::flow::change::{ChangeSet, NewProblem, ResolveProblems};
use crate::store::query::ProblemFilter;
use crate::store::{Scope, Store};
use std::sync::Arc;

fn with(bench: &Bench, problems: Vec<NewProblem>) -> ChangeSet {
    ChangeSet {
        problems,
        ..ChangeSet::of(bench.merchant)
    }
}

pub async fn a_problem_is_opened_once_and_counted(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let first = bench.problem("mapping_missing", "table:code");
    bench
        .apply(with(&bench, vec![first.clone()]))
        .await
        .unwrap();
    let again = bench.problem("mapping_missing", "table:code");
    let third = bench.problem("mapping_missing", "table:code");
    bench.apply(with(&bench, vec![again, third])).await.unwrap();
    bench
        .apply(with(&bench, vec![bench.problem("other", "table:code")]))
        .await
        .unwrap();
    let stored = store.problem(Scope::All, first.id).await.unwrap().unwrap();
    assert_eq!((stored.count, stored.status), (3, ProblemStatus::Open));
    let open = ProblemFilter {
        status: Some(ProblemStatus::Open),
        ..Default::default()
    };
    assert_eq!(
        store
            .problems(Scope::All, open, page(9))
            .await
            .unwrap()
            .data
            .len(),
        2
    );
    let resolve = ChangeSet {
        resolve: vec![ResolveProblems {
            subject: "table:code".to_owned(),
            code: Some("mapping_missing".to_owned()),
        }],
        ..ChangeSet::of(bench.merchant)
    };
    bench.apply(resolve).await.unwrap();
    let stored = store.problem(Scope::All, first.id).await.unwrap().unwrap();
    assert_eq!(stored.status, ProblemStatus::Resolved);
    assert!(stored.resolved_at.is_some());
    let reopened = bench.problem("mapping_missing", "table:code");
    bench
        .apply(with(&bench, vec![reopened.clone()]))
        .await
        .unwrap();
    assert!(
        store
            .problem(Scope::All, reopened.id)
            .await
            .unwrap()
            .is_some()
    );
    let events = store.events(Scope::All, 0, 10, &[]).await.unwrap().data;
    let kinds: Vec<EventType> = events.iter().map(|e| e.kind).collect();
    use EventType::{ProblemOpened as Opened, ProblemResolved as Resolved};
    assert_eq!(kinds, [Opened, Opened, Resolved, Opened]);
    let json = parsed(&events[0].json);
    assert_eq!(json["data"]["problem"]["id"], first.id.to_string());
    assert_eq!(events[0].ordering_key, "table:code");
}

pub async fn records_follow_the_problem_that_is_open(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let mut ids = Vec::new();
    for n in 0..2 {
        let delivery = bench.appended("bad").await;
        let problem = bench.problem("no_lines", "con");
        let mut record = bench.record(&delivery, n, Disposition::Problem);
        record.problem_id = Some(problem.id);
        let mut set = bench.decided(&delivery, vec![record]);
        ids.push(problem.id);
        set.problems = vec![problem];
        bench.apply(set).await.unwrap();
    }
    let mut records = store.records_of_problem(ids[0]).await.unwrap();
    assert_eq!(records.len(), 2);
    assert!(store.records_of_problem(ids[1]).await.unwrap().is_empty());
    // Mended: the record is retried and applied.
    let mut mended = records.remove(0);
    mended.disposition = Disposition::Applied;
    mended.problem_id = None;
    let retried = ChangeSet {
        retried_record: Some(mended.clone()),
        resolve: vec![ResolveProblems {
            subject: "con".to_owned(),
            code: None,
        }],
        ..ChangeSet::of(bench.merchant)
    };
    bench.apply(retried).await.unwrap();
    assert_eq!(store.records_of_problem(ids[0]).await.unwrap().len(), 1);
    let line = &store.ledger(Scope::All, Default::default()).await.unwrap()[0];
    assert_eq!((line.received, line.applied, line.problem), (2, 1, 1));
    assert_eq!(
        store.inbox_record(Scope::All, mended.id).await.unwrap(),
        Some(mended)
    );
}

pub async fn open_ones_are_counted_by_class(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let mut set = ChangeSet::of(bench.merchant);
    set.problems = vec![bench.problem("one", "a"), bench.problem("two", "b")];
    bench.apply(set).await.unwrap();
    let class = bench.problem("", "").class;
    assert_eq!(store.open_problems().await.unwrap(), [(class, 2)]);
    let mut set = ChangeSet::of(bench.merchant);
    set.resolve = vec![ResolveProblems {
        subject: "a".to_owned(),
        code: None,
    }];
    bench.apply(set).await.unwrap();
    assert_eq!(store.open_problems().await.unwrap(), [(class, 1)]);
}
