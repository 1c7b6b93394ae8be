//! What the provider calls us with: topics that say how they are read, challenges that are known, a
//! sweep beside them.

use super::Lint;
use super::vocabulary::{ORDERS_GET, last_line, read_mapping};
use crate::manifest::model::{Manifest, TopicRule, Verify, Webhooks};

pub(super) fn check(lint: &mut Lint<'_>, manifest: &Manifest, webhooks: &Webhooks) {
    topics(lint, manifest, webhooks);
    sweep(lint, manifest, webhooks);
}

/// A topic that only says which order is to be read.
fn refetched(lint: &mut Lint<'_>, manifest: &Manifest, name: &str, rule: &TopicRule) {
    let path = ["webhooks", "topics", name];
    if rule.mapping.is_some() || rule.ignore {
        lint.at(
            &path,
            format!("topic `{name}` is read anew, so that `mapping` and `ignore` mean nothing"),
        );
    }
    if rule.key.is_none() {
        lint.advise(
            &path,
            format!("topic `{name}` has no `key`"),
            "jq over one record that yields the order's external id",
        );
    }
    if !manifest.operations.contains_key(ORDERS_GET) {
        lint.advise(
            &path,
            format!("topic `{name}` is read anew, and there is no `{ORDERS_GET}`"),
            format!("declare `{ORDERS_GET}`"),
        );
    }
}

fn topics(lint: &mut Lint<'_>, manifest: &Manifest, webhooks: &Webhooks) {
    if webhooks.topics.is_empty() {
        lint.at(&["webhooks", "topics"], "no topic is declared");
    }
    for (name, rule) in &webhooks.topics {
        let path = ["webhooks", "topics", name];
        if rule.refetch {
            refetched(lint, manifest, name, rule);
            continue;
        }
        if !rule.ignore && matches!(webhooks.verify, Verify::IpAllow { .. }) {
            lint.advise(
                &path,
                format!("topic `{name}` is believed though nothing proves its body"),
                "give `refetch = true` and `key`",
            );
        }
        match (&rule.mapping, rule.ignore) {
            (None, false) => lint.advise(
                &path,
                format!("topic `{name}` says neither how it is read nor that it is ignored"),
                "give `mapping`, `refetch = true` or `ignore = true`",
            ),
            (Some(_), true) => lint.at(
                &path,
                format!("topic `{name}` has a mapping and is ignored"),
            ),
            (Some(mapping), false) => {
                if let Some(message) = read_mapping(mapping) {
                    lint.at(&["webhooks", "topics", name, "mapping"], message);
                }
                if rule.key.is_none() {
                    lint.advise(
                        &path,
                        format!("topic `{name}` has no `key`"),
                        "jq over one record that yields the subject's external id",
                    );
                }
            }
            (None, true) => {}
        }
    }
    for (index, challenge) in webhooks.challenges.iter().enumerate() {
        if challenge.without_header.is_none() && challenge.body.is_none() {
            let path = ["webhooks", "challenges", &index.to_string()];
            lint.advise(
                &path,
                "a challenge is known by its shape",
                "give `without_header` or `body`",
            );
        }
        if let Some(Err(error)) = challenge.body.as_deref().map(regex::Regex::new) {
            let path = ["webhooks", "challenges", &index.to_string(), "body"];
            lint.at(
                &path,
                format!(
                    "not a regular expression: {}",
                    last_line(&error.to_string())
                ),
            );
        }
    }
}

/// Providers drop webhooks: what a topic brings must also be found by reading. Where there is no
/// list, the orders that are known and not final are read anew.
fn sweep(lint: &mut Lint<'_>, manifest: &Manifest, webhooks: &Webhooks) {
    let get = manifest.operations.get(ORDERS_GET);
    let reread = get.is_some_and(|get| get.reread.is_some());
    for (mapping, operation) in [("order", "orders.pull"), ("tracking", "tracking.pull")] {
        let orders = mapping == "order";
        let topic = webhooks
            .topics
            .iter()
            .find(|(_, rule)| rule.mapping.as_deref() == Some(mapping) || (orders && rule.refetch));
        let Some((topic, _)) = topic else { continue };
        let swept = manifest.operations.get(operation);
        let missing = match orders {
            true => swept.is_none_or(|pull| pull.poll.is_none()) && !reread,
            false => swept.is_none(),
        };
        if missing {
            lint.advise(
                &["webhooks", "topics", topic],
                format!("webhooks for `{mapping}` without a sweep: providers drop webhooks"),
                match orders {
                    true => format!(
                        "declare `{operation}`, polled, beside them; where there is no list, `reread` of `{ORDERS_GET}`"
                    ),
                    false => format!("declare `{operation}`, polled, beside them"),
                },
            );
        }
    }
}
