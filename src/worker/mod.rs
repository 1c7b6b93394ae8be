//! Everything that runs by itself: applying deliveries, polling, jobs, clocks.

pub mod apply;
pub mod connectors;
mod decide;
pub mod mapped;
pub mod jobs;
mod memory;
pub mod pool;
pub mod reading;
pub mod remap;
pub mod settle;
pub mod stop;

#[cfg(test)]
pub(crate) mod tests;
