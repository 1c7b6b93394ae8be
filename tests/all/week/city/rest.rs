//! Time passes in the city, and it comes to rest.
//!
//! What always holds: the clock moves only when nothing is under way at the moment that it shows.

use super::City;
use crossdock::canonical::job::JobState;
use crossdock::store::Scope;
use crossdock::store::query::{JobFilter, PageRequest};
use std::time::Duration;

impl City {
    /// Time passes at once, and everything that has come due by then happens.
    pub async fn pass(&self, by: Duration) {
        let mut bells: Vec<_> = self
            .shops
            .iter()
            .map(|shop| shop.handle.changes())
            .collect();
        self.clock.advance(by);
        // Every shop is read now. What it was asked is signed with the time: the clock must not
        // move on before it was understood. A broken shop does not ring.
        let read = futures_util::future::join_all(bells.iter_mut().map(|bell| bell.changed()));
        let _ = tokio::time::timeout(Duration::from_millis(100), read).await;
        self.settle().await;
    }

    /// Returns when nothing is due any more at this moment of the clock.
    pub async fn settle(&self) {
        let wake = self.store().wake();
        let (mut events, mut jobs, mut deliveries) =
            (wake.events(), wake.jobs(), wake.deliveries());
        let mut quiet = 0;
        for look in 1..200_000u32 {
            if self.quiet().await {
                quiet += 1;
                if quiet >= 3 {
                    return;
                }
            } else {
                quiet = 0;
            }
            let rang = async {
                tokio::select! { _ = events.changed() => {}, _ = jobs.changed() => {}, _ = deliveries.changed() => {} }
            };
            let silent = tokio::time::timeout(Duration::from_millis(2), rang)
                .await
                .is_err();
            // What waits for a rate limit or a lease waits on the clock.
            if silent && quiet == 0 && look % 8 == 0 {
                self.clock.advance(Duration::from_secs(1));
            }
        }
        panic!("the city does not come to rest: {}", self.restless().await);
    }

    async fn quiet(&self) -> bool {
        let store = self.store();
        let now = self.now();
        if store.health().await.unwrap().pending_deliveries > 0 {
            return false;
        }
        if store
            .next_job_at()
            .await
            .unwrap()
            .is_some_and(|at| at <= now)
        {
            return false;
        }
        let leased = JobFilter {
            state: Some(JobState::Leased),
            ..JobFilter::default()
        };
        let page = PageRequest {
            limit: 1,
            after: None,
        };
        store
            .jobs(Scope::All, leased, page)
            .await
            .unwrap()
            .data
            .is_empty()
    }

    async fn restless(&self) -> String {
        let store = self.store();
        let page = PageRequest {
            limit: 20,
            after: None,
        };
        let jobs = store
            .jobs(Scope::All, JobFilter::default(), page)
            .await
            .unwrap()
            .data;
        let open: Vec<String> = jobs
            .iter()
            .filter(|job| !matches!(job.state, JobState::Done | JobState::Dead))
            .map(|job| {
                format!(
                    "{} {:?} at {} attempts {}",
                    job.kind, job.state, job.run_at, job.attempts
                )
            })
            .collect();
        format!("{:?}, jobs {open:?}", store.health().await.unwrap())
    }

    /// No parcel is on its way and no event is undelivered.
    pub async fn at_rest(&self) -> bool {
        let shipments = self.all("/v1/shipments").await;
        let under_way = shipments.iter().any(|shipment| {
            let live = [
                "requested",
                "outcome_unknown",
                "purchased",
                "printed",
                "manifested",
                "handed_over",
                "void_requested",
            ];
            let of_ours = !shipment["connection_id"].is_null();
            let parcels = shipment["parcels"].as_array().unwrap();
            of_ours
                && live.contains(&shipment["status"].as_str().unwrap())
                && shipment["packed"] == true
                && parcels.iter().any(|p| {
                    !["delivered", "returned", "cancelled"]
                        .contains(&p["tracking"]["status"].as_str().unwrap())
                })
        });
        let last = self.store().last_sequence().await.unwrap();
        let subscriptions = self.store().subscriptions(Scope::All).await.unwrap();
        !under_way && subscriptions.iter().all(|s| s.cursor >= last)
    }
}
