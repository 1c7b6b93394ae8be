//! The native functions: examples of each, and money against the decimal library and against whole numbers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use crate::mapping::tests::run;
use proptest::prelude::*;
use rust_decimal::Decimal;

fn yields(cases: &[(&str, &str)]) {
    for (source, expected) in cases {
        assert_eq!(run(source, "null"), *expected, "{source}");
    }
}

#[test]
fn amounts_keep_their_scale() {
    yields(&[
        (r#"19.90 | dec"#, r#""19.90""#),
        (r#""19.90" | dec"#, r#""19.90""#),
        (r#"" +0019.90 " | dec"#, r#""19.90""#),
        (r#"5 | dec"#, r#""5""#),
        (r#"1e3 | dec"#, r#""1000""#),
        (r#"1.5e-3 | dec"#, r#""0.0015""#),
        (r#""-0.00" | dec"#, r#""0.00""#),
        (r#"".5" | dec"#, r#""0.5""#),
        (r#"null | dec"#, "null"),
        (r#""1.234,50" | dec_comma"#, r#""1234.50""#),
        (r#""1 234,5" | dec_comma"#, r#""1234.5""#),
        (r#"3 | dec_comma"#, r#""3""#),
        (r#"money_add(19.90; 0)"#, r#""19.90""#),
        (r#"money_add("0.1"; "0.2")"#, r#""0.3""#),
        (r#"money_sub("5.00"; 7)"#, r#""-2.00""#),
        (r#"money_mul("19.90"; 3)"#, r#""59.70""#),
        (r#"money_mul("19.90"; "1.000")"#, r#""19.90000""#),
        (r#"money_mul(0; "1.50")"#, r#""0.00""#),
        (r#"money_div("10.00"; 4)"#, r#""2.50""#),
        (r#"money_div("10"; 4)"#, r#""2.5""#),
        (r#"money_div("10.00"; 2)"#, r#""5.00""#),
        (r#"money_round(money_div("10"; 3); 2)"#, r#""3.33""#),
        (r#"money_neg("1.50")"#, r#""-1.50""#),
        (r#"money_neg("0.00")"#, r#""0.00""#),
        (r#"["1.10", 2.20, 3] | money_sum"#, r#""6.30""#),
        (r#"[] | money_sum"#, r#""0""#),
        (r#"money_round("1.005"; 2)"#, r#""1.01""#),
        (r#"money_round("-1.005"; 2)"#, r#""-1.01""#),
        (r#"money_round("2.5"; 0)"#, r#""3""#),
        (r#"money_round(19.9; 2)"#, r#""19.90""#),
        (r#"money_cmp("1.0"; 1)"#, "0"),
        (r#"money_cmp("-1"; "1")"#, "-1"),
        (r#"minor_to_major(1990; 2)"#, r#""19.90""#),
        (r#"minor_to_major("5"; 2)"#, r#""0.05""#),
        (r#"minor_to_major(1990; 0)"#, r#""1990""#),
        (r#"major_to_minor("19.90"; 2)"#, "1990"),
        (r#"major_to_minor("19.9"; 3)"#, "19900"),
        (
            r#"["EUR", "JPY", "KWD", "HUF"] | map(. as $c | currency_digits($c))"#,
            "[2,0,3,2]",
        ),
        (r#""12.30" | to_number_exact"#, "12.30"),
        (r#""12" | to_number_exact"#, "12"),
        (r#""12" | tonumber | . + 1"#, "13"),
        (r#""12.50" | tonumber"#, "12.50"),
    ]);
}

#[test]
fn amounts_are_refused_rather_than_guessed() {
    for source in [
        r#""1,234.50" | dec"#,
        r#""" | dec"#,
        r#""1.2.3" | dec"#,
        r#""abc" | dec"#,
        r#""." | dec"#,
        r#""1e" | dec"#,
        "[] | dec",
        "true | dec",
        "(0.1 + 0.2) | dec",
        "(1 / 3) | dec",
        r#""1,2,3" | dec_comma"#,
        "money_add(null; 1)",
        r#"money_div(1; "0.00")"#,
        r#"[null] | money_sum"#,
        r#"{} | money_sum"#,
        r#"money_round(1; -1)"#,
        r#"money_round(1; 29)"#,
        r#"minor_to_major("1.5"; 2)"#,
        r#"major_to_minor("1.005"; 2)"#,
        r#"currency_digits("euro")"#,
        r#""x" | tonumber"#,
        r#""" | tonumber"#,
        r#""nan" | tonumber"#,
    ] {
        assert!(
            run(source, "null").starts_with("mapping_error: "),
            "{source}: {}",
            run(source, "null")
        );
    }
    for source in [
        r#"money_mul("99999999999999999999"; "99999999999999999999")"#,
        r#"money_add("79228162514264337593543950335"; 1)"#,
        r#"money_add("79228162514264337593543950335"; "0.1")"#,
        r#"money_mul("0.00000000000000000001"; "0.00000000000000000001")"#,
        r#""0.00000000000000000000000000001" | dec"#,
        r#"1e30 | dec"#,
        r#"money_round("79228162514264337593543950335"; 2)"#,
        r#"major_to_minor("79228162514264337593543950335"; 2)"#,
    ] {
        assert!(
            run(source, "null").starts_with("mapping_overflow: "),
            "{source}: {}",
            run(source, "null")
        );
    }
}

const TIMES: &[(&str, &str)] = &[
    (
        r#""2026-03-01T10:00:00+02:00" | time("rfc3339")"#,
        r#""2026-03-01T08:00:00Z""#,
    ),
    (
        r#""2026-03-01T10:00:00.120Z" | time("rfc3339"; "UTC")"#,
        r#""2026-03-01T10:00:00.12Z""#,
    ),
    (
        r#""2026-07-01 10:00:00" | time("iso_local"; "Europe/Athens")"#,
        r#""2026-07-01T07:00:00Z""#,
    ),
    (
        r#""2026-01-01T10:00" | time("iso_local"; "Europe/Athens")"#,
        r#""2026-01-01T08:00:00Z""#,
    ),
    (
        r#""2026-01-01" | time("iso_local"; "Europe/Riga")"#,
        r#""2025-12-31T22:00:00Z""#,
    ),
    (
        r#""2026-01-01T10:00:00Z" | time("iso_local"; "Europe/Athens")"#,
        r#""2026-01-01T10:00:00Z""#,
    ),
    (
        r#""2026-01-01T10:00:00" | time("iso_local"; "+03:00")"#,
        r#""2026-01-01T07:00:00Z""#,
    ),
    (
        r#"1767225600 | time("epoch_s")"#,
        r#""2026-01-01T00:00:00Z""#,
    ),
    (
        r#""1767225600123" | time("epoch_ms")"#,
        r#""2026-01-01T00:00:00.123Z""#,
    ),
    (
        r#"1767225600.5 | time("epoch_s")"#,
        r#""2026-01-01T00:00:00.5Z""#,
    ),
    (
        r#""31.01.2026 15:04" | time("%d.%m.%Y %H:%M"; "Europe/Sofia")"#,
        r#""2026-01-31T13:04:00Z""#,
    ),
    (
        r#""31.01.2026" | time("%d.%m.%Y"; "Europe/Sofia")"#,
        r#""2026-01-30T22:00:00Z""#,
    ),
    (
        r#""2026-01-31T15:04:05+0200" | time("%Y-%m-%dT%H:%M:%S%z"; "UTC")"#,
        r#""2026-01-31T13:04:05Z""#,
    ),
    (
        r#""2025-10-26T03:30:00" | time("iso_local"; "Europe/Athens")"#,
        r#""2025-10-26T00:30:00Z""#,
    ),
    (r#"null | time("rfc3339")"#, "null"),
    (
        r#""2026-01-01T00:00:00Z" | time_add_s(-1)"#,
        r#""2025-12-31T23:59:59Z""#,
    ),
    (
        r#""2026-01-01T23:00:00Z" | [day_of, day_of("Europe/Athens")]"#,
        r#"["2026-01-01","2026-01-02"]"#,
    ),
    (
        r#""2026-01-01T23:00:00Z" | [time_text("%d/%m/%Y %H:%M"; "Europe/Athens"), time_text("epoch_s"; "UTC"), time_text("epoch_ms"; "UTC")]"#,
        r#"["02/01/2026 01:00",1767308400,1767308400000]"#,
    ),
];

#[test]
fn times_are_utc() {
    yields(TIMES);
    for source in [
        r#""2026-03-01T10:00:00" | time("rfc3339")"#,
        r#""x" | time("iso_local"; "UTC")"#,
        r#""2026-01-01" | time("iso_local"; "Mars/Olympus")"#,
        r#"1e300 | time("epoch_s")"#,
        r#""31.02.2026" | time("%d.%m.%Y"; "UTC")"#,
        r#""x" | day_of"#,
        r#"1 | time("%Y"; "UTC")"#,
    ] {
        let outcome = run(source, "null");
        assert!(
            outcome.starts_with("mapping_error: ") || outcome.starts_with("mapping_overflow: "),
            "{source}: {outcome}"
        );
    }
}

#[test]
fn places_and_phones() {
    yields(&[
        (
            r#"["Greece","ΕΛΛΆΔΑ","Ελλάδα","GRC","gr","Latvija","LATVIA","Deutschland","Россия","Czech Republic","Côte d'Ivoire","U.S.A.","UK","България"] | map(country)"#,
            r#"["GR","GR","GR","GR","GR","LV","LV","DE","RU","CZ","CI","US","GB","BG"]"#,
        ),
        (
            r#"["Atlantis", "", null, 5] | map(country)"#,
            "[null,null,null,null]",
        ),
        (
            r#"["6912345678", "+30 691 234 5678", "0030 6912345678", "2101234567"] | map(phone("GR"))"#,
            r#"["+306912345678","+306912345678","+306912345678","+302101234567"]"#,
        ),
        (r#"["21234567"] | map(phone("LV"))"#, r#"["+37121234567"]"#),
        (
            r#"["123", "", "call me", null, 7] | map(phone("GR"))"#,
            "[null,null,null,null,null]",
        ),
        (r#""+37121234567" | phone(null)"#, r#""+37121234567""#),
    ]);
}

const TEXTS: &[(&str, &str)] = &[
    (
        r#""Παπαδόπουλος Γεώργιος" | transliterate"#,
        r#""Papadopoulos Georgios""#,
    ),
    (
        r#""ΑΥΓΟΥΣΤΟΣ Ευαγγελία αυτό Μπάμπης" | transliterate"#,
        r#""AVGOUSTOS Evangelia afto Bampis""#,
    ),
    (
        r#""Щука Юлия Москва ЮГ" | transliterate"#,
        r#""Shtuka Yuliya Moskva YUG""#,
    ),
    (
        r#""Rīga, Ķekava; Šiauliai; Tõnu; Žižek; Łódź; Straße; Ångström" | transliterate"#,
        r#""Riga, Kekava; Siauliai; Tonu; Zizek; Lodz; Strasse; Angstrom""#,
    ),
    (
        r#""“x” – 5€ №3 日" | transliterate"#,
        r#""\"x\" - 5EUR No3 ""#,
    ),
    (r#""Ωραία" | truncate_bytes(5)"#, r#""Ωρ""#),
    (r#""abc" | truncate_bytes(9)"#, r#""abc""#),
    (
        r#""<p>Hello<br/>a &lt; b</p><!-- > x --> 1 < 2" | strip_tags"#,
        r#""Hello a &lt; b 1 < 2""#,
    ),
    (
        r#""Caf&eacute; &amp;lt; &#8211;&#x41; &nope; &" | html_decode"#,
        r#""Café &lt; –A &nope; &""#,
    ),
    (
        r#"["a", " ", "", null, 5] | map(nonblank)"#,
        r#"["a",null,null,null,null]"#,
    ),
    (
        r#"[null, [1], {"a":1}, "x"] | map(list)"#,
        r#"[[],[1],[{"a":1}],["x"]]"#,
    ),
    (r#""{\"a\":1.50}" | parse_json.a"#, "1.50"),
    (
        r#""[1] [2]" | fromjson"#,
        "mapping_error: cannot read the text: json trailing characters at line 1 column 5",
    ),
    (r#""<a><b>1</b></a>" | parse_xml.a.b"#, r#""1""#),
    (
        r#"{a: {b: 1}} | to_xml"#,
        r#""<?xml version=\"1.0\" encoding=\"UTF-8\"?><a><b>1</b></a>""#,
    ),
    (r#""aGk=" | base64d_bytes | length"#, "2"),
    (
        r#"uuid5("dns"; "example.com")"#,
        r#""cfbff0d1-9375-5685-968c-48ce8b15ae17""#,
    ),
    (
        r#"uuid5("nope"; "x")"#,
        "mapping_error: uuid5: the namespace must be dns, url, oid or a UUID",
    ),
    (
        r#"[null, true, 1.5, "x", [], {}] | map(type)"#,
        r#"["null","boolean","number","string","array","object"]"#,
    ),
    (r#"code("codes"; "A\"B,x")"#, "null"),
];

#[test]
fn texts() {
    yields(TEXTS);
    for null in [
        "transliterate",
        "truncate_bytes(3)",
        "strip_tags",
        "html_decode",
        "nonblank",
    ] {
        assert_eq!(run(null, "null"), "null", "{null}");
    }
}

#[test]
fn every_native_has_a_pointer() {
    assert_eq!(
        crate::mapping::engine::native_funs().count(),
        super::all().len()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn money_agrees_with_the_decimal_library(a in -10_000_000_000_i64..10_000_000_000, x in 0_u32..5, b in -10_000_000_000_i64..10_000_000_000, y in 0_u32..5) {
        let (a, b) = (Decimal::new(a, x), Decimal::new(b, y));
        let input = format!(r#"["{a}", {b}]"#);
        let result = run(r#"[money_add(.[0]; .[1]), money_sub(.[0]; .[1]), money_mul(.[0]; .[1])]"#, &input);
        let plain = |number: Decimal| if number.is_zero() { number.abs() } else { number };
        let product = Decimal::try_from_i128_with_scale(a.mantissa() * b.mantissa(), x + y).unwrap();
        prop_assert_eq!(result, format!(r#"["{}","{}","{}"]"#, plain(a + b), plain(a - b), plain(product)));
        let order = run("money_cmp(.[0]; .[1])", &input);
        prop_assert_eq!(order, (a.cmp(&b) as i8).to_string());
    }

    #[test]
    fn minor_units_go_there_and_back(minor in any::<i32>(), places in 0_u32..5) {
        prop_assert_eq!(run(&format!("major_to_minor(minor_to_major(.; {places}); {places})"), &minor.to_string()), minor.to_string());
    }

    #[test]
    fn texts_never_panic(text in "\\PC{0,40}", limit in 0_usize..50) {
        let input = serde_json::to_string(&text).unwrap();
        let source = format!("[transliterate, truncate_bytes({limit}), strip_tags, html_decode, phone(\"GR\"), country, (try dec catch 0), (try time(\"iso_local\"; \"UTC\") catch 0)]");
        let output = run(&source, &input);
        prop_assert!(output.starts_with('['), "{}", output);
        let cut: Vec<serde_json::Value> = serde_json::from_str(&output).unwrap();
        prop_assert!(cut[0].as_str().unwrap().is_ascii());
        prop_assert!(text.starts_with(cut[1].as_str().unwrap()) && cut[1].as_str().unwrap().len() <= limit);
    }
}
