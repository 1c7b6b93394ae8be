//! No secrets and no people in what is committed: made-up addresses only.

use super::connectors;
use crossdock::manifest::folder::Source;

/// Domains that belong to nobody (RFC 2606, RFC 6761), and made-up ones of documentation.
const NOBODYS: [&str; 8] = [
    ".example",
    ".test",
    ".invalid",
    ".localhost",
    "example.com",
    "example.org",
    "example.net",
    "example.lv",
];

fn files(source: &Source, dir: &str, found: &mut Vec<String>) {
    let inside = |name: &String| {
        if dir.is_empty() {
            name.clone()
        } else {
            format!("{dir}/{name}")
        }
    };
    found.extend(source.files(dir).iter().map(inside));
    for name in source.dirs(dir) {
        files(source, &inside(&name), found);
    }
}

/// The domains of everything that looks like an e-mail address.
fn domains(text: &str) -> Vec<String> {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let mut found = Vec::new();
    for (at, _) in text.match_indices('@') {
        let local = text[..at]
            .chars()
            .next_back()
            .is_some_and(|c| c.is_ascii_alphanumeric());
        let domain: String = text[at + 1..].chars().take_while(|c| part(*c)).collect();
        let domain = domain.trim_end_matches('.').to_lowercase();
        let named = domain
            .rsplit_once('.')
            .is_some_and(|(_, top)| top.len() > 1 && top.chars().all(|c| c.is_ascii_alphabetic()));
        if local && named {
            found.push(domain);
        }
    }
    found
}

#[test]
fn addresses_in_folders_are_nobodys() {
    let mut real = Vec::new();
    for connector in connectors() {
        let source = &connector.folder().source;
        let mut all = Vec::new();
        files(source, "", &mut all);
        // A README may name whom to write to.
        for file in all.into_iter().filter(|file| file != "README.md") {
            let Ok(text) = source.text(&file) else {
                continue;
            };
            let nobodys = |domain: &String| {
                NOBODYS
                    .iter()
                    .any(|end| domain == end.trim_start_matches('.') || domain.ends_with(end))
            };
            real.extend(
                domains(&text)
                    .into_iter()
                    .filter(|d| !nobodys(d))
                    .map(|d| format!("{}/{file}: {d}", connector.id())),
            );
        }
    }
    real.sort();
    real.dedup();
    assert!(real.is_empty(), "{}", real.join("\n"));
}
