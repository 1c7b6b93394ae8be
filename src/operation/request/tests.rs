#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use super::*;
use crate::canonical::Timestamp;
use crate::operation::provider::{Account, context};
use crate::operation::testing::{TestProvider, provider};
use serde_json::{Map, Value, json};

const MANIFEST: &str = r#"
[transport]
base_url = ".connection.base_url"
headers = { X-Shop = ".connection.shop", X-None = "null" }

[[auth]]
when = '.request.url | startswith("http://")'
kind = "query"
params = { key = "{key}" }

[[auth]]
kind = "basic"
username = "{key}"
password = "{secret}"

[operations."orders.get"]
[[operations."orders.get".steps]]
name = "get"
method = "GET"
path = '"/orders/\(.input.id)"'
query = '{status: ["a", "b"], after: .cursor, page: .page.number}'

[operations."points.list"]
[[operations."points.list".steps]]
name = "directory"
method = "GET"
base_url = ".connection.directory"
path = ".input.path"

[operations."webhook.register"]
[[operations."webhook.register".steps]]
name = "create"
method = "POST"
path = '"/webhooks"'
secrets = ["secret"]
body = '{secret: "{secret}", key: "{key}", url: .connection.hook_url, note: .input.note, price: .input.price}'
[[operations."webhook.register".steps]]
name = "form"
method = "POST"
format = "form"
path = '"/webhooks"'
headers = { X-Sign = '"v1 \(.input.echo)"' }
body = '{a: "x y&z", b: [1, 2], c: null}'
[[operations."webhook.register".steps]]
name = "mapped"
method = "PUT"
format = "xml"
path = '"/webhooks/7"'
body_mapping = "hook"

[operations."orders.cancel"]
steps = [
  { name = "cancel", method = "POST", path = '"/graphql"', graphql = "orders.Cancel", variables = '{id: .input.id}' },
  { name = "lost", method = "POST", path = '"/graphql"', graphql = "other" },
]
"#;

fn sample() -> TestProvider {
    let mut sample = provider(MANIFEST);
    sample.mappings.insert(
        "hook".into(),
        r#"{hook: {"@id": .input.id, url: $connection.hook_url}}"#.into(),
    );
    let document = "query One { a }\nmutation Cancel($id: ID!) { b(id: $id) }";
    sample.documents.insert("orders".into(), document.into());
    sample
}

fn step<'a>(provider: &'a TestProvider, operation: &str, name: &str) -> &'a Step {
    provider.manifest.operations[operation]
        .steps
        .iter()
        .find(|step| step.name == name)
        .unwrap()
}

fn planned(
    provider: &TestProvider,
    base_url: &str,
    operation: &str,
    name: &str,
    input: Value,
) -> Result<PlannedRequest, PlanError> {
    let settings =
        json!({"base_url": base_url, "shop": 7, "directory": "http://files.example/all"})
            .as_object()
            .unwrap()
            .clone();
    let memory = Map::new();
    let account = Account {
        id: None,
        settings: &settings,
        hook_url: Some("https://hooks.example/c"),
        memory: &memory,
    };
    let now = Timestamp::constant(1_700_000_000, 0);
    let context = context(&account, &input, Some(&json!("2026-07-01T00:00:00Z")), now);
    let credentials = [("key", "ck_123456"), ("secret", "s\"1")]
        .into_iter()
        .map(|(n, v)| (n.to_owned(), v.into()))
        .collect();
    let signing = Signing {
        now,
        nonce: "n".into(),
    };
    plan(
        provider,
        step(provider, operation, name),
        &context,
        &credentials,
        &signing,
        &Turn::default(),
    )
}

#[test]
fn a_get_with_its_query_headers_and_auth() {
    let sent = planned(
        &sample(),
        "https://a.example/shop/",
        "orders.get",
        "get",
        json!({"id": 5}),
    )
    .unwrap();
    assert_eq!(
        sent.masked(),
        json!({
            "method": "GET",
            "url": "https://a.example/shop/orders/5?status=a&status=b&after=2026-07-01T00%3A00%3A00Z&page=1",
            "headers": {"accept": "application/json", "x-shop": "7", "authorization": "Basic ***"},
            "body": null,
        })
    );
    assert_eq!(sent.headers["authorization"], "Basic Y2tfMTIzNDU2OnMiMQ==");
    assert_eq!(format!("{sent:?}"), "GET a.example (0 bytes)");
}

#[test]
fn the_first_auth_whose_condition_holds_is_used() {
    let sent = planned(
        &sample(),
        "http://a.example",
        "orders.get",
        "get",
        json!({"id": 5}),
    )
    .unwrap();
    assert!(sent.url.as_str().ends_with("&page=1&key=ck_123456"));
    assert!(!sent.headers.contains_key("authorization"));
    assert!(sent.masked_url().ends_with("&page=1&key=***"));
}

#[test]
fn a_document_goes_with_its_operation_and_variables() {
    let sent = |step| {
        let input = json!({"id": 5});
        planned(&sample(), "https://a.example", "orders.cancel", step, input)
    };
    let document = "query One { a }\nmutation Cancel($id: ID!) { b(id: $id) }";
    assert_eq!(
        sent("cancel").unwrap().masked()["body"],
        json!({"query": document, "operationName": "Cancel", "variables": {"id": 5}})
    );
    let lost = sent("lost").unwrap_err();
    assert_eq!(
        (lost.class(), lost.code()),
        (Class::BrokenContract, "expression_failed")
    );
}

#[test]
fn a_step_may_have_a_base_url_of_its_own() {
    let get = |path: &str| {
        let input = json!({ "path": path });
        planned(
            &sample(),
            "https://a.example",
            "points.list",
            "directory",
            input,
        )
    };
    let sent = get("/ee.json").unwrap();
    let url = sent.url.as_str();
    assert_eq!(url, "http://files.example/all/ee.json?key=ck_123456");
    assert!(
        !sent.headers.contains_key("authorization"),
        "auth goes by the URL that is called"
    );
    assert_eq!(
        get("").unwrap().url.as_str(),
        "http://files.example/all?key=ck_123456"
    );
    for path in ["https://a.example/x", "http://evil.example/x"] {
        let refused = get(path).unwrap_err();
        assert_eq!(refused, PlanError::Url(UrlError::OtherHost), "{path}");
    }
    assert!(get("/../x").is_err());
}

#[test]
fn a_body_gets_the_secrets_that_its_step_names() {
    let input = serde_json::from_str(r#"{"note": "plain", "price": 19.90}"#).unwrap();
    let sent = planned(
        &sample(),
        "https://a.example",
        "webhook.register",
        "create",
        input,
    )
    .unwrap();
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(body["secret"], "s\"1");
    assert_eq!(body["key"], "{key}", "the step does not name it");
    assert_eq!(body["price"].to_string(), "19.90");
    assert_eq!(sent.masked()["body"]["secret"], "***");
    assert_eq!(sent.masked()["body"]["url"], "https://hooks.example/c");
    assert_eq!(sent.headers["content-type"], "application/json");
}

#[test]
fn forms_are_flat_and_encoded() {
    let sent = planned(
        &sample(),
        "https://a.example",
        "webhook.register",
        "form",
        json!({"echo": "ck_123456"}),
    )
    .unwrap();
    assert_eq!(sent.body.as_ref(), b"a=x%20y%26z&b=1&b=2");
    assert_eq!(
        sent.headers["content-type"],
        "application/x-www-form-urlencoded"
    );
    // The second net: a credential's value that got somewhere by another way.
    assert_eq!(sent.headers["x-sign"], "v1 ck_123456");
    assert_eq!(sent.masked()["headers"]["x-sign"], "v1 ***");
}

#[test]
fn a_mapping_makes_an_xml_body() {
    let sent = planned(
        &sample(),
        "https://a.example",
        "webhook.register",
        "mapped",
        json!({"id": 7}),
    )
    .unwrap();
    let text = std::str::from_utf8(&sent.body).unwrap();
    assert!(
        text.ends_with(r#"<hook id="7"><url>https://hooks.example/c</url></hook>"#),
        "{text}"
    );
    assert_eq!(
        sent.headers["content-type"],
        "application/xml; charset=utf-8"
    );
}

#[test]
fn what_cannot_be_built_says_where_and_not_what() {
    let sample = sample();
    let null = planned(&sample, "https://a.example", "orders.get", "get", json!({})).unwrap_err();
    assert_eq!((null.class(), null.code()), (Class::Invalid, "request_url"));
    let base = planned(
        &sample,
        "ftp://a.example",
        "orders.get",
        "get",
        json!({"id": 1}),
    )
    .unwrap_err();
    assert_eq!(base, PlanError::Url(UrlError::Base));
    let escaping = planned(
        &sample,
        "https://a.example",
        "orders.get",
        "get",
        json!({"id": "../../secret-name"}),
    )
    .unwrap_err();
    assert!(!escaping.to_string().contains("secret-name"), "{escaping}");
    let header = planned(
        &sample,
        "https://a.example",
        "webhook.register",
        "form",
        json!({"echo": "a\r\nb"}),
    )
    .unwrap_err();
    assert_eq!(header, PlanError::Auth(AuthError::Header("X-Sign".into())));
}

#[test]
fn a_missing_credential_names_the_field() {
    let manifest = provider(&MANIFEST.replace("{secret}", "{token}"));
    let missing = planned(
        &manifest,
        "https://a.example",
        "orders.get",
        "get",
        json!({"id": 1}),
    )
    .unwrap_err();
    assert_eq!(missing.class(), Class::AuthBroken);
    assert_eq!(missing.to_string(), "the credential `token` is not set");
}

#[test]
fn a_link_takes_the_place_of_path_and_query() {
    let sample = sample();
    let settings = json!({"base_url": "https://a.example/shop"})
        .as_object()
        .unwrap()
        .clone();
    let memory = Map::new();
    let account = Account {
        id: None,
        settings: &settings,
        hook_url: None,
        memory: &memory,
    };
    let now = Timestamp::constant(1_700_000_000, 0);
    let context = context(&account, &json!({}), None, now);
    let credentials = [("key", "k"), ("secret", "s")]
        .into_iter()
        .map(|(n, v)| (n.to_owned(), v.into()))
        .collect();
    let follow = |target: &str| {
        let signing = Signing {
            now,
            nonce: "n".into(),
        };
        plan(
            &sample,
            step(&sample, "orders.get", "get"),
            &context,
            &credentials,
            &signing,
            &Turn {
                target: Some(target.into()),
                param: None,
            },
        )
        .map(|sent| sent.url.to_string())
    };
    assert_eq!(
        follow("http://a.example/shop/orders?page=2").unwrap(),
        "https://a.example/shop/orders?page=2"
    );
    assert_eq!(
        follow("https://evil.example/shop/orders?page=2").unwrap_err(),
        PlanError::Url(UrlError::OtherHost)
    );
}
