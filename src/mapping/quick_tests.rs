//! jq as the oracle of precompiled expressions.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use super::tests::run;

const INPUT: &str = r#"{"a":{"b":[1,2,{"c":"x"}]},"n":null,"s":"text","f":false,"t":true,"l":[{"k":1,"v":"a"},{"k":2,"v":"b"}],"d":1.50,"o":{"p":1,"q":2}}"#;

const EXPRESSIONS: &[&str] = &[
    ".",
    ".a.b[2].c",
    ".a.b[-1]",
    ".a.b[-9]",
    ".n.x.y",
    ".s // 1",
    ".f // .n // 3",
    ".n // null",
    ".f // false",
    "\"a\\(.s)b\\(.d)\\(.n)\"",
    "[.s, .n, 1]",
    "[]",
    "{}",
    ".l | map(.v)",
    "[.l[] | .k]",
    "[.l[] | select(.k > 1) | .v]",
    ".l | map(select(.v == \"a\"))",
    "[.o[]]",
    "[.l[].v]",
    "[.l[] | .k, .v]",
    ".o | map(. + 1)",
    "if .t then 1 elif .f then 2 else 3 end",
    "if .f then 1 end",
    "if .n then 1 elif .t then .d else 3 end",
    ".d == 1.5",
    ".s < .d",
    ".t and .f",
    ".f or .t",
    ".f and error(\"no\")",
    ".t or error(\"no\")",
    "1 + 2",
    ".o + {z: 1}",
    ".o * {p: {r: 1}}",
    "2 * 3 - 1",
    "10 / 4",
    "7 % 4",
    "\"a,b\" / \",\"",
    ".l[0] as $x | $x.v",
    ".l[1] as {k: $k, v: $v} | [$k, $v]",
    "reduce .l[] as $i (0; . + $i.k)",
    "[foreach .l[] as $i (0; . + $i.k)]",
    ".o | keys",
    ".o | to_entries",
    "[.. | numbers]",
    ".s | ascii_upcase",
    ".l | length",
    "def f: .s; f",
    "def f($x): $x.s; f(.)",
    "def f(g): g; f(.s)",
    "[.l[] | {k, w: .v}]",
    ".l | map({(.v): .k}) | add",
    "[limit(1; .l[])]",
    ".o | with_entries(.value += 1)",
    "(.o.p = 5) | .o",
    ".o | .p |= . + 1",
    ".o | .p *= 3",
    ".o | del(.p)",
    "@base64 \"\\(.s)\"",
    ".s | test(\"t.xt\")",
    ".s | sub(\"t\"; \"T\")",
    ".s | gsub(\"t\"; \"T\")",
    ".s | gsub(\"(?<c>[a-f])\"; \"<\\(.c)>\")",
    ".s | [match(\"t(?<m>.)?\"; \"g\")]",
    ".s | [scan(\"[tx]\")]",
    ".s | [splits(\"e|x\")]",
    ".s | [test(\"T\"), test(\"T\"; \"i\"), test(\"\"; \"n\"), test(\"\\\\bt\\\\w+t\\\\b\")]",
    "\"aāb ΩΩ1\" | [match(\"(?<l>[^a-z0-9])(Ω)?\"; \"g\")] | map([.offset, .length, .string, .captures])",
    "[.a.b[0:2]]",
    ".a.b[1:]",
    "label $out | .s, break $out",
    "[.s[1:2]]",
    "-.d",
    ".a?",
    "try error(\"x\") catch .",
    "money_add(.d; \"2\")",
    ".d | dec",
    "[.l[] | money_mul(.k; \"1.10\")] | money_sum",
    ".s | tostring | length",
    "not",
    ".n | not",
    ".l | group_by(.k) | length",
    ".l | any(.k == 2)",
    ".l | all(.k == 2)",
    "$connection.currency",
    "$connection | .currency",
    ".l | first | .v",
    "nth(1; .l[]) | .v",
    ".s | [splits(\"x\")]",
    "[.l[] | .k as $k | {$k}]",
    "{\"a b\": 1, \"c\\u0041\": 2}",
    ".l | map(.k) | min",
    "isempty(.l[])",
    "(.l[] | select(.k == 2) | .v) // 5",
    "(.l[] | select(.k == 9) | .v) // 5",
    "first(.l[] | select(.k > 0) | .v) // 5",
    "first(.l[].z) // 5",
    "(.n[]?) // 5",
    "(.s[]?.x) // 5",
    "[.l[]?.v]",
    "[.l[].v | values]",
    "[.l[] as $i | {k: $i.k, s: .s}]",
    "[.l[] as $i | .l | map(.k + $i.k)]",
    "(.s | ascii_upcase) as $u | .d as $d | {u: $u, d: [$d, $u], e: (.a | $d)}",
    ".s as $s | [.l[] | select(.v == \"a\" and $s == \"text\") | {$s, k}]",
    ".s as $s | {a: [foreach .l[] as $i (0; . + $i.k)], b: $s}",
    ".s as $s | {a: [foreach .l[] as $i ($s; . + $i.v)], b: $s}",
    "{\"text\": 1, \"b\": 2}[.s] // 3",
    "{\"text\": 1}[.n] // 3",
    ".o[.l[0].v] // 4",
    ".l[.o.p].v",
    "def f($a; $b): {a: $a, b: [$b, .]}; .o | f(.p; .q)",
    "def f($a): $a + 1; def g($a): f($a + 1) + $a; g(.o.p)",
    "def f($a): reduce .l[] as $i ($a; . + $i.k); f(.o.p)",
    "def g: 1; def f(g): {a: [g]}; [f(.l[].k), g]",
    "[.s, .n, .t, .d, .o] | map(tostring)",
    "[.s, .n, -3, -1.5, .o, .l] | map(length)",
    "[.s | startswith(\"te\"), endswith(\"x\"), ltrimstr(\"te\"), rtrimstr(\"t\"), (split(\"x\")), (split(\"\") | join(\"-\"))]",
    "[(.o | has(\"p\")), (.l | has(5)), ([.s, .n, 1, true] | join(\",\"))]",
];

/// Beside what all mappings may write: forms that only matter where several values are wanted.
const GENERATORS: &[&str] = &[
    ".l[]",
    ".l[].k, .s",
    ".l[] | .k, .v",
    "(.l[], .s) | tostring",
    ".n[]?",
    ".s[]?, 1",
    ".a.b[]? | .c?",
    ".l[] | select(.k > 1)",
    ".l[] | select(.k > 1 and .v == \"b\") | .v",
    "empty",
    ".s, empty, .d",
    "if .t then .l[] else empty end | .k",
    "if .f then 1 elif .n then 2 else (3, 4) end",
    ".l[] as $x | .o | .p + $x.k",
    ".l[] as {k: $k, v: $v} | \"\\($k)\\($v)\"",
    "[.s, .d] as [$s, $d] | $d, $s",
    ".l as [{k: $a}, {v: $b}, $c] | $a, $b, $c",
    "(.l[].k, .n) // 7",
    "(.n, .f) // (1, 2)",
    "(empty // .s), (.l[] // 1)",
    "first(.l[] | .v), first(empty), 1",
    "[.l[] | .k as $k | range(0; 3) | . + $k]",
    "try error(\"x\") catch (., 1)",
    "try (.l[], error(\"x\")) catch .",
    "try (.l[] | .k | if . == 2 then error({a: 1}) else . end) catch .a",
    "[.l[] | try (if .k == 1 then error(\"one\") else .v end) catch \"caught \" + .]",
    "first(try error(\"x\") catch ., 5)",
    "[.[]?] | length",
    "def f(g): [g, g]; .l | f(.[].k)",
    "def f(g): def h: g | tostring; [h, (.s | h)]; f(.s?)",
    "def f($a; g): g + $a; [.l[] | f(.k; .k, 1)]",
    "def f(g): reduce g as $x (0; . + $x); f(.l[].k)",
    "def a: 1; def f: a; def a: 2; [f, a]",
    "def f(x): x as $v | $v; def x: 9; [f(.o.p), x]",
    ".s as $s | def g: $s; [.l[] | g]",
    "reduce .l[] as {k: $k} ({n: 0}; .n += $k)",
    "reduce .l[] as [$a] (1; . + 1)",
    "reduce (.l[] | .k, .k) as $k (0; . + $k)",
    "any, all",
    "[.l[].k] | any(. > 1), all(. > 1), any(. > 5), all(. > 0)",
    "any(.l[]; .k == 2), all(.l[]; .k == 2), any(empty; .), all(empty; .)",
    "any(.l[] | .k, error(\"late\"); . == 1)",
    "isempty(.l[]), isempty(empty), isempty(.l[] | select(.k > 5))",
    "[.l[] | {(.v): .k}]",
    "{(.s): .d, b: 1, (.s): 2}, {} + {a: 1}, {(.l[].v): 1}",
    ".l | map({key: .v, value: .k}) | from_entries",
    ".l | [.[] | {key: .v, value: .k}, {key: \"z\", value: null}] | from_entries",
    ".o | to_entries, keys, keys_unsorted",
    ".l | to_entries | map(.key)",
    ".o | with_entries(select(.value > 1))",
    ".o | with_entries(.key |= ascii_upcase)",
    ".l | map(select(.k > 1) | .v, .k)",
    ".l | sort_by(.v) | map(.k), (sort_by(-.k) | map(.v))",
    ".l | sort_by(.k > 1) | map(.k)",
    ".o | del(.p), del(.p, .q), del(.zz)",
    "{a: 1, b: 2, c: 3} | del(.a) | keys_unsorted",
    "null | del(.a)?",
    ".s | .[1:], .[:2], .[1:-1]",
    ".l[1:] | map(.k)",
    ".l | .[.[0].k].v",
    ".o as $o | .l[] | $o[\"p\"]",
    "\"\\(.s) and \\(.l[0].v)\"",
    "-(.d), -(.o.p)",
    "[.l[] | .k] | add, length",
    ".l | map({(.v): .k}) | add",
    "[.s, \"x\"] | map(contains(\"e\"))",
    "[[1, [2]], {a: {b: \"xyz\"}}] | (.[0] | contains([[2]])), (.[1] | contains({a: {b: \"y\"}}))",
    "[.[] | numbers, strings, objects, arrays, booleans, nulls] | length",
    "[.[] | values] | length",
    ".s | test(\"^T\"; \"i\"), test(\"z\")",
    ".s | capture(\"(?<a>[a-z])(?<b>x)?\")",
    ".s | [capture(\"(?<a>t)\"; \"g\")]",
    ".s | gsub(\"t\"; \"T\"), sub(\"(?<c>[a-z])\"; \"<\\(.c)>\"), gsub(\"\"; \"-\"), gsub(\"[xe]\"; \"\")",
    ".s | [match(\"t(?<m>.)?\"; \"g\") | .offset, .length, .string, (.captures | length)]",
    ".s | [scan(\"[tx]\")], [splits(\"e|x\")], split(\"e.\"; null)?",
    ".s | test(\"\\\\bt\\\\w+t\\\\b\"), test(\"\\\\d\"), test(\"[\\\\s\\\\d]\"), test(\"\\\\S\\\\D\\\\W\")",
    "\"aāb ΩΩ1\" | [match(\"(?<l>[^a-z0-9])(Ω)?\"; \"g\")] | map([.offset, .length, .string])",
    "\"ā Ā٣\" | test(\"^\\\\w\"), test(\"\\\\d\"), test(\".\\\\b\")",
    ".s | test(\"(\")",
    ".s | test(\"t\"; \"q\")",
    ".s | test(1)",
    "label $out | .l[] | ., break $out",
    "[limit(1; .l[])], [.l[] | .k | . as $k | [$k] | .[0]]",
    "..|numbers",
    ".l[] |= .k | .l",
    "error",
    ".l[] | error(.v)",
    ".s[]",
    ".s.x",
    ".l[\"k\"]",
    "reduce .s[] as $x (0; .)",
    ".x.y.z, .l[7].k",
    "[.[] | tostring] | join(\",\") | length",
    "ascii_downcase",
    ".s | ltrimstr(\"te\") | ascii_upcase | split(\"\") | join(\"-\")",
];

/// All outputs as jq's own interpreter gives them, with its own functions and nothing precompiled.
fn stock(source: &str, input: &str) -> Vec<String> {
    use jaq_core::load::{Arena, File, Loader};
    use jaq_core::{Compiler, Ctx, Vars, data, unwrap_valr};
    let (arena, path) = (Arena::default(), ());
    let defs = jaq_core::defs()
        .chain(jaq_std::defs())
        .chain(jaq_json::defs());
    let modules = Loader::new(defs)
        .load(&arena, File { code: source, path })
        .unwrap_or_else(|_| panic!("{source}"));
    let funs = jaq_core::funs()
        .chain(jaq_std::funs())
        .chain(jaq_json::funs());
    let filter = Compiler::default()
        .with_funs(funs)
        .compile(modules)
        .unwrap_or_else(|_| panic!("{source}"));
    let ctx = Ctx::<data::JustLut<super::Val>>::new(&filter.lut, Vars::new([]));
    let outputs = filter.id.run((ctx, super::tests::json(input)));
    let mut shown = Vec::new();
    for output in outputs.map(unwrap_valr) {
        match output {
            Ok(value) => shown.push(String::from_utf8(super::to_json(&value)).unwrap()),
            Err(_) => {
                shown.push("error".to_owned());
                break;
            }
        }
    }
    shown
}

/// The same by a mapping; an error ends it in the same place, but its values are not told.
fn ours(source: &str, input: &str) -> Vec<String> {
    let scope = super::Scope::default();
    match super::tests::program(source).run(super::tests::json(input), &scope) {
        Ok(yielded) => yielded
            .values
            .iter()
            .map(|value| String::from_utf8(super::to_json(value)).unwrap())
            .collect(),
        Err(_) => vec!["error".to_owned()],
    }
}

#[test]
fn whole_programs_mean_the_same_as_in_jq_itself() {
    // The last of these has a meaning of our own on purpose: null is an empty text.
    let plain = |expression: &&&str| {
        !["money", "dec", "$connection", "require", "true] | join"]
            .iter()
            .any(|own| expression.contains(own))
    };
    for expression in GENERATORS.iter().chain(EXPRESSIONS).filter(plain) {
        let mut expected = stock(expression, INPUT);
        if expected.last().is_some_and(|last| last == "error") {
            expected = vec!["error".to_owned()];
        }
        assert_eq!(ours(expression, INPUT), expected, "{expression}");
        // And as a part of something that is precompiled around it, or stays jq around it.
        assert_eq!(
            ours(&format!("[.] | .[0] as $in | [$in | {expression}]"), INPUT),
            stock(&format!("[.] | .[0] as $in | [$in | {expression}]"), INPUT),
            "{expression}"
        );
        assert_eq!(
            ours(&format!("[limit(3; {expression})]"), INPUT),
            stock(&format!("[limit(3; {expression})]"), INPUT),
            "{expression}"
        );
    }
}

#[test]
fn precompiled_means_the_same_as_jq() {
    // Each on the left as a field (precompiled), on the right outside of any literal (run by jq).
    let input = INPUT;
    for expression in EXPRESSIONS {
        let quick = run(&format!("{{x: ({expression})}}"), input);
        let jq = run(
            &format!(
                "[{expression}] | .[0] as $x | (null | .x = $x)? // ([[\"x\", $x]] | map({{(.[0]): .[1]}}) | add)"
            ),
            input,
        );
        assert_eq!(quick, jq, "{expression}");
    }
}

#[test]
fn what_mappings_are_made_of_leaves_nothing_to_jq() {
    let source = r#"
      def text: if type == "number" then tostring elif type == "string" then nonblank else null end;
      def metas: [.meta[]? | objects | {key: .key, value}] | from_entries;
      def meta($names): . as $all | first_of($names[] | $all[.] | text);
      def part($m; $c): [.x, .y | values] as [$x, $y] | reduce .l[] as {k: $k} ({}; . + {($k): $m}) | del(.a) | money($x; $c);
      def word: [text | capture("(?<n>[a-z]+)").n | gsub("[^a-z]"; "") | {a: "b"}[.] // .][0];
      def order($refunds): metas as $m | (.billing | objects // {}) as $bill
        | if any(.l[]; .k == 1) then empty
          else {m: ($m | meta(["a"])), p: part($m; "EUR"), w: (.s | word), t: (.s | test("x")), u: .s[1:],
                a: ([.l[] | select(.k != null) | with_entries(select(.value != null))] | sort_by(.k) | map(.k) | add),
                d: (try (.s | parse_json) catch null), e: $bill.email} | compact_absent end;
      if type != "object" then error("no order") else order(null) end"#;
    let library = super::Library::builtin().unwrap();
    let compiled = super::compile::compile("t.jq", source, &library).unwrap();
    assert_eq!(compiled.quicks.last().map(|whole| whole.closures), Some(0));
}
