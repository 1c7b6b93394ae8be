//! A connector of the catalogue as the engine needs it.

use super::provider::Provider;
use crate::connector::Connector;
use crate::manifest::model::Manifest;
use crate::mapping::{MapError, Scope, Yield};
use jaq_json::Val;

impl Provider for Connector {
    fn manifest(&self) -> &Manifest {
        self.manifest()
    }

    fn eval(&self, expression: &str, context: &Val) -> Result<Val, MapError> {
        self.expr(expression)
            .map_err(MapError::Compile)?
            .run_one(context.clone(), &Scope::default())
    }

    fn map(&self, mapping: &str, input: Val, scope: &Scope) -> Result<Yield, MapError> {
        let program = self.mapping(mapping);
        program
            .ok_or_else(|| MapError::Failed(format!("there is no mapping `{mapping}`")))?
            .run(input, scope)
    }

    fn document(&self, name: &str) -> Option<&str> {
        self.folder().documents.get(name).map(String::as_str)
    }
}
