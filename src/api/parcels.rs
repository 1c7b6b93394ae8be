//! Parcels as warehouses tell them, checked before anything is asked of a carrier.
//!
//! What always holds: weights and sizes are those of a thing that can be carried; texts are short
//! and have no control characters; every place that does not fit is named at once.

use super::problem::{FieldError, Problem};
use super::text::name;
use crate::flow::NewParcel;

/// So many parcels one shipment may have.
const MAX_PARCELS: usize = 500;
/// The heaviest: a loaded pallet, and then some.
const MAX_WEIGHT_G: u64 = 5_000_000;
/// The longest side.
const MAX_SIDE_MM: u64 = 20_000;

/// An optional name.
///
/// # Errors
/// `invalid_body` at the path.
pub fn named_text(path: &str, given: Option<String>) -> Result<Option<String>, Problem> {
    given.map(|text| name(path, &text)).transpose()
}

/// The parcels, their texts trimmed.
///
/// # Errors
/// `invalid_body` with every place that does not fit.
pub fn checked_parcels(mut parcels: Vec<NewParcel>) -> Result<Vec<NewParcel>, Problem> {
    if parcels.len() > MAX_PARCELS {
        let why = format!("more than {MAX_PARCELS} parcels");
        return Err(Problem::body("parcels", why));
    }
    let mut wrong = Vec::new();
    for (place, parcel) in parcels.iter_mut().enumerate() {
        check(place, parcel, &mut wrong);
    }
    match wrong.is_empty() {
        true => Ok(parcels),
        false => Err(Problem::fields(wrong)),
    }
}

fn check(place: usize, parcel: &mut NewParcel, wrong: &mut Vec<FieldError>) {
    let at = |field: &str| format!("parcels.{place}.{field}");
    let sizes = [
        ("weight_g", parcel.weight_g, MAX_WEIGHT_G),
        ("length_mm", parcel.length_mm, MAX_SIDE_MM),
        ("width_mm", parcel.width_mm, MAX_SIDE_MM),
        ("height_mm", parcel.height_mm, MAX_SIDE_MM),
    ];
    for (field, given, most) in sizes {
        if given.is_some_and(|size| !(1..=most).contains(&size)) {
            let what = format!("a whole number from 1 to {most} is wanted");
            wrong.push(FieldError::new(at(field), what));
        }
    }
    let texts = [
        ("sscc", &mut parcel.sscc),
        ("tracking_number", &mut parcel.tracking_number),
        ("carrier", &mut parcel.carrier),
    ];
    for (field, text) in texts {
        match named_text(&at(field), filled(text.take())) {
            Ok(read) => *text = read,
            Err(problem) => wrong.extend(problem.fields),
        }
    }
    parcel.tracking_url = filled(parcel.tracking_url.take());
    if let Some(url) = &parcel.tracking_url
        && let Err(problem) = super::text::web_address(&at("tracking_url"), url)
    {
        wrong.extend(problem.fields);
    }
}

/// Warehouses send an empty text for none.
fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}
