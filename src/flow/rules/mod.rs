//! The rules that hold an order back.

pub(super) mod holds;
