//! The run comes to rest: nothing is broken any more, people do what is theirs to do, and time passes
//! until nothing is under way.
//!
//! What always holds: rest is a condition that is looked at, in a bounded number of looks; time moves
//! on between two looks, so that what waits for its time comes due.

use super::town::{Town, list};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// So often it is looked whether all is at rest.
const LOOKS: u32 = 400;
/// People act when a provider's late calls have happened.
const PATIENCE: Duration = Duration::from_secs(7);
/// What passes between two looks.
const STEP: Duration = Duration::from_secs(600);
/// Work that comes to an end; polls never do.
const ENDS: [&str; 5] = [
    "shipment.",
    "fulfillment.",
    "delivery.",
    "order.",
    "orders.get",
];

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// Nothing is broken any more.
async fn heals(town: &Town) {
    if let Some(server) = &town.server {
        server.door.heal();
    }
    for node in town.nodes.iter() {
        node.door.heal();
        node.clock.skew(0);
        node.ready().await;
    }
    town.to_warehouse.heal();
    town.warehouse.answer(200);
    for channel in &town.channels {
        channel.door.heal();
        channel.sim.sim("DELETE", "/faults", Value::Null).await;
    }
    for carrier in &town.carriers {
        carrier.door.heal();
        carrier.sim.sim("DELETE", "/faults", Value::Null).await;
    }
}

/// Returns when all is at rest; what is not is told when it takes too long.
pub async fn comes(town: &Town) {
    heals(town).await;
    let mut told = false;
    let mut restless = Vec::new();
    let healed = Instant::now();
    for look in 0..LOOKS {
        told = told || town.load.tells_the_rest().await;
        restless = unrest(town, told).await;
        if restless.is_empty() {
            return;
        }
        if look % 2 == 1 {
            if healed.elapsed() > PATIENCE {
                people(town).await;
            }
            town.passes(STEP);
        }
        // The pause is a long poll: it ends when something happens.
        let path = format!("/v1/events?after={}&wait=1", town.reader.cursor());
        town.client.call("GET", &path, &Value::Null).await;
    }
    town.is_wrong(format!("it does not come to rest: {restless:?}"));
    for path in ["/v1/problems?status=open", "/v1/jobs?state=parked"] {
        let all = town.client.all(path).await;
        // What was told garbled stays a problem.
        let others = all.iter().filter(|one| one["code"] != "body_malformed");
        for one in others.take(10) {
            eprintln!("{one}");
        }
    }
}

/// What is still under way.
async fn unrest(town: &Town, told: bool) -> Vec<String> {
    let mut open = Vec::new();
    let mut note = |what: &str, n: usize| {
        if n > 0 {
            open.push(format!("{n} {what}"));
        }
    };
    note("untold webhooks", usize::from(!told));
    note("unanswered packers", town.packer.open());
    let ledger = town.client.ask("GET", "/v1/ledger", &Value::Null).await;
    let pending = list(&ledger["data"]).iter();
    let pending: u64 = pending.filter_map(|line| line["pending"].as_u64()).sum();
    note("pending deliveries", usize::try_from(pending).unwrap());
    let mut missing = 0;
    for channel in &town.channels {
        let path = format!("/v1/orders?connection_id={}", channel.connection);
        let known = town.client.all(&path).await.len();
        let state = channel.sim.sim("GET", "/state", Value::Null).await;
        let placed = state["state"]["orders"].as_object().unwrap().len();
        missing += placed.saturating_sub(known);
    }
    note("orders that were not polled", missing);
    let submitted = submitted(town);
    let shipped = town.packer.shipped.lock().unwrap().len();
    note("parts to be shipped", submitted.saturating_sub(shipped));
    for state in ["ready", "leased", "parked"] {
        let jobs = town.client.all(&format!("/v1/jobs?state={state}")).await;
        let ends = |job: &&Value| {
            let kind = text(job, "kind");
            // A request for a label that a person has answered for stays as it was.
            let answered = state == "parked" && kind == "shipment.create";
            !answered && ENDS.iter().any(|start| kind.starts_with(start))
        };
        note(&format!("{state} jobs"), jobs.iter().filter(ends).count());
    }
    let mut stands: BTreeMap<String, usize> = BTreeMap::new();
    for shipment in town.client.all("/v1/shipments").await {
        let status = text(&shipment, "status");
        if status != "handed_over" {
            *stands
                .entry(format!("shipments that are {status}"))
                .or_default() += 1;
        }
    }
    for (what, n) in stands {
        note(&what, n);
    }
    let last = last_sequence(town).await;
    note(
        "events that the reader has not seen",
        usize::try_from(last.saturating_sub(town.reader.cursor())).unwrap(),
    );
    let seen = town.reader.seen().len();
    note(
        "events that the warehouse was not told",
        seen.saturating_sub(town.warehouse.distinct()),
    );
    open
}

/// Parts that the packers were told of.
fn submitted(town: &Town) -> usize {
    let merchants: Vec<&str> = town.channels.iter().map(|c| c.merchant.as_str()).collect();
    let seen = town.reader.seen();
    let of_them = seen.iter().filter(|event| {
        event.kind == "fulfillment_order.submitted" && merchants.contains(&event.merchant.as_str())
    });
    of_them.count()
}

async fn last_sequence(town: &Town) -> u64 {
    let path = format!("/v1/events?after={}&limit=500", town.reader.cursor());
    let page = town.client.ask("GET", &path, &Value::Null).await;
    let last = list(&page["data"]).last();
    last.map_or(town.reader.cursor(), |event| {
        event["sequence"].as_u64().unwrap()
    })
}

/// What people do: look into the courier's books, resume what was suspended, try again.
async fn people(town: &Town) {
    town.packer.hand_over().await;
    for shipment in town
        .client
        .all("/v1/shipments?status=outcome_unknown")
        .await
    {
        let reference = text(&shipment, "reference");
        let numbers: Vec<String> = books(town)
            .await
            .into_iter()
            .filter(|label| label.of == reference)
            .map(|label| label.number)
            .collect();
        let path = format!("/v1/shipments/{}/resolve", text(&shipment, "id"));
        let body = match numbers.is_empty() {
            true => json!({"outcome": "not_purchased"}),
            false => json!({"outcome": "purchased", "tracking_numbers": numbers}),
        };
        town.count("(a person resolved a label)");
        town.client.call("POST", &path, &body).await;
    }
    let connections = town
        .client
        .ask("GET", "/v1/connections", &Value::Null)
        .await;
    for connection in list(&connections["data"]) {
        if text(connection, "state") == "suspended" {
            town.count("(a person resumed a connection)");
            let path = format!("/v1/connections/{}", text(connection, "id"));
            let active = json!({"state": "active"});
            town.client.call("PATCH", &path, &active).await;
        }
    }
    for problem in town.client.all("/v1/problems?status=open").await {
        let ours = text(&problem, "subject").starts_with("job_");
        if ours && problem["retryable"] == true {
            town.count("(a person retried)");
            let path = format!("/v1/problems/{}/retry", text(&problem, "id"));
            town.client.call("POST", &path, &json!({})).await;
        }
    }
}

/// A label in a courier's books.
pub struct Label {
    pub courier: &'static str,
    pub number: String,
    /// Our reference.
    pub of: String,
}

/// Every label that was ever made.
pub async fn books(town: &Town) -> Vec<Label> {
    let mut all = Vec::new();
    for carrier in &town.carriers {
        let state = carrier.sim.state().await;
        all.extend(list(&state["made"]).iter().map(|label| Label {
            courier: carrier.sim.name,
            number: text(label, "number").to_owned(),
            of: text(label, "reference").to_owned(),
        }));
    }
    all
}
