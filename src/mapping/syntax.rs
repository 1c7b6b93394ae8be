//! From jq text to its parse tree, with places for errors.

use super::CompileError;
use jaq_core::load::lex::{Lexer, Token};
use jaq_core::load::parse::{Def, Parser, Term};
use jaq_core::load::span;

/// Parses a program: an optional row of definitions and a body.
pub(crate) fn program<'s>(label: &str, source: &'s str) -> Result<Term<&'s str>, CompileError> {
    let tokens = tokens(label, source)?;
    Parser::new(&tokens)
        .parse(|parser| parser.term())
        .map_err(|errors| {
            let first = errors.into_iter().next();
            unparsable(
                label,
                source,
                first.map(|(expected, found)| (expected.as_str(), found)),
            )
        })
}

/// Parses a library file: definitions only.
pub(crate) fn definitions<'s>(
    label: &str,
    source: &'s str,
) -> Result<Vec<Def<&'s str>>, CompileError> {
    let tokens = tokens(label, source)?;
    Parser::new(&tokens)
        .parse(|parser| parser.defs())
        .map_err(|errors| {
            let first = errors.into_iter().next();
            unparsable(
                label,
                source,
                first.map(|(expected, found)| (expected.as_str(), found)),
            )
        })
}

fn tokens<'s>(label: &str, source: &'s str) -> Result<Vec<Token<&'s str>>, CompileError> {
    let tokens = Lexer::new(source)
        .lex()
        .map_err(|errors| match errors.into_iter().next() {
            Some((expected, rest)) => {
                let error = CompileError::at(
                    label,
                    source,
                    span(source, rest).start,
                    format!("expected {}", expected.as_str()),
                );
                if rest.starts_with('\'') {
                    error.hint("texts stand in double quotes")
                } else {
                    error
                }
            }
            None => CompileError::at(label, source, 0, "malformed"),
        })?;
    let modules = tokens
        .iter()
        .find(|Token(text, _)| matches!(*text, "import" | "include" | "module"));
    match modules {
        Some(Token(text, _)) => Err(CompileError::at(
            label,
            source,
            span(source, text).start,
            format!("`{text}` is not available"),
        )
        .hint("the shared library is always there; a mapping loads no other file")),
        None => Ok(tokens),
    }
}

fn unparsable(
    label: &str,
    source: &str,
    error: Option<(&str, Option<&Token<&str>>)>,
) -> CompileError {
    let Some((expected, found)) = error else {
        return CompileError::at(label, source, 0, "malformed");
    };
    let found = Token::opt_as_str(found, source);
    let offset = span(source, found).start;
    if source.trim().is_empty() {
        return CompileError::at(label, source, 0, "the mapping is empty")
            .hint("`.` passes the input through");
    }
    let shown: String = found.chars().take_while(|c| *c != '\n').take(20).collect();
    let found = if shown.is_empty() {
        "the end".to_owned()
    } else {
        format!("`{shown}`")
    };
    CompileError::at(
        label,
        source,
        offset,
        format!("expected {expected}, found {found}"),
    )
}
