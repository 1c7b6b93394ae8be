//! Building connectors, the registry that follows a directory, payloads through mappings.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use super::map::{MapInput, map};
use super::{Connector, Registry};
use crate::canonical::problem::Class;
use crate::manifest::{Folder, Source};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

fn original() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/connectors/paperbird")
}

/// A copy of the sample folder under `dir`.
fn copy(dir: &Path) -> PathBuf {
    let folder = dir.join("paperbird");
    fs::create_dir(&folder).unwrap();
    for name in ["manifest.toml", "order.jq", "error.jq", "README.md"] {
        fs::copy(original().join(name), folder.join(name)).unwrap();
    }
    folder
}

fn edit(file: &Path, old: &str, new: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(old), "{old}");
    fs::write(file, text.replacen(old, new, 1)).unwrap();
}

fn sample() -> Connector {
    Folder::load(Source::Disk(original()))
        .and_then(Connector::build)
        .unwrap()
}

fn order(id: u32) -> Value {
    json!({
        "id": id, "number": format!("P-{id}"), "status": "new",
        "placed": "2025-03-01T10:00:00Z", "changed": "2025-03-01T10:05:00Z",
        "buyer": {"name": "Āboliņš", "email": "a@example.com"}, "address": null,
        "items": [{"id": 1, "sku": "BIRD-1", "title": "Bird", "count": 1, "price": "10.00", "sum": "10.00"}],
        "shipping": null, "total": "10.00",
    })
}

fn run(mapping: &str, payload: &Value) -> super::Mapped {
    map(
        &sample(),
        mapping,
        payload.to_string().as_bytes(),
        &MapInput::default(),
    )
}

#[test]
fn broken_jq_is_found_where_it_stands() {
    let dir = tempfile::tempdir().unwrap();
    let folder = copy(dir.path());
    edit(
        &folder.join("manifest.toml"),
        "key = \".id | tostring\"",
        "key = \".id | tostrin\"",
    );
    edit(
        &folder.join("order.jq"),
        "external_number: .number,",
        "external_number: .number +,",
    );
    let findings = Folder::load(Source::Disk(folder.clone()))
        .and_then(Connector::build)
        .unwrap_err();
    let found: Vec<(&str, usize)> = findings.iter().map(|f| (f.file.as_str(), f.line)).collect();
    let line = |file: &str, part: &str| {
        fs::read_to_string(folder.join(file))
            .unwrap()
            .lines()
            .position(|l| l.contains(part))
            .unwrap()
            + 1
    };
    assert_eq!(
        found,
        [
            ("manifest.toml", line("manifest.toml", "tostrin\"")),
            ("order.jq", line("order.jq", ".number +,"))
        ]
    );
    let text = fs::read_to_string(folder.join("manifest.toml")).unwrap();
    let at: String = text
        .lines()
        .nth(findings[0].line - 1)
        .unwrap()
        .chars()
        .skip(findings[0].column - 1)
        .collect();
    assert!(at.starts_with("tostrin"), "{at}");
}

#[test]
fn a_wrong_records_path_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let folder = copy(dir.path());
    edit(
        &folder.join("manifest.toml"),
        "records = \".orders\"",
        "records = \"orders\"",
    );
    let findings = Folder::load(Source::Disk(folder))
        .and_then(Connector::build)
        .unwrap_err();
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].message, "a path starts with a dot");
}

#[test]
fn one_broken_folder_is_refused_and_the_rest_go_on() {
    let dir = tempfile::tempdir().unwrap();
    copy(dir.path());
    fs::create_dir(dir.path().join("broken")).unwrap();
    fs::write(
        dir.path().join("broken/manifest.toml"),
        "id = \"broken\"\nnmae = 1\n",
    )
    .unwrap();
    fs::write(dir.path().join("a-file-is-no-folder.txt"), "").unwrap();
    let registry = Registry::load(Some(dir.path().to_owned()));
    let catalogue = registry.catalogue();
    assert!(catalogue.get("paperbird").is_some());
    assert!(catalogue.get("broken").is_none());
    let refused: Vec<_> = catalogue
        .refused()
        .iter()
        .filter(|r| r.folder == "broken")
        .collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(
        (
            refused[0].folder.as_str(),
            refused[0].file.as_str(),
            refused[0].line
        ),
        ("broken", "manifest.toml", 2)
    );
    assert_eq!(
        refused[0].message,
        "unknown key `nmae`: did you mean `name`?"
    );
}

#[test]
fn a_change_on_disk_is_taken_and_a_broken_one_leaves_the_last_good() {
    let dir = tempfile::tempdir().unwrap();
    let folder = copy(dir.path());
    let registry = Registry::load(Some(dir.path().to_owned()));
    let first = registry.get("paperbird").unwrap();
    assert!(!registry.reload_if_changed(), "nothing changed");

    edit(
        &folder.join("order.jq"),
        "channel_status: .status,",
        "channel_status: .status, tags: [\"mended\"],",
    );
    assert!(registry.reload_if_changed());
    let second = registry.get("paperbird").unwrap();
    assert_ne!(first.version(), second.version());
    assert_eq!(first.version().len(), 16);

    edit(&folder.join("order.jq"), "tags: [", "tags: [[");
    assert!(registry.reload_if_changed());
    let catalogue = registry.catalogue();
    assert_eq!(
        catalogue.get("paperbird").unwrap().version(),
        second.version()
    );
    let refused = catalogue
        .refused()
        .iter()
        .find(|refusal| refusal.folder == "paperbird")
        .unwrap();
    assert_eq!(refused.file, "order.jq");
    assert!(
        refused.to_string().starts_with("paperbird/order.jq:"),
        "{refused}"
    );

    // A change elsewhere keeps both: what runs and what is refused.
    fs::create_dir(dir.path().join("other")).unwrap();
    assert!(registry.reload_if_changed());
    assert_eq!(
        registry.get("paperbird").unwrap().version(),
        second.version()
    );
    assert!(
        registry
            .catalogue()
            .refused()
            .iter()
            .any(|refusal| refusal.folder == "paperbird")
    );

    edit(&folder.join("order.jq"), "tags: [[", "tags: [");
    assert!(registry.reload_if_changed());
    assert_eq!(
        registry.get("paperbird").unwrap().version(),
        second.version()
    );
    assert!(
        !registry
            .catalogue()
            .refused()
            .iter()
            .any(|refusal| refusal.folder == "paperbird")
    );

    fs::remove_dir_all(&folder).unwrap();
    assert!(registry.reload_if_changed());
    assert!(registry.get("paperbird").is_none());
}

#[test]
fn fixtures_do_not_change_the_version() {
    let dir = tempfile::tempdir().unwrap();
    let folder = copy(dir.path());
    let version = || Folder::load(Source::Disk(folder.clone())).unwrap().version;
    let before = version();
    fs::create_dir(folder.join("fixtures")).unwrap();
    fs::write(folder.join("README.md"), "other words").unwrap();
    assert_eq!(version(), before);
    fs::write(folder.join("codes.csv"), "code,status\n1,delivered\n").unwrap();
    assert_ne!(version(), before);
}

#[test]
fn pages_single_objects_and_nothing_are_all_one_array() {
    assert_eq!(
        run("order", &json!({"orders": [order(1), order(2)]}))
            .outputs
            .len(),
        2
    );
    assert_eq!(run("order", &order(1)).outputs.len(), 1);
    assert_eq!(run("order", &json!([order(1)])).outputs.len(), 1);
    for empty in [json!([]), json!({"orders": []})] {
        let mapped = run("order", &empty);
        assert_eq!(mapped.json(), json!([]));
        assert_eq!(mapped.failures, []);
    }
}

#[test]
fn a_bad_record_fails_alone_and_says_where() {
    let mut bad = order(2);
    bad["items"][0]["count"] = json!("one");
    let mapped = run("order", &json!({"orders": [order(1), bad, order(3)]}));
    assert_eq!(mapped.outputs.len(), 2);
    assert_eq!(mapped.failures.len(), 1);
    let failure = &mapped.failures[0];
    assert_eq!(failure.class, Class::BrokenContract);
    assert_eq!(
        (failure.detail.index, failure.detail.path.as_deref()),
        (Some(1), Some("lines[0].quantity"))
    );
    assert!(
        !failure.message.contains("one\""),
        "no values in error texts: {}",
        failure.message
    );
}

#[test]
fn an_error_answer_never_becomes_an_empty_list() {
    for answer in [
        json!({"error": {"code": 1, "text": "no"}}),
        json!("no"),
        json!({"id": null, "items": []}),
        json!({}),
        json!({"error": {"code": 1, "text": "no"}, "orders": []}),
    ] {
        let mapped = run("order", &answer);
        assert_eq!(mapped.failures.len(), 1, "{answer}");
        assert_eq!(mapped.outputs.len(), 0, "{answer}");
    }
    for bytes in [&b"{\"orders\": [{\"id\""[..], b"", b"<html>"] {
        let mapped = map(&sample(), "order", bytes, &MapInput::default());
        assert_eq!(mapped.failures[0].code, "unreadable");
    }
}

#[test]
fn amounts_that_do_not_add_up_warn_and_change_nothing() {
    let mut off = order(1);
    off["total"] = json!("10.01");
    let mapped = run("order", &off);
    assert_eq!(mapped.failures, []);
    assert_eq!(mapped.warnings.len(), 1);
    assert_eq!(mapped.warnings[0].class, Class::TotalsMismatch);
    assert_eq!(
        mapped.warnings[0].detail["difference"],
        json!({"amount": "0.01", "currency": "EUR"})
    );
    assert_eq!(
        mapped.json()[0]["totals"]["total"]["amount"],
        json!("10.01")
    );
    assert_eq!(
        mapped.json()[0]["totals"]["items"]["amount"],
        json!("10.00")
    );
}

#[test]
fn settings_reach_the_mapping_with_their_defaults() {
    let with = |settings: Value| {
        let input = MapInput {
            settings: settings.as_object().cloned().unwrap(),
            ..MapInput::default()
        };
        map(&sample(), "order", order(1).to_string().as_bytes(), &input).json()[0]["currency"]
            .clone()
    };
    assert_eq!(with(json!({})), json!("EUR"));
    assert_eq!(with(json!({"currency": "BGN"})), json!("BGN"));
}

#[test]
fn an_unknown_key_is_refused_with_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let folder = copy(dir.path());
    edit(&folder.join("order.jq"), "sku: .sku,", "skuu: .sku,");
    let connector = Folder::load(Source::Disk(folder))
        .and_then(Connector::build)
        .unwrap();
    let mapped = map(
        &connector,
        "order",
        order(1).to_string().as_bytes(),
        &MapInput::default(),
    );
    assert!(
        mapped.failures[0].message.contains("skuu"),
        "{:?}",
        mapped.failures
    );
    assert!(mapped.failures[0].hint.is_some());
}

#[test]
fn error_answers_have_a_shape_of_their_own() {
    let mapped = run(
        "error",
        &json!({"error": {"code": 17, "text": "sku unknown", "fields": ["sku"]}}),
    );
    assert_eq!(
        mapped.json(),
        json!([{"class": "invalid", "code": "17", "message": "sku unknown", "fields": ["sku"]}])
    );
}
