//! The nearest points: a box around a place that grows until it holds enough, and shrinks when it
//! holds too many.
//!
//! What always holds: distances are along the great circle; what is yielded is nearer than all that
//! is not; however points lie, one look takes in a bounded number of them.

use super::codec::Result;
use std::collections::HashMap;

/// The Earth's mean radius.
const EARTH_M: f64 = 6_371_008.8;
/// Half way around: everything is within.
const FARTHEST_M: f64 = 20_100_000.0;
const FIRST_M: f64 = 2_000.0;
const GROWTH: f64 = 4.0;
/// A look that would take in more than this is made smaller first.
const MOST: usize = 1_000;
/// Below this step a box is not made smaller any more.
const LEAST_STEP: f64 = 1.05;

/// Degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub lat: f64,
    pub lon: f64,
}

impl Place {
    /// Along the great circle (haversine).
    pub(super) fn distance_m(self, other: Place) -> f64 {
        let (a, b) = (self.lat.to_radians(), other.lat.to_radians());
        let (dlat, dlon) = (b - a, (other.lon - self.lon).to_radians());
        let h = (dlat / 2.0).sin().powi(2) + a.cos() * b.cos() * (dlon / 2.0).sin().powi(2);
        2.0 * EARTH_M * h.sqrt().min(1.0).asin()
    }

    /// Boxes that hold all within so many metres: two when it crosses the date line.
    fn around(self, metres: f64) -> Vec<Area> {
        // A little more, against rounding.
        let angle = metres / EARTH_M * 1.000_001 + 1e-9;
        let lat = self.lat.to_radians();
        let (south, north) = (lat - angle, lat + angle);
        let quarter = std::f64::consts::FRAC_PI_2;
        let area = |west: f64, east: f64| Area {
            south: south.max(-quarter).to_degrees(),
            north: north.min(quarter).to_degrees(),
            west,
            east,
        };
        // Around a pole all longitudes are near.
        if south <= -quarter || north >= quarter {
            return vec![area(-180.0, 180.0)];
        }
        let reach = (angle.sin() / lat.cos()).min(1.0).asin().to_degrees();
        let (west, east) = (self.lon - reach, self.lon + reach);
        if west < -180.0 {
            vec![area(west + 360.0, 180.0), area(-180.0, east)]
        } else if east > 180.0 {
            vec![area(west, 180.0), area(-180.0, east - 360.0)]
        } else {
            vec![area(west, east)]
        }
    }
}

/// A box in degrees.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Area {
    pub south: f64,
    pub north: f64,
    pub west: f64,
    pub east: f64,
}

/// The nearest `limit` rows that are accepted, with their distances. `look` yields at most so many
/// rows of a box.
pub(super) fn nearest(
    center: Place,
    limit: usize,
    mut look: impl FnMut(&Area, usize) -> Result<Vec<(i64, Place)>>,
    mut accept: impl FnMut(i64) -> bool,
) -> Result<Vec<(i64, f64)>> {
    // Too few were found within `low`, and the box of `high` held too many.
    let (mut low, mut high) = (0.0_f64, None::<f64>);
    let (mut radius, mut most) = (FIRST_M, MOST.max(2 * limit));
    loop {
        let mut rows = HashMap::new();
        for area in center.around(radius) {
            // One more than fits tells that there are too many. Boxes that touch share points.
            rows.extend(look(&area, most + 1)?);
        }
        if rows.len() > most {
            (radius, high) = smaller(low, radius, &mut most);
            continue;
        }
        let mut found: Vec<(i64, f64)> = rows
            .into_iter()
            .map(|(row, place)| (row, center.distance_m(place)))
            .filter(|(row, far)| *far <= radius && accept(*row))
            .collect();
        if found.len() >= limit || radius >= FARTHEST_M {
            found.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
            found.truncate(limit);
            return Ok(found);
        }
        low = radius;
        (radius, high) = match high {
            Some(high) => smaller(low, high, &mut most),
            None => ((radius * GROWTH).min(FARTHEST_M), None),
        };
    }
}

/// The next radius between one with too few and one with too many; where there is hardly room
/// between them more are taken in instead.
fn smaller(low: f64, high: f64, most: &mut usize) -> (f64, Option<f64>) {
    if high < 1.0 || (low > 0.0 && high / low < LEAST_STEP) {
        *most = most.saturating_mul(8);
        (high, None)
    } else if low > 0.0 {
        ((low * high).sqrt(), Some(high))
    } else {
        (high / GROWTH, Some(high))
    }
}
