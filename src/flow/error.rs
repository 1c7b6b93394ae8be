//! Why a decision cannot be made. Nothing is changed when one of these comes back.
//!
//! What always holds: texts name fields and states, never values (no personal data).

use crate::canonical::MoneyError;
use crate::canonical::fulfillment::FulfillmentOrder;
use crate::canonical::problem::Class;
use std::collections::BTreeMap;

/// Why not. [`FlowError::code`] is the stable name; the HTTP status is the API's business.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FlowError {
    /// The answer names a revision that is not the current one.
    #[error(
        "the fulfillment order has changed since this revision was read: look at the current one"
    )]
    StaleRevision {
        /// What it is now.
        current: Box<FulfillmentOrder>,
    },
    /// A change or cancellation waits for an answer; neither label nor `ship` passes before it.
    #[error(
        "a request waits for an answer: accept or refuse it first, or ship with `override: true`"
    )]
    RequestPending {
        /// What it is now.
        current: Box<FulfillmentOrder>,
    },
    /// Not a part of this order.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// Not possible in the state that it is in.
    #[error("{message}")]
    IllegalState {
        /// What is not possible, and why.
        message: String,
    },
    /// The input is wrong: field path → what is wrong with it.
    #[error("the input is not valid: {}", fields.keys().cloned().collect::<Vec<_>>().join(", "))]
    Invalid {
        /// By field path.
        fields: BTreeMap<String, String>,
    },
    /// This `shipment_ref` is in use for a shipment with other content.
    #[error("this shipment_ref names another shipment already")]
    ShipmentRefReused,
    /// A record lacks what an order cannot be without.
    #[error("the mapped order lacks {}", missing.join(", "))]
    BrokenContract {
        /// The paths that are missing.
        missing: Vec<String>,
    },
    /// Amounts that cannot be added (overflow, two currencies).
    #[error("amounts cannot be computed: {0}")]
    Money(#[from] MoneyError),
    /// What is stored cannot be read back: a bug.
    #[error("stored order cannot be read: {0}")]
    Corrupt(String),
}

impl FlowError {
    /// One wrong field.
    pub fn invalid(field: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Invalid {
            fields: BTreeMap::from([(field.into(), what.into())]),
        }
    }
    /// Not possible now.
    pub fn illegal(message: impl Into<String>) -> Self {
        Self::IllegalState {
            message: message.into(),
        }
    }
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::StaleRevision { .. } => "stale_revision",
            Self::RequestPending { .. } => "request_pending",
            Self::NotFound(_) => "not_found",
            Self::IllegalState { .. } => "illegal_state",
            Self::Invalid { .. } => "invalid",
            Self::ShipmentRefReused => "shipment_ref_reused",
            Self::BrokenContract { .. } | Self::Money(_) => "broken_contract",
            Self::Corrupt(_) => "corrupt",
        }
    }
    /// What happens next.
    pub const fn class(&self) -> Class {
        match self {
            Self::StaleRevision { .. } | Self::RequestPending { .. } => Class::Conflict,
            Self::NotFound(_) => Class::Gone,
            Self::IllegalState { .. } => Class::Rejected,
            Self::Invalid { .. } | Self::ShipmentRefReused => Class::Invalid,
            Self::BrokenContract { .. } | Self::Money(_) | Self::Corrupt(_) => {
                Class::BrokenContract
            }
        }
    }
    /// The current fulfillment order, where the error carries it.
    pub fn current(&self) -> Option<&FulfillmentOrder> {
        match self {
            Self::StaleRevision { current } | Self::RequestPending { current } => Some(current),
            _ => None,
        }
    }
    /// The wrong or missing fields, where the error names them.
    pub fn fields(&self) -> BTreeMap<String, String> {
        match self {
            Self::Invalid { fields } => fields.clone(),
            Self::BrokenContract { missing } => missing
                .iter()
                .map(|path| (path.clone(), "missing".to_owned()))
                .collect(),
            _ => BTreeMap::new(),
        }
    }
}
