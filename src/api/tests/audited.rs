//! Every route that changes something leaves an entry in the audit log.
//!
//! What always holds: a route that is added has a call here, or a reason why not.

use super::house::{ADMIN, House, connection, house, order, text};
use crate::api::route::{RouteSpec, Verb};
use crate::api::routes::ROUTES;
use crate::canonical::job::JobState;
use crate::canonical::problem::Class;
use crate::canonical::{MerchantId, ProblemId, Timestamp};
use crate::flow::change::{ChangeSet, JobResult, NewProblem};
use crate::store::query::{AuditRow, PageRequest};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

/// Routes without a call here.
const OTHERS: [(&str, &str); 10] = [
    // Deliveries are in the inbox and the ledger, whoever sent them.
    ("POST", "/hooks/{connection_id}"),
    ("POST", "/hooks/{connection_id}/{topic:.+}"),
    // They want a marketplace or a carrier behind them. They are carried out by the one function that
    // the others here are carried out by, and what it writes is refused without an entry.
    ("POST", "/v1/orders/{id}/accept"),
    ("POST", "/v1/orders/{id}/refuse"),
    ("POST", "/v1/orders/{id}/resolve-conflict"),
    ("POST", "/v1/shipments"),
    ("POST", "/v1/shipments/{id}/void"),
    ("POST", "/v1/shipments/{id}/replace"),
    ("POST", "/v1/shipments/{id}/resolve"),
    ("POST", "/v1/manifests"),
];

struct Auditor {
    house: House,
    seen: BTreeSet<(String, String)>,
}

/// `/v1/orders/ord_0123…/hold` → `/v1/orders/{id}/hold`.
fn pattern(verb: &str, path: &str) -> &'static str {
    let is_it = |route: &&RouteSpec| {
        let (parts, told) = (route.path.split('/'), path.split('/'));
        route.verb.as_str() == verb
            && parts.clone().count() == told.clone().count()
            && parts
                .zip(told)
                .all(|(part, told)| part.starts_with('{') || part == told)
    };
    let found = ROUTES.iter().find(is_it);
    found
        .unwrap_or_else(|| panic!("{verb} {path} is no route"))
        .path
}

impl Auditor {
    async fn entries(&self) -> Vec<AuditRow> {
        let page = PageRequest {
            limit: 500,
            after: None,
        };
        self.house.store.audit(None, page).await.unwrap().data
    }

    /// A call that changes something, and its entry.
    async fn does(&mut self, verb: &str, path: &str, body: Value) -> Value {
        let before = self.entries().await;
        let told = self.house.ask(ADMIN, verb, path, Some(body)).await;
        assert!((200..300).contains(&told.status), "{verb} {path}: {told:?}");
        let after = self.entries().await;
        assert!(after.len() > before.len(), "{verb} {path} left no entry");
        let entry = &after[0];
        assert_eq!(entry.actor, "admin");
        assert!(!entry.subject.is_empty() && entry.action.contains('.'));
        self.seen
            .insert((verb.to_owned(), pattern(verb, path).to_owned()));
        match told.bytes.is_empty() {
            true => Value::Null,
            false => told.json(),
        }
    }

    async fn get(&self, path: &str) -> Value {
        self.house.get(path).await.is(200).json()
    }

    async fn made(&mut self, path: &str, body: Value) -> String {
        text(&self.does("POST", path, body).await["id"])
    }

    /// Merchants, connections, tokens, stock.
    async fn sets_up(&mut self) -> (String, String) {
        let merchant = self.made("/v1/merchants", json!({"name": "Foto"})).await;
        let path = format!("/v1/merchants/{merchant}");
        self.does("PATCH", &path, json!({"name": "Photo"})).await;
        let shop = self
            .made("/v1/connections", connection(&merchant, "active"))
            .await;
        let path = format!("/v1/connections/{shop}");
        self.does("PATCH", &path, json!({"name": "Shop"})).await;
        for verb in ["pause", "resume", "check", "pull"] {
            self.does("POST", &format!("{path}/{verb}"), json!({}))
                .await;
        }
        let gone = self
            .made("/v1/connections", connection(&merchant, "observing"))
            .await;
        self.does("DELETE", &format!("/v1/connections/{gone}"), json!({}))
            .await;
        let leaves = self.made("/v1/merchants", json!({"name": "Leaves"})).await;
        self.does(
            "POST",
            &format!("/v1/merchants/{leaves}/erase"),
            json!({"name": "Leaves"}),
        )
        .await;
        let token = json!({"name": "t", "scope": "operator"});
        let token = self.made("/v1/tokens", token).await;
        self.does("DELETE", &format!("/v1/tokens/{token}"), json!({}))
            .await;
        let levels = json!({"merchant_id": merchant, "levels": [{"sku": "MUG", "on_hand": 3}]});
        self.does("PUT", "/v1/stock-levels", levels).await;
        (merchant, shop)
    }

    /// A new order's path and its part's.
    async fn order(&mut self, shop: &str, number: &str) -> (String, String) {
        let made = self.does("POST", "/v1/orders", order(shop, number)).await;
        let part = text(&made["fulfillment_orders"][0]["id"]);
        (
            format!("/v1/orders/{}", text(&made["id"])),
            format!("/v1/fulfillment-orders/{part}"),
        )
    }

    async fn sells(&mut self, shop: &str) {
        let (first, part) = self.order(shop, "1").await;
        self.does("POST", &format!("{first}/hold"), json!({"reason": "other"}))
            .await;
        self.does("POST", &format!("{first}/release"), json!({}))
            .await;
        let note = json!({"set": {"note": "x"}, "reason": "asked for"});
        self.does("PATCH", &first, note).await;
        let revision = self.get(&part).await["revision"].clone();
        let at = json!({"revision": revision});
        self.does("POST", &format!("{part}/accept"), at).await;
        let ship = json!({"shipment_ref": "S-1", "parcels": [{"tracking_number": "T1"}]});
        self.does("POST", &format!("{part}/ship"), ship).await;
        let (second, part) = self.order(shop, "2").await;
        let now = self.get(&part).await;
        let at = json!({"revision": now["revision"], "reason": "other"});
        self.does("POST", &format!("{part}/reject"), at).await;
        self.does("POST", &format!("{second}/cancel"), json!({}))
            .await;
        let (_, part) = self.order(shop, "3").await;
        let now = self.get(&part).await;
        let lines = json!([{"line_id": now["lines"][0]["line_id"], "quantity": 1}]);
        let short = json!({"revision": now["revision"], "lines": lines});
        self.does("POST", &format!("{part}/short"), short).await;
        for (number, answer) in [("4", "accept"), ("5", "refuse")] {
            let (order, part) = self.order(shop, number).await;
            let at = json!({"revision": self.get(&part).await["revision"]});
            self.does("POST", &format!("{part}/accept"), at).await;
            self.does("POST", &format!("{order}/cancel"), json!({}))
                .await;
            let now = self.get(&part).await;
            let path = format!("{part}/requests/{}/{answer}", text(&now["request"]["id"]));
            self.does("POST", &path, json!({"revision": now["revision"]}))
                .await;
        }
    }

    async fn tells(&mut self) {
        let body = json!({"url": "https://wms.example/in", "from": "start"});
        let subscription = self.made("/v1/subscriptions", body).await;
        let replay = json!({
            "subscription_id": subscription, "from": "2026-11-23T07:00:00Z",
            "to": "2026-11-23T09:00:00Z",
        });
        self.does("POST", "/v1/replays", replay).await;
        let rows = self.get("/v1/deliveries").await;
        let path = format!("/v1/deliveries/{}/replay", text(&rows["data"][0]["id"]));
        self.does("POST", &path, json!({})).await;
        let path = format!("/v1/subscriptions/{subscription}");
        self.does("POST", &format!("{path}/secret"), json!({}))
            .await;
        self.does("PATCH", &path, json!({"state": "disabled"}))
            .await;
        self.does("DELETE", &path, json!({})).await;
    }

    /// A parked job and a problem are tried again.
    async fn mends(&mut self, merchant: &str) {
        let merchant: MerchantId = merchant.parse().unwrap();
        let now: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
        let until: Timestamp = "2026-11-23T09:00:00Z".parse().unwrap();
        let store = self.house.store.clone();
        let job = store
            .lease_jobs("me", now, until, 1, &[])
            .await
            .unwrap()
            .remove(0);
        let parked = JobResult {
            job_id: job.id,
            epoch: job.epoch,
            state: JobState::Parked,
            run_at: None,
            step: 0,
            checkpoint: Value::Null,
            spends_attempt: true,
            attempt: None,
        };
        let id = ProblemId::new();
        let mut change = ChangeSet::of(merchant);
        change.job = Some(parked);
        change.problems = vec![NewProblem {
            id,
            class: Class::BrokenContract,
            code: "code".to_owned(),
            subject: merchant.to_string(),
            connection_id: None,
            message: "a field is missing".to_owned(),
            detail: json!({}),
            hint: None,
        }];
        store.apply(vec![change]).await.unwrap().remove(0).unwrap();
        self.does("POST", &format!("/v1/jobs/{}/retry", job.id), json!({}))
            .await;
        self.house.mends.store(true, Ordering::SeqCst);
        self.does("POST", &format!("/v1/problems/{id}/retry"), json!({}))
            .await;
    }
}

#[actix_web::test]
async fn every_change_leaves_an_entry_in_the_audit_log() {
    let mut auditor = Auditor {
        house: house(),
        seen: BTreeSet::new(),
    };
    let (merchant, shop) = auditor.sets_up().await;
    auditor.mends(&merchant).await;
    auditor.sells(&shop).await;
    auditor.tells().await;
    let owned = |(verb, path): &(&str, &str)| ((*verb).to_owned(), (*path).to_owned());
    let others: BTreeSet<_> = OTHERS.iter().map(owned).collect();
    let changing = ROUTES.iter().filter(|route| route.verb != Verb::Get);
    let all: BTreeSet<_> = changing
        .map(|route| (route.verb.as_str().to_owned(), route.path.to_owned()))
        .collect();
    let known: BTreeSet<_> = auditor.seen.union(&others).cloned().collect();
    assert_eq!(known, all);
    assert!(auditor.seen.is_disjoint(&others));
}
