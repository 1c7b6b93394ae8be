//! Jobs are leased in the order of lanes and time, and given back.
//!
//! What always holds: what is due is looked for on a reader; the writer is asked only when there is
//! something to lease, so that an idle gateway writes nothing. Jobs of one ordering key go in the
//! order in which they were enqueued, one at a time, also when two nodes ask at one moment; parked
//! ones do not hold the others up.

use super::SqlStore;
use super::codec::{Result, int, micros};
use super::jobs::{COLUMNS, FREE, read};
use super::jobs_apply::{self, LANES};
use super::reader::Reader;
use super::value::{Arg, ToArg, Value, params_from_iter};
use crate::canonical::job::Job;
use crate::canonical::{ConnectionId, JobId, Timestamp};
use crate::store::StoreError;
use uuid::Uuid;

/// What is asked for.
#[derive(Clone)]
struct Wanted {
    owner: String,
    now: i64,
    limit: usize,
    skip: Vec<Uuid>,
    /// Of these connections only; `None`: of all.
    things: Option<Vec<Uuid>>,
}

/// What is due, and whether leases are void.
fn due(reader: &Reader<'_>, wanted: &Wanted) -> Result<(Vec<Job>, bool)> {
    let (conn, limit) = (reader.conn, wanted.limit);
    let things = wanted.things.as_ref();
    let void = format!(
        "SELECT 1 FROM jobs WHERE {} LIMIT 1",
        jobs_apply::void(conn, things.is_some())
    );
    let args = jobs_apply::void_args(wanted.now, &wanted.owner, things);
    let expired = conn
        .prepare_cached(&void)?
        .exists(params_from_iter(&args))?;
    let placed = match things {
        Some(_) => format!("AND {}", conn.any("connection_id", "?5")),
        None => String::new(),
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM jobs j WHERE state = 'ready' AND lane = ?1 AND run_at <= ?2
           AND NOT ({}) {placed} AND {FREE}
         ORDER BY run_at LIMIT ?4",
        conn.any("connection_id", "?3")
    );
    let limit_arg = int(limit as u64);
    let lanes: Vec<i64> = (0..).take(LANES.len()).collect();
    let each: Vec<Vec<Arg<'_>>> = lanes
        .iter()
        .map(|lane| {
            let mut args = vec![
                lane.arg(),
                wanted.now.arg(),
                wanted.skip.arg(),
                limit_arg.arg(),
            ];
            args.extend(things.map(ToArg::arg));
            args
        })
        .collect();
    let found = conn
        .prepare_cached(&sql)?
        .up_to(limit, &each, |row| read(reader, row))?;
    Ok((found, expired))
}

impl SqlStore {
    pub(in crate::store) async fn lease_jobs(
        &self,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
        limit: usize,
        skip: &[ConnectionId],
    ) -> Result<Vec<Job>> {
        let wanted = Wanted {
            owner: owner.to_owned(),
            now: micros(now),
            limit,
            skip: skip.iter().map(|id| id.uuid()).collect(),
            things: self.things(),
        };
        if wanted.things.as_ref().is_some_and(Vec::is_empty) {
            return Ok(Vec::new());
        }
        let ask = wanted.clone();
        let (mut jobs, expired) = self.read(move |r| due(r, &ask)).await?;
        if expired {
            let ask = wanted.clone();
            self.write(256, move |ctx| {
                jobs_apply::release_void(ctx, ask.now, &ask.owner, ask.things.as_ref())
            })
            .await?;
            jobs = self.read(move |r| due(r, &wanted)).await?.0;
        }
        if jobs.is_empty() {
            return Ok(jobs);
        }
        let candidates: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
        let end = micros(until);
        let leased = match self.lease_all(candidates.clone(), owner, end).await {
            // Another node leased one of the same ordering key at this moment: the others go on.
            Err(StoreError::Exists(_)) => {
                let mut leased = Vec::new();
                for id in candidates {
                    match self.lease_all(vec![id], owner, end).await {
                        Err(StoreError::Exists(_)) => {}
                        one => leased.extend(one?),
                    }
                }
                leased
            }
            all => all?,
        };
        jobs.retain_mut(|job| {
            let Some((_, epoch)) = leased.iter().find(|(id, _)| *id == job.id) else {
                return false;
            };
            job.epoch = *epoch;
            job.state = crate::canonical::job::JobState::Leased;
            job.lease_owner = Some(owner.to_owned());
            job.lease_until = Some(until);
            true
        });
        Ok(jobs)
    }

    pub(in crate::store) async fn give_back(&self, owner: &str, jobs: Vec<JobId>) -> Result<()> {
        let owner = owner.to_owned();
        let ids = Value::Ids(jobs.iter().map(|id| id.uuid()).collect());
        self.write(256, move |ctx| {
            let sql = format!(
                "UPDATE jobs SET state = 'ready', lease_owner = NULL, lease_until = NULL
                 WHERE state = 'leased' AND lease_owner = ?1 AND {}",
                ctx.conn.any("id", "?2")
            );
            let args = [Value::Text(owner), ids];
            ctx.conn
                .prepare_cached(&sql)?
                .execute(params_from_iter(&args))?;
            ctx.local.bells.jobs = true;
            Ok(())
        })
        .await
    }

    async fn lease_all(
        &self,
        ids: Vec<JobId>,
        owner: &str,
        until: i64,
    ) -> Result<Vec<(JobId, u64)>> {
        let owner = owner.to_owned();
        self.write(512 * ids.len(), move |ctx| {
            jobs_apply::lease(ctx, &ids, &owner, until)
        })
        .await
    }
}
