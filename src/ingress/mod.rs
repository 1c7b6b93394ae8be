//! Intake: what a provider sends is proved, made durable and acknowledged, in that order.
//!
//! What always holds: an unverified body can be neither read nor stored (typestate, see
//! [`webhook::Delivery`]); a 2xx for a delivery goes out only after the store has said that the raw
//! bytes are on disk; nothing is parsed here; a delivery that is authentic is stored even when its
//! content is broken (mapping finds out later, the sender must not be made to repeat it). The hot
//! path reads no store and takes no lock: what it needs of a connection is prepared once in an
//! [`endpoint::Endpoint`].

pub mod challenge;
pub mod endpoint;
pub mod headers;
pub mod refused;
pub mod state;
mod tell;
pub mod verify;
pub mod webhook;

pub use headers::{Headers, Sent};
pub use state::{IngressState, Webhooked};
pub use tell::Arrival;
pub use webhook::{Reply, receive};

/// The largest body that any connection may take; manifests may ask for less, never for more.
pub const MAX_BODY: usize = 5 << 20;

#[cfg(test)]
mod tests;
