//! The worker over the embedded store and a made-up shop.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
mod apply;
mod duplicates;
mod jobs;
mod jobs_answers;
mod jobs_connection;
mod poll;
mod refetch;
mod remap;
mod retention;
mod settle;
pub(crate) mod support;
mod turns;
