//! The rules that hold an order back, and those that choose its carrier.

pub(super) mod configured;
pub(super) mod holds;
pub(super) mod plan;
mod points;
