//! One call of a provider: from the manifest's words and a command to requests, answers and what
//! they mean.
//!
//! The order to read it in: [`provider`] (what is needed of a connector, the context), [`request`]
//! and [`auth`] (a step becomes a [`PlannedRequest`]), [`client`] (sent, behind the address
//! [`guard`]), [`decode`] and [`classify`] (what the answer means), [`retry`], [`limit`] and
//! [`circuit`] (when the next call may go), [`run`] (all of it, step by step), [`render`] (only the
//! request, for people).
//!
//! What always holds: all but client, limit and run is pure. Nothing is sent before the caller has
//! written its attempt; a lost answer is never taken for a failure where it may be a success;
//! secrets are seen by `auth` and `credentials` only.

mod answer;
pub mod auth;
pub mod call;
pub mod circuit;
pub mod classify;
pub mod client;
mod connected;
pub mod credentials;
pub mod decode;
pub mod encode;
pub mod engine;
pub mod guard;
pub mod join;
pub mod lanes;
pub mod limit;
pub mod observer;
pub mod paging;
pub mod planned;
pub mod provider;
pub mod render;
pub mod request;
pub mod retry;
pub mod retry_after;
pub mod run;
mod tell;
pub(crate) mod value;

pub use call::{Call, Ended, Finished, RunError, Stopped};
pub use circuit::Circuits;
pub use classify::{Judge, Outcome};
pub use client::{Answer, ClientConfig, GuardedClient, SendError, SendLimits, Sent};
pub use credentials::Credentials;
pub use engine::Engine;
pub use limit::Limiter;
pub use observer::{Checkpoint, KeptAnswer, Observer, Page, PageUse, Refused, Report};
pub use planned::PlannedRequest;
pub use provider::{Account, Provider};

#[cfg(test)]
mod testing;
