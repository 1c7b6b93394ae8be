//! The contract that every connector passes: lint, jq, README and every fixture, for the built-in
//! folders and the tests' own.

use crossdock::cli::check;
use crossdock::manifest::Source;
use std::path::PathBuf;

#[test]
fn every_connector_passes_its_check() {
    let samples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/connectors");
    let on_disk = std::fs::read_dir(samples)
        .unwrap()
        .map(|entry| Source::Disk(entry.unwrap().path()));
    let mut findings = Vec::new();
    for source in Source::built_in().into_iter().chain(on_disk) {
        let report = check::folder(source);
        assert!(
            report.ran > 0 || !report.findings.is_empty(),
            "{}: no fixture ran",
            report.folder
        );
        findings.extend(
            report
                .findings
                .iter()
                .map(|finding| format!("{}/{finding}", report.folder)),
        );
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}
