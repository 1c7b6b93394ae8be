//! Jobs: leased, run through the call engine, judged.

pub mod verdict;
