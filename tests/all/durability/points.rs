//! The process is killed at every point that `src/failpoint.rs` lists, at its first time and at
//! later ones. Each point has a story that reaches it; one that is not reached fails.

use super::super::support::gateway::PATIENCE;
use super::super::support::{Gateway, Shop, Warehouse, orders};
use super::{adds_up, check, each_once, revision, set_up};
use crossdock::failpoint::ALL;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

/// Stories told at once.
const AT_ONCE: usize = 6;
const ORDERS: u64 = 6;
const SIGABRT: i32 = 6;

/// How a point is reached, and at which times of reaching it the process dies.
fn story(point: &str) -> (Story, &'static [u32]) {
    match point {
        "append.before_commit" | "append.after_commit" => (Story::Intake, &[1, 5]),
        "apply.before_commit" | "apply.after_commit" => (Story::Intake, &[1, 4, 9]),
        "worker.before_apply" | "worker.after_apply" => (Story::Intake, &[1, 3]),
        "egress.before_send" | "egress.after_send" => (Story::Egress, &[1, 3]),
        "egress.before_progress" | "egress.after_progress" => (Story::Egress, &[1, 2]),
        // The push has four calls: reads the order and its notes, writes a note, completes it.
        "job.after_attempt" | "job.before_report" | "job.after_report" => {
            (Story::Push, &[1, 2, 3, 4])
        }
        "job.after_lease" | "job.before_result" => (Story::Push, &[1]),
        // Two pages and one result.
        "poll.before_page" | "poll.after_page" => (Story::Poll, &[1, 2]),
        "poll.before_note" => (Story::Poll, &[1]),
        // `rotation` tells these.
        "rotate.before_rewrap" | "rotate.before_commit" | "rotate.after_rewrap" => {
            (Story::Elsewhere, &[])
        }
        other => panic!("no story reaches the kill point {other}"),
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Story {
    Intake,
    Egress,
    Push,
    Poll,
    Elsewhere,
}

/// Tells a story for every point that it reaches.
async fn tell(wanted: Story) {
    let mut cases: Vec<String> = Vec::new();
    for point in ALL {
        let (found, times) = story(point);
        if found == wanted {
            cases.extend(times.iter().map(|nth| format!("{point}:{nth}")));
        }
    }
    let all = stream::iter(cases).for_each_concurrent(AT_ONCE, async |case| {
        // The output is shown when the test fails: which one it was.
        eprintln!("killed at {case}");
        match wanted {
            Story::Intake => intake(&case, 200).await,
            Story::Egress => {
                intake(&case, 200).await;
                if case.ends_with(":1") {
                    // A warehouse that refuses at first: what failed has rows then.
                    intake(&case, 503).await;
                }
            }
            Story::Push => push(&case).await,
            Story::Poll => poll(&case).await,
            Story::Elsewhere => {}
        }
    });
    all.await;
}

#[tokio::test]
async fn killed_at_every_point_of_intake_nothing_is_lost_and_nothing_twice() {
    tell(Story::Intake).await;
}

#[tokio::test]
async fn killed_at_every_point_of_egress_each_event_arrives_in_order() {
    tell(Story::Egress).await;
}

#[actix_web::test]
async fn killed_at_every_point_of_a_job_the_shop_is_told_once() {
    tell(Story::Push).await;
}

#[actix_web::test]
async fn killed_at_every_point_of_a_poll_each_order_is_read_once() {
    tell(Story::Poll).await;
}

/// Starts a gateway that dies at this point.
async fn armed(data: &Path, case: &str) -> Option<Gateway> {
    Gateway::try_start(data, &[("CROSSDOCK_FAILPOINT", case)]).await
}

/// Waits for the death of a gateway, and that it was the kill point's.
async fn dies(mut gateway: Gateway) {
    let status = gateway.ended().await;
    assert_eq!(status.signal(), Some(SIGABRT), "{status}");
}

/// A shop sends revisions of its orders until the gateway dies, then what was not acknowledged.
async fn intake(case: &str, warehouse_answers: u16) {
    let data = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::start().await;
    let hook = set_up(data.path(), &warehouse).await;
    warehouse.answer(warehouse_answers);
    let mut acknowledged = 0;
    let mut newest: BTreeMap<u64, u32> = (1..=ORDERS).map(|id| (id, 1)).collect();
    if let Some(gateway) = armed(data.path(), case).await {
        let sending = async {
            for n in 1.. {
                for (id, sent) in &mut newest {
                    *sent = n;
                    match gateway.webhook(&hook, &revision(*id, n)).await {
                        Some(200) => acknowledged += 1,
                        Some(status) => panic!("the gateway answered {status}"),
                        None => return,
                    }
                }
            }
        };
        let dead = tokio::time::timeout(PATIENCE, sending).await;
        dead.unwrap_or_else(|_| panic!("{case} is not reached"));
        dies(gateway).await;
    }
    warehouse.answer(200);
    let gateway = Gateway::start(data.path(), &[]).await;
    for (id, n) in &newest {
        assert_eq!(gateway.webhook(&hook, &revision(*id, *n)).await, Some(200));
    }
    assert!(gateway.stop().await.success());
    check(data.path(), &hook, &warehouse, &newest, acknowledged).await;
}

/// A job's result, in the log.
fn done(operation: &'static str) -> impl Fn(&str) -> bool {
    move |line| {
        line.contains("result is written") && line.contains(operation) && line.contains("Done")
    }
}

/// A shipment is told to the shop.
async fn push(case: &str) {
    let data = tempfile::tempdir().unwrap();
    let shop = Shop::open(json!({})).await;
    shop.put(&orders::order(7, 0)).await;
    let gateway = Gateway::start(data.path(), &[]).await;
    gateway.shop_of(&shop, "active").await;
    gateway.log.wait_for(1, done("connection.check")).await;
    gateway.log.wait_for(1, done("webhook.register")).await;
    let part = gateway.submitted("7").await;
    assert!(gateway.stop().await.success());

    let gateway = armed(data.path(), case)
        .await
        .expect("nothing is to do yet");
    // The answer may be lost: the warehouse repeats it, under the same reference.
    let _ = gateway.ship(&part, "W-1").await;
    dies(gateway).await;
    let gateway = Gateway::start(data.path(), &[]).await;
    let answer = gateway.ship(&part, "W-1").await.unwrap();
    assert!(matches!(answer.status, 200 | 201), "{}", answer.json);
    gateway.log.wait_for(1, done("fulfillment.push")).await;
    let state = shop.until(|_| true).await;
    let notes = state["state"]["notes"]["7"].as_array().unwrap();
    assert_eq!(notes.len(), 1, "{case}: {notes:?}");
    assert_eq!(state["state"]["orders"]["7"]["status"], "completed");
    let orders = gateway.get("/v1/orders?external_id=7").await;
    assert_eq!(orders["data"][0]["status"], "fulfilled");
    let problems = gateway.get("/v1/problems?status=open").await;
    assert_eq!(problems["data"], json!([]), "{case}");
    let pushes = gateway.get("/v1/jobs?limit=100").await["data"].clone();
    let of_push = |job: &&Value| job["kind"] == "fulfillment.push";
    assert_eq!(pushes.as_array().unwrap().iter().filter(of_push).count(), 1);
    gateway.kill().await;
    shop.handle.stop().await;
}

/// Orders that the shop has are read, two pages of them.
async fn poll(case: &str) {
    let data = tempfile::tempdir().unwrap();
    let shop = Shop::open(json!({})).await;
    let made: Vec<u64> = (1..=150).collect();
    for id in &made {
        shop.put(&orders::order(*id, 0)).await;
    }
    let gateway = Gateway::start(data.path(), &[]).await;
    let (connection, hook) = gateway.shop_of(&shop, "paused").await;
    assert!(gateway.stop().await.success());

    let gateway = armed(data.path(), case)
        .await
        .expect("nothing is to do yet");
    let path = format!("/v1/connections/{connection}");
    let active = Some(json!({"state": "active", "release_from": "2020-01-01T00:00:00Z"}));
    let answer = gateway.try_call("PATCH", &path, active).await;
    assert!(answer.is_none_or(|answer| answer.status == 200));
    dies(gateway).await;
    let gateway = Gateway::start(data.path(), &[]).await;
    let last = |n: usize| {
        let mut seen = 0;
        move |e: &Value| {
            seen += usize::from(e["type"] == "fulfillment_order.submitted");
            seen == n
        }
    };
    gateway.wait_for_event(last(made.len())).await;
    let secret = &shop.handle.credentials["webhook_secret"];
    adds_up(&gateway.settled_with(&hook, secret).await);
    each_once(&gateway, made).await;
    let problems = gateway.get("/v1/problems?status=open").await;
    assert_eq!(problems["data"], json!([]), "{case}");
    gateway.kill().await;
    shop.handle.stop().await;
}
