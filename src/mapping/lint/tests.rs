//! Every rule of the lint, with its place.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use crate::mapping::{Library, Program};

fn refused(source: &str) -> String {
    match Program::new("m.jq", source, &Library::builtin().unwrap()) {
        Ok(_) => panic!("accepted: {source}"),
        Err(error) => error.to_string(),
    }
}

fn accepted(source: &str) {
    let library = Library::builtin().unwrap();
    let program =
        Program::new("m.jq", source, &library).unwrap_or_else(|error| panic!("{source}: {error}"));
    // What the lint accepts must also compile.
    if let Err(
        error @ (crate::mapping::MapError::Compile(_) | crate::mapping::MapError::Internal(_)),
    ) = program.run(crate::mapping::Val::Null, &Default::default())
    {
        panic!("{source}: {error}");
    }
}

#[test]
fn recursion_is_refused() {
    assert_eq!(
        refused("def f: f; f"),
        "m.jq:1:8: `f` calls itself (use map, reduce or `..`; recursion cannot be bounded)"
    );
    assert!(refused("def f: .[] | g; def g: f; g").contains("unknown function `g`"));
    assert!(refused("def f: def g: f; g; f").contains("calls itself"));
    assert!(refused("def f(x): x; def h: f(h); h").contains("calls itself"));
    assert!(refused("def f(x): f(x); f(.)").contains("calls itself"));
    assert!(refused("{a: 1,\n  b: (def r: [r]; r)}").starts_with("m.jq:2:"));
    accepted("def f: 1; def g: f; def f(x): f + x; g + f(2)");
}

#[test]
fn what_is_endless_or_outside_is_refused_with_advice() {
    for name in [
        "env",
        "input",
        "inputs",
        "debug",
        "stderr",
        "halt",
        "halt_error",
        "now",
        "input_line_number",
        "localtime",
        "combinations",
    ] {
        let error = refused(&format!(".\n| {name}"));
        assert!(
            error.starts_with(&format!(
                "m.jq:2:3: `{name}` is not available in mappings ("
            )),
            "{error}"
        );
    }
    for source in [
        "repeat(.)",
        "until(.; .)",
        "while(.; .)",
        "recurse(.[])",
        "recurse(.; .)",
        "debug(1)",
        "strflocaltime(\"%Y\")",
    ] {
        assert!(refused(source).contains("is not available"), "{source}");
    }
    assert!(refused("$ENV.HOME").contains("sees no environment"));
    assert!(refused("$__loc__").contains("unknown variable"));
    for source in [
        "import \"a\" as a; .",
        "include \"a\"; .",
        "import \"x\" as $x; .",
    ] {
        assert!(refused(source).contains("is not available"), "{source}");
    }
    accepted("[.. | numbers], [recurse], (walk(.))");
}

#[test]
fn bounds_are_literal() {
    for source in [
        "range(.n)",
        "range(0; .n)",
        "range(0; 10; .s)",
        "range(0; 10; 0)",
        "range(0; .n; 1)",
        "limit(.n; .[])",
        "skip(.n; .[])",
        "range(1000000000)",
        "range(infinite)",
        "range($context.n)",
        "nth(.n; .[])",
    ] {
        assert!(
            refused(source).contains("must be"),
            "{source}: {}",
            refused(source)
        );
    }
    accepted(
        "[range(10)], [range(0; length)], [range(.l | length)], [range(0; 10; 2)], [range(10; 0; -1)], [limit(3; .[]?)], [range(length - 1)]",
    );
}

#[test]
fn texts_are_not_multiplied() {
    assert!(refused("\"ab\" * .n").contains("cannot be multiplied"));
    assert!(refused(".n * \"a\\(.x)\"").contains("cannot be multiplied"));
    accepted(".a * 2, .a * .b, .o * {x: 1}, (.x |= 1), (.x *= 2)");
    assert_eq!(
        crate::mapping::tests::run(".a * .b", r#"{"a":"x","b":1000000000000}"#),
        "mapping_error: cannot calculate a string * a number"
    );
    assert_eq!(
        crate::mapping::tests::run(".a *= 3", r#"{"a":"x"}"#),
        "mapping_error: cannot calculate a string * a number"
    );
}

#[test]
fn assignments_are_spelled_out() {
    for source in [
        ".[.i] = 1",
        ".a[$context.i] |= 1",
        ".[.i] += 1",
        "(.a | .[.k]) //= 1",
        ".x[.a, .b] = 2",
    ] {
        assert!(refused(source).contains("computed index"), "{source}");
    }
    accepted(".a = 1, .a.b[0] = 1, (.[\"k\"] = 2), (.a[-1] |= 3), (.l[]?.x = 1), .[$context.i]");
}

#[test]
fn names_are_resolved_with_suggestions() {
    assert_eq!(
        refused(".a | nonblnk"),
        "m.jq:1:6: unknown function `nonblnk` (did you mean nonblank?)"
    );
    assert_eq!(
        refused("$conection.x"),
        "m.jq:1:1: unknown variable $conection (did you mean $connection?)"
    );
    assert_eq!(
        refused("money_add(1)"),
        "m.jq:1:1: `money_add` does not take 1 argument (it takes 2; arguments are separated by a semicolon)"
    );
    assert!(refused("def f($price): $prise; f(1)").contains("did you mean $price?"));
    assert!(refused(". as $x | $y").contains("unknown variable $y"));
    assert!(refused("(. as $x | 1), $x").contains("unknown variable $x"));
    assert!(refused("@bas64 \"x\"").contains("did you mean @base64"));
    assert!(refused("code(\"currency_digit\"; .x)").contains("did you mean \"currency_digits\"?"));
    assert!(refused("break $out").contains("has no label"));
    accepted(
        ". as [$a, {b: $c}] | $a, $c, (label $out | 1, break $out), @base64 \"\\(.x)\", code(\"currency_digits\"; \"EUR\")",
    );
}

#[test]
fn names_are_not_redefined() {
    for source in [
        "def map(f): 1; 1",
        "def money_add(a; b): 1; 1",
        "def null: 1; 1",
        "def join_name($a; $b): 1; 1",
        "def f(type): 1; f(2)",
        "def now: 1; now",
    ] {
        assert!(
            refused(source).contains("is the name of a function that is already there"),
            "{source}"
        );
    }
    assert!(refused(". as $context | 1").contains("cannot be bound again"));
}

#[test]
fn slips_are_found() {
    assert!(refused("{a: 1, b: 2, a: 3}").contains("m.jq:1:14: the key `a` is there twice"));
    assert!(refused("{$context, context: 1}").contains("twice"));
    assert_eq!(
        refused(""),
        "m.jq:1:1: the mapping is empty (`.` passes the input through)"
    );
    assert!(
        refused("{a: 'x'}").contains("double quotes"),
        "{}",
        refused("{a: 'x'}")
    );
    assert!(
        refused("{a: .x\n b: .y}")
            .starts_with("m.jq:2:2: expected comma or right brace, found `b`"),
        "{}",
        refused("{a: .x\n b: .y}")
    );
    assert!(refused("if . then 1").contains("expected else or end, found the end"));
    assert!(refused("(1").contains("expected closing parenthesis"));
    assert!(refused("reduce .[] as $x (0)").contains("reduce takes"));
}
