//! The rules of the house, kept by tests: layers point one way, no connector is named in `src/`,
//! what the README shows is what the binary says, files stay small.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Which modules each module may use (besides itself). What is not listed may use nothing.
fn allowed() -> BTreeMap<&'static str, Vec<&'static str>> {
    let beside = ["clock", "telemetry", "failpoint"];
    let with = |more: &[&'static str]| -> Vec<&'static str> {
        beside.iter().chain(more).copied().collect()
    };
    let engine = [
        "canonical",
        "flow",
        "manifest",
        "mapping",
        "connector",
        "operation",
        "store",
    ];
    let join =
        |more: &[&'static str]| with(&engine.iter().chain(more).copied().collect::<Vec<_>>());
    BTreeMap::from([
        ("canonical", vec![]),
        ("failpoint", vec![]),
        ("clock", vec!["canonical"]),
        ("settings", vec![]),
        ("telemetry", vec!["settings"]),
        ("flow", vec!["canonical"]),
        ("manifest", vec!["canonical"]),
        ("mapping", vec!["canonical", "manifest"]),
        ("connector", with(&["canonical", "manifest", "mapping"])),
        (
            "operation",
            with(&["canonical", "manifest", "mapping", "connector"]),
        ),
        ("store", with(&["canonical", "flow"])),
        ("ingress", join(&[])),
        ("worker", join(&["ingress"])),
        ("egress", join(&[])),
        ("simulator", join(&["ingress", "egress"])),
        ("api", join(&["ingress", "worker", "egress", "settings"])),
        (
            "app",
            join(&[
                "ingress",
                "worker",
                "egress",
                "settings",
                "api",
                "simulator",
            ]),
        ),
        (
            "cli",
            join(&[
                "ingress",
                "worker",
                "egress",
                "settings",
                "api",
                "simulator",
                "app",
            ]),
        ),
        ("main", vec!["cli"]),
        ("lib", vec![]),
    ])
}

#[test]
fn layers_point_one_way() {
    let allowed = allowed();
    let src = root().join("src");
    let mut wrong = Vec::new();
    for path in files(&src, "rs") {
        let relative = path.strip_prefix(&src).unwrap();
        let first = relative
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap();
        let module = first.trim_end_matches(".rs");
        let Some(may) = allowed.get(module) else {
            wrong.push(format!(
                "{}: module `{module}` has no place in the layers",
                relative.display()
            ));
            continue;
        };
        // Test files may reach further (a store in a flow test, say).
        if relative.to_str().unwrap().contains("tests") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for (number, line) in code.lines().enumerate() {
            let code = line.split("//").next().unwrap();
            for part in code.split("crate::").skip(1) {
                let used: String = part
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                let known = allowed.contains_key(used.as_str());
                if known && used != module && !may.contains(&used.as_str()) {
                    wrong.push(format!(
                        "{}:{}: `{module}` may not use `{used}`",
                        relative.display(),
                        number + 1
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_connector_is_named_in_the_source() {
    let connectors: Vec<String> = fs::read_dir(root().join("connectors"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert!(!connectors.is_empty());
    let mut hits = Vec::new();
    for path in files(&root().join("src"), "rs") {
        let text = fs::read_to_string(&path).unwrap().to_lowercase();
        let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).collect();
        for id in &connectors {
            let name: Vec<&str> = id.split(['-', '_']).collect();
            if words.windows(name.len()).any(|window| window == name) {
                hits.push(format!("{} names {id}", path.display()));
            }
        }
    }
    assert!(hits.is_empty(), "{}", hits.join("\n"));
}

#[test]
fn every_module_says_what_it_is_for() {
    let silent: Vec<String> = files(&root().join("src"), "rs")
        .into_iter()
        .filter(|path| {
            let text = fs::read_to_string(path).unwrap();
            let included = path.to_str().unwrap().contains("tests");
            !included && !text.starts_with("//!")
        })
        .map(|path| path.display().to_string())
        .collect();
    assert!(silent.is_empty(), "no //! header: {silent:#?}");
}

#[test]
fn the_readme_shows_what_the_binary_says() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_crossdock"))
        .args(["connectors", "--markdown"])
        .output()
        .unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(
        table.contains('|') && readme.contains(table.trim()),
        "put this into README.md:\n{table}"
    );
}

#[test]
fn the_manual_lists_every_metric() {
    let manual = fs::read_to_string(root().join("docs/operate.md")).unwrap();
    for (name, _, meaning) in crossdock::telemetry::METRICS {
        assert!(
            manual.contains(&format!("| `{name}` | {meaning} |")),
            "{name} is missing in docs/operate.md"
        );
    }
}
