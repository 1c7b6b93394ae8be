//! What a channel wants to hear of an order before it may be shipped.
//!
//! What always holds: an order whose acceptance is `pending` is never released; a receipt is owed
//! for every order and is given without asking anyone, a decision is somebody's or a setting's.

use super::order::wire_enum;

wire_enum! {
    /// How far a marketplace's acceptance is.
    AcceptanceState { #[default] NotNeeded, Pending, Accepted, Refused, Expired }
}
wire_enum! {
    /// What the channel wants to hear: whether the order is taken, or only that it has arrived.
    AcceptanceKind { #[default] Decision, Receipt }
}
