//! Lockers and offices of a carrier's directory.

use super::OutputError;
use crate::canonical::Address;
use crate::canonical::address::Geo;
use crate::mapping::{Val, shape};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a point is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum PointKind {
    Locker,
    ParcelShop,
    PostOffice,
    CarrierDepot,
}

/// When it is open, local time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// Monday is 1, Sunday 7.
    pub day: u8,
    /// `HH:MM`.
    pub from: String,
    /// `HH:MM`.
    pub to: String,
}

/// An output of the mapping `points`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PickupPoint {
    /// Whose.
    pub network: String,
    /// What the create call wants.
    pub point_id: String,
    /// What it is.
    pub kind: PointKind,
    /// Its name.
    pub name: Option<String>,
    /// Where.
    pub address: Address,
    /// Null when unknown; 0,0 is unknown.
    #[serde(default)]
    pub geo: Option<Geo>,
    /// Local times.
    #[serde(default)]
    pub opening: Vec<Opening>,
    /// Grams.
    #[serde(default)]
    pub max_weight_g: Option<serde_json::Number>,
    /// Millimetres, as the provider bounds them.
    #[serde(default)]
    pub max_size_mm: Option<Value>,
    /// Null when the row is silent.
    #[serde(default)]
    pub cod_allowed: Option<bool>,
    /// First day.
    #[serde(default)]
    pub valid_from: Option<String>,
    /// Last day.
    #[serde(default)]
    pub valid_to: Option<String>,
}

impl PickupPoint {
    /// Reads an output.
    pub(super) fn check(value: &Val) -> Result<Self, OutputError> {
        let point: Self = shape(value)?;
        if let Some(index) = point.opening.iter().position(|opening| !opening.sound()) {
            let path = format!("opening[{index}]");
            return Err(OutputError::new(
                "output_shape",
                path,
                "day is 1 to 7, from and to are HH:MM",
            ));
        }
        Ok(point)
    }
}

impl Opening {
    fn sound(&self) -> bool {
        (1..=7).contains(&self.day) && [&self.from, &self.to].into_iter().all(|time| clock(time))
    }
}

/// `00:00` to `24:00`.
fn clock(text: &str) -> bool {
    let Some((hours, minutes)) = text.split_once(':') else {
        return false;
    };
    let digits = hours.len() == 2 && minutes.len() == 2;
    match (hours.parse::<u8>(), minutes.parse::<u8>()) {
        (Ok(hours), Ok(minutes)) => {
            digits && (hours < 24 && minutes < 60 || hours == 24 && minutes == 0)
        }
        _ => false,
    }
}
