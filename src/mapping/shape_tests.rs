//! Reading values as Rust types: numbers verbatim, strictness, places in errors.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use super::tests::json;
use super::{ShapeError, Val, shape};
use proptest::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Order {
    id: String,
    quantity: serde_json::Number,
    count: u32,
    #[serde(default)]
    note: Option<String>,
    #[serde(default, deserialize_with = "told")]
    tax: Option<Option<String>>,
    kind: Kind,
    lines: Vec<Line>,
    #[serde(default)]
    attributes: BTreeMap<String, serde_json::Value>,
}

fn told<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Standard,
    Quick,
    Of { n: u8 },
    New(u8),
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Line {
    total: Total,
    weight: f64,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Total {
    amount: String,
}

const ORDER: &str = r#"{"id":"1","quantity":1.50,"count":3,"kind":"quick","lines":[{"total":{"amount":"1.00"},"weight":0.5}],"attributes":{"a":19.90,"b":[12345678901234567890123]}}"#;

fn misfit(text: &str) -> String {
    match shape::<Order>(&json(text)) {
        Ok(order) => panic!("{order:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_value_becomes_a_type() {
    let order: Order = shape(&json(ORDER)).unwrap();
    assert_eq!(order.quantity.to_string(), "1.50");
    assert_eq!(
        (
            order.count,
            order.kind,
            order.note,
            order.tax,
            order.lines[0].weight
        ),
        (3, Kind::Quick, None, None, 0.5)
    );
    assert_eq!(
        serde_json::to_string(&order.attributes).unwrap(),
        r#"{"a":19.90,"b":[12345678901234567890123]}"#
    );
    let null: Order = shape(&json(
        &ORDER.replace(r#""count""#, r#""tax":null,"note":null,"count""#),
    ))
    .unwrap();
    assert_eq!((null.tax, null.note), (Some(None), None));
    let of: Vec<Kind> = shape(&json(r#"[{"of":{"n":1}},{"new":2},"standard"]"#)).unwrap();
    assert_eq!(of, [Kind::Of { n: 1 }, Kind::New(2), Kind::Standard]);
}

#[test]
fn misfits_name_their_place_and_no_content() {
    assert_eq!(
        misfit(&ORDER.replace(r#""amount":"1.00""#, r#""amount":1.00"#)),
        "lines[0].total.amount: expected a string, found a decimal number"
    );
    assert_eq!(
        misfit(&ORDER.replace(r#""count":3"#, r#""count":"Maria""#)),
        "count: expected u32, found a string"
    );
    assert_eq!(
        misfit(&ORDER.replace(r#""count":3"#, r#""count":-3"#)),
        "count: expected u32, found another value of a number"
    );
    assert_eq!(
        misfit(&ORDER.replace(r#""kind":"quick""#, r#""kind":"Maria Ozola""#)),
        "kind: expected one of standard, quick, of, new, found a text"
    );
    assert_eq!(
        misfit(&ORDER.replace(r#""kind":"quick""#, r#""kind":"slow""#)),
        "kind: expected one of standard, quick, of, new, found `slow`"
    );
    assert_eq!(
        misfit(&ORDER.replace(r#""weight":0.5"#, r#""weigth":0.5"#)),
        "lines[0]: unknown field `weigth`, expected `total` or `weight`"
    );
    assert_eq!(
        misfit(&ORDER.replace(r#","weight":0.5"#, "")),
        "lines[0]: missing field `weight`"
    );
    assert_eq!(
        misfit(&ORDER.replace(r#"{"a":19.90,"b":[12345678901234567890123]}"#, "19.90")),
        "attributes: expected a map, found a decimal number"
    );
    assert_eq!(
        misfit("12345678901234567890123"),
        "expected struct Order, found a decimal number"
    );
    assert_eq!(misfit("[]"), "expected struct Order, found an array");
    assert_eq!(
        misfit(r#"{"id":"#.replace("{\"id\":", "null").as_str()),
        "expected struct Order, found null"
    );
    let bytes = crate::mapping::value::object([(crate::mapping::value::int(1), Val::Null)]);
    assert_eq!(
        shape::<BTreeMap<String, Option<u8>>>(&bytes)
            .unwrap_err()
            .message,
        "a key is a number, not a string"
    );
    assert_eq!(
        shape::<String>(&Val::utf8_str(vec![0xff])).unwrap_err(),
        ShapeError {
            path: String::new(),
            message: "text is not valid UTF-8".to_owned()
        }
    );
}

#[test]
fn numbers_fit_all_number_types() {
    assert_eq!(
        shape::<(u8, i64, u64, f32)>(&json("[255,-5,18446744073709551615,1.5]")).unwrap(),
        (255, -5, u64::MAX, 1.5)
    );
    assert_eq!(
        shape::<(i128, u128)>(&json(
            "[-170141183460469231731687303715884105728,340282366920938463463374607431768211455]"
        ))
        .unwrap(),
        (i128::MIN, u128::MAX)
    );
    assert_eq!(shape::<f64>(&json("3")).unwrap(), 3.0);
    assert_eq!(
        shape::<Vec<serde_json::Number>>(&json("[1,1.0,-0,12345678901234567890123]"))
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["1", "1.0", "-0", "12345678901234567890123"]
    );
    for text in ["256", "1.5", "-1", "1e2", "\"1\""] {
        assert!(shape::<u8>(&json(text)).is_err(), "{text}");
    }
    assert!(shape::<f64>(&Val::from(f64::NAN)).is_err());
    assert_eq!(
        shape::<Box<serde_json::value::RawValue>>(&json(r#"{"a":1.50}"#))
            .unwrap()
            .get(),
        r#"{"a":1.50}"#
    );
}

proptest! {
    #[test]
    fn shapes_round_trip(text in "\\PC{0,20}", numbers in prop::collection::vec(any::<i64>(), 0..5), map in prop::collection::btree_map("\\PC{0,5}", prop::option::of(any::<bool>()), 0..5)) {
        let whole = (text, numbers, map);
        let value = crate::mapping::from_serde(&whole).unwrap();
        prop_assert_eq!(shape::<(String, Vec<i64>, BTreeMap<String, Option<bool>>)>(&value).unwrap(), whole);
    }
}
