//! The engine as its callers use it: programs, notes, limits; and jq itself as the oracle for precompiled expressions.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use super::*;

pub(crate) fn json(text: &str) -> Val {
    read::json(text.as_bytes(), &Limits::default()).unwrap()
}

pub(crate) fn program(source: &str) -> Program {
    let library = Library::builtin()
        .unwrap()
        .with_table(
            "codes",
            "code,status,text\n10,in_transit,On its way\nA\"B,x,\n",
        )
        .unwrap();
    Program::new("test.jq", source, &library).unwrap_or_else(|error| panic!("{error}"))
}

/// The one output as JSON, or "code: message".
pub(crate) fn run(source: &str, input: &str) -> String {
    let scope = Scope {
        connection: json(r#"{"currency":"EUR"}"#),
        headers: json("{}"),
        context: Val::Null,
    };
    match program(source).run_one(json(input), &scope) {
        Ok(value) => String::from_utf8(to_json(&value)).unwrap(),
        Err(error) => format!("{}: {}", error.code(), error.message()),
    }
}

#[test]
fn programs_and_their_threads() {
    fn send_sync<T: Send + Sync + Clone>(_: &T) {}
    send_sync(&program("."));
    send_sync(&Library::builtin().unwrap());
    assert_eq!(
        program(".[]")
            .run(json("[1,2]"), &Scope::default())
            .unwrap()
            .values
            .len(),
        2
    );
    assert_eq!(
        run(".[]", "[1,2]"),
        "mapping_many_outputs: the expression yielded several values"
    );
    assert_eq!(
        run("empty", "1"),
        "mapping_no_output: the expression yielded no value"
    );
    assert_eq!(run("$connection.currency", "null"), r#""EUR""#);
    assert_eq!(
        run(
            "{c: $connection.currency, h: $headers, x: $context}",
            "null"
        ),
        r#"{"c":"EUR","h":{},"x":null}"#
    );
}

#[test]
fn numbers_stay_verbatim() {
    let text = r#"{"a":19.90,"b":1e+2,"c":12345678901234567890,"d":-0,"e":0.10,"f":[1.0]}"#;
    assert_eq!(run(".", text), text);
    assert_eq!(
        run("{a, f: .f[0], g: 0.50}", text),
        r#"{"a":19.90,"f":1.0,"g":0.50}"#
    );
}

#[test]
fn notes_come_with_the_output() {
    let source = r#"{s: (code("codes"; .s) | .status // "unknown"), t: (lookup("codes"; .s)), w: (.s | warn("seen"))}"#;
    let yielded = program(source)
        .run(json(r#"{"s":99}"#), &Scope::default())
        .unwrap();
    assert_eq!(
        to_json(&yielded.values[0]),
        br#"{"s":"unknown","t":null,"w":99}"#
    );
    assert_eq!(yielded.notes.warnings, ["seen"]);
    assert_eq!(
        yielded.notes.drift,
        [Drift {
            table: "codes".to_owned(),
            key: "99".to_owned()
        }]
    );
    let known = program(source)
        .run(json(r#"{"s":"10"}"#), &Scope::default())
        .unwrap();
    assert_eq!(to_json(&known.values[0]), br#"{"s":"in_transit","t":{"code":"10","status":"in_transit","text":"On its way"},"w":"10"}"#);
    assert_eq!(known.notes.drift, []);
}

#[test]
fn errors_have_classes_and_no_payload() {
    assert_eq!(
        run(r#".x | require("x")"#, "{}"),
        "mapping_missing: required value is missing: x"
    );
    assert_eq!(
        run(r#"{a: (.x | require("x"))}"#, "{}"),
        "mapping_missing: required value is missing: x"
    );
    assert_eq!(
        run(r#"try (.x | require("x")) catch error("other")"#, "{}"),
        "mapping_error: other"
    );
    assert_eq!(run(r#"error("no")"#, "{}"), "mapping_error: no");
    assert_eq!(
        run(r#"error({message: "no", class: "x"})"#, "{}"),
        "mapping_error: no"
    );
    assert_eq!(
        run("error", r#"["Maria"]"#),
        "mapping_error: error raised with an array"
    );
    assert_eq!(
        run(".x", r#""Maria""#),
        r#"mapping_error: cannot index a string with "x""#
    );
    assert_eq!(
        run(".x + 1", r#"{"x":"Maria"}"#),
        "mapping_error: cannot calculate a string + …"
    );
    assert_eq!(
        run("ltrim", r#"{"x":"Maria"}"#),
        "mapping_error: cannot use an object as string"
    );
    assert_eq!(
        run(".[]", r#""Maria""#),
        "mapping_error: cannot use a string as iterable (array or object)"
    );
    assert_eq!(
        run("[.x, .y] |= 1", "{}"),
        "mapping_error: invalid path expression: the left side of an assignment must be a path"
    );
    assert_eq!(
        run("money_mul(.x; .x)", r#"{"x":"9999999999999999"}"#),
        "mapping_overflow: money_mul: the amount does not fit in 28 exact digits"
    );
    assert!(
        run(&format!("error(\"{}\")", "x".repeat(1000)), "{}")
            .chars()
            .count()
            < 330
    );
}

#[test]
fn object_fields_yield_exactly_one_value() {
    assert_eq!(
        run("{a: {b: .x[]}}", r#"{"x":[]}"#),
        "mapping_field: the field `a.b` yields no value; write `// null`"
    );
    assert!(
        run("{a: .x[]}", r#"{"x":[1,2]}"#)
            .starts_with("mapping_field: the field `a` yields several values")
    );
    assert_eq!(run("{a: (.x[] // null)}", r#"{"x":[]}"#), r#"{"a":null}"#);
    assert_eq!(
        run("{a: ((.x[] | select(. > 1)) // 7)}", r#"{"x":[1,2]}"#),
        r#"{"a":2}"#
    );
    assert_eq!(run("{a: (.x.y? // 7)}", r#"{"x":"text"}"#), r#"{"a":7}"#);
    assert_eq!(run("{a: first(.x[])}", r#"{"x":[1,2]}"#), r#"{"a":1}"#);
}

#[test]
fn the_shared_library_works() {
    assert_eq!(
        run(r#"join_name(.f; .l)"#, r#"{"f":"Μαρία","l":" "}"#),
        r#""Μαρία""#
    );
    assert_eq!(run(r#"join_name("A"; "B")"#, "null"), r#""A B""#);
    assert_eq!(run("join_name(null; null)", "null"), "null");
    assert_eq!(
        run(
            ".s | address_or({city: \"Riga\"})",
            r#"{"s":{"city":"","name":null}}"#
        ),
        r#"{"city":"Riga"}"#
    );
    assert_eq!(run(".s | address_or(null)", r#"{"s":{"city":""}}"#), "null");
    assert_eq!(
        run("{a: 1, b: absent, c: null} | compact_absent", "null"),
        r#"{"a":1,"c":null}"#
    );
    assert_eq!(
        run(r#"money(19.90; "EUR")"#, "null"),
        r#"{"amount":"19.90","currency":"EUR"}"#
    );
    assert_eq!(run(r#"money(null; "EUR")"#, "null"), "null");
    assert_eq!(
        run(r#"with_tax("10.00"; "24"; "EUR")"#, "null"),
        r#""12.40""#
    );
    assert_eq!(run(r#"gross("10.00"; null)"#, "null"), r#""10.00""#);
    assert_eq!(
        run("[\"0.00\", \"1\"] | map(is_zero_amount)", "null"),
        "[true,false]"
    );
    assert_eq!(run("first_of(.a, .b)", r#"{"a":null,"b":3}"#), "3");
    assert_eq!(run("{x: first_of(.a[])}", r#"{"a":[]}"#), r#"{"x":null}"#);
}

#[test]
fn xml_and_json_go_out() {
    let xml = to_xml(&json(r##"{"soap:Envelope":{"@xmlns:soap":"u","soap:Body":{"Item":[{"@id":1,"#text":"a<b&c"},"x",null],"N":12.50}}}"##)).unwrap();
    assert_eq!(
        String::from_utf8(xml.clone()).unwrap(),
        r#"<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="u"><soap:Body><Item id="1">a&lt;b&amp;c</Item><Item>x</Item><Item/><N>12.50</N></soap:Body></soap:Envelope>"#
    );
    let back = read::xml(&xml, &Limits::default()).unwrap();
    assert_eq!(
        to_json(&back),
        br##"{"Envelope":{"Body":{"Item":[{"@id":"1","#text":"a<b&c"},"x",""],"N":"12.50"}}}"##
    );
    for refused in [
        "[]",
        "{}",
        r#"{"a":1,"b":2}"#,
        r#"{"a b":1}"#,
        r#"{"1a":1}"#,
        r#"{"a":"\u0000"}"#,
        r#"{"a":[1]}"#,
    ] {
        assert!(to_xml(&json(refused)).is_err(), "{refused}");
    }
    assert_eq!(
        to_json(&json(r#"{"a":"\u0001\"\\\n\té€"}"#)),
        "{\"a\":\"\\u0001\\\"\\\\\\n\\té€\"}".as_bytes()
    );
    assert_eq!(run("[infinite, nan]", "null"), "[null,null]");
}

#[test]
fn serde_values_come_in() {
    #[derive(serde::Serialize)]
    struct Input {
        name: &'static str,
        number: serde_json::Number,
        list: Vec<Option<u8>>,
    }
    let input = Input {
        name: "x",
        number: serde_json::from_str("19.90").unwrap(),
        list: vec![Some(1), None],
    };
    assert_eq!(
        to_json(&from_serde(&input).unwrap()),
        br#"{"name":"x","number":19.90,"list":[1,null]}"#
    );
}

#[test]
fn a_panic_inside_jq_is_an_error() {
    // jq's own unchecked arithmetic on an absurd code point.
    let outcome = run("[-9223372036854775808] | implode", "null");
    assert!(outcome.starts_with("mapping_"), "{outcome}");
}

mod paths {
    use super::*;

    fn sliced(path: &str, body: &str) -> String {
        let path = Path::parse(path).unwrap();
        let value = json(body);
        let selected = select(&value, &path).map(|found| {
            found
                .iter()
                .map(|item| String::from_utf8(to_json(item)).unwrap())
                .collect::<Vec<_>>()
                .join("|")
        });
        let raw = raw_items(body.as_bytes(), &path).map(|found| {
            found
                .iter()
                .map(|item| String::from_utf8_lossy(item).into_owned())
                .collect::<Vec<_>>()
                .join("|")
        });
        match (selected, raw) {
            (Ok(selected), Ok(raw)) => {
                assert_eq!(selected, raw);
                selected
            }
            (Err(error), Err(_)) => error.message,
            (selected, raw) => panic!("{selected:?} but raw {raw:?}"),
        }
    }

    #[test]
    fn slice_deliveries() {
        assert_eq!(sliced(".", "[1,2.50,{}]"), "1|2.50|{}");
        assert_eq!(sliced(".", r#"{"a":1}"#), r#"{"a":1}"#);
        assert_eq!(sliced(".orders", r#"{"orders":[1,2]}"#), "1|2");
        assert_eq!(sliced(".orders", r#"{"orders":null}"#), "");
        assert_eq!(sliced(".orders", r#"{"orders":{"x":1}}"#), r#"{"x":1}"#);
        assert_eq!(sliced(".orders", r#"{"orders":[9],"orders":[1]}"#), "1");
        assert_eq!(
            sliced(".a.b[].c", r#"{"a":{"b":[{"c":1},{"c":[2,3]}]}}"#),
            "1|2|3"
        );
        assert_eq!(sliced(".a[].b?", r#"{"a":[{"b":1},{}]}"#), "1");
        assert_eq!(sliced(r#"."odd name"[]"#, r#"{"odd name":[[1]]}"#), "1");
        assert_eq!(sliced(".orders", r#"{"other":1}"#), "orders is absent");
        assert!(sliced(".orders", "3").starts_with("expected an object"));
        assert!(sliced(".a[]", r#"{"a":{}}"#).starts_with("expected an array"));
    }

    #[test]
    fn refuse_what_is_no_path() {
        for text in [
            "", "orders", ".a.", "..", ".a b", ".[0]", ".a[", ".\"x", ".a]",
        ] {
            assert!(Path::parse(text).is_err(), "{text}");
        }
    }
}
