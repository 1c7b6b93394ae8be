//! Faults on demand: what a test or a demo wants to go wrong, for so many calls.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Mutex;

/// One fault. `POST /_sim/faults` adds one; `DELETE /_sim/faults` removes all.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fault {
    /// Only this route; any of the provider's when left out.
    pub route: Option<String>,
    /// How many calls (or webhooks) it hits; once when left out.
    pub times: Option<u64>,
    /// Waits before anything else.
    pub latency_ms: Option<u64>,
    /// Answers this instead of doing it.
    pub status: Option<u16>,
    /// … with this body (a text, or JSON).
    pub body: Option<Value>,
    /// … and these headers.
    pub headers: Map<String, Value>,
    /// Does it and cuts the connection instead of answering.
    pub drop_answer: bool,
    /// Sends webhooks twice.
    pub double_webhooks: bool,
    /// Sends a webhook after the next one.
    pub reorder_webhooks: bool,
    /// Sends no webhook.
    pub drop_webhooks: bool,
}

impl Fault {
    const fn hits_webhooks(&self) -> bool {
        self.double_webhooks || self.reorder_webhooks || self.drop_webhooks
    }
    const fn left(&self) -> u64 {
        match self.times {
            Some(times) => times,
            None => 1,
        }
    }
}

/// The faults that wait for their call.
#[derive(Debug, Default)]
pub struct Faults {
    waiting: Mutex<Vec<Fault>>,
}

impl Faults {
    /// Adds one.
    pub fn add(&self, fault: Fault) {
        self.with(|waiting| waiting.push(fault));
    }
    /// Removes all.
    pub fn clear(&self) {
        self.with(Vec::clear);
    }
    /// Those that wait.
    pub fn list(&self) -> Vec<Fault> {
        self.with(|waiting| waiting.clone())
    }
    /// Takes the next fault for a call of this route.
    pub fn for_call(&self, route: &str) -> Option<Fault> {
        self.take(|fault| {
            !fault.hits_webhooks() && fault.route.as_deref().is_none_or(|name| name == route)
        })
    }
    /// Takes the next fault for a webhook.
    pub fn for_webhook(&self) -> Option<Fault> {
        self.take(Fault::hits_webhooks)
    }

    fn take(&self, fits: impl Fn(&Fault) -> bool) -> Option<Fault> {
        self.with(|waiting| {
            waiting.retain(|fault| fault.left() > 0);
            let fault = waiting.iter_mut().find(|fault| fits(fault))?;
            fault.times = Some(fault.left() - 1);
            Some(fault.clone())
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Vec<Fault>) -> T) -> T {
        act(&mut self
            .waiting
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}
