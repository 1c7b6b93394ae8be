//! What the lint finds that the types cannot tell.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use super::*;

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
