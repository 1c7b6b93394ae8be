//! Strict parsing: every error with its place; the built-in folders.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod filled;
mod linted;

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
