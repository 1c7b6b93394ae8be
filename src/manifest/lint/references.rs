//! What names what: settings, credentials, mapping files. Secrets appear in auth, in verify and in
//! the bodies of steps that list them.

use super::Lint;
use crate::manifest::finding::{Finding, Place, did_you_mean};
use crate::manifest::folder::MANIFEST;
use crate::manifest::model::Verify;
use crate::manifest::walk::{self, Text, TextKind};
use regex::Regex;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// What `.connection` holds beside the settings.
const ALWAYS_THERE: &[&str] = &["id", "hook_url", "memory", "timezone"];

static SETTING: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"[.$]connection\.([A-Za-z_]\w*)").ok());
static VARIABLE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\$connection\.([A-Za-z_]\w*)").ok());
static SECRET: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[.$]credentials\b").ok());
static PLACEHOLDER: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\{([A-Za-z_]\w*)\}").ok());

pub(super) fn check(lint: &mut Lint<'_>) {
    let manifest = &lint.folder.manifest;
    let mut files_used = BTreeSet::new();
    let mut credentials_used = BTreeSet::new();
    let mut bodies = BTreeSet::new();
    for text in walk::texts(manifest) {
        match text.kind {
            TextKind::Expr => expression(lint, &text),
            TextKind::Secret => placeholders(lint, &text, &mut credentials_used),
            TextKind::Mapping => {
                let file = lint.folder.mapping_file(text.text);
                if text.path.last().is_some_and(|key| key == "body_mapping") {
                    bodies.insert(file.clone());
                }
                mapping_file(lint, &text, &file);
                files_used.insert(file);
            }
        }
    }
    for (name, operation) in &manifest.operations {
        for (index, step) in operation.steps.iter().enumerate() {
            for secret in &step.secrets {
                credential(
                    lint,
                    &["operations", name, "steps", &index.to_string(), "secrets"],
                    secret,
                );
                credentials_used.insert(secret.clone());
            }
        }
    }
    documents(lint);
    if let Some(webhooks) = &manifest.webhooks {
        match &webhooks.verify {
            Verify::Hmac { secret, .. } => {
                credential(lint, &["webhooks", "verify", "secret"], secret);
                credentials_used.insert(secret.clone());
            }
            Verify::IpAllow { networks, proxies } => {
                let named = [("networks", Some(networks)), ("proxies", proxies.as_ref())];
                for (key, name) in named {
                    if let Some(message) = name.and_then(|name| undeclared(lint, name)) {
                        lint.at(&["webhooks", "verify", key], message);
                    }
                }
            }
        }
    }
    for name in manifest
        .credentials
        .keys()
        .filter(|name| !credentials_used.contains(*name))
    {
        lint.at(
            &["credentials", name],
            format!("the credential `{name}` is used nowhere"),
        );
    }
    for (file, source) in &lint.folder.programs {
        if !files_used.contains(file) {
            let finding = Finding::of(file, "this mapping is used nowhere")
                .hint("name it in a step, a topic or under [mappings], or remove it");
            lint.findings.push(finding);
        }
        program(lint, file, source, bodies.contains(file));
    }
}

/// GraphQL documents are there, have the operation that a step names, and each is used.
fn documents(lint: &mut Lint<'_>) {
    let folder = lint.folder;
    let mut used = BTreeSet::new();
    for (name, operation) in &folder.manifest.operations {
        for (index, step) in operation.steps.iter().enumerate() {
            let Some(wanted) = &step.graphql else {
                continue;
            };
            let (file, inner) = match wanted.split_once('.') {
                Some((file, inner)) => (file, Some(inner)),
                None => (wanted.as_str(), None),
            };
            used.insert(file);
            let path = ["operations", name, "steps", &index.to_string(), "graphql"];
            let Some(document) = folder.documents.get(file) else {
                lint.at(&path, format!("there is no file `{file}.graphql`"));
                continue;
            };
            if let Some(inner) = inner.filter(|inner| !has_operation(document, inner)) {
                let message = format!("`{file}.graphql` has no operation `{inner}`");
                lint.at(&path, message);
            }
        }
    }
    for file in folder.documents.keys() {
        if !used.contains(file.as_str()) {
            let finding = Finding::of(&format!("{file}.graphql"), "this document is used nowhere");
            lint.findings
                .push(finding.hint("name it in a step, or remove it"));
        }
    }
}

/// Does a document define a query or mutation of this name?
fn has_operation(document: &str, name: &str) -> bool {
    let words: Vec<&str> = document
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty())
        .collect();
    let defines = |pair: &[&str]| matches!(pair, ["query" | "mutation", found] if *found == name);
    words.windows(2).any(defines)
}

fn mapping_file(lint: &mut Lint<'_>, text: &Text<'_>, file: &str) {
    if lint.folder.programs.contains_key(file) {
        return;
    }
    let path: Vec<&str> = text.path.iter().map(String::as_str).collect();
    let meant = did_you_mean(file, lint.folder.programs.keys().map(String::as_str));
    let advice = meant
        .map(|meant| format!(": did you mean `{meant}`?"))
        .unwrap_or_default();
    lint.at(&path, format!("there is no file `{file}`{advice}"));
}

/// An expression names settings that are declared, and no credential.
fn expression(lint: &mut Lint<'_>, text: &Text<'_>) {
    let path: Vec<&str> = text.path.iter().map(String::as_str).collect();
    if SECRET
        .as_ref()
        .is_some_and(|regex| regex.is_match(text.text))
    {
        lint.at(&path, "secrets appear in auth and verify only (a step lists those that its body places under `secrets`)");
    }
    for name in names(&SETTING, text.text) {
        if let Some(message) = undeclared(lint, name) {
            lint.at(&path, message);
        }
    }
}

/// The same for a jq file. Only a body mapping has `.connection` as input; in others it is payload.
fn program(lint: &mut Lint<'_>, file: &str, source: &str, is_body: bool) {
    let regex = if is_body { &SETTING } else { &VARIABLE };
    for (index, line) in source.lines().enumerate() {
        let code = line.split('#').next().unwrap_or("");
        for name in names(regex, code) {
            if let Some(message) = undeclared(lint, name) {
                let column = code
                    .find(name)
                    .map_or(1, |at| code.get(..at).unwrap_or("").chars().count() + 1);
                lint.findings.push(Finding::at(
                    file,
                    Place {
                        line: index + 1,
                        column,
                    },
                    message,
                ));
            }
        }
    }
}

fn undeclared(lint: &Lint<'_>, name: &str) -> Option<String> {
    let manifest = &lint.folder.manifest;
    if manifest.settings.contains_key(name) || ALWAYS_THERE.contains(&name) {
        return None;
    }
    if manifest.credentials.contains_key(name) {
        return Some(format!(
            "`{name}` is a credential: secrets appear in auth and verify only"
        ));
    }
    let meant = did_you_mean(name, manifest.settings.keys().map(String::as_str));
    let advice = meant
        .map(|meant| format!(": did you mean `{meant}`?"))
        .unwrap_or_default();
    Some(format!("the setting `{name}` is not declared{advice}"))
}

fn placeholders(lint: &mut Lint<'_>, text: &Text<'_>, used: &mut BTreeSet<String>) {
    let path: Vec<&str> = text.path.iter().map(String::as_str).collect();
    for name in names(&PLACEHOLDER, text.text) {
        credential(lint, &path, name);
        used.insert(name.to_owned());
    }
}

fn credential(lint: &mut Lint<'_>, path: &[&str], name: &str) {
    let declared = &lint.folder.manifest.credentials;
    if !declared.contains_key(name) {
        let meant = did_you_mean(name, declared.keys().map(String::as_str));
        let advice = meant
            .map(|meant| format!(": did you mean `{meant}`?"))
            .unwrap_or_default();
        let finding = Finding::at(
            MANIFEST,
            lint.place(path),
            format!("the credential `{name}` is not declared{advice}"),
        );
        lint.findings.push(finding);
    }
}

/// First groups of all matches, each name once.
fn names<'t>(regex: &LazyLock<Option<Regex>>, text: &'t str) -> BTreeSet<&'t str> {
    regex
        .as_ref()
        .map(|regex| {
            regex
                .captures_iter(text)
                .filter_map(|found| found.get(1))
                .map(|m| m.as_str())
                .collect()
        })
        .unwrap_or_default()
}
