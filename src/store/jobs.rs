//! The store's part about jobs: what is to be done at providers.
//!
//! What always holds: as of [`Store`](super::Store), of which it is a part.

use super::query::*;
use super::{Scope, StoreError};
use crate::canonical::job::{Attempt, Job, Lane};
use crate::canonical::{ConnectionId, JobId, Timestamp};
use async_trait::async_trait;

/// See the module.
#[async_trait]
pub trait JobStore {
    /// Leases jobs that are due, by lane and time; at most one per ordering key; not those of
    /// connections in `skip`.
    async fn lease_jobs(
        &self,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
        limit: usize,
        skip: &[ConnectionId],
    ) -> Result<Vec<Job>, StoreError>;
    /// Leases that this owner has and is not at work on any more end now.
    async fn give_back(&self, owner: &str, jobs: Vec<JobId>) -> Result<(), StoreError>;
    /// Writes an attempt before anything is sent.
    async fn start_attempt(&self, attempt: &Attempt) -> Result<(), StoreError>;
    /// A job's attempts, oldest first: one without class and status whose request was sent (or may
    /// have been) has an unknown outcome.
    async fn attempts(&self, job_id: JobId) -> Result<Vec<Attempt>, StoreError>;
    /// Stores a checkpoint between two steps.
    async fn checkpoint(
        &self,
        job_id: JobId,
        epoch: u64,
        step: u32,
        checkpoint: &serde_json::Value,
    ) -> Result<(), StoreError>;
    /// When the next job is due, if any waits.
    async fn next_job_at(&self) -> Result<Option<Timestamp>, StoreError>;
    /// Jobs of a connection or order that are not done, and the newest done ones.
    async fn jobs(
        &self,
        scope: Scope,
        filter: JobFilter,
        page: PageRequest,
    ) -> Result<Page<Job>, StoreError>;
    /// Parked jobs of a connection become ready (it resumed); with a job id only that one.
    async fn unpark_jobs(
        &self,
        connection_id: ConnectionId,
        job: Option<JobId>,
        now: Timestamp,
    ) -> Result<u64, StoreError>;
    /// Waiting jobs per lane and age of the oldest, for metrics.
    async fn queue_depths(&self) -> Result<Vec<(Lane, u64, Option<Timestamp>)>, StoreError>;
}
