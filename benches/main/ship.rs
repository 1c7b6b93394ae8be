//! The second in which the packer waits: `ship?wait=8` until the label is in the answer, with a
//! simulated courier that answers at once.

use crate::gateway::{Gateway, SECRET};
use crate::place::Place;
use crate::{load, orders};
use crossdock::manifest::folder::{Folder, Source};
use crossdock::simulator::{self, Handle, Options};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A carrier that is asked two things for a label: whether it has it, and to make it.
const CARRIER: &str = "owlpost";

pub async fn ship() {
    let packers = [(1, 300), (8, 1_200)];
    let times = self::packers(&Place::embedded(), &packers).await;
    for ((desks, count), times) in packers.into_iter().zip(times) {
        println!(
            "          {desks} packers, {count} labels, request to label in the answer: p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms (target p95 < 50 ms)",
            load::percentile(&times, 0.5) / 1e3,
            load::percentile(&times, 0.95) / 1e3,
            load::percentile(&times, 0.99) / 1e3,
        );
    }
}

/// A gateway with a shop and an account at a simulated courier.
pub struct Depot {
    pub gateway: Arc<Gateway>,
    pub courier: Handle,
    pub account: Value,
    hook: String,
    next: usize,
}

impl Depot {
    pub async fn start(place: &Place) -> Self {
        let folders = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/carriers");
        let folder = Folder::load(Source::Disk(folders.join(CARRIER))).unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let courier = simulator::serve(&folder, any, Options::default())
            .await
            .unwrap();
        let folders = folders.display().to_string();
        let env = [("CROSSDOCK_CONNECTORS_DIR", folders.as_str())];
        let gateway = place.start_with("all", &env).await;
        let hook = gateway.shop("Bench").await;
        let account = account(&gateway, &courier, None).await;
        Self {
            gateway: Arc::new(gateway),
            courier,
            account,
            hook,
            next: 1,
        }
    }

    /// So many more fulfillment orders at the warehouse.
    pub async fn parts(&mut self, count: usize) -> VecDeque<String> {
        let first = self.next;
        self.next += count;
        let mut all = parts(&self.gateway, &self.hook, first, count).await;
        all.drain(..first - 1);
        all.into()
    }

    /// Another account, at a courier with this address.
    pub async fn account_at(&self, url: &str) -> Value {
        account(&self.gateway, &self.courier, Some(url)).await
    }

    /// Ships these at an account; sorted times in µs.
    pub async fn packed(&self, account: &Value, parts: VecDeque<String>, desks: usize) -> Vec<u64> {
        packed(&self.gateway, account, parts, desks).await
    }
}

/// Sorted times in µs for each number of packers with its number of labels, one after the other.
pub async fn packers(place: &Place, packers: &[(usize, usize)]) -> Vec<Vec<u64>> {
    let mut depot = Depot::start(place).await;
    let (account, warm) = (depot.account.clone(), 50);
    let count = warm + packers.iter().map(|(_, count)| count).sum::<usize>();
    let mut parts = depot.parts(count).await;
    depot
        .packed(&account, parts.drain(..warm).collect(), 4)
        .await;
    let own = courier_ms(&depot.courier, 200).await;
    println!(
        "ship      {}: the courier's own answers for a label, two calls one after the other: p50 {:.1} ms, p95 {:.1} ms",
        place.name(),
        load::percentile(&own, 0.5) / 1e3,
        load::percentile(&own, 0.95) / 1e3,
    );
    let mut all = Vec::new();
    for (desks, count) in packers {
        let some = parts.drain(..*count).collect();
        all.push(depot.packed(&account, some, *desks).await);
    }
    depot.courier.stop().await;
    all
}

/// An account at the courier, of the one merchant there is.
async fn account(gateway: &Gateway, courier: &Handle, url: Option<&str>) -> Value {
    let shops = gateway.get("/v1/connections").await;
    let sender = json!({"name": "Depot", "line1": "Dock 1", "city": "Athens", "country": "GR"});
    let mut settings = json!(courier.settings);
    if let Some(url) = url {
        settings["base_url"] = url.into();
    }
    let account = json!({
        "merchant_id": shops["data"][0]["merchant_id"], "connector": CARRIER, "name": "Courier", "state": "active",
        "settings": settings, "credentials": courier.credentials,
        "contracts": {"default": {"sender": sender}},
    });
    gateway.post("/v1/connections", account).await["id"].clone()
}

/// All fulfillment orders at the warehouse, oldest first, with so many more from this number on.
async fn parts(gateway: &Gateway, hook: &str, first: usize, count: usize) -> Vec<String> {
    let sent = (first..first + count)
        .map(|n| orders::request(gateway.addr, hook, SECRET, n))
        .collect();
    load::blast(gateway.addr, Arc::new(sent), 16).await;
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let list = "/v1/fulfillment-orders?limit=500";
            let page = gateway.get(&format!("{list}{after}")).await;
            let rows = page["data"].as_array().unwrap().iter();
            found.extend(rows.map(|part| part["id"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        if found.len() >= first - 1 + count {
            found.sort(); // Ids are made in order.
            return found;
        }
        assert!(Instant::now() < limit, "{} of {count} parts", found.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Ships these, so many at a time, each as soon as the one before has its label; sorted times in µs.
async fn packed(
    gateway: &Arc<Gateway>,
    account: &Value,
    parts: VecDeque<String>,
    desks: usize,
) -> Vec<u64> {
    let parts = Arc::new(Mutex::new(parts));
    let tasks: Vec<_> = (0..desks)
        .map(|_| {
            let (gateway, parts, account) = (gateway.clone(), parts.clone(), account.clone());
            tokio::spawn(async move {
                let mut times = Vec::new();
                loop {
                    let next = parts.lock().unwrap().pop_front();
                    let Some(part) = next else { return times };
                    let body = json!({"shipment_ref": "S-1", "parcels": [{"weight_g": 900}], "carrier_connection_id": account});
                    let path = format!("/v1/fulfillment-orders/{part}/ship?wait=8");
                    let started = Instant::now();
                    let shipped = gateway.post(&path, body).await;
                    times.push(started.elapsed().as_micros() as u64);
                    assert!(shipped["label"]["content_base64"].is_string(), "{shipped}");
                }
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    times.sort_unstable();
    times
}

/// What the courier itself takes for the calls of a label.
async fn courier_ms(courier: &Handle, count: usize) -> Vec<u64> {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/shipments", courier.url());
    let token = courier.credentials["token"].as_str().to_owned();
    let mut times = Vec::new();
    for n in 0..count {
        let reference = format!("bench-{n}");
        let body = json!({"reference": reference, "parcels": [reference], "cash": null});
        let started = Instant::now();
        for request in [
            http.get(format!("{url}?reference={reference}")),
            http.post(&url)
                .header("content-type", "application/json")
                .body(body.to_string()),
        ] {
            let answer = request.bearer_auth(&token).send().await.unwrap();
            assert!(answer.status().is_success());
            answer.bytes().await.unwrap();
        }
        times.push(started.elapsed().as_micros() as u64);
    }
    times.sort_unstable();
    times
}
