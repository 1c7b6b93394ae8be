//! What of a parcel's way the shop is told.
use super::tracking::{answer, scan};
use super::*;
use crate::canonical::job::NewJob;

#[test]
fn each_step_to_the_door_is_told_once() {
    let mut world = World::with(paid());
    let account = world.account(json!({}));
    world.labelled(account, &["N1", "N2"]);
    let told = |world: &mut World, number: &str, status: &str, at: &str| {
        let outcome = world.told(account, answer(number, vec![scan(status, at)]));
        let of = |job: &NewJob| job.input["status"].as_str().unwrap().to_owned();
        outcome.jobs.iter().map(of).collect::<Vec<String>>()
    };
    let out = "out_for_delivery";
    assert_eq!(told(&mut world, "N1", out, "11:00"), [out]);
    // The other parcel in the same van, and another try the day after: no news.
    assert!(told(&mut world, "N2", out, "11:01").is_empty());
    assert!(told(&mut world, "N1", "failed_attempt", "12:00").is_empty());
    assert!(told(&mut world, "N1", out, "13:00").is_empty());
    let waits = "available_for_pickup";
    assert_eq!(told(&mut world, "N1", waits, "14:00"), [waits]);
    // A late scan of what is past.
    assert!(told(&mut world, "N2", "in_transit", "10:30").is_empty());
    assert!(told(&mut world, "N1", "delivered", "15:00").is_empty());
    assert_eq!(told(&mut world, "N2", "delivered", "15:00"), ["delivered"]);
}
