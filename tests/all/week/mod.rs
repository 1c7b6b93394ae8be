//! A simulated week in compressed time: shops, couriers and a warehouse on one clock that the test
//! moves, with everything going wrong that goes wrong in a real week.
//!
//! What it proves, and fails on: an order shipped twice; shipped though cancelled without a recorded
//! reason; an order without a reason for where it stands; a label bought twice or unknown to us; a
//! cent of cash on delivery without an account; a record without a disposition; an event out of
//! order within its order. It prints its counts.
//!
//! The short form (a day, few shops) runs with every test; `make week` sets `WEEK=full`.

mod checks;
mod city;
mod floor;
mod street;

use city::{City, Scale};
use floor::Floor;
use std::time::Duration;
use street::Street;

/// What time moves by.
const STEP: Duration = Duration::from_secs(15 * 60);
/// After the last order everything may come to its end.
const TAIL_STEPS: u32 = 12 * 12;
const TAIL_STEP: Duration = Duration::from_secs(2 * 3_600);

#[actix_web::test]
async fn a_simulated_week() {
    let full = std::env::var("WEEK").is_ok_and(|scale| scale == "full");
    let scale = if full { Scale::WEEK } else { Scale::DAY };
    let seed = std::env::var("WEEK_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(20_261_116);
    let city = City::open(scale, seed).await;
    let (mut street, mut floor) = (Street::new(&city, seed), Floor::new(&city, seed));
    for step in 0..scale.steps(STEP) {
        street.happens(step).await;
        city.settle().await;
        floor.works(step).await;
        city.settle().await;
        city.pass(STEP).await;
    }
    street.ends().await;
    for step in 0..TAIL_STEPS {
        floor.finishes(step).await;
        city.settle().await;
        city.pass(TAIL_STEP).await;
        if step % 6 == 5 && city.at_rest().await {
            break;
        }
    }
    checks::all(&city, &street, &floor).await;
    city.close().await;
}
