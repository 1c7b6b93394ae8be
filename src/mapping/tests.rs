#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
use super::*;

fn run(source: &str, input: &str) -> String {
    let library = Library::builtin().unwrap();
    let program = Program::new("test", source, &library).unwrap_or_else(|error| panic!("{error}"));
    let input = read::json(input.as_bytes(), &Limits::default()).unwrap();
    match program.run_one(input, &Scope::default()) {
        Ok(value) => String::from_utf8(to_json(&value)).unwrap(),
        Err(error) => format!("{}: {}", error.code(), error.message()),
    }
}

#[test]
fn smoke() {
    assert_eq!(run("{a: .x, b: [.l[] | select(.q > 1) | {s: .sku}]}", r#"{"x":19.90,"l":[{"q":2,"sku":"A"},{"q":1}]}"#), r#"{"a":19.90,"b":[{"s":"A"}]}"#);
}
