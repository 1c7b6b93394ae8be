//! What mappings yield, checked strictly against the canonical model by the mapping's name.
//!
//! What always holds: an unknown key, a missing one or a wrong type is an error with its path;
//! error texts carry no values. What passes is printed from the typed value, so that times and
//! amounts have one form whatever the mapping wrote.

mod error_answer;
mod order;
mod parcel;
mod points;
mod stock;

pub use crate::canonical::document::LabelAnswer;
pub use crate::canonical::point::PickupPoint;
pub use crate::canonical::stock::StockAnswer;
pub use crate::canonical::tracking::TrackingAnswer;
pub use error_answer::ErrorAnswer;
pub use order::order;

use crate::canonical::OrderFacts;
use crate::canonical::check::Mismatch;
use crate::mapping::{ShapeError, Val, shape};
use serde::Serialize;
use serde_json::Value;

/// Why an output cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct OutputError {
    /// A stable code.
    pub code: &'static str,
    /// `lines[2].total.amount`.
    pub path: String,
    /// What is wrong, without values.
    pub message: String,
    /// What to do.
    pub hint: Option<&'static str>,
}

impl OutputError {
    fn new(code: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            path: path.into(),
            message: message.into(),
            hint: None,
        }
    }
}

impl From<ShapeError> for OutputError {
    fn from(error: ShapeError) -> Self {
        let hint = error.message.contains("unknown field").then_some(
            "the canonical model has no such key: move it to `attributes` or correct its name",
        );
        Self {
            code: "output_shape",
            path: error.path,
            message: error.message,
            hint,
        }
    }
}

/// One output that fits.
#[derive(Debug, Clone)]
pub enum Output {
    /// Of the mapping `order`, with what does not add up.
    Order(Box<OrderFacts>, Vec<Mismatch>),
    /// Of `tracking`.
    Tracking(Box<TrackingAnswer>),
    /// Of `label`.
    Label(Box<LabelAnswer>),
    /// Of `points`.
    Point(Box<PickupPoint>),
    /// Of `stock`.
    Stock(Box<StockAnswer>),
    /// Of `error`.
    Error(ErrorAnswer),
    /// Of a mapping that makes a request's body: whatever the provider wants.
    Body(Value),
}

impl Output {
    /// Checks one output of a mapping.
    ///
    /// # Errors
    /// What does not fit, with its path.
    pub fn check(mapping: &str, value: &Val) -> Result<Self, OutputError> {
        if matches!(value, Val::Arr(_))
            && mapping != "error"
            && crate::manifest::lint::READ_MAPPINGS.contains(&mapping)
        {
            let mut error =
                OutputError::new("output_shape", "", "expected an object, found an array");
            error.hint =
                Some("a mapping yields one object after the other: write `.[] | …`, not `map(…)`");
            return Err(error);
        }
        Ok(match mapping {
            "order" => {
                let (facts, mismatches) = order(value)?;
                Output::Order(Box::new(facts), mismatches)
            }
            "tracking" => Output::Tracking(Box::new(parcel::tracking(value)?)),
            "label" => Output::Label(Box::new(parcel::label(value)?)),
            "points" => Output::Point(Box::new(points::point(value)?)),
            "stock" => Output::Stock(Box::new(stock::stock(value)?)),
            "error" => Output::Error(shape(value)?),
            _ => Output::Body(shape(value)?),
        })
    }

    /// The canonical JSON.
    pub fn json(&self) -> Value {
        fn value<T: Serialize>(from: &T) -> Value {
            // These types serialise without fail: string keys and finite numbers only.
            serde_json::to_value(from).unwrap_or_default()
        }
        match self {
            Output::Order(facts, _) => value(facts),
            Output::Tracking(answer) => value(answer),
            Output::Label(answer) => value(answer),
            Output::Point(point) => value(point),
            Output::Stock(stock) => value(stock),
            Output::Error(answer) => value(answer),
            Output::Body(body) => body.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
