//! The nearest points: areas and points by falling nearness, until enough points are met.
//!
//! What always holds: distances are along the great circle; what is yielded is no farther than all
//! that is not; however points lie, one look takes in a bounded number of them (an area that holds
//! more is cut into four), unless they crowd on one spot.

use super::codec::Result;
use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashSet};

/// The Earth's mean radius.
const EARTH_M: f64 = 6_371_008.8;
/// Where to look first, then farther, then everywhere.
const RADII_M: [f64; 4] = [2_000.0, 16_000.0, 128_000.0, 1_000_000.0];
/// An area that holds more is cut.
const MOST: usize = 200;
/// Degrees; a smaller area is one spot and is not cut.
const SPOT: f64 = 1e-4;
/// Bounds are lower by so much, against rounding.
const SLACK_M: f64 = 1.0;

/// Degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::store) struct Place {
    pub lat: f64,
    pub lon: f64,
}

impl Place {
    /// Along the great circle (haversine).
    pub(in crate::store) fn distance_m(self, other: Place) -> f64 {
        let (a, b) = (self.lat.to_radians(), other.lat.to_radians());
        let (dlat, dlon) = (b - a, (other.lon - self.lon).to_radians());
        let h = (dlat / 2.0).sin().powi(2) + a.cos() * b.cos() * (dlon / 2.0).sin().powi(2);
        2.0 * EARTH_M * h.sqrt().min(1.0).asin()
    }

    /// Areas that hold all within so many metres: two when it crosses the date line.
    fn around(self, metres: f64) -> Vec<Area> {
        let angle = (metres + SLACK_M) / EARTH_M;
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
pub(in crate::store) struct Area {
    pub south: f64,
    pub north: f64,
    pub west: f64,
    pub east: f64,
}

impl Area {
    const WORLD: Area = Area {
        south: -90.0,
        north: 90.0,
        west: -180.0,
        east: 180.0,
    };

    /// No point of it is nearer than this.
    fn at_least_m(&self, from: Place) -> f64 {
        let bound = if (self.west..=self.east).contains(&from.lon) {
            let gap = (self.south - from.lat).max(from.lat - self.north).max(0.0);
            gap.to_radians() * EARTH_M
        } else {
            self.meridian_m(self.west, from)
                .min(self.meridian_m(self.east, from))
        };
        (bound - SLACK_M).max(0.0)
    }

    /// How far its part of a meridian is.
    fn meridian_m(&self, lon: f64, from: Place) -> f64 {
        let to = |lat: f64| from.distance_m(Place { lat, lon });
        let ends = to(self.south).min(to(self.north));
        let ahead = (lon - from.lon).to_radians().cos();
        if ahead <= 0.0 {
            return ends;
        }
        // The foot of the perpendicular.
        let foot = (from.lat.to_radians().tan() / ahead).atan().to_degrees();
        if (self.south..=self.north).contains(&foot) {
            ends.min(to(foot))
        } else {
            ends
        }
    }

    fn is_spot(&self) -> bool {
        self.north - self.south < SPOT && self.east - self.west < SPOT
    }

    fn quarters(&self) -> [Area; 4] {
        let lat = f64::midpoint(self.south, self.north);
        let lon = f64::midpoint(self.west, self.east);
        let area = |south, north, west, east| Area {
            south,
            north,
            west,
            east,
        };
        [
            area(self.south, lat, self.west, lon),
            area(self.south, lat, lon, self.east),
            area(lat, self.north, self.west, lon),
            area(lat, self.north, lon, self.east),
        ]
    }
}

enum What {
    Area(Area),
    Point(i64),
}

/// Something at a distance; the nearest is the greatest.
struct At(f64, What);

impl Ord for At {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.total_cmp(&self.0)
    }
}
impl PartialOrd for At {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for At {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for At {}

/// The nearest `limit` rows that are accepted, with their distances. `look` yields at most so many
/// rows of an area (all, or any so many of them).
pub(in crate::store) fn nearest(
    center: Place,
    limit: usize,
    mut look: impl FnMut(&Area, usize) -> Result<Vec<(i64, Place)>>,
    mut accept: impl FnMut(i64) -> bool,
) -> Result<Vec<(i64, f64)>> {
    for radius in RADII_M {
        let areas = center.around(radius);
        let found = among(areas, center, radius, limit, &mut look, &mut accept)?;
        if found.len() >= limit {
            return Ok(found);
        }
    }
    let world = vec![Area::WORLD];
    among(world, center, f64::INFINITY, limit, &mut look, &mut accept)
}

/// The nearest of these areas, as far as they are within a radius.
fn among(
    areas: Vec<Area>,
    center: Place,
    radius: f64,
    limit: usize,
    look: &mut impl FnMut(&Area, usize) -> Result<Vec<(i64, Place)>>,
    accept: &mut impl FnMut(i64) -> bool,
) -> Result<Vec<(i64, f64)>> {
    let at = |area: Area| At(area.at_least_m(center), What::Area(area));
    let mut next: BinaryHeap<At> = areas.into_iter().map(at).collect();
    // Areas share their borders, and points on them.
    let mut met = HashSet::new();
    let mut found = Vec::new();
    while let Some(At(far, what)) = next.pop() {
        if far > radius || found.len() >= limit {
            break;
        }
        let area = match what {
            What::Point(row) if accept(row) => {
                found.push((row, far));
                continue;
            }
            What::Point(_) => continue,
            What::Area(area) => area,
        };
        let most = if area.is_spot() {
            usize::MAX >> 1
        } else {
            MOST
        };
        // One more than fits tells that there are too many.
        let rows = look(&area, most + 1)?;
        if rows.len() > most {
            next.extend(area.quarters().map(at));
            continue;
        }
        for (row, place) in rows {
            if met.insert(row) {
                next.push(At(center.distance_m(place), What::Point(row)));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use proptest::prelude::*;

    /// Looks like an index would, and counts what it took in.
    fn search(points: &[Place], center: Place, limit: usize) -> (Vec<f64>, usize) {
        let mut taken = 0;
        let look = |area: &Area, most: usize| {
            let inside = |place: &Place| {
                (area.south..=area.north).contains(&place.lat)
                    && (area.west..=area.east).contains(&place.lon)
            };
            let rows = (0i64..).zip(points.iter().copied());
            let found: Vec<_> = rows.filter(|(_, at)| inside(at)).take(most).collect();
            taken += found.len();
            Ok(found)
        };
        let found = nearest(center, limit, look, |_| true).unwrap();
        (found.into_iter().map(|(_, far)| far).collect(), taken)
    }

    fn all(points: &[Place], center: Place) -> Vec<f64> {
        let mut all: Vec<f64> = points.iter().map(|at| center.distance_m(*at)).collect();
        all.sort_by(f64::total_cmp);
        all
    }

    fn place() -> impl Strategy<Value = Place> {
        let anywhere = (-90.0..=90.0f64, -180.0..=180.0f64);
        let edge = (
            -90.0..=90.0f64,
            prop_oneof![179.0..=180.0f64, -180.0..=-179.0f64],
        );
        let pole = (
            prop_oneof![88.0..=90.0f64, -90.0..=-88.0f64],
            -180.0..=180.0f64,
        );
        let town = (42.6..42.8f64, 23.2..23.4f64);
        prop_oneof![anywhere, edge, pole, town].prop_map(|(lat, lon)| Place { lat, lon })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn the_nearest_are_found_wherever_they_lie(
            points in proptest::collection::vec(place(), 0..1500),
            center in place(),
            limit in 1usize..60,
        ) {
            let mut expected = all(&points, center);
            expected.truncate(limit);
            prop_assert_eq!(search(&points, center, limit).0, expected);
        }
    }

    #[test]
    fn a_look_from_afar_takes_in_few() {
        let points: Vec<Place> = (0..50_000u32)
            .map(|n| Place {
                lat: 42.0 + f64::from(n % 251) / 100.0,
                lon: 23.0 + f64::from(n % 199) / 100.0,
            })
            .collect();
        for (lat, lon) in [
            (-50.0, 120.0),
            (-42.0, -157.0),
            (0.0, 0.0),
            (42.5, 23.5),
            (90.0, 0.0),
        ] {
            let center = Place { lat, lon };
            let (found, taken) = search(&points, center, 20);
            assert_eq!(found, all(&points, center)[..20]);
            assert!(taken < 60 * MOST, "{center:?} took in {taken}");
        }
    }

    #[test]
    fn points_on_one_spot_are_found() {
        let points = vec![Place { lat: 1.0, lon: 1.0 }; 5_000];
        let center = Place {
            lat: 1.0,
            lon: 1.001,
        };
        assert_eq!(search(&points, center, 30).0, all(&points, center)[..30]);
    }
}
