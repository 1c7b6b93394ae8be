//! From a folder to a connector: lint, parse, look up by name.

use crate::manifest::document::Document;
use crate::manifest::folder::MANIFEST;
use crate::manifest::walk::{self, TextKind};
use crate::manifest::{Finding, Folder, Manifest, Place, lint};
use crate::mapping::{CompileError, Library, Path, Program};
use std::collections::{BTreeMap, HashMap};
use std::sync::{PoisonError, RwLock};

/// Most expressions that are kept beyond those of the manifest.
const EXTRA_CAP: usize = 256;

/// A connector whose jq is ready.
#[derive(Debug)]
pub struct Connector {
    folder: Folder,
    library: Library,
    mappings: BTreeMap<String, Program>,
    /// The manifest's expressions, by their text.
    exprs: HashMap<String, Program>,
    /// Expressions asked for that the manifest does not hold.
    extra: RwLock<HashMap<String, Program>>,
}

impl Connector {
    /// Lints the folder and parses its jq; compiling happens at first use.
    ///
    /// # Errors
    /// Everything that is wrong, with file, line and column.
    pub fn build(folder: Folder) -> Result<Self, Vec<Finding>> {
        let mut findings = lint::structure(&folder);
        let library = match library(&folder) {
            Ok(library) => library,
            Err(error) => {
                findings.push(of_file(&error));
                return Err(findings);
            }
        };
        let mut programs = BTreeMap::new();
        for (file, source) in &folder.programs {
            match Program::new(file, source, &library) {
                Ok(program) => drop(programs.insert(file.clone(), program)),
                Err(error) => findings.push(of_file(&error)),
            }
        }
        let exprs = expressions(&folder, &library, &mut findings);
        records(&folder, &mut findings);
        if !findings.is_empty() {
            findings.sort();
            findings.dedup();
            return Err(findings);
        }
        let names = walk::texts(&folder.manifest)
            .into_iter()
            .filter(|text| text.kind == TextKind::Mapping);
        let mappings = names
            .filter_map(|text| {
                Some((
                    text.text.to_owned(),
                    programs.get(&folder.mapping_file(text.text))?.clone(),
                ))
            })
            .collect();
        Ok(Self {
            folder,
            library,
            mappings,
            exprs,
            extra: RwLock::default(),
        })
    }

    /// The folder's name.
    pub fn id(&self) -> &str {
        &self.folder.id
    }
    /// The manifest.
    pub const fn manifest(&self) -> &Manifest {
        &self.folder.manifest
    }
    /// The folder.
    pub const fn folder(&self) -> &Folder {
        &self.folder
    }
    /// The content hash of manifest, mappings and tables: 16 hex digits; an order's `mapping_version`.
    pub fn version(&self) -> &str {
        &self.folder.version
    }
    /// The program of a mapping.
    pub fn mapping(&self, name: &str) -> Option<&Program> {
        self.mappings.get(name)
    }
    /// The names of all mappings.
    pub fn mapping_names(&self) -> impl Iterator<Item = &str> {
        self.mappings.keys().map(String::as_str)
    }

    /// The program of an expression; those of the manifest are there already.
    ///
    /// # Errors
    /// When the text does not parse (never for the manifest's own).
    pub fn expr(&self, text: &str) -> Result<Program, CompileError> {
        if let Some(program) = self.exprs.get(text) {
            return Ok(program.clone());
        }
        if let Some(program) = self
            .extra
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(text)
        {
            return Ok(program.clone());
        }
        let program = Program::new("expression", text, &self.library)?;
        let mut extra = self.extra.write().unwrap_or_else(PoisonError::into_inner);
        if extra.len() < EXTRA_CAP {
            extra.insert(text.to_owned(), program.clone());
        }
        Ok(program)
    }
}

/// What the folder's mappings share: the built-in library and the folder's tables.
fn library(folder: &Folder) -> Result<Library, CompileError> {
    let mut library = Library::builtin()?;
    for (name, csv) in &folder.tables {
        library = library.with_table(name, csv)?;
    }
    Ok(library)
}

fn of_file(error: &CompileError) -> Finding {
    let place = Place {
        line: error.line.max(1),
        column: error.column.max(1),
    };
    let finding = Finding::at(&error.label, place, error.message.clone());
    Finding {
        hint: error.hint.clone(),
        ..finding
    }
}

/// Parses every expression of the manifest; a mistake is shown where it stands in the manifest.
fn expressions(
    folder: &Folder,
    library: &Library,
    findings: &mut Vec<Finding>,
) -> HashMap<String, Program> {
    let document = Document::parse(&folder.text).ok();
    let mut programs = HashMap::new();
    for text in walk::texts(&folder.manifest)
        .iter()
        .filter(|text| text.kind == TextKind::Expr)
    {
        if programs.contains_key(text.text) {
            continue;
        }
        match Program::new(MANIFEST, text.text, library) {
            Ok(program) => drop(programs.insert(text.text.to_owned(), program)),
            Err(error) => {
                let path: Vec<&str> = text.path.iter().map(String::as_str).collect();
                let place = document
                    .as_ref()
                    .map_or(Place::START, |d| d.inside(&path, error.line, error.column));
                let finding = Finding::at(MANIFEST, place, error.message.clone());
                findings.push(Finding {
                    hint: error.hint.clone(),
                    ..finding
                });
            }
        }
    }
    programs
}

/// The simple paths by which records are cut out.
fn records(folder: &Folder, findings: &mut Vec<Finding>) {
    let document = Document::parse(&folder.text).ok();
    let mut check = |path: &[&str], text: &str| {
        if let Err(error) = Path::parse(text) {
            let place = document
                .as_ref()
                .map_or(Place::START, |document| document.place(path));
            findings.push(
                Finding::at(MANIFEST, place, error.message)
                    .hint("a simple path such as \".\" or \".data.orders\""),
            );
        }
    };
    for (name, operation) in &folder.manifest.operations {
        for (index, step) in operation.steps.iter().enumerate() {
            check(
                &["operations", name, "steps", &index.to_string(), "records"],
                &step.records,
            );
        }
    }
    for (name, rule) in folder
        .manifest
        .webhooks
        .iter()
        .flat_map(|webhooks| &webhooks.topics)
    {
        check(&["webhooks", "topics", name, "records"], &rule.records);
    }
}
