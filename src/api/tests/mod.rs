//! The application over a real embedded store, as `main` builds it: whole answers, every route.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod audited;
mod commands;
mod documented;
mod feed;
mod hooks;
mod house;
mod json_schema;
mod limits;
mod once;
mod served;
mod setting_up;
mod who;
