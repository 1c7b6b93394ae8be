//! Crossdock: an integration gateway for fulfilment centres.
//!
//! The way of an order, in the order to read the source: `ingress` → inbox (`store`) →
//! `mapping` → `flow` → events and jobs → `egress` and `operation`.

pub mod api;
pub mod app;
pub mod canonical;
pub mod cli;
pub mod clock;
pub mod connector;
pub mod egress;
pub mod failpoint;
pub mod flow;
pub mod ingress;
pub mod manifest;
pub mod mapping;
pub mod operation;
pub mod settings;
pub mod simulator;
pub mod store;
pub mod telemetry;
pub mod worker;
