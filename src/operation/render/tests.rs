#![allow(clippy::unwrap_used)]
use super::*;
use crate::operation::testing::provider;
use serde_json::json;

const MANIFEST: &str = r#"
[credentials.token]
label = "Token"
help = "From the provider."
[settings.base_url]
label = "URL"
help = "Of the shop."
default = "https://a.example/api"

[[auth]]
kind = "oauth1"
consumer_key = "{token}"
consumer_secret = "{token}"

[operations."stock.push"]
steps = [
  { name = "find", when = '.input.skus != null', method = "GET", path = '"/products"', query = '{sku: .input.skus}', pagination = { kind = "page", param = "page", size = 100 } },
  { name = "set", for_each = '.steps.find', method = "PUT", path = '"/products/\(.item.id)"', body = '{stock: .item.stock}' },
]
"#;

fn rendered(step: Option<&str>, input: Value, steps: Value) -> Result<Vec<Value>, RenderError> {
    let none = Map::new();
    let input = RenderInput {
        operation: "stock.push",
        step,
        input: &input,
        settings: &none,
        memory: &none,
        steps: steps.as_object().unwrap(),
        hook_url: None,
        cursor: None,
        now: Timestamp::constant(1_700_000_000, 0),
    };
    render(&provider(MANIFEST), &input)
}

const SIGNED: &str = "oauth_consumer_key=***&oauth_nonce=***&oauth_signature_method=HMAC-SHA256&oauth_timestamp=***&oauth_signature=***";

#[test]
fn the_first_step_that_applies_is_shown_with_the_defaults_of_the_form() {
    let shown = rendered(None, json!({"skus": ["a", "b"]}), json!({})).unwrap();
    let url = format!("https://a.example/api/products?sku=a&sku=b&page=1&{SIGNED}");
    assert_eq!(
        shown,
        [
            json!({"method": "GET", "url": url, "headers": {"accept": "application/json"}, "body": null})
        ]
    );
}

#[test]
fn a_named_step_is_shown_for_each_of_its_items() {
    let steps = json!({"find": [{"id": 1, "stock": 5}, {"id": 2, "stock": 0}]});
    let shown = rendered(Some("set"), json!({}), steps.clone()).unwrap();
    assert_eq!(shown.len(), 2);
    assert_eq!(
        shown.first().unwrap().pointer("/body"),
        Some(&json!({"stock": 5}))
    );
    assert_eq!(
        rendered(None, json!({}), steps).unwrap(),
        shown,
        "`find` does not apply"
    );
}

#[test]
fn what_cannot_be_rendered_says_what_there_is() {
    let unknown = rendered(Some("sett"), json!({}), json!({})).unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "the operation has no step `sett`; it has: find, set"
    );
    assert_eq!(rendered(None, json!({}), json!({})), Ok(vec![]));
}
