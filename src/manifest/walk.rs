//! Every expression, secret template and mapping name of a manifest with the place where it stands,
//! so that compiling, linting and listing walk it in one way.

use super::model::{AuthKind, Format, Manifest, Pagination, Topic};

/// A path into the manifest's TOML.
pub type TomlPath = Vec<String>;

/// What a text of the manifest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextKind {
    /// jq.
    Expr,
    /// A text with `{credential}` placeholders.
    Secret,
    /// The name of a mapping.
    Mapping,
}

/// One text of the manifest.
#[derive(Debug, Clone)]
pub struct Text<'m> {
    /// Where it stands.
    pub path: TomlPath,
    /// What it is.
    pub kind: TextKind,
    /// The text itself.
    pub text: &'m str,
}

/// Collects texts under a path.
struct Walk<'m> {
    found: Vec<Text<'m>>,
}

impl<'m> Walk<'m> {
    fn add(&mut self, kind: TextKind, base: &[String], key: &str, text: &'m str) {
        let mut path = base.to_vec();
        path.push(key.to_owned());
        self.found.push(Text { path, kind, text });
    }
    fn expr(&mut self, base: &[String], key: &str, text: Option<&'m String>) {
        if let Some(text) = text {
            self.add(TextKind::Expr, base, key, text);
        }
    }
    fn mapping(&mut self, base: &[String], key: &str, text: Option<&'m String>) {
        if let Some(text) = text {
            self.add(TextKind::Mapping, base, key, text);
        }
    }
}

fn path(parts: &[&str]) -> TomlPath {
    parts.iter().map(|part| (*part).to_owned()).collect()
}

/// All texts of the manifest.
pub fn texts(manifest: &Manifest) -> Vec<Text<'_>> {
    let mut walk = Walk { found: Vec::new() };
    transport(&mut walk, manifest);
    auth(&mut walk, manifest);
    errors(&mut walk, manifest);
    limits(&mut walk, manifest);
    operations(&mut walk, manifest);
    webhooks(&mut walk, manifest);
    for name in manifest.mappings.keys() {
        walk.add(TextKind::Mapping, &path(&["mappings"]), name, name);
    }
    walk.found
}

fn transport<'m>(walk: &mut Walk<'m>, manifest: &'m Manifest) {
    walk.expr(
        &path(&["transport"]),
        "base_url",
        Some(&manifest.transport.base_url),
    );
    for (name, expr) in &manifest.transport.headers {
        walk.expr(&path(&["transport", "headers"]), name, Some(expr));
    }
}

fn auth<'m>(walk: &mut Walk<'m>, manifest: &'m Manifest) {
    for (index, auth) in manifest.auth.iter().enumerate() {
        let base = path(&["auth", &index.to_string()]);
        walk.expr(&base, "when", auth.when.as_ref());
        let mut secret = |key: &str, text: &'m str| walk.add(TextKind::Secret, &base, key, text);
        match &auth.kind {
            AuthKind::None => {}
            AuthKind::Basic { username, password } => {
                secret("username", username);
                secret("password", password);
            }
            AuthKind::Bearer { token } => secret("token", token),
            AuthKind::Header { headers } => {
                headers.values().for_each(|text| secret("headers", text))
            }
            AuthKind::Query { params } => params.values().for_each(|text| secret("params", text)),
            AuthKind::Oauth1 {
                consumer_key,
                consumer_secret,
                token,
                token_secret,
                place: _,
            } => {
                secret("consumer_key", consumer_key);
                secret("consumer_secret", consumer_secret);
                for (key, text) in [("token", token), ("token_secret", token_secret)] {
                    if let Some(text) = text {
                        secret(key, text);
                    }
                }
            }
            AuthKind::Sign { secret: key, .. } => secret("secret", key),
        }
    }
}

fn errors<'m>(walk: &mut Walk<'m>, manifest: &'m Manifest) {
    for (index, rule) in manifest.errors.iter().enumerate() {
        let base = path(&["errors", &index.to_string()]);
        walk.expr(&base, "jq", rule.jq.as_ref());
        walk.expr(&base, "code", rule.code.as_ref());
        walk.expr(&base, "message", rule.message.as_ref());
        walk.expr(&base, "fields", rule.fields.as_ref());
        walk.expr(&base, "retry_after", rule.retry_after.as_ref());
    }
}

fn limits<'m>(walk: &mut Walk<'m>, manifest: &'m Manifest) {
    if let Some(cost) = &manifest.limits.cost {
        let base = path(&["limits", "cost"]);
        walk.expr(&base, "available", Some(&cost.available));
        walk.expr(
            &base,
            "restored_per_second",
            Some(&cost.restored_per_second),
        );
    }
}

fn operations<'m>(walk: &mut Walk<'m>, manifest: &'m Manifest) {
    for (name, operation) in &manifest.operations {
        let base = path(&["operations", name]);
        walk.expr(&base, "remember", operation.remember.as_ref());
        if let Some(poll) = &operation.poll {
            let base = path(&["operations", name, "poll"]);
            walk.expr(&base, "cursor", Some(&poll.cursor));
            walk.expr(&base, "key", Some(&poll.key));
        }
        for (index, step) in operation.steps.iter().enumerate() {
            let base = path(&["operations", name, "steps", &index.to_string()]);
            walk.expr(&base, "when", step.when.as_ref());
            walk.expr(&base, "base_url", step.base_url.as_ref());
            walk.expr(&base, "path", Some(&step.path));
            walk.expr(&base, "query", step.query.as_ref());
            walk.expr(&base, "body", step.body.as_ref());
            walk.expr(&base, "variables", step.variables.as_ref());
            walk.expr(&base, "save", step.save.as_ref());
            walk.expr(&base, "done_when", step.done_when.as_ref());
            walk.expr(&base, "for_each", step.for_each.as_ref());
            walk.expr(&base, "input", step.input.as_ref());
            walk.mapping(&base, "body_mapping", step.body_mapping.as_ref());
            walk.mapping(&base, "mapping", step.mapping.as_ref());
            for (header, expr) in &step.headers {
                let mut base = base.clone();
                base.push("headers".to_owned());
                walk.expr(&base, header, Some(expr));
            }
            if let Pagination::Cursor { next, .. } = &step.pagination {
                let mut base = base.clone();
                base.push("pagination".to_owned());
                walk.expr(&base, "next", Some(next));
            }
        }
    }
}

fn webhooks<'m>(walk: &mut Walk<'m>, manifest: &'m Manifest) {
    let Some(webhooks) = &manifest.webhooks else {
        return;
    };
    if let Topic::Jq(expr) = &webhooks.topic {
        walk.expr(&path(&["webhooks", "topic"]), "jq", Some(expr));
    }
    for (topic, rule) in &webhooks.topics {
        let base = path(&["webhooks", "topics", topic]);
        walk.expr(&base, "key", rule.key.as_ref());
        walk.mapping(&base, "mapping", rule.mapping.as_ref());
    }
}

/// The paths by which the records of a mapping are cut out of a payload, as its users say: the
/// operations' steps first, then the topics; each once. With the key that must stand beside them.
pub fn records_of<'m>(manifest: &'m Manifest, mapping: &str) -> Vec<(&'m str, Option<&'m str>)> {
    let steps = manifest
        .operations
        .values()
        .flat_map(|operation| &operation.steps);
    let from_steps = steps.map(|step| {
        let path = (step.records.as_str(), step.records_beside.as_deref());
        (step.mapping.as_deref(), path)
    });
    let topics = manifest
        .webhooks
        .iter()
        .flat_map(|webhooks| webhooks.topics.values());
    let from_topics = topics.map(|rule| (rule.mapping.as_deref(), (rule.records.as_str(), None)));
    let mut paths = Vec::new();
    for (name, records) in from_steps.chain(from_topics) {
        if name == Some(mapping) && !paths.contains(&records) {
            paths.push(records);
        }
    }
    paths
}

/// The formats in which payloads for a mapping come, as its users say: the operations' steps
/// first (what a step composes itself is JSON), then the topics; each once.
pub fn formats_of(manifest: &Manifest, mapping: &str) -> Vec<Format> {
    let steps = manifest
        .operations
        .values()
        .flat_map(|operation| &operation.steps);
    let mut formats = Vec::new();
    for step in steps.filter(|step| step.mapping.as_deref() == Some(mapping)) {
        formats.push(match step.input {
            Some(_) => Format::Json,
            None => manifest.transport.answer_format(step),
        });
    }
    let topics = manifest
        .webhooks
        .iter()
        .flat_map(|webhooks| webhooks.topics.values());
    formats.extend(
        topics
            .filter(|rule| rule.mapping.as_deref() == Some(mapping))
            .map(|_| manifest.transport.format),
    );
    once(formats)
}

/// Every format that the manifest's answers and webhooks come in; each once.
pub fn formats(manifest: &Manifest) -> Vec<Format> {
    let steps = manifest
        .operations
        .values()
        .flat_map(|operation| &operation.steps);
    let transport = &manifest.transport;
    let own = std::iter::once(transport.format);
    once(own.chain(steps.map(|step| transport.answer_format(step))))
}

fn once(formats: impl IntoIterator<Item = Format>) -> Vec<Format> {
    let mut seen = Vec::new();
    for format in formats {
        if !seen.contains(&format) {
            seen.push(format);
        }
    }
    seen
}
