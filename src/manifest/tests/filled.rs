//! The form: its schema, and what was filled in.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use super::*;

#[test]
fn submitted_values_are_checked_field_by_field() {
    let manifest: Manifest = parse::strict(MANIFEST, &sample()).unwrap();
    let object = |value: Value| value.as_object().cloned().unwrap();
    let good =
        submitted::settings(&manifest, &object(json!({"base_url": "https://a.example"}))).unwrap();
    assert_eq!(
        Value::Object(good),
        json!({"base_url": "https://a.example", "currency": "EUR"})
    );
    let bad = submitted::settings(
        &manifest,
        &object(json!({"base_url": "ftp://a", "currency": "euro", "curency": "x"})),
    );
    let bad: Vec<String> = bad
        .unwrap_err()
        .into_iter()
        .map(|e| format!("{}: {}", e.field, e.message))
        .collect();
    assert_eq!(
        bad,
        [
            "settings.curency: unknown field: did you mean `currency`?",
            "settings.base_url: must be a URL that begins with https:// (or http://)",
            "settings.currency: does not have the expected form, such as `EUR`",
        ]
    );
    let missing = submitted::credentials(&manifest, &object(json!({"token": ""}))).unwrap_err();
    assert_eq!(missing.len(), 2);
    assert!(missing.iter().all(|error| error.message == "is required"));
    let wrong = submitted::credentials(
        &manifest,
        &object(json!({"token": "hunter2hunter2", "webhook_secret": 5})),
    )
    .unwrap_err();
    assert!(
        wrong.iter().all(|error| !error.message.contains("hunter2")),
        "values never appear: {wrong:?}"
    );
}

#[test]
fn the_form_is_a_json_schema() {
    let manifest: Manifest = parse::strict(MANIFEST, &sample()).unwrap();
    let schema = schema::json_schema(&manifest);
    assert_eq!(
        schema["properties"]["settings"]["required"],
        json!(["base_url"])
    );
    assert_eq!(
        schema["properties"]["settings"]["additionalProperties"],
        json!(false)
    );
    let token = &schema["properties"]["credentials"]["properties"]["token"];
    assert_eq!(token["writeOnly"], json!(true));
    assert_eq!(token["pattern"], json!("^(?:pb_[a-z0-9]{8,})$"));
}
