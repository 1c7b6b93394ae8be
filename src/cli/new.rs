//! `crossdock connector new`: a folder that passes the check, to start from.

use super::{FOUND, OK, Streams};
use std::path::Path;

/// The files of a new folder. `@id@` becomes the id, `@name@` a name made of it.
const FILES: &[(&str, &str)] = &[
    ("manifest.toml", include_str!("new/manifest.toml")),
    ("order.jq", include_str!("new/order.jq")),
    ("README.md", include_str!("new/README.md")),
    (
        "fixtures/order/case.toml",
        include_str!("new/order.case.toml"),
    ),
    (
        "fixtures/order/input.json",
        include_str!("new/order.input.json"),
    ),
    (
        "fixtures/order/expect.json",
        include_str!("new/order.expect.json"),
    ),
    (
        "fixtures/check/case.toml",
        include_str!("new/check.case.toml"),
    ),
    (
        "fixtures/check/expect-request.json",
        include_str!("new/check.request.json"),
    ),
    (
        "fixtures/pull/case.toml",
        include_str!("new/pull.case.toml"),
    ),
    (
        "fixtures/pull/expect-request.json",
        include_str!("new/pull.request.json"),
    ),
];

/// Writes the folder `dir/id`. An existing one is left alone.
pub fn run(id: &str, dir: &Path, streams: &mut Streams<'_>) -> u8 {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if id.is_empty() || !id.chars().all(plain) {
        streams.note("an id is lower-case letters, digits and hyphens");
        return FOUND;
    }
    let folder = dir.join(id);
    if folder.exists() {
        streams.note(&format!("{} exists already", folder.display()));
        return FOUND;
    }
    for (file, template) in FILES {
        let path = folder.join(file);
        let text = template.replace("@id@", id).replace("@name@", &title(id));
        let parent = path.parent().unwrap_or(&folder);
        if let Err(error) =
            std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&path, text))
        {
            streams.note(&format!("cannot write {}: {error}", path.display()));
            return FOUND;
        }
    }
    streams.line(&format!("{}", folder.display()));
    streams.note(&format!(
        "Edit manifest.toml and order.jq, then: crossdock connector check {}",
        folder.display()
    ));
    OK
}

/// `blue-bird` → `Blue Bird`.
fn title(id: &str) -> String {
    let words = id.split('-').filter(|word| !word.is_empty()).map(|word| {
        let mut letters = word.chars();
        letters
            .next()
            .map(|first| first.to_uppercase().chain(letters).collect::<String>())
            .unwrap_or_default()
    });
    words.collect::<Vec<_>>().join(" ")
}
