//! What records and commands mean: pure functions of (state, input, now) → [`change::Outcome`].
//!
//! What always holds: no I/O and no clock in here; the same input over the same state gives the
//! same decision; whatever is decided is written in one transaction or not at all.

pub mod change;
