//! The commands as an author sees them: streams and exit codes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::map::MapCommand;
use super::*;
use serde_json::json;
use std::path::PathBuf;

/// Exit code, out, err.
type Said = (u8, String, String);

fn said(run: impl FnOnce(&mut Streams<'_>) -> u8) -> Said {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = run(&mut Streams {
        out: &mut out,
        err: &mut err,
    });
    (
        code,
        String::from_utf8(out).unwrap(),
        String::from_utf8(err).unwrap(),
    )
}

fn registry() -> Registry {
    Registry::load(Some(
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/connectors"),
    ))
}

fn mapped(connector: &str, mapping: &str, body: &str, settings: &[(&str, &str)]) -> Said {
    let command = MapCommand {
        connector: connector.into(),
        mapping: mapping.into(),
        body: body.as_bytes().to_vec(),
        settings: settings
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        ..MapCommand::default()
    };
    said(|streams| map::run(&registry(), command, streams))
}

#[test]
fn a_setting_that_there_is_not_is_told() {
    let (code, _, err) = mapped("paperbird", "order", "{}", &[("curency", "PLN")]);
    assert_eq!(code, FOUND);
    assert!(
        err.contains("no setting `curency`: did you mean `currency`?"),
        "{err}"
    );
}

#[test]
fn a_time_and_a_country_that_are_none_are_told_in_plain_words() {
    let order = ORDER.replace("TOTAL", "1.10");
    let body = order.replace(
        "\"placed\": \"2025-03-01T10:00:00Z\"",
        "\"placed\": \"yesterday\"",
    );
    let (code, _, err) = mapped("paperbird", "order", &body, &[]);
    assert_eq!(code, BAD_PAYLOAD);
    assert!(
        err.contains("a time with zone, e.g. 2026-11-25T08:00:00Z"),
        "{err}"
    );
    assert!(!err.contains("yesterday"), "{err}");
    let to = r#""address": {"street": "S", "zip": "1", "city": "C", "country": "Poland"}"#;
    let body = order.replace("\"address\": null", to);
    let (code, _, err) = mapped("paperbird", "order", &body, &[]);
    assert_eq!(code, OK);
    assert!(
        err.contains("ship_to.country must be an ISO 3166-1 alpha-2 code"),
        "{err}"
    );
}

const ORDER: &str = r#"{"id": 1, "number": "1", "status": "new", "placed": "2025-03-01T10:00:00Z", "changed": "2025-03-01T10:00:00Z",
  "buyer": {"name": "N", "email": "n@example.com"}, "address": null, "items": [], "shipping": 1.10, "total": TOTAL}"#;

#[test]
fn map_prints_an_array_and_exits_with_0_or_2() {
    let (code, out, err) = mapped(
        "paperbird",
        "order",
        &ORDER.replace("TOTAL", "1.10"),
        &[("currency", "PLN")],
    );
    assert_eq!((code, err.as_str()), (OK, ""));
    let out: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        out[0]["totals"]["charges"],
        json!({"amount": "1.10", "currency": "PLN"})
    );

    let (code, out, err) = mapped("paperbird", "order", &ORDER.replace("TOTAL", "1.20"), &[]);
    let warning: Value = serde_json::from_str(&err).unwrap();
    assert_eq!((code, &warning["class"]), (OK, &json!("totals_mismatch")));
    assert_eq!(
        serde_json::from_str::<Value>(&out).unwrap()[0]["totals"]["total"]["amount"],
        json!("1.20")
    );

    let (code, out, err) = mapped("paperbird", "order", r#"{"error": {}}"#, &[]);
    let problem: Value = serde_json::from_str(&err).unwrap();
    assert_eq!(
        (code, out.trim(), &problem["class"]),
        (BAD_PAYLOAD, "[]", &json!("broken_contract"))
    );
    assert_eq!(problem["detail"]["index"], json!(0));

    assert_eq!(mapped("paperbird", "order", "[]", &[]).1.trim(), "[]");
}

#[test]
fn mistakes_of_the_caller_are_1_with_advice() {
    let (code, out, err) = mapped("paperbrid", "order", "[]", &[]);
    assert_eq!((code, out.as_str()), (FOUND, ""));
    assert!(err.contains("did you mean `paperbird`?"), "{err}");
    let (code, _, err) = mapped("paperbird", "ordr", "[]", &[]);
    assert_eq!(code, FOUND);
    assert!(err.contains("it has: error, order"), "{err}");
}

#[test]
fn the_tables_come_from_the_manifests() {
    let (code, out, _) =
        said(|streams| connectors::run(&registry(), connectors::Style::Markdown, streams));
    assert_eq!(code, OK);
    assert!(
        out.lines().any(|line| line
            == "| Paperbird | shop | yes | yes | – | – | – | – | – | – | – | – | – | – |"),
        "{out}"
    );
    let (_, out, _) =
        said(|streams| connectors::run(&registry(), connectors::Style::Json, streams));
    let all: Value = serde_json::from_str(&out).unwrap();
    let bird = all["connectors"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["id"] == "paperbird")
        .unwrap();
    assert_eq!(bird["can"]["orders_poll"], json!(true));
    let (_, out, _) =
        said(|streams| connectors::run(&registry(), connectors::Style::Stats, streams));
    assert!(out.lines().last().unwrap().starts_with("median"), "{out}");
}

#[test]
fn the_sample_folder_passes_its_check() {
    let (code, out, err) = said(|streams| check::run(&registry(), Some("paperbird"), streams));
    assert_eq!(
        (code, out.as_str(), err.as_str()),
        (OK, "", "paperbird: ok, 6 fixtures\n")
    );
}

fn rendered(operation: &str, input: &str, step: Option<&str>, answers: Option<&str>) -> Said {
    let command = render::RenderCommand {
        connector: "paperbird".into(),
        operation: operation.into(),
        input: input.as_bytes().to_vec(),
        step: step.map(str::to_owned),
        answers: answers.map(|text| text.as_bytes().to_vec()),
        settings: vec![("base_url".into(), "https://a.example".into())],
        cursor: Some("2025-03-01T00:00:00Z".into()),
        now: crate::canonical::Timestamp::UNIX_EPOCH,
    };
    said(|streams| render::run(&registry(), command, streams))
}

#[test]
fn render_shows_the_request_and_no_secret() {
    let (code, out, err) = rendered("orders.pull", "", None, None);
    assert_eq!((code, err.as_str()), (OK, ""));
    let request: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        request["url"],
        json!("https://a.example/api/orders?changed_since=2025-03-01T00%3A00%3A00Z&page=1")
    );
    assert_eq!(request["headers"]["authorization"], json!("Bearer ***"));
    let (code, out, _) = rendered(
        "orders.pull",
        "",
        None,
        Some(r#"[{"status": 200, "body": {"orders": []}}]"#),
    );
    assert_eq!(
        (
            code,
            serde_json::from_str::<Value>(&out)
                .unwrap()
                .as_array()
                .map(Vec::len)
        ),
        (OK, Some(1))
    );
    let (code, _, err) = rendered("orders.pul", "", None, None);
    assert_eq!(code, FOUND);
    assert!(
        err.contains("it has: connection.check, orders.pull"),
        "{err}"
    );
    assert_eq!(rendered("orders.pull", "", Some("nope"), None).0, FOUND);
    assert_eq!(rendered("orders.pull", "{", None, None).0, BAD_PAYLOAD);
}

#[test]
fn a_new_folder_passes_its_check_and_is_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let (code, ..) = said(|streams| new::run("blue-bird", dir.path(), streams));
    assert_eq!(code, OK);
    let folder = dir.path().join("blue-bird");
    let (code, out, err) = said(|streams| check::run(&registry(), folder.to_str(), streams));
    assert_eq!((code, out.as_str()), (OK, ""), "{err}");
    assert!(err.contains("3 fixtures"), "{err}");
    let (code, _, err) = said(|streams| new::run("blue-bird", dir.path(), streams));
    assert_eq!(code, FOUND);
    assert!(err.contains("exists already"));
    assert_eq!(
        said(|streams| new::run("Blue Bird", dir.path(), streams)).0,
        FOUND
    );
}

#[test]
fn check_names_the_place_of_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    said(|streams| new::run("blue-bird", dir.path(), streams));
    let folder = dir.path().join("blue-bird");
    let expect = folder.join("fixtures/order/expect.json");
    let text = std::fs::read_to_string(&expect).unwrap();
    std::fs::write(&expect, text.replacen("SKU-1", "SKU-2", 1)).unwrap();
    let (code, out, _) = said(|streams| check::run(&registry(), folder.to_str(), streams));
    assert_eq!(code, FOUND);
    let folder = folder.file_name().unwrap().to_string_lossy();
    assert_eq!(
        out.trim(),
        format!(
            "{folder}/fixtures/order/expect.json:1:1: $[0].lines[0].sku is \"SKU-1\", expected \"SKU-2\""
        )
    );
}

#[test]
fn call_and_webhook_fixtures_can_fail() {
    let original =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/connectors/paperbird");
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("paperbird");
    copy_tree(&original, &folder);
    for (file, old, new, message) in [
        (
            "call-pull/expect-request.json",
            "page=1",
            "page=2",
            "request 0: $.url is",
        ),
        (
            "call-check/case.toml",
            "class = \"invalid\"",
            "class = \"ok\"",
            "the last answer means `invalid`, expected `ok`",
        ),
        (
            "hook-refused/case.toml",
            "another-made-up",
            "made-up",
            "the webhook was accepted, expected refused",
        ),
        (
            "hook-accepted/case.toml",
            "topic = \"order.changed\"\nstatus",
            "topic = \"order.gone\"\nstatus",
            "the topic is `order.changed`, expected `order.gone`",
        ),
        (
            "hook-accepted/input.json",
            "P-71",
            "P-72",
            "the webhook was refused (signature_mismatch), expected accepted",
        ),
        (
            "error/case.toml",
            "mapping = \"error\"",
            "maping = \"error\"",
            "unknown key `maping`: did you mean `mapping`?",
        ),
    ] {
        let path = folder.join("fixtures").join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(old), "{file}");
        std::fs::write(&path, text.replacen(old, new, 1)).unwrap();
        let (code, out, _) = said(|streams| check::run(&registry(), folder.to_str(), streams));
        assert_eq!(code, FOUND, "{file}");
        assert!(out.contains(message), "{message}\n{out}");
        std::fs::write(&path, text).unwrap();
    }
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target)
        } else {
            std::fs::copy(entry.path(), target).map(drop).unwrap()
        }
    }
}
