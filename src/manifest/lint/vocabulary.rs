//! Names from closed lists, and keys that must or must not stand beside each other.

use super::{Lint, hooks};
use crate::manifest::finding::did_you_mean;
use crate::manifest::model::{AuthKind, Manifest, Operation, Pagination, SignedPart};
use std::collections::BTreeSet;

/// Every operation there is.
pub const OPERATIONS: &[&str] = &[
    "connection.check",
    "orders.pull",
    "orders.get",
    "orders.receive",
    "orders.ack",
    "orders.refuse",
    "orders.cancel",
    "fulfillment.push",
    "stock.push",
    "stock.pull",
    "catalogue.pull",
    "returns.pull",
    "returns.receive",
    "returns.push",
    "shipment.create",
    "shipment.cancel",
    "label.fetch",
    "manifest.close",
    "pickup.book",
    "points.list",
    "tracking.pull",
    "tracking.receive",
    "cod.pull",
    "cod.receive",
    "delivery.push",
    "webhook.register",
];

/// The mappings that read a provider's payload into the canonical model.
pub const READ_MAPPINGS: &[&str] = &["order", "tracking", "label", "points", "stock", "error"];

/// The operation that reads one order.
pub(super) const ORDERS_GET: &str = "orders.get";

/// Read mappings of the vocabulary that no folder uses yet.
const READ_MAPPINGS_LATER: &[&str] = &["cod", "return"];

pub(super) fn check(lint: &mut Lint<'_>) {
    let manifest = &lint.folder.manifest;
    identity(lint, manifest);
    for (name, operation) in &manifest.operations {
        operation_name(lint, name);
        steps(lint, name, operation);
    }
    rules(lint, manifest);
    plain_none(lint, manifest);
    signatures(lint, manifest);
    if let Some(webhooks) = &manifest.webhooks {
        hooks::check(lint, manifest, webhooks);
    }
}

fn identity(lint: &mut Lint<'_>, manifest: &Manifest) {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if manifest.id.is_empty() || !manifest.id.chars().all(plain) {
        lint.at(&["id"], "an id is lower-case letters, digits and hyphens");
    }
    for (key, text) in [
        ("name", &manifest.name),
        ("summary", &manifest.summary),
        ("docs", &manifest.docs),
    ] {
        if text.trim().is_empty() {
            lint.at(&[key], format!("`{key}` is empty"));
        }
    }
    if let Some(zone) = &manifest.timezone
        && jiff::tz::TimeZone::get(zone).is_err()
    {
        lint.advise(
            &["timezone"],
            format!("`{zone}` is no IANA time zone"),
            "such as Europe/Athens",
        );
    }
}

fn operation_name(lint: &mut Lint<'_>, name: &str) {
    if OPERATIONS.contains(&name) {
        return;
    }
    let meant = did_you_mean(name, OPERATIONS.iter().copied());
    let advice = meant
        .map(|meant| format!(": did you mean `{meant}`?"))
        .unwrap_or_default();
    let path = ["operations", name];
    lint.advise(
        &path,
        format!("unknown operation `{name}`{advice}"),
        format!("known: {}", OPERATIONS.join(", ")),
    );
}

fn steps(lint: &mut Lint<'_>, name: &str, operation: &Operation) {
    let path = ["operations", name];
    if operation.steps.is_empty() {
        lint.at(&path, format!("operation `{name}` has no steps"));
    }
    if name.ends_with(".receive") {
        lint.advise(
            &path,
            format!("`{name}` has no steps of its own"),
            "what the provider calls us with is declared under [webhooks]",
        );
    }
    if operation.reread.is_some() && name != ORDERS_GET {
        lint.at(
            &["operations", name, "reread"],
            format!("only `{ORDERS_GET}` is read anew by the clock"),
        );
    }
    if operation.poll.is_some() && !name.ends_with(".pull") {
        lint.at(
            &["operations", name, "poll"],
            "only pull operations are polled",
        );
    }
    if name == "orders.pull" && operation.poll.is_none() {
        lint.advise(
            &path,
            "`orders.pull` has no `poll`",
            "say interval, overlap, cursor, key and sweep",
        );
    }
    let mut seen = BTreeSet::new();
    for (index, step) in operation.steps.iter().enumerate() {
        let index = index.to_string();
        let at = |key: &'static str| {
            ["operations", name, "steps", index.as_str(), key].map(str::to_owned)
        };
        let mut say = |key: &'static str, message: String| {
            let path = at(key);
            lint.at(&path.each_ref().map(String::as_str), message);
        };
        if !seen.insert(step.name.as_str()) {
            say("name", format!("two steps are called `{}`", step.name));
        }
        let bodies = [
            step.body.is_some(),
            step.body_mapping.is_some(),
            step.graphql.is_some(),
        ];
        if bodies.iter().filter(|there| **there).count() > 1 {
            say(
                "body_mapping",
                "`body`, `body_mapping` and `graphql` exclude each other".to_owned(),
            );
        }
        if step.variables.is_some() && step.graphql.is_none() {
            say("variables", "`variables` belong to `graphql`".to_owned());
        }
        if let Some(mapping) = &step.mapping
            && let Some(message) = read_mapping(mapping)
        {
            say("mapping", message);
        }
    }
}

/// What is wrong with the name of a mapping that reads payloads.
pub(super) fn read_mapping(name: &str) -> Option<String> {
    if READ_MAPPINGS.contains(&name) {
        return None;
    }
    if READ_MAPPINGS_LATER.contains(&name) {
        return Some(format!("the mapping `{name}` is not built yet"));
    }
    let meant = did_you_mean(name, READ_MAPPINGS.iter().copied());
    let advice = meant
        .map(|meant| format!(": did you mean `{meant}`?"))
        .unwrap_or_default();
    Some(format!(
        "`{name}` is no mapping of the canonical model{advice}"
    ))
}

fn rules(lint: &mut Lint<'_>, manifest: &Manifest) {
    for (index, rule) in manifest.errors.iter().enumerate() {
        let index = index.to_string();
        let blank = rule.status.is_empty()
            && rule.header.is_none()
            && rule.jq.is_none()
            && rule.text.is_none();
        if blank {
            lint.at(
                &["errors", &index],
                "a rule without a condition matches every answer",
            );
        }
        for name in rule
            .operations
            .iter()
            .filter(|name| !manifest.operations.contains_key(*name))
        {
            let path = ["errors", &index, "operations"];
            lint.at(
                &path,
                format!("the rule names the operation `{name}`, which is not declared"),
            );
        }
    }
}

/// `kind = "none"` takes no keys of its own; serde lets them pass for variants without fields.
fn plain_none(lint: &mut Lint<'_>, manifest: &Manifest) {
    let mut extra = |path: Vec<String>, allowed: &[&str]| {
        let Ok(table) = toml::from_str::<toml::Table>(&lint.folder.text) else {
            return;
        };
        let root = toml::Value::Table(table);
        let Some(table) = path
            .iter()
            .try_fold(&root, |at, key| match key.parse::<usize>() {
                Ok(index) => at.get(index),
                Err(_) => at.get(key),
            })
        else {
            return;
        };
        let keys: Vec<String> = table
            .as_table()
            .map(|t| t.keys().cloned().collect())
            .unwrap_or_default();
        for key in keys.iter().filter(|key| !allowed.contains(&key.as_str())) {
            let mut place: Vec<&str> = path.iter().map(String::as_str).collect();
            place.push(key);
            lint.at(
                &place,
                format!("unknown key `{key}`: kind `none` takes none"),
            );
        }
    };
    for (index, auth) in manifest.auth.iter().enumerate() {
        if matches!(auth.kind, AuthKind::None) {
            extra(vec!["auth".into(), index.to_string()], &["kind", "when"]);
        }
    }
    for (name, operation) in &manifest.operations {
        for (index, step) in operation.steps.iter().enumerate() {
            if matches!(step.pagination, Pagination::None) {
                let path = [
                    "operations",
                    name,
                    "steps",
                    &index.to_string(),
                    "pagination",
                ];
                extra(
                    path.iter().map(|part| (*part).to_owned()).collect(),
                    &["kind"],
                );
            }
        }
    }
}

/// A signature covers something, and a moment that it covers is told.
fn signatures(lint: &mut Lint<'_>, manifest: &Manifest) {
    for (index, auth) in manifest.auth.iter().enumerate() {
        let AuthKind::Sign {
            parts,
            timestamp_header,
            ..
        } = &auth.kind
        else {
            continue;
        };
        let signs_time = parts.contains(&SignedPart::Timestamp);
        let wrong = if parts.is_empty() {
            "a signature over nothing proves nothing"
        } else if signs_time != timestamp_header.is_some() {
            "the part `timestamp` and the key `timestamp_header` go together"
        } else {
            continue;
        };
        lint.at(&["auth", &index.to_string(), "parts"], wrong);
    }
}

pub(super) fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or(text)
}
