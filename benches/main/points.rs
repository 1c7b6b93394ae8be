//! Pickup points: 100,000 made-up ones, read twice and searched.

use crate::load::percentile;
use crossdock::canonical::point::{PickupPoint, PointKind};
use crossdock::canonical::{Address, ConnectionId, Timestamp, address::Geo};
use crossdock::store::query::PointFilter;
use crossdock::store::vault::MasterKey;
use crossdock::store::{Store, StoreOptions, open};
use std::sync::Arc;
use std::time::Instant;

const POINTS: u64 = 100_000;
const PAGE: u64 = 5_000;
const SEARCHES: u64 = 400;

/// Countries with a box of degrees, and how many of a hundred points lie in each.
const COUNTRIES: [(&str, f64, f64, f64, u64); 6] = [
    ("BG", 42.7, 25.3, 1.2, 25),
    ("GR", 38.5, 23.0, 1.8, 25),
    ("RO", 45.8, 25.0, 2.0, 25),
    ("LV", 56.9, 24.8, 1.0, 8),
    ("LT", 55.2, 23.8, 1.0, 10),
    ("EE", 58.7, 25.4, 0.9, 7),
];
const KINDS: [&str; 6] = ["Locker", "Office", "Market", "Station", "Square", "Mall"];
const TOWNS: [&str; 8] = [
    "Sofia",
    "Athens",
    "Bucharest",
    "Riga",
    "Vilnius",
    "Tallinn",
    "София",
    "Πειραιάς",
];
const STREETS: [&str; 7] = [
    "Vitosha",
    "Brīvības",
    "Ermou",
    "Gedimino",
    "Narva",
    "Unirii",
    "Цар Борис",
];

/// Numbers that look random and are the same each time.
fn mixed(n: u64) -> u64 {
    let mut x = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn pick<T: Copy>(of: &[T], n: u64) -> T {
    of[(n % of.len() as u64) as usize]
}

fn country(n: u64) -> (&'static str, f64, f64, f64) {
    let mut left = mixed(n) % 100;
    for (code, lat, lon, reach, share) in COUNTRIES {
        if left < share {
            return (code, lat, lon, reach);
        }
        left -= share;
    }
    ("BG", 42.7, 25.3, 1.2)
}

fn place(n: u64) -> (f64, f64) {
    let (_, lat, lon, reach) = country(n);
    let off = |salt: u64| (mixed(n ^ (salt << 40)) % 20_001) as f64 / 10_000.0 - 1.0;
    // Half of them crowd in towns.
    let town = if n.is_multiple_of(2) { 0.03 } else { 1.0 };
    (lat + off(1) * reach * town, lon + off(2) * reach * town)
}

fn point(n: u64) -> PickupPoint {
    let r = mixed(n ^ (7 << 50));
    let (lat, lon) = place(n);
    let number = |value: f64| serde_json::Number::from_f64(value).expect("finite");
    let town = pick(&TOWNS, r >> 8);
    PickupPoint {
        network: pick(&["north", "south", "east"], n).to_owned(),
        point_id: format!("{}{n}", pick(&["A", "B", "LV", "96"], r)),
        kind: pick(&[PointKind::Locker, PointKind::ParcelShop], r >> 3),
        name: Some(format!("{} {} {}", pick(&KINDS, r), town, r % 977)),
        address: Address {
            line1: Some(format!("{} {}", pick(&STREETS, r >> 16), r % 199)),
            city: Some(format!("{town} {}", r % 389)),
            postal_code: Some(format!("{}", 1_000 + r % 9_000)),
            country: Some(country(n).0.to_owned()),
            ..Address::default()
        },
        geo: Some(Geo {
            lat: number(lat),
            lon: number(lon),
        }),
        opening: Vec::new(),
        max_weight_g: Some(30_000.into()),
        max_size_mm: None,
        cod_allowed: pick(&[Some(true), Some(false), None], r >> 5),
        valid_from: None,
        valid_to: None,
    }
}

async fn read(store: &Arc<dyn Store>, account: ConnectionId, reading: u64) -> f64 {
    let mut seconds = 0.0;
    for first in (0..POINTS).step_by(PAGE as usize) {
        let page: Vec<PickupPoint> = (first..first + PAGE).map(point).collect();
        let started = Instant::now();
        store.put_points(account, reading, page).await.expect("put");
        seconds += started.elapsed().as_secs_f64();
    }
    let started = Instant::now();
    let change = store
        .finish_points(account, reading, Timestamp::now())
        .await
        .expect("finish");
    assert_eq!((change.seen, change.gone), (POINTS, 0));
    seconds + started.elapsed().as_secs_f64()
}

/// What people type: a town, a kind and a town, a beginning, a town's part, a postal code.
fn text(n: u64) -> String {
    let r = mixed(n ^ (3 << 50));
    match n % 5 {
        0 => pick(&TOWNS, r).to_owned(),
        1 => format!("{} {}", pick(&KINDS, r), pick(&TOWNS, r >> 9)),
        2 => pick(&STREETS, r).chars().take(3).collect(),
        3 => format!("{} {}", pick(&TOWNS, r), r % 389),
        _ => format!("{}", 1_000 + r % 9_000),
    }
}

fn limited(filter: PointFilter) -> PointFilter {
    PointFilter {
        limit: 20,
        ..filter
    }
}

/// A kind of search: its name, and the n-th search of it.
type Kind = (&'static str, fn(u64) -> PointFilter);

fn kinds() -> Vec<Kind> {
    vec![
        ("q", |n| {
            limited(PointFilter {
                q: Some(text(n)),
                ..PointFilter::default()
            })
        }),
        ("country + q", |n| {
            limited(PointFilter {
                q: Some(text(n)),
                country: Some(pick(&COUNTRIES, n).0.to_owned()),
                ..PointFilter::default()
            })
        }),
        ("near", |n| {
            limited(PointFilter {
                near: Some(place(n * 31)),
                ..PointFilter::default()
            })
        }),
        ("near, one network, takes cash", |n| {
            limited(PointFilter {
                near: Some(place(n * 37)),
                network: Some("north".to_owned()),
                cod: true,
                ..PointFilter::default()
            })
        }),
        ("near, far from all", |n| {
            limited(PointFilter {
                near: Some((-30.0 - (n % 40) as f64, (n % 300) as f64 - 150.0)),
                ..PointFilter::default()
            })
        }),
        ("near + q", |n| {
            limited(PointFilter {
                q: Some(text(n)),
                near: Some(place(n * 41)),
                ..PointFilter::default()
            })
        }),
    ]
}

pub async fn points() {
    let data = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", data.path().join("points.db").display());
    let store = open(&url, StoreOptions::new(MasterKey::generate())).expect("a store");
    let account = ConnectionId::new();
    let first = read(&store, account, 1).await;
    let again = read(&store, account, 2).await;
    println!(
        "points    {POINTS} points stored in {first:.1} s; read again without news in {again:.1} s"
    );
    for (name, filter) in kinds() {
        let mut times = Vec::new();
        let mut found = 0;
        for n in 0..SEARCHES {
            let filter = filter(n);
            let started = Instant::now();
            found += store.points(filter).await.expect("search").len();
            times.push(started.elapsed().as_micros() as u64);
        }
        times.sort_unstable();
        println!(
            "          {name}: median {:.2} ms, p95 {:.2} ms, most {:.2} ms ({:.0} found on average; target p95 < 20 ms)",
            percentile(&times, 0.5) / 1e3,
            percentile(&times, 0.95) / 1e3,
            percentile(&times, 1.0) / 1e3,
            found as f64 / SEARCHES as f64
        );
    }
    store.close().await;
}
