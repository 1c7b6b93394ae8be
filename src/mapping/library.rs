//! What all mappings share: jq functions (`mappings/lib/*.jq`) and code tables (`mappings/tables/*.csv`), embedded in the binary.

use super::lint::{self, Names};
use super::table::Table;
use super::{CompileError, Val, syntax};
use include_dir::{Dir, include_dir};
use jaq_core::load::parse::Def;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

static LIB: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/mappings/lib");
static TABLES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/mappings/tables");

/// Shared jq functions and tables. Immutable; a clone costs a reference count.
#[derive(Clone, Debug)]
pub struct Library {
    inner: Arc<Inner>,
}

#[derive(Clone, Debug)]
struct Inner {
    tables: HashMap<String, Arc<Table>>,
    defs: Arc<Vec<Def<&'static str>>>,
}

impl Library {
    /// The library that comes with the binary; parsed once a process.
    pub fn builtin() -> Result<Self, CompileError> {
        static BUILTIN: OnceLock<Result<Library, CompileError>> = OnceLock::new();
        BUILTIN.get_or_init(Self::load).clone()
    }

    fn load() -> Result<Self, CompileError> {
        let mut tables = HashMap::new();
        for (path, csv) in embedded(&TABLES, "csv") {
            let name = path.trim_end_matches(".csv");
            tables.insert(
                name.to_owned(),
                Arc::new(Table::parse(&format!("mappings/tables/{path}"), csv)?),
            );
        }
        let mut library = Self {
            inner: Arc::new(Inner {
                tables,
                defs: Arc::default(),
            }),
        };
        for (path, source) in embedded(&LIB, "jq") {
            let label = format!("mappings/lib/{path}");
            let added = syntax::definitions(&label, source)?;
            lint::definitions(&label, source, &added, &library)?;
            let defs = library.inner.defs.iter().cloned().chain(added).collect();
            library = Self {
                inner: Arc::new(Inner {
                    defs: Arc::new(defs),
                    ..(*library.inner).clone()
                }),
            };
        }
        Ok(library)
    }

    /// The same library with one more table (a connector's `codes.csv`), which hides a shared one of that name.
    pub fn with_table(&self, name: &str, csv: &str) -> Result<Self, CompileError> {
        let mut inner = (*self.inner).clone();
        inner.tables.insert(
            name.to_owned(),
            Arc::new(Table::parse(&format!("{name}.csv"), csv)?),
        );
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    pub(crate) fn has_table(&self, name: &str) -> bool {
        self.inner.tables.contains_key(name)
    }

    pub(crate) fn table_names(&self) -> impl Iterator<Item = &str> {
        self.inner.tables.keys().map(String::as_str)
    }

    /// A row of a table.
    pub(crate) fn row(&self, table: &str, key: &str) -> Option<&Val> {
        self.inner.tables.get(table)?.row(key)
    }

    /// The shared definitions in the order in which they may refer to each other.
    pub(crate) fn defs(&self) -> &[Def<&'static str>] {
        &self.inner.defs
    }

    /// The names of the shared definitions.
    pub(crate) fn names(&self) -> Names {
        self.inner
            .defs
            .iter()
            .map(|def| (def.name.to_owned(), def.args.len()))
            .collect()
    }
}

/// The embedded files with an extension, by name.
fn embedded(dir: &'static Dir<'static>, extension: &str) -> Vec<(&'static str, &'static str)> {
    let mut files: Vec<_> = dir
        .files()
        .filter(|file| {
            file.path()
                .extension()
                .is_some_and(|found| found == extension)
        })
        .filter_map(|file| Some((file.path().to_str()?, file.contents_utf8()?)))
        .collect();
    files.sort_unstable();
    files
}
