//! GraphQL as a simulated provider reads it: which operation of a document is meant, and the answer cut down to what it selects.
//!
//! What always holds: an answer has the keys that were asked for and no others; a field that the simulated data does not have is
//! the provider's `undefinedField`, so that a document with a typing mistake fails here and not at the real one.

use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Selections nested deeper than this are refused.
const DEPTH: usize = 32;

/// One thing that is selected.
#[derive(Debug, Clone, PartialEq)]
enum Part {
    Field {
        key: String,
        name: String,
        inner: Vec<Part>,
    },
    Spread(String),
    Inline {
        on: Option<String>,
        inner: Vec<Part>,
    },
}

/// A request's operation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query {
    /// `query` or `mutation`.
    kind: String,
    name: Option<String>,
    parts: Vec<Part>,
    fragments: HashMap<String, Vec<Part>>,
    /// `first: N` of its lists, in order, those of its fragments last.
    sizes: Vec<u64>,
    /// Its own text, without other operations.
    text: String,
}

impl Query {
    /// Reads `{query, operationName}`. None when it is no GraphQL request or cannot be read.
    pub(crate) fn read(body: &Value) -> Option<Self> {
        let document = body.get("query")?.as_str()?;
        let wanted = body.get("operationName").and_then(Value::as_str);
        let mut reader = Reader {
            tokens: tokens(document),
            at: 0,
            sizes: Vec::new(),
        };
        let mut found: Option<Self> = None;
        let (mut fragments, mut fragment_sizes) = (HashMap::new(), Vec::new());
        while let Some(word) = reader.peek() {
            let (from, before) = (reader.at, reader.sizes.len());
            let kind = if word == "{" {
                "query".to_owned()
            } else {
                reader.next()?
            };
            let name = match reader.peek()?.as_str() {
                "{" | "(" | "@" => None,
                _ => Some(reader.next()?),
            };
            while reader.peek()? != "{" {
                reader.skip()?;
            }
            let parts = reader.selection(0)?;
            let sizes = reader.sizes.split_off(before);
            if kind == "fragment" {
                fragments.insert(name?, parts);
                fragment_sizes.extend(sizes);
            } else if found.is_none() && (wanted.is_none() || wanted == name.as_deref()) {
                let text = reader.tokens.get(from..reader.at)?.join(" ");
                found = Some(Self {
                    kind,
                    name,
                    parts,
                    fragments: HashMap::new(),
                    sizes,
                    text,
                });
            }
        }
        let mut found = found?;
        found.fragments = fragments;
        found.sizes.extend(fragment_sizes);
        Some(found)
    }

    /// The first field that it asks for.
    pub(crate) fn field(&self) -> Option<&str> {
        self.parts.iter().find_map(|part| match part {
            Part::Field { name, .. } => Some(name.as_str()),
            _ => None,
        })
    }

    /// What programs see as `.request.graphql`.
    pub(crate) fn to_json(&self) -> Value {
        json!({"kind": self.kind, "operation": self.name, "field": self.field(), "sizes": self.sizes, "text": self.text})
    }

    /// Cuts the body's `data` down to what is selected; `errors` instead where a field is not there.
    pub(crate) fn select(&self, body: &mut Value) {
        let Some(data) = body.get("data").filter(|data| data.is_object()) else {
            return;
        };
        let selected = self.project(data, &self.parts, DEPTH);
        let Some(body) = body.as_object_mut() else {
            return;
        };
        match selected {
            Ok(data) => drop(body.insert("data".to_owned(), data)),
            Err(field) => {
                body.remove("data");
                let message = format!("Field '{field}' doesn't exist");
                let error = json!({"message": message, "extensions": {"code": "undefinedField", "fieldName": field}});
                body.insert("errors".to_owned(), json!([error]));
            }
        }
    }

    fn project(&self, value: &Value, parts: &[Part], depth: usize) -> Result<Value, String> {
        match value {
            Value::Array(items) => items
                .iter()
                .map(|item| self.project(item, parts, depth))
                .collect(),
            Value::Object(object) => {
                let mut selected = Map::new();
                self.fields(object, parts, depth, &mut selected)?;
                Ok(Value::Object(selected))
            }
            scalar => Ok(scalar.clone()),
        }
    }

    fn fields(
        &self,
        object: &Map<String, Value>,
        parts: &[Part],
        depth: usize,
        into: &mut Map<String, Value>,
    ) -> Result<(), String> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err("(nested too deep)".to_owned());
        };
        for part in parts {
            match part {
                Part::Field { key, name, inner } => {
                    let value = object.get(name).ok_or_else(|| name.clone())?;
                    let value = match inner.is_empty() {
                        true => value.clone(),
                        false => self.project(value, inner, depth)?,
                    };
                    into.insert(key.clone(), value);
                }
                Part::Spread(name) => {
                    let inner = self.fragments.get(name).ok_or_else(|| name.clone())?;
                    self.fields(object, inner, depth, into)?;
                }
                Part::Inline { on, inner } => {
                    let own = object.get("__typename").and_then(Value::as_str);
                    if on
                        .as_deref()
                        .is_none_or(|on| own.is_none_or(|own| own == on))
                    {
                        self.fields(object, inner, depth, into)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Names, numbers, texts and signs; commas and comments are white space.
fn tokens(document: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut chars = document.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '#' {
            while chars.next_if(|c| *c != '\n').is_some() {}
        } else if c == '"' {
            let mut text = String::from(c);
            while let Some(c) = chars.next() {
                text.push(c);
                match c {
                    '\\' => text.extend(chars.next()),
                    '"' => break,
                    _ => {}
                }
            }
            found.push(text);
        } else if c.is_alphanumeric() || c == '_' || c == '-' {
            let mut word = String::from(c);
            while let Some(c) =
                chars.next_if(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-'))
            {
                word.push(c);
            }
            found.push(word);
        } else if c == '.' {
            while chars.next_if_eq(&'.').is_some() {}
            found.push("...".to_owned());
        } else if !c.is_whitespace() && c != ',' {
            found.push(c.to_string());
        }
    }
    found
}

struct Reader {
    tokens: Vec<String>,
    at: usize,
    sizes: Vec<u64>,
}

impl Reader {
    fn peek(&self) -> Option<String> {
        self.tokens.get(self.at).cloned()
    }

    fn next(&mut self) -> Option<String> {
        let token = self.peek()?;
        self.at += 1;
        Some(token)
    }

    /// One token, or everything up to the bracket that closes it.
    fn skip(&mut self) -> Option<()> {
        let mut open = 0_usize;
        loop {
            match self.next()?.as_str() {
                "(" | "[" | "{" => open += 1,
                ")" | "]" | "}" => open = open.checked_sub(1)?,
                "first" if self.peek().as_deref() == Some(":") => {
                    let size = self.tokens.get(self.at + 1)?.parse::<u64>();
                    self.sizes.extend(size.ok());
                }
                _ => {}
            }
            if open == 0 {
                return Some(());
            }
        }
    }

    /// `{ … }`.
    fn selection(&mut self, depth: usize) -> Option<Vec<Part>> {
        if depth > DEPTH || self.next()? != "{" {
            return None;
        }
        let mut parts = Vec::new();
        loop {
            let word = self.next()?;
            match word.as_str() {
                "}" => return Some(parts),
                "..." => parts.push(self.spread(depth)?),
                _ => parts.push(self.field(word, depth)?),
            }
        }
    }

    fn spread(&mut self, depth: usize) -> Option<Part> {
        let on = match self.peek()?.as_str() {
            "on" => {
                self.next()?;
                Some(self.next()?)
            }
            "{" | "@" => None,
            _ => return Some(Part::Spread(self.next()?)),
        };
        while self.peek()? == "@" {
            self.directive()?;
        }
        let inner = self.selection(depth + 1)?;
        Some(Part::Inline { on, inner })
    }

    fn field(&mut self, key: String, depth: usize) -> Option<Part> {
        let mut name = key.clone();
        if self.peek()? == ":" {
            self.next()?;
            name = self.next()?;
        }
        if self.peek()? == "(" {
            self.skip()?;
        }
        while self.peek()? == "@" {
            self.directive()?;
        }
        let inner = match self.peek()?.as_str() {
            "{" => self.selection(depth + 1)?,
            _ => Vec::new(),
        };
        Some(Part::Field { key, name, inner })
    }

    /// `@name` or `@name(…)`.
    fn directive(&mut self) -> Option<()> {
        self.next()?;
        self.next()?;
        match self.peek()?.as_str() {
            "(" => self.skip(),
            _ => Some(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    const DOCUMENT: &str = r#"
# a comment { with a bracket
query Page($query: String!, $after: String) {
  list: orders(first: 10, after: $after, query: $query) { nodes { ...Facts lines(first: 20) { nodes { id } } buyer { __typename ... on Company { vat } } } }
}
mutation Set($input: In!) { set(input: $input, note: "a \" } b") @idempotent(key: "k") { errors { message } } }
fragment Facts on Order { id, name notes(first: 3) }
"#;

    fn read(operation: Option<&str>) -> Query {
        Query::read(&json!({"query": DOCUMENT, "operationName": operation})).unwrap()
    }

    #[test]
    fn the_operation_that_is_named_is_read() {
        let page = read(Some("Page")).to_json();
        assert_eq!(page["field"], "orders");
        assert_eq!(
            (&page["kind"], &page["sizes"]),
            (&json!("query"), &json!([10, 20, 3]))
        );
        let set = read(Some("Set")).to_json();
        assert_eq!(
            (&set["kind"], &set["field"]),
            (&json!("mutation"), &json!("set"))
        );
        assert!(set["text"].as_str().unwrap().contains("@ idempotent"));
        assert_eq!(read(None), read(Some("Page")));
        let short = Query::read(&json!({"query": "{ shop { name } }"})).unwrap();
        assert_eq!(short.field(), Some("shop"));
        for broken in [
            json!({}),
            json!({"query": "query {"}),
            json!({"query": "x", "operationName": "y"}),
        ] {
            assert_eq!(Query::read(&broken), None);
        }
        let nested = format!("{}{}", "{ a ".repeat(99), "}".repeat(99));
        assert_eq!(Query::read(&json!({"query": nested})), None);
    }

    #[test]
    fn answers_have_what_was_asked_for_and_no_more() {
        let order = |buyer: Value| json!({"id": 1, "name": "a", "notes": [1], "secret": 2, "buyer": buyer, "lines": {"nodes": [{"id": 7, "x": 1}]}});
        let orders = json!([
            order(json!({"__typename": "Person"})),
            order(json!({"__typename": "Company", "vat": "v"}))
        ]);
        let mut body =
            json!({"data": {"orders": {"nodes": orders, "pageInfo": null}}, "extensions": 1});
        // The alias names the key of the answer.
        read(None).select(&mut body);
        let lines = json!({"nodes": [{"id": 7}]});
        assert_eq!(
            body,
            json!({"data": {"list": {"nodes": [
            {"id": 1, "name": "a", "notes": [1], "lines": lines, "buyer": {"__typename": "Person"}},
            {"id": 1, "name": "a", "notes": [1], "lines": lines, "buyer": {"__typename": "Company", "vat": "v"}}]}}, "extensions": 1})
        );
    }

    #[test]
    fn fields_that_are_not_there_and_errors() {
        let mut body = json!({"data": {"set": {"errors": [{"text": "x"}]}}});
        read(Some("Set")).select(&mut body);
        assert_eq!(body["errors"][0]["extensions"]["fieldName"], "message");
        assert!(body.get("data").is_none());
        let mut refused = json!({"errors": [{"message": "no"}], "data": null});
        read(Some("Set")).select(&mut refused);
        assert_eq!(
            refused,
            json!({"errors": [{"message": "no"}], "data": null})
        );
        let mut none = json!({"data": {"set": null}});
        read(Some("Set")).select(&mut none);
        assert_eq!(none, json!({"data": {"set": null}}));
    }
}
