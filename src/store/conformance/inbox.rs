//! Deliveries and records.

use super::support::*;
use crate::canonical::inbox::Disposition;
use crate::canonical::{InboxId, RawId};
use crate::store::query::{DedupeKey, InboxFilter, PageRequest};
use crate::store::{CursorWrite, Scope, Store, StoreError};
use std::sync::Arc;

pub async fn appended_deliveries_are_pending_until_decided(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let mut bell = store.wake().deliveries();
    let delivery = bench.appended("{\"id\": 1}").await;
    assert!(bell.has_changed().unwrap());
    bell.mark_unchanged();
    let pending = store.pending_deliveries(0, 10).await.unwrap();
    assert_eq!(pending.len(), 1);
    let wire = &pending[0].wire;
    assert_eq!((wire.id, &wire.body), (delivery.id, &delivery.body));
    assert_eq!(
        (&wire.headers, &wire.topic),
        (&delivery.headers, &delivery.topic)
    );
    assert_eq!(wire.received_at, delivery.received_at);
    assert_eq!(wire.dedupe_key, delivery.dedupe_key);
    let health = store.health().await.unwrap();
    assert_eq!(
        (health.pending_deliveries, health.oldest_pending_at),
        (1, Some(at(0)))
    );

    let record = bench.record(&delivery, 0, Disposition::Applied);
    bench
        .apply(bench.decided(&delivery, vec![record.clone()]))
        .await
        .unwrap();
    assert!(store.pending_deliveries(0, 10).await.unwrap().is_empty());
    assert_eq!(
        store.inbox_record(Scope::All, record.id).await.unwrap(),
        Some(record)
    );
    let again = store.delivery(delivery.id).await.unwrap().unwrap();
    assert_eq!(again.body, delivery.body);
    assert!(store.delivery(RawId::new()).await.unwrap().is_none());
    assert_eq!(store.health().await.unwrap().pending_deliveries, 0);
}

pub async fn places_rise_and_pages_go_on(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let mut ids = Vec::new();
    for round in 0..5 {
        let batch: Vec<_> = (0..7)
            .map(|n| bench.delivery(&format!("{round}.{n}")))
            .collect();
        ids.extend(batch.iter().map(|d| d.id));
        store.append_inbox(batch, None).await.unwrap();
    }
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let page = store.pending_deliveries(after, 4).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.iter().all(|d| d.place > after));
        after = last.place;
        seen.extend(page.iter().map(|d| d.wire.id));
    }
    assert_eq!(seen, ids);
}

pub async fn those_at_given_places_are_read_while_they_wait(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let mut ids = Vec::new();
    for round in 0..3 {
        let batch: Vec<_> = (0..5)
            .map(|n| bench.delivery(&format!("{round}.{n}")))
            .collect();
        ids.extend(batch.iter().map(|d| d.id));
        store.append_inbox(batch, None).await.unwrap();
    }
    let places = store.pending_places(0, 4).await.unwrap();
    assert_eq!(places.len(), 4);
    let rest = store.pending_places(places[3].place, 100).await.unwrap();
    let places = [places, rest].concat();
    assert_eq!(places.iter().map(|p| p.id).collect::<Vec<_>>(), ids);
    assert!(places.is_sorted_by_key(|p| p.place));
    assert!(
        places
            .iter()
            .all(|p| p.connection_id == bench.connection.id)
    );

    // Asked in any order, told in that of arrival, with their bytes.
    let some = vec![places[13], places[2], places[7], places[3]];
    let found = store.pending_at(some.clone()).await.unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|d| (d.place, d.wire.id, &d.wire.body[..]))
        .collect();
    let expected = [(2, b"0.2"), (3, b"0.3"), (7, b"1.2"), (13, b"2.3")]
        .map(|(n, body)| (places[n].place, ids[n], &body[..]));
    assert_eq!(found, expected);

    // One that is decided meanwhile is no longer among them.
    let decided = store.delivery(ids[7]).await.unwrap().unwrap();
    let record = bench.record(&decided, 0, Disposition::Applied);
    bench
        .apply(bench.decided(&decided, vec![record]))
        .await
        .unwrap();
    let left = store.pending_at(some).await.unwrap();
    let left: Vec<_> = left.iter().map(|d| d.wire.id).collect();
    assert_eq!(left, [ids[2], ids[3], ids[13]]);
    assert_eq!(store.pending_places(0, 100).await.unwrap().len(), 14);
}

pub async fn a_delivery_is_decided_once(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let delivery = bench.appended("a").await;
    let set = |n| {
        bench.decided(
            &delivery,
            vec![bench.record(&delivery, n, Disposition::Applied)],
        )
    };
    let both = store.apply(vec![set(0), set(1)]).await.unwrap();
    assert!(both[0].is_ok());
    assert!(matches!(both[1], Err(StoreError::Conflict(_))));
    assert!(matches!(
        bench.apply(set(2)).await,
        Err(StoreError::Conflict(_))
    ));
    let line = &store.ledger(Scope::All, Default::default()).await.unwrap()[0];
    assert_eq!((line.received, line.applied, line.pending), (1, 1, 0));
}

pub async fn what_cannot_be_decided_stays_pending(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let delivery = bench.appended("a").await;
    assert!(
        bench
            .apply(bench.decided(&delivery, Vec::new()))
            .await
            .is_err()
    );
    let mut set = bench.decided(
        &delivery,
        vec![bench.record(&delivery, 0, Disposition::Applied)],
    );
    let mut stale = bench.stored("1").await;
    stale.lock = 7;
    set.states = vec![stale];
    assert!(matches!(
        bench.apply(set).await,
        Err(StoreError::Conflict(_))
    ));
    assert_eq!(store.pending_deliveries(0, 10).await.unwrap().len(), 1);
    let line = &store.ledger(Scope::All, Default::default()).await.unwrap()[0];
    assert_eq!((line.received, line.applied, line.pending), (1, 0, 1));
    let unknown = bench.delivery("never appended");
    let record = bench.record(&unknown, 0, Disposition::Applied);
    let lost = bench.apply(bench.decided(&unknown, vec![record])).await;
    assert!(matches!(lost, Err(StoreError::NotFound(_))));
}

pub async fn dedupe_keys_belong_to_one_record_for_seven_days(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let day = 86_400;
    let with_key = async |seconds: i64| {
        let mut delivery = bench.delivery("a");
        delivery.received_at = at(seconds);
        store
            .append_inbox(vec![delivery.clone()], None)
            .await
            .unwrap();
        let record = bench.record(&delivery, 0, Disposition::Applied);
        let id = record.id;
        let mut set = bench.decided(&delivery, vec![record]);
        set.delivery.as_mut().unwrap().dedupe = Some(("t".to_owned(), "k".to_owned(), id));
        (id, bench.apply(set).await)
    };
    let hit = async |topic: &str, seconds: i64| {
        let id = bench.connection.id;
        let keys = ["none", "k"].map(|key| DedupeKey {
            connection_id: id,
            topic: topic.to_owned(),
            key: key.to_owned(),
        });
        let found = store.dedupe_hits(&keys, at(seconds)).await.unwrap();
        assert_eq!(found[0], None);
        found[1]
    };
    let (first, done) = with_key(0).await;
    done.unwrap();
    assert_eq!(hit("t", 7 * day - 1).await, Some(first));
    assert_eq!(hit("other", 1).await, None);
    assert_eq!(hit("t", 7 * day + 1).await, None);
    // Two that were decided side by side: the second is to be decided again.
    assert!(matches!(with_key(10).await.1, Err(StoreError::Conflict(_))));
    let (later, done) = with_key(8 * day).await;
    done.unwrap();
    assert_eq!(hit("t", 8 * day).await, Some(later));
}

pub async fn hashes_and_unchanged_subjects(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let id = bench.connection.id;
    let hash = store.content_hash(b"content");
    assert_eq!(hash, store.content_hash(b"content"));
    assert_ne!(hash, store.content_hash(b"Content"));
    let delivery = bench.appended("a").await;
    let mut set = bench.decided(
        &delivery,
        vec![bench.record(&delivery, 0, Disposition::Applied)],
    );
    let result = set.delivery.as_mut().unwrap();
    result.hashes = vec![("order".to_owned(), "1".to_owned(), hash)];
    result.unchanged = vec!["2".to_owned(), "3".to_owned()];
    bench.apply(set).await.unwrap();
    let ask = ["2".to_owned(), "1".to_owned()];
    let known = store.content_hashes(id, "order", &ask).await.unwrap();
    assert_eq!(known, vec![None, Some(hash)]);
    assert_eq!(
        store.content_hashes(id, "return", &ask).await.unwrap(),
        vec![None, None]
    );
    let same = vec!["1".to_owned()];
    store
        .note_unchanged(&bench.connection, "order", same, at(5), None)
        .await
        .unwrap();
    let line = &store.ledger(Scope::All, Default::default()).await.unwrap()[0];
    assert_eq!((line.received, line.applied, line.unchanged), (4, 1, 3));
    assert_eq!(store.recount_ledger().await.unwrap(), vec![line.clone()]);
}

/// A page may name a subject twice, and one that a database cannot tell from another.
pub async fn subjects_that_repeat_in_one_delivery_are_no_conflict(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let delivery = bench.appended("a").await;
    let record = bench.record(&delivery, 0, Disposition::Applied);
    let mut set = bench.decided(&delivery, vec![record]);
    let many = (0..20).map(|n| n.to_string());
    let alike = ["x\0", "x\u{FFFD}"].map(str::to_owned);
    let again = ["7", "8"].map(str::to_owned);
    let ids: Vec<String> = alike.into_iter().chain(many).chain(again).collect();
    let hashed = ids.iter().enumerate().map(|(n, id)| {
        let hash = store.content_hash(n.to_string().as_bytes());
        ("order".to_owned(), id.clone(), hash)
    });
    set.delivery.as_mut().unwrap().hashes = hashed.collect();
    bench.apply(set).await.unwrap();
    let of = bench.connection.id;
    let found = store.content_hashes(of, "order", &ids).await.unwrap();
    let last = |n: usize| Some(store.content_hash(n.to_string().as_bytes()));
    assert_eq!(
        (found[8], found[9], found[10]),
        (last(8), last(22), last(23))
    );
    assert!(found.iter().all(Option::is_some));
}

pub async fn a_cursor_moves_with_its_page(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let id = bench.connection.id;
    let cursor = |value: &str| {
        Some(CursorWrite {
            connection_id: id,
            name: "orders.list".to_owned(),
            value: value.to_owned(),
        })
    };
    assert_eq!(store.cursor(id, "orders.list").await.unwrap(), None);
    store
        .append_inbox(vec![bench.delivery("p")], cursor("one"))
        .await
        .unwrap();
    assert_eq!(
        store.cursor(id, "orders.list").await.unwrap().as_deref(),
        Some("one")
    );
    store
        .note_unchanged(&bench.connection, "order", Vec::new(), at(1), cursor("two"))
        .await
        .unwrap();
    assert_eq!(
        store.cursor(id, "orders.list").await.unwrap().as_deref(),
        Some("two")
    );
    store
        .append_inbox(Vec::new(), cursor("three"))
        .await
        .unwrap();
    assert_eq!(
        store.cursor(id, "orders.list").await.unwrap().as_deref(),
        Some("three")
    );
}

pub async fn lists_show_pending_first(store: Arc<dyn Store>) {
    let bench = Bench::new(&store).await;
    let mut decided: Vec<InboxId> = Vec::new();
    for n in 0..5 {
        let delivery = bench.appended("d").await;
        let disposition = if n == 0 {
            Disposition::Ignored
        } else {
            Disposition::Applied
        };
        let record = bench.record(&delivery, n, disposition);
        decided.push(record.id);
        bench
            .apply(bench.decided(&delivery, vec![record]))
            .await
            .unwrap();
    }
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(bench.appended("w").await.id);
    }
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let request = PageRequest { limit: 2, after };
        let page = store
            .inbox(Scope::All, InboxFilter::default(), request)
            .await
            .unwrap();
        seen.extend(page.data);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    waiting.reverse();
    decided.reverse();
    let raws: Vec<RawId> = seen.iter().take(3).map(|r| r.raw_id).collect();
    assert_eq!(raws, waiting);
    assert!(seen[0].kind.is_none() && seen[0].disposition == Disposition::Pending);
    let rows: Vec<InboxId> = seen.iter().skip(3).map(|r| r.id).collect();
    assert_eq!(rows, decided);
    let only = |disposition| InboxFilter {
        disposition: Some(disposition),
        ..Default::default()
    };
    let ignored = store
        .inbox(Scope::All, only(Disposition::Ignored), page(10))
        .await
        .unwrap();
    assert_eq!(ignored.data.len(), 1);
    let pending = store
        .inbox(Scope::All, only(Disposition::Pending), page(10))
        .await
        .unwrap();
    assert_eq!(pending.data.len(), 3);
    let by_id = InboxFilter {
        external_id: Some("ext-2".to_owned()),
        ..Default::default()
    };
    assert_eq!(
        store
            .inbox(Scope::All, by_id, page(10))
            .await
            .unwrap()
            .data
            .len(),
        1
    );
    let bad = PageRequest {
        limit: 5,
        after: Some("zzz".to_owned()),
    };
    assert!(
        store
            .inbox(Scope::All, InboxFilter::default(), bad)
            .await
            .is_err()
    );
}
