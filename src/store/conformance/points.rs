//! Pickup points: readings, and searches.

use super::support::*;
use crate::canonical::address::Geo;
use crate::canonical::point::{PickupPoint, PointKind};
use crate::canonical::{Address, ConnectionId};
use crate::store::Store;
use crate::store::query::*;
use std::sync::Arc;

fn point(network: &str, id: &str, name: &str, city: &str, at: Option<(f64, f64)>) -> PickupPoint {
    let number = |n: f64| serde_json::Number::from_f64(n).unwrap();
    PickupPoint {
        network: network.to_owned(),
        point_id: id.to_owned(),
        kind: PointKind::Locker,
        name: Some(name.to_owned()),
        address: Address {
            line1: Some(format!("Centra iela {id}")),
            city: Some(city.to_owned()),
            country: Some("LV".to_owned()),
            postal_code: Some("LV-1010".to_owned()),
            ..Address::default()
        },
        geo: at.map(|(lat, lon)| Geo {
            lat: number(lat),
            lon: number(lon),
        }),
        opening: Vec::new(),
        max_weight_g: None,
        max_size_mm: None,
        cod_allowed: None,
        valid_from: None,
        valid_to: None,
    }
}

fn plain(id: &str) -> PickupPoint {
    point("parcels", id, "Locker", "Riga", None)
}

async fn ids(store: &Arc<dyn Store>, filter: PointFilter) -> Vec<String> {
    let limit = filter.limit.max(50);
    let found = store.points(PointFilter { limit, ..filter }).await;
    let found = found.unwrap();
    found.into_iter().map(|f| f.point.point.point_id).collect()
}

fn words(q: &str) -> PointFilter {
    PointFilter {
        q: Some(q.to_owned()),
        ..Default::default()
    }
}

async fn state(store: &Arc<dyn Store>, ids: &[&str]) -> Vec<Option<(ConnectionId, bool)>> {
    let key = |id: &&str| ("parcels".to_owned(), (*id).to_owned());
    let keys: Vec<_> = ids.iter().map(key).collect();
    let found = store.points_by_id(&keys).await.unwrap();
    let brief = |p: crate::canonical::point::StoredPoint| (p.connection_id, p.gone_at.is_none());
    found.into_iter().map(|p| p.map(brief)).collect()
}

pub async fn a_reading_marks_what_is_gone(store: Arc<dyn Store>) {
    let account = ConnectionId::new();
    let put = |reading: u64, ids: &[&str]| {
        let (store, points) = (Arc::clone(&store), ids.iter().map(|id| plain(id)).collect());
        async move { store.put_points(account, reading, points).await.unwrap() }
    };
    put(1, &["a", "b"]).await;
    put(1, &["c"]).await;
    let rung = store.wake().setup();
    let change = store.finish_points(account, 1, at(1)).await.unwrap();
    assert_ne!(store.wake().setup(), rung, "the directory is there now");
    assert_eq!(change, DirectoryChange { seen: 3, gone: 0 });
    let directory = |points, loaded| Directory {
        network: "parcels".to_owned(),
        connection_id: account,
        points,
        loaded_at: at(loaded),
    };
    assert_eq!(store.directories().await.unwrap(), [directory(3, 1)]);
    put(2, &["a", "c"]).await;
    assert_eq!(ids(&store, words("locker")).await.len(), 3, "not yet");
    let change = store.finish_points(account, 2, at(2)).await.unwrap();
    assert_eq!(change, DirectoryChange { seen: 2, gone: 1 });
    assert_eq!(ids(&store, words("locker")).await, ["a", "c"]);
    assert_eq!(ids(&store, PointFilter::default()).await, ["a", "c"]);
    assert_eq!(store.directories().await.unwrap(), [directory(2, 2)]);
    let found = state(&store, &["b", "x", "a"]).await;
    assert_eq!(found, [Some((account, false)), None, Some((account, true))]);
    let key = [("parcels".to_owned(), "b".to_owned())];
    let gone = store.points_by_id(&key).await.unwrap().remove(0).unwrap();
    assert_eq!((gone.gone_at, gone.point), (Some(at(2)), plain("b")));
    // An empty reading is a failure, not news.
    let change = store.finish_points(account, 3, at(3)).await.unwrap();
    assert_eq!(change, DirectoryChange::default());
    assert_eq!(ids(&store, words("locker")).await, ["a", "c"]);
    assert_eq!(store.directories().await.unwrap(), [directory(2, 2)]);
    // It is back.
    put(4, &["a", "b", "c"]).await;
    let change = store.finish_points(account, 4, at(4)).await.unwrap();
    assert_eq!(change, DirectoryChange { seen: 3, gone: 0 });
    assert_eq!(ids(&store, words("locker")).await.len(), 3);
    assert_eq!(state(&store, &["b"]).await, [Some((account, true))]);
}

pub async fn the_newest_reading_of_a_network_wins(store: Arc<dyn Store>) {
    let (one, two) = (ConnectionId::new(), ConnectionId::new());
    let points = |ids: &[&str]| ids.iter().map(|id| plain(id)).collect::<Vec<_>>();
    store.put_points(one, 1, points(&["a", "b"])).await.unwrap();
    store.finish_points(one, 1, at(1)).await.unwrap();
    // The other account's directory has b too, unchanged, and c.
    store.put_points(two, 9, points(&["b", "c"])).await.unwrap();
    let change = store.finish_points(two, 9, at(2)).await.unwrap();
    assert_eq!(change, DirectoryChange { seen: 2, gone: 0 });
    // b is the other's now: the first one's silence says nothing of it.
    store.put_points(one, 2, points(&["d"])).await.unwrap();
    let change = store.finish_points(one, 2, at(3)).await.unwrap();
    assert_eq!(change, DirectoryChange { seen: 1, gone: 1 });
    let found = state(&store, &["a", "b", "c", "d"]).await;
    assert_eq!(
        found,
        [
            Some((one, false)),
            Some((two, true)),
            Some((two, true)),
            Some((one, true))
        ]
    );
    assert_eq!(store.directories().await.unwrap().len(), 2);
}

pub async fn a_changed_point_is_found_by_what_it_is_now(store: Arc<dyn Store>) {
    let account = ConnectionId::new();
    let old = point("parcels", "a", "Station", "Riga", Some((56.9, 24.1)));
    let mut new = point("parcels", "a", "Market", "Ventspils", Some((57.4, 21.6)));
    new.address.country = Some("LT".to_owned());
    store.put_points(account, 1, vec![old]).await.unwrap();
    let twice = vec![new.clone(), new.clone()];
    store.put_points(account, 2, twice).await.unwrap();
    assert!(ids(&store, words("station")).await.is_empty());
    assert_eq!(ids(&store, words("market")).await, ["a"]);
    let near = |lat, lon| PointFilter {
        near: Some((lat, lon)),
        ..Default::default()
    };
    let found = store.points(near(57.4, 21.6)).await.unwrap();
    assert_eq!((found.len(), found[0].distance_m), (1, Some(0)));
    assert_eq!(found[0].point.point, new);
    let filter = |country: &str| PointFilter {
        country: Some(country.to_owned()),
        ..near(57.4, 21.6)
    };
    assert_eq!(ids(&store, filter("lt")).await, ["a"]);
    assert!(ids(&store, filter("LV")).await.is_empty());
}

pub async fn points_are_found_by_words(store: Arc<dyn Store>) {
    let account = ConnectionId::new();
    let mut points = vec![
        point("parcels", "77101", "Brīvības pakomāts", "Rīga", None),
        point("parcels", "77102", "Κεντρικό", "Πειραιάς", None),
        point("parcels", "77103", "Офис Център", "София", None),
        point("letters", "77101", "Post office", "Łódź", None),
    ];
    points[1].address.country = Some("GR".to_owned());
    points[2].address.country = Some("BG".to_owned());
    points[2].cod_allowed = Some(false);
    points[2].address.latin = serde_json::from_value(serde_json::json!({"city": "Sofia"})).unwrap();
    points[3].kind = PointKind::PostOffice;
    points[3].cod_allowed = Some(true);
    store.put_points(account, 1, points).await.unwrap();
    for (q, expected) in [
        ("riga", vec!["77101"]),
        ("RĪGA pakom", vec!["77101"]),
        ("pakomats riga", vec!["77101"]),
        ("pakom riga", vec![]),
        ("pako", vec!["77101"]),
        ("πειραιας", vec!["77102"]),
        ("ΠΕΙΡΑΙΆΣ", vec!["77102"]),
        ("софия", vec!["77103"]),
        ("sofia", vec!["77103"]),
        ("lodz", vec!["77101"]),
        ("77102", vec!["77102"]),
        ("Centra iela 77103", vec!["77103"]),
        ("riga sofia", vec![]),
        ("iga", vec![]),
        // Nothing of this is syntax.
        ("\"", vec![]),
        ("***", vec![]),
        ("riga OR sofia", vec![]),
        ("name:riga", vec![]),
        ("-riga", vec!["77101"]),
        ("riga*", vec!["77101"]),
        ("\"riga\" \u{0}", vec!["77101"]),
        ("NEAR(riga", vec![]),
        ("(riga)", vec!["77101"]),
        ("zcod", vec![]),
        ("tags : zcod", vec![]),
    ] {
        assert_eq!(ids(&store, words(q)).await, expected, "{q}");
    }
    let both = ids(&store, words("77101")).await;
    assert_eq!(both.len(), 2, "one in each network");
    let filters = [
        PointFilter {
            network: Some("letters".to_owned()),
            ..words("77101")
        },
        PointFilter {
            kind: Some(PointKind::PostOffice),
            ..words("77")
        },
    ];
    for filter in filters {
        assert_eq!(ids(&store, filter).await.len(), 1);
    }
    let filter = PointFilter {
        country: Some("GR".to_owned()),
        ..words("77")
    };
    assert_eq!(ids(&store, filter).await, ["77102"]);
    let filter = PointFilter {
        cod: true,
        ..Default::default()
    };
    assert_eq!(
        ids(&store, filter).await,
        ["77101", "77101", "77102"],
        "who is silent may take cash"
    );
    let better = ids(&store, words("centra")).await;
    assert_eq!(better.len(), 4, "streets count as well");
}

/// Along the great circle, by another formula than a store's.
fn distance_m(a: (f64, f64), b: (f64, f64)) -> f64 {
    let vector = |(lat, lon): (f64, f64)| {
        let (lat, lon) = (lat.to_radians(), lon.to_radians());
        (lat.cos() * lon.cos(), lat.cos() * lon.sin(), lat.sin())
    };
    let ((ax, ay, az), (bx, by, bz)) = (vector(a), vector(b));
    let chord = ((ax - bx).powi(2) + (ay - by).powi(2) + (az - bz).powi(2)).sqrt();
    2.0 * (chord / 2.0).min(1.0).asin() * 6_371_008.8
}

pub async fn the_nearest_come_first(store: Arc<dyn Store>) {
    let account = ConnectionId::new();
    // A fixed scatter: two dense towns, one across the date line, and a few far away.
    let mut places = Vec::new();
    for n in 0..1_500_u32 {
        let step = f64::from(n % 40) * 0.0013 + f64::from(n / 40) * 0.00017;
        places.push(match n % 5 {
            0 | 1 => (56.95 + step, 24.1 - step * 1.7),
            2 => (42.69 - step, 23.32 + step),
            3 => (
                -17.8 + step,
                179.99 + step - if step > 0.01 { 360.0 } else { 0.0 },
            ),
            _ => (f64::from(n % 170) - 85.0, f64::from(n % 350) - 175.0),
        });
    }
    // Hundreds on one spot.
    places.extend(std::iter::repeat_n((37.98, 23.72), 1_200));
    let name = |n: usize| {
        if n.is_multiple_of(3) {
            "Third"
        } else {
            "Locker"
        }
    };
    let made = places.iter().enumerate().map(|(n, at)| {
        let mut made = point("parcels", &format!("{n:05}"), name(n), "Town", Some(*at));
        if n.is_multiple_of(7) {
            made.cod_allowed = Some(false);
        }
        made
    });
    store.put_points(account, 1, made.collect()).await.unwrap();
    let nowhere = point("parcels", "nowhere", "Locker", "Town", None);
    store.put_points(account, 1, vec![nowhere]).await.unwrap();
    for center in [
        (56.96, 24.09),
        (42.6, 23.4),
        (-17.81, -179.999),
        (0.0, 0.0),
        (89.9, 10.0),
        (-90.0, 0.0),
        (37.98, 23.72),
        (37.99, 23.70),
    ] {
        for (limit, third, cod) in [
            (1, false, false),
            (20, false, true),
            (20, true, false),
            (500, false, false),
        ] {
            let filter = PointFilter {
                near: Some(center),
                q: third.then(|| "third".to_owned()),
                cod,
                limit,
                ..Default::default()
            };
            let found = store.points(filter).await.unwrap();
            let mut expected: Vec<f64> = places
                .iter()
                .enumerate()
                .filter(|(n, _)| !third || n.is_multiple_of(3))
                .filter(|(n, _)| !cod || !n.is_multiple_of(7))
                .map(|(_, at)| distance_m(center, *at))
                .collect();
            expected.sort_by(f64::total_cmp);
            assert_eq!(found.len(), limit);
            for (found, expected) in found.iter().zip(expected) {
                let far = found.distance_m.unwrap() as f64;
                assert!(
                    (far - expected).abs() <= 1.0 + expected * 1e-6,
                    "{center:?} {limit}: {far} instead of {expected}"
                );
            }
        }
    }
    let filter = PointFilter {
        near: Some((56.96, 24.09)),
        network: Some("unknown".to_owned()),
        ..Default::default()
    };
    assert!(store.points(filter).await.unwrap().is_empty());
}
