#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod apply;
mod jobs;
mod poll;
mod settle;
mod remap;
pub(crate) mod support;
