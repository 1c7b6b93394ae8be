//! Strict parsing, lint, form: every error with its place.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use super::folder::{Folder, MANIFEST, Source};
use super::*;
use serde_json::{Value, json};
use std::path::Path;

fn sample() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/connectors/paperbird");
    std::fs::read_to_string(root.join(MANIFEST)).unwrap()
}

/// The sample with one text replaced; the text must be there.
fn sample_with(old: &str, new: &str) -> String {
    let text = sample();
    assert!(text.contains(old), "{old}");
    text.replacen(old, new, 1)
}

fn parse_error(text: &str) -> Finding {
    parse::strict::<Manifest>(MANIFEST, text).expect_err("must be refused")
}

/// The line on which a text of the manifest first stands.
fn line_of(text: &str, part: &str) -> usize {
    text.lines().position(|line| line.contains(part)).unwrap() + 1
}

/// A copy of the sample folder with some files changed, loaded and linted.
fn findings(changes: &[(&str, &str)]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("paperbird");
    std::fs::create_dir(&folder).unwrap();
    let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/connectors/paperbird");
    for name in [MANIFEST, "order.jq", "error.jq", "README.md"] {
        std::fs::copy(original.join(name), folder.join(name)).unwrap();
    }
    for (name, content) in changes {
        std::fs::write(folder.join(name), content).unwrap();
    }
    match Folder::load(Source::Disk(folder)) {
        Err(findings) => findings,
        Ok(folder) => lint::structure(&folder),
    }
    .iter()
    .map(Finding::to_string)
    .collect()
}

#[test]
fn the_sample_is_clean() {
    assert_eq!(findings(&[]), Vec::<String>::new());
}

#[test]
fn an_unknown_key_is_refused_with_place_and_advice() {
    for (old, new, message, needle) in [
        (
            "interval = \"60s\"",
            "intervall = \"60s\"",
            "unknown key `intervall`: did you mean `interval`?",
            "intervall",
        ),
        (
            "summary =",
            "sumary =",
            "unknown key `sumary`: did you mean `summary`?",
            "sumary",
        ),
        (
            "kind = \"bearer\"\ntoken",
            "kind = \"bearer\"\nwehn = 'true'\ntoken",
            "unknown key `wehn`",
            "wehn",
        ),
        (
            "encoding = \"hex\"",
            "encoding = \"hex\"\nprefx = \"x\"",
            "unknown key `prefx`: did you mean `prefix`?",
            "prefx",
        ),
        (
            "size = 50",
            "size = 50, limmit = 3",
            "unknown key `limmit`: did you mean `limit`?",
            "limmit",
        ),
        (
            "[webhooks]",
            "[webhooks]\nidempotency = 1",
            "`idempotency` is not built yet",
            "idempotency",
        ),
    ] {
        let text = sample_with(old, new);
        let finding = parse_error(&text);
        assert_eq!(finding.message, message);
        assert_eq!(finding.line, line_of(&text, needle), "{finding}");
        let line = text.lines().nth(finding.line - 1).unwrap();
        assert_eq!(
            line.chars()
                .skip(finding.column - 1)
                .take(needle.len())
                .collect::<String>(),
            needle
        );
    }
}

#[test]
fn a_kind_of_the_vocabulary_that_nothing_uses_is_not_built_yet() {
    for (old, new, word) in [
        (
            "kind = \"bearer\"\ntoken = \"{token}\"",
            "kind = \"oauth2\"",
            "oauth2",
        ),
        (
            "kind = \"page\", param = \"page\", size = 50",
            "kind = \"graphql_connection\"",
            "graphql_connection",
        ),
        ("kind = \"hmac\"", "kind = \"rsa\"", "rsa"),
        ("[transport]", "[transport]\nformat = \"soap\"", "soap"),
    ] {
        let text = sample_with(old, new);
        let finding = parse_error(&text);
        assert_eq!(finding.message, format!("`{word}` is not built yet"));
        assert_eq!(
            finding.line,
            line_of(&text, &format!("\"{word}\"")),
            "{finding}"
        );
    }
    let finding = parse_error(&sample_with("kind = \"bearer\"", "kind = \"baerer\""));
    assert_eq!(
        finding.message,
        "unknown value `baerer`: did you mean `bearer`?"
    );
}

#[test]
fn other_mistakes_have_their_line_too() {
    let text = sample_with("name = \"Paperbird\"\n", "");
    assert_eq!(parse_error(&text).message, "missing key `name`");
    let text = sample_with("interval = \"60s\"", "interval = \"60 seconds\"");
    let finding = parse_error(&text);
    assert!(finding.message.contains("not a span of time"), "{finding}");
    assert_eq!(finding.line, line_of(&text, "60 seconds"));
    let text = sample_with("[transport]", "[transport");
    assert_eq!(parse_error(&text).line, line_of(&text, "[transport"));
}

#[test]
fn the_lint_names_what_the_types_cannot() {
    let cases: &[(&str, &str, &str)] = &[
        (
            "id = \"paperbird\"",
            "id = \"bluebird\"",
            "the id `bluebird` is not the folder's name `paperbird`",
        ),
        (
            "\"connection.check\"",
            "\"connection.chekc\"",
            "unknown operation `connection.chekc`: did you mean `connection.check`?",
        ),
        (
            "mapping = \"order\"",
            "mapping = \"ordr\"",
            "`ordr` is no mapping of the canonical model: did you mean `order`?",
        ),
        (
            "mapping = \"order\"",
            "mapping = \"cod\"",
            "the mapping `cod` is not built yet",
        ),
        (
            "error = \"error.jq\"",
            "error = \"erorr.jq\"",
            "there is no file `erorr.jq`: did you mean `error.jq`?",
        ),
        ("error = \"error.jq\"", "", "this mapping is used nowhere"),
        (
            "'\"/api/ping\"'",
            "'\"/api/ping/\" + .connection.shop_id'",
            "the setting `shop_id` is not declared",
        ),
        (
            "'\"/api/ping\"'",
            "'\"/api/ping/\" + .connection.token'",
            "`token` is a credential: secrets appear in auth and verify only",
        ),
        (
            "'\"/api/ping\"'",
            "'.credentials.token'",
            "secrets appear in auth and verify only",
        ),
        (
            "token = \"{token}\"",
            "token = \"{tokn}\"",
            "the credential `tokn` is not declared: did you mean `token`?",
        ),
        (
            "secret = \"webhook_secret\"",
            "secret = \"hook_secret\"",
            "the credential `hook_secret` is not declared",
        ),
        (
            "pattern = \"[A-Z]{3}\"",
            "pattern = \"[A-Z\"",
            "not a regular expression",
        ),
        (
            "example = \"EUR\"",
            "example = \"euro\"",
            "the example of `currency` does not have the expected form",
        ),
        (
            "Europe/Athens",
            "Europe/Athen",
            "`Europe/Athen` is no IANA time zone",
        ),
        (
            "ignore = true",
            "",
            "says neither how it is read nor that it is ignored",
        ),
        (
            "[[errors]]\nstatus = [200]\njq = '.body | type == \"object\" and has(\"error\")'",
            "[[errors]]",
            "matches every answer",
        ),
        (
            "kind = \"bearer\"\ntoken = \"{token}\"",
            "kind = \"none\"\nfoo = 1",
            "unknown key `foo`: kind `none` takes none",
        ),
    ];
    for (old, new, message) in cases {
        let found = findings(&[(MANIFEST, &sample_with(old, new))]);
        assert!(
            found.iter().any(|finding| finding.contains(message)),
            "{message}\n{found:#?}"
        );
    }
}

#[test]
fn webhooks_without_a_sweep_are_refused() {
    let text = sample();
    let start = text.find("[operations.\"orders.pull\"]").unwrap();
    let end = text.find("[webhooks]").unwrap();
    let without = format!("{}{}", &text[..start], &text[end..]);
    let found = findings(&[(MANIFEST, &without)]);
    assert!(
        found
            .iter()
            .any(|finding| finding.contains("without a sweep")),
        "{found:#?}"
    );
}

#[test]
fn what_nothing_proves_is_read_anew() {
    let text = sample();
    let before = &text[..text.find("[webhooks]").unwrap()];
    let with = |topic: &str| {
        let hooks = format!(
            "[webhooks]\nverify = {{ kind = \"ip_allow\", networks = \"base_url\" }}\ntopic = {{ fixed = \"a\" }}\n[webhooks.topics]\na = {topic}\n"
        );
        findings(&[(MANIFEST, &format!("{before}{hooks}"))])
    };
    for (topic, message) in [
        (
            "{ mapping = \"order\", key = \".id\" }",
            "is believed though nothing proves",
        ),
        ("{ refetch = true }", "has no `key`"),
        (
            "{ refetch = true, key = \".id\", ignore = true }",
            "mean nothing",
        ),
    ] {
        let found = with(topic);
        assert!(
            found.iter().any(|finding| finding.contains(message)),
            "{message}\n{found:#?}"
        );
    }
}

#[test]
fn the_contract_asks_for_examples_readme_and_fixtures() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("paperbird");
    std::fs::create_dir(&path).unwrap();
    let text = sample_with("example = \"https://shop.paperbird.example\"\n", "");
    std::fs::write(path.join(MANIFEST), &text).unwrap();
    let folder = Folder::load(Source::Disk(path)).unwrap();
    let found: Vec<String> = lint::contract(&folder)
        .iter()
        .map(Finding::to_string)
        .collect();
    for message in [
        "the field `base_url` has no `example`",
        "README.md:1:1: no such file",
        "no fixture of kind `call` for `orders.pull`",
        "no fixture of kind `mapping` for `order`",
        "no fixture of kind `mapping` for `error`",
        "no fixture of kind `webhook` with the outcome `refused`",
    ] {
        assert!(
            found.iter().any(|finding| finding.contains(message)),
            "{message}\n{found:#?}"
        );
    }
}

#[test]
fn settings_in_mappings_are_checked_with_their_line() {
    let found = findings(&[(
        "error.jq",
        "# $connection.comment\n{class: \"invalid\", code: $connection.shop_code}\n",
    )]);
    assert_eq!(
        found,
        ["error.jq:2:38: the setting `shop_code` is not declared"]
    );
}

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

#[test]
fn coverage_comes_from_the_manifest() {
    let manifest: Manifest = parse::strict(MANIFEST, &sample()).unwrap();
    let coverage = coverage::Coverage::of(&manifest, &Default::default());
    assert!(coverage.orders_webhook && coverage.orders_poll && !coverage.labels);
    assert!(!coverage.cod_labels && !coverage.cod_payouts);
}

#[test]
fn built_in_folders_are_all_clean() {
    for source in Source::built_in() {
        let name = source.name();
        let folder = Folder::load(source).unwrap_or_else(|findings| panic!("{name}: {findings:?}"));
        assert_eq!(lint::structure(&folder), [], "{name}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_breaks_the_reader(at in 0usize..3000, junk in "[\\[\\]{}=\"'.a-z\\n#]{0,6}") {
        let mut text = sample();
        let at = at.min(text.len());
        if text.is_char_boundary(at) {
            text.insert_str(at, &junk);
            if let Err(finding) = parse::strict::<Manifest>(MANIFEST, &text) {
                proptest::prop_assert!(finding.line >= 1 && finding.line <= text.lines().count() + 1);
            }
        }
    }
}
