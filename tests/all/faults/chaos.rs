//! The faults, by a seed: one after another, and two at once of different places.
//!
//! What always holds: a round holds every kind once; after each fault, or each two, intake goes on by
//! itself, which is waited for; a fault ends by itself.

use super::database::End;
use super::proxy::{Mode, Proxy};
use super::town::{Carrier, Channel, Kind, Town};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// So much is acknowledged before the next fault.
const GOES_ON: u64 = 6;
/// A fault from which intake does not recover in this time is a fault of ours.
const RECOVERS: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    NodeKilled,
    NodeRestarted,
    NodeFrozen,
    DoorCut,
    DoorTorn,
    ServerRestarted,
    ServerStopped,
    ServerKilled,
    StoreCut,
    StoreTorn,
    StoreSlow,
    StoreStalled,
    StoreRefused,
    DiskFull,
    WarehouseRefuses,
    WarehouseCut,
    WarehouseTorn,
    WarehouseErrors,
    WarehouseDownForHours,
    ShopErrors,
    ShopLies,
    ShopLosesAnswers,
    ShopTorn,
    CourierErrors,
    CourierLies,
    CourierLosesAnswers,
    CourierTimesOut,
    CourierTorn,
    ClockForward,
    ClockBack,
}

use Fault::*;

const ANYWHERE: [Fault; 21] = [
    NodeKilled,
    NodeRestarted,
    NodeFrozen,
    DoorCut,
    DoorTorn,
    WarehouseRefuses,
    WarehouseCut,
    WarehouseTorn,
    WarehouseErrors,
    WarehouseDownForHours,
    ShopErrors,
    ShopLies,
    ShopLosesAnswers,
    ShopTorn,
    CourierErrors,
    CourierLies,
    CourierLosesAnswers,
    CourierTimesOut,
    CourierTorn,
    ClockForward,
    ClockBack,
];
const SERVER: [Fault; 8] = [
    ServerRestarted,
    ServerStopped,
    ServerKilled,
    StoreCut,
    StoreTorn,
    StoreSlow,
    StoreStalled,
    StoreRefused,
];

/// What breaks.
#[derive(PartialEq)]
enum Place {
    Node,
    Door,
    Server,
    Warehouse,
    Shop,
    Courier,
    Clock,
}

impl Fault {
    fn place(self) -> Place {
        match self {
            NodeKilled | NodeRestarted | NodeFrozen | DiskFull => Place::Node,
            DoorCut | DoorTorn => Place::Door,
            ServerRestarted | ServerStopped | ServerKilled | StoreCut | StoreTorn | StoreSlow
            | StoreStalled | StoreRefused => Place::Server,
            WarehouseRefuses
            | WarehouseCut
            | WarehouseTorn
            | WarehouseErrors
            | WarehouseDownForHours => Place::Warehouse,
            ShopErrors | ShopLies | ShopLosesAnswers | ShopTorn => Place::Shop,
            CourierErrors | CourierLies | CourierLosesAnswers | CourierTimesOut | CourierTorn => {
                Place::Courier
            }
            ClockForward | ClockBack => Place::Clock,
        }
    }
}

/// How long it goes on.
#[derive(Clone, Copy, PartialEq)]
pub enum Length {
    /// Every kind once, and two at once.
    Round,
    /// Rounds until so much time has passed; in every second one they come two at once.
    For(Duration),
}

/// A frozen node is the others' business after twelve seconds: the long form goes beyond.
const FROZEN_MS: [u64; 2] = [2_500, 15_000];

fn kinds(town: &Town, kind: Kind) -> Vec<Fault> {
    let mut all = ANYWHERE.to_vec();
    if let Kind::Server(_) = kind {
        all.extend(SERVER);
        // What matters most comes twice.
        all.push(NodeKilled);
    }
    if town.disk.is_some() {
        all.push(DiskFull);
    }
    all
}

/// Puts faults in.
pub async fn run(town: &Town, kind: Kind, length: Length, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let began = Instant::now();
    for n in 0.. {
        let mut round = kinds(town, kind);
        round.shuffle(&mut rng);
        // The short form begins with two.
        let mut two = length == Length::Round || n % 2 == 1;
        while let Some(fault) = round.pop() {
            if matches!(length, Length::For(span) if began.elapsed() >= span) {
                return;
            }
            let elsewhere = |other: &Fault| two && other.place() != fault.place();
            let other = round.iter().rposition(elsewhere).map(|at| round.remove(at));
            both(town, length, (fault, other), &mut rng).await;
            two &= length != Length::Round;
        }
        if length == Length::Round {
            return;
        }
    }
}

/// One fault, or two at once; then intake is waited for.
async fn both(
    town: &Town,
    length: Length,
    (fault, other): (Fault, Option<Fault>),
    rng: &mut StdRng,
) {
    town.count(&format!("{fault:?}"));
    if let Some(other) = other {
        town.count(&format!("{other:?}"));
        town.count("two at once");
        let mut second = StdRng::seed_from_u64(rng.random());
        tokio::join!(
            happens(town, length, fault, rng),
            happens(town, length, other, &mut second)
        );
    } else {
        happens(town, length, fault, rng).await;
    }
    if !town.load.goes_on(GOES_ON, RECOVERS).await {
        town.is_wrong(format!(
            "intake does not go on after {fault:?} and {other:?}"
        ));
    }
}

/// A while in which it is as it is.
async fn a_while(rng: &mut StdRng, from: u64, to: u64) {
    let ms = rng.random_range(from..to);
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

async fn happens(town: &Town, length: Length, fault: Fault, rng: &mut StdRng) {
    let node = &town.nodes[rng.random_range(0..town.nodes.len())];
    match fault {
        NodeKilled => node.again("-KILL").await,
        NodeRestarted => node.again("-TERM").await,
        NodeFrozen => {
            node.signal("-STOP");
            let longest = FROZEN_MS[usize::from(length != Length::Round)];
            a_while(rng, 500, longest).await;
            node.signal("-CONT");
        }
        DoorCut => cut(&node.door, rng).await,
        DoorTorn => torn(&node.door, rng).await,
        ServerRestarted | ServerStopped | ServerKilled | StoreCut | StoreTorn | StoreSlow
        | StoreStalled | StoreRefused => of_server(town, fault, rng).await,
        DiskFull => {
            let disk = town.disk.as_ref().unwrap();
            disk.fill();
            a_while(rng, 500, 1_500).await;
            if rng.random_bool(0.5) {
                // Killed with a full disk, it comes up as soon as there is room.
                node.kill().await;
            }
            disk.empty();
            node.ready().await;
        }
        WarehouseRefuses => refused(&town.to_warehouse, rng).await,
        WarehouseCut => cut(&town.to_warehouse, rng).await,
        WarehouseTorn => torn(&town.to_warehouse, rng).await,
        WarehouseErrors => {
            town.warehouse
                .answer([500, 503, 429, 404][rng.random_range(0..4)]);
            a_while(rng, 200, 1_200).await;
            town.warehouse.answer(200);
        }
        WarehouseDownForHours => warehouse_down_for_hours(town, rng).await,
        ClockForward => clock(town, node.as_ref(), rng, 1).await,
        ClockBack => clock(town, node.as_ref(), rng, -1).await,
        _ => of_provider(town, fault, rng).await,
    }
}

async fn cut(proxy: &Proxy, rng: &mut StdRng) {
    for _ in 0..3 {
        proxy.cut();
        a_while(rng, 20, 200).await;
    }
}

async fn torn(proxy: &Proxy, rng: &mut StdRng) {
    proxy.tear(rng.random_range(3..8));
    a_while(rng, 300, 900).await;
    proxy.heal();
}

async fn refused(proxy: &Proxy, rng: &mut StdRng) {
    proxy.set(Mode::Refuse);
    proxy.cut();
    a_while(rng, 500, 2_000).await;
    proxy.heal();
}

async fn of_server(town: &Town, fault: Fault, rng: &mut StdRng) {
    let server = town.server.as_ref().unwrap();
    match fault {
        ServerRestarted => server.database.again(End::Fast).await,
        ServerStopped => server.database.again(End::Immediate).await,
        ServerKilled => server.database.again(End::Killed).await,
        StoreCut => cut(&server.door, rng).await,
        StoreTorn => torn(&server.door, rng).await,
        StoreSlow => {
            server.door.set(Mode::Delay(Duration::from_millis(15)));
            a_while(rng, 500, 2_000).await;
            server.door.heal();
        }
        StoreStalled => {
            server.door.set(Mode::Stall);
            a_while(rng, 500, 3_000).await;
            if rng.random_bool(0.5) {
                server.door.cut();
            }
            server.door.heal();
        }
        _ => refused(&server.door, rng).await,
    }
}

/// Nobody is at home for hours; then it comes back and is slow.
async fn warehouse_down_for_hours(town: &Town, rng: &mut StdRng) {
    town.to_warehouse.set(Mode::Refuse);
    town.to_warehouse.cut();
    for _ in 0..rng.random_range(3..9) {
        town.passes(HOUR);
        // What has come due meanwhile is tried: something goes on in each hour.
        town.load.goes_on(2, RECOVERS).await;
    }
    town.to_warehouse
        .set(Mode::Delay(Duration::from_millis(150)));
    a_while(rng, 1_000, 2_000).await;
    town.to_warehouse.heal();
}

/// A node's clock is set wrong by up to five minutes, and right again.
async fn clock(town: &Town, node: &super::node::Node, rng: &mut StdRng, sign: i64) {
    node.clock.skew(sign * rng.random_range(5_000..300_000));
    town.load.goes_on(GOES_ON, RECOVERS).await;
    a_while(rng, 300, 1_000).await;
    node.clock.skew(0);
}

async fn shop_does(channel: &Channel, fault: Value) {
    channel.sim.sim("POST", "/faults", fault).await;
}

async fn courier_does(carrier: &Carrier, fault: Value) {
    carrier.sim.sim("POST", "/faults", fault).await;
}

/// What a provider says instead of doing it, or after it has done it.
async fn of_provider(town: &Town, fault: Fault, rng: &mut StdRng) {
    let channel = &town.channels[rng.random_range(0..town.channels.len())];
    let carrier = &town.carriers[rng.random_range(0..town.carriers.len())];
    let times = rng.random_range(1..4);
    match fault {
        ShopErrors => {
            let status = [429, 500, 502, 503][rng.random_range(0..4)];
            let headers = json!({"retry-after": "2"});
            shop_does(channel, json!({"status": status, "headers": headers, "body": {"code": "busy"}, "times": times})).await;
        }
        ShopLies => {
            let body =
                json!({"code": "internal_error", "message": "the database is away", "data": null});
            let lie = json!({"route": "orders.list", "status": 200, "body": body, "times": times});
            shop_does(channel, lie).await;
        }
        ShopLosesAnswers => {
            shop_does(channel, json!({"drop_answer": true, "times": times})).await;
        }
        CourierErrors => {
            let status = [429, 500, 503][rng.random_range(0..3)];
            courier_does(
                carrier,
                json!({"status": status, "body": {}, "times": times}),
            )
            .await;
        }
        CourierLies => {
            let lie = json!({"route": create(carrier), "status": 200, "body": {"error": "busy"}, "times": 1});
            courier_does(carrier, lie).await;
        }
        CourierLosesAnswers => {
            let lost = json!({"route": create(carrier), "drop_answer": true, "times": times});
            courier_does(carrier, lost).await;
        }
        CourierTimesOut => {
            // The one that cannot be asked: who looks up before a late call has happened finds
            // nothing, at any provider, and no gateway can know better.
            let carrier = &town.carriers[0];
            let late = json!({"route": create(carrier), "latency_ms": 6_000, "times": 1});
            courier_does(carrier, late).await;
        }
        ShopTorn => torn(&channel.door, rng).await,
        _ => torn(&carrier.door, rng).await,
    }
}

/// The route that makes a label.
fn create(carrier: &Carrier) -> &'static str {
    match carrier.sim.name {
        "hornpost" => "labels.post",
        _ => "shipments.post",
    }
}
