//! Lockers and offices of a carrier's directory.

use super::OutputError;
use crate::canonical::point::{Opening, PickupPoint};
use crate::mapping::{Val, shape};

/// Reads an output.
pub(super) fn point(value: &Val) -> Result<PickupPoint, OutputError> {
    let point: PickupPoint = shape(value)?;
    if let Some(index) = point.opening.iter().position(|opening| !sound(opening)) {
        let path = format!("opening[{index}]");
        return Err(OutputError::new(
            "output_shape",
            path,
            "day is 1 to 7, from and to are HH:MM",
        ));
    }
    Ok(point)
}

fn sound(opening: &Opening) -> bool {
    let times = [&opening.from, &opening.to];
    (1..=7).contains(&opening.day) && times.into_iter().all(|time| clock(time))
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
