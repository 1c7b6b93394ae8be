//! The one integration-test binary: whole gateways, whole files, the rules of the house.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs
)]

mod architecture;
mod busy;
mod conformance;
mod contract;
mod database;
mod durability;
#[cfg(feature = "failpoints")]
mod faults;
mod fulfilment;
mod fuzz;
mod index_rows;
mod inward;
mod isolation;
mod labels;
mod listen;
mod metrics;
mod nats;
mod news;
mod nodes;
mod postgres;
mod rehearse;
mod rotation;
mod shipping_api;
mod simulated_courier;
mod simulated_emag;
mod simulated_magento;
mod simulated_omniva;
mod simulated_opencart;
mod simulated_pochta;
mod simulated_shop;
mod simulated_shopify;
mod simulated_skroutz;
mod simulated_warehouse;
mod stock;
mod support;
mod traces;
mod tracking;
mod unwelcome;
mod week;
