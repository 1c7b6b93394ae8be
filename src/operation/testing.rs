//! A provider out of a manifest text, for the tests of this module.
#![allow(clippy::unwrap_used)]

use super::provider::Provider;
use crate::manifest::model::Manifest;
use crate::mapping::{Library, MapError, Program, Scope, Yield};
use jaq_json::Val;
use std::collections::BTreeMap;

/// A connector of the tests: expressions are compiled at each use.
pub struct TestProvider {
    pub manifest: Manifest,
    pub mappings: BTreeMap<String, String>,
    pub documents: BTreeMap<String, String>,
}

const HEAD: &str = r#"
id = "sample"
name = "Sample"
kind = "shop"
summary = "A provider of the tests."
docs = "https://docs.example"
"#;

/// A provider with these further manifest lines.
pub fn provider(manifest: &str) -> TestProvider {
    TestProvider {
        manifest: toml::from_str(&format!("{HEAD}{manifest}")).unwrap(),
        mappings: BTreeMap::new(),
        documents: BTreeMap::new(),
    }
}

impl Provider for TestProvider {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn eval(&self, expression: &str, context: &Val) -> Result<Val, MapError> {
        program(expression)?.run_one(context.clone(), &Scope::default())
    }

    fn map(&self, mapping: &str, input: Val, scope: &Scope) -> Result<Yield, MapError> {
        program(
            self.mappings
                .get(mapping)
                .map_or("error(\"no such mapping\")", String::as_str),
        )?
        .run(input, scope)
    }

    fn document(&self, name: &str) -> Option<&str> {
        self.documents.get(name).map(String::as_str)
    }
}

fn program(source: &str) -> Result<Program, MapError> {
    Program::new(
        "test",
        source,
        &Library::builtin().map_err(MapError::Compile)?,
    )
    .map_err(MapError::Compile)
}
