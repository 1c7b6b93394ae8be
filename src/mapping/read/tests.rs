//! The readers: what they accept, what they refuse and where, and that nothing makes them panic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use super::*;
use crate::mapping::to_json;
use proptest::prelude::*;

const LIMITS: Limits = Limits {
    max_bytes: 1 << 20,
    max_depth: 128,
};

fn json_text(body: &[u8]) -> String {
    match json(body, &LIMITS) {
        Ok(value) => String::from_utf8(to_json(&value)).unwrap(),
        Err(error) => error.to_string(),
    }
}

fn xml_text(body: &str) -> String {
    match xml(body.as_bytes(), &LIMITS) {
        Ok(value) => String::from_utf8(to_json(&value)).unwrap(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn json_is_read_verbatim() {
    for text in [
        r#"{"a":[1,-0,19.90,0.000,1E-7]}"#,
        "null",
        r#""é€😀""#,
        "[[],{}]",
        "123456789012345678901234567890",
    ] {
        assert_eq!(json_text(text.as_bytes()), text.replace("1E-7", "1e-7"));
    }
    assert_eq!(json_text(b"\xef\xbb\xbf {\"a\" : 1 } \n"), r#"{"a":1}"#);
    assert_eq!(json_text(br#"{"a":1,"b":2,"a":3}"#), r#"{"a":3,"b":2}"#);
}

#[test]
fn json_is_strict_and_says_where() {
    let refused = [
        (
            &b""[..],
            "json EOF while parsing a value at line 1 column 0",
        ),
        (
            b"{\"a\":",
            "json EOF while parsing a value at line 1 column 5",
        ),
        (b"{} {}", "json trailing characters at line 1 column 4"),
        (b"{\n\"a\": NaN}", "json expected value at line 2 column 6"),
        (b"[1,]", "json trailing comma at line 1 column 4"),
        (b"[01]", "json invalid number at line 1 column 3"),
        (b"{'a':1}", "json key must be a string at line 1 column 2"),
        (
            b"[\"\xff\"]",
            "json body is not valid UTF-8 at line 1 column 3",
        ),
        (
            b"\"\\ud800\"",
            "json unexpected end of hex escape at line 1 column 8",
        ),
        (
            b"[\"a\nb\"]",
            "json control character (\\u0000-\\u001F) found while parsing a string at line 2 column 0",
        ),
        (
            b"[1e401]",
            "json number with an exponent beyond 400 at line 1 column 6",
        ),
        (
            b"[1e99999999999999999999]",
            "json number with an exponent beyond 400 at line 1 column 23",
        ),
    ];
    for (body, message) in refused {
        assert_eq!(
            json_text(body),
            message,
            "{}",
            String::from_utf8_lossy(body)
        );
    }
    assert!(json_text("1".repeat(1_001).as_bytes()).contains("number longer than 1000"));
    assert_eq!(json_text("1".repeat(1_000).as_bytes()).len(), 1_000);
    assert!(
        json(
            b"[1,2,3]",
            &Limits {
                max_bytes: 6,
                max_depth: 9
            }
        )
        .unwrap_err()
        .message
        .contains("7 bytes")
    );
}

#[test]
fn json_depth_is_capped() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(json_text(nested(127).as_bytes()), nested(127));
    assert!(json_text(nested(128).as_bytes()).contains("recursion limit"));
    assert!(json_text(nested(500_000).as_bytes()).contains("recursion limit"));
    let three = Limits {
        max_bytes: 100,
        max_depth: 3,
    };
    assert!(json(nested(3).as_bytes(), &three).is_ok());
    assert!(
        json(nested(4).as_bytes(), &three)
            .unwrap_err()
            .message
            .contains("too deep")
    );
    assert!(json(br#"{"a":{"b":{"c":1}}}"#, &three).is_ok());
    assert!(json(br#"{"a":{"b":{"c":{}}}}"#, &three).is_err());
    assert!(
        json(
            br#"[1.5]"#,
            &Limits {
                max_bytes: 100,
                max_depth: 1
            }
        )
        .is_ok()
    );
}

#[test]
fn json_numbers_cannot_be_forged() {
    let token = NUMBER_TOKEN;
    for value in [
        r#""1.50""#,
        r#""1\u002e50""#,
        "1.50",
        "null",
        "[]",
        "{}",
        r#"{"a":1}"#,
        "true",
    ] {
        let text = format!(r#"{{"{token}":{value}}}"#);
        assert_eq!(json_text(text.as_bytes()), text.replace(r"\u002e", "."));
        let more = format!(r#"{{"{token}":{value},"b":2}}"#);
        assert_eq!(json_text(more.as_bytes()), more.replace(r"\u002e", "."));
    }
}

#[test]
fn xml_has_one_shape() {
    let shapes = [
        ("<a/>", r#"{"a":""}"#),
        ("<a>x</a>", r#"{"a":"x"}"#),
        ("<a b='1'/>", r#"{"a":{"@b":"1"}}"#),
        ("<a b='1'>x</a>", r##"{"a":{"@b":"1","#text":"x"}}"##),
        (
            "<?xml version='1.0'?>\n<!-- c -->\n<a>\n <b>1</b>\n <b>2</b>\n <c/>\n</a>\n",
            r#"{"a":{"b":["1","2"],"c":""}}"#,
        ),
        (
            "<s:a xmlns:s='u' xmlns='v' s:t='1'><s:b> x \n</s:b></s:a>",
            r#"{"a":{"@t":"1","b":"x"}}"#,
        ),
        (
            "<a>x &amp; y &lt;&#233;&#xE9;&gt; </a>",
            r#"{"a":"x & y <éé>"}"#,
        ),
        ("<a><![CDATA[ <b>&amp; ]]></a>", r#"{"a":" <b>&amp; "}"#),
        ("<a b='&lt;&#65;'/>", r#"{"a":{"@b":"<A"}}"#),
        (
            "<a><b/><b><c>1</c></b><b>x</b></a>",
            r#"{"a":{"b":["",{"c":"1"},"x"]}}"#,
        ),
        ("\u{feff}<α>Ω</α>", r#"{"α":"Ω"}"#),
    ];
    for (text, shape) in shapes {
        assert_eq!(xml_text(text), shape, "{text}");
    }
}

#[test]
fn xml_is_strict() {
    for text in [
        "",
        "x",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "<a/>x",
        "<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>",
        "<!DOCTYPE a><a/>",
        "<?xml version='1.0' <!DOCTYPE a [<!ENTITY e 'x'>]><a/><?p ?><a/>",
        "<?p <!DOCTYPE a> ?><a/>",
        "<a>&eacute;</a>",
        "<a b='&eacute;'/>",
        "<a b='1' b='2'/>",
        "<a b=1/>",
        "<a>&#xZZ;</a>",
        "<a",
        "<a><b></a></b>",
        "<![CDATA[x]]>",
        "</a>",
        "<a>&unended</a>",
    ] {
        assert!(
            xml(text.as_bytes(), &LIMITS).is_err(),
            "{text} gave {}",
            xml_text(text)
        );
    }
    assert!(xml_text("<a>&x;</a>").starts_with("xml unknown entity at line 1"));
    assert!(xml_text("\n<!DOCTYPE a><a/>").starts_with("xml DOCTYPE is not accepted at line 2"));
    assert!(xml(b"<a>\xff</a>", &LIMITS).is_err());
    let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    assert!(xml(nested(127).as_bytes(), &LIMITS).is_ok());
    assert!(xml_text(&nested(128)).contains("too deep"));
    assert!(xml_text(&nested(100_000)).contains("too deep"));
    assert!(
        !xml_text("<Maria></Ozola>").contains("Maria"),
        "{}",
        xml_text("<Maria></Ozola>")
    );
}

#[test]
fn forms_and_charsets() {
    assert_eq!(
        to_json(&form(b"a=1&b=x+y%20%C3%A9&a=2&c&=z&a=3&").unwrap()),
        r#"{"a":["1","2","3"],"b":"x y é","c":"","":"z"}"#.as_bytes()
    );
    assert!(form(b"a=%ff").is_err());
    assert_eq!(to_json(&form(b"").unwrap()), b"{}");
    assert_eq!(
        charset(b"\xcf\xf0\xe8\xe2\xe5\xf2", "windows-1251").unwrap(),
        "Привет".as_bytes()
    );
    assert_eq!(
        charset(b"\xe7\xd0", "windows-1257").unwrap(),
        "ēŠ".as_bytes()
    );
    assert_eq!(
        charset(b"\xc5\xeb\xeb\xdc\xe4\xe1", "ISO-8859-7").unwrap(),
        "Ελλάδα".as_bytes()
    );
    assert_eq!(charset("é".as_bytes(), "utf-8").unwrap(), "é".as_bytes());
    assert!(charset(b"\xff", "utf-8").is_err());
    assert!(charset(b"", "klingon").is_err());
}

/// JSON text as serde_json writes it, of limited depth.
fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,12})?"
            .prop_map(|digits| serde_json::from_str(&digits).unwrap()),
        "\\PC{0,12}".prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::vec(("\\PC{0,6}", inner), 0..6)
                .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn random_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = json(&body, &LIMITS);
        let _ = xml(&body, &LIMITS);
        let _ = form(&body);
        let _ = charset(&body, "windows-1251");
    }

    #[test]
    fn random_markup_never_panics(body in "[<>/a-c=\"'&;!\\[\\]\\- #x]{0,80}") {
        let _ = xml(body.as_bytes(), &LIMITS);
        let _ = json(body.as_bytes(), &LIMITS);
    }

    #[test]
    fn json_survives_reading_and_writing(value in any_json()) {
        let text = serde_json::to_string(&value).unwrap();
        let read = json(text.as_bytes(), &LIMITS).unwrap();
        prop_assert_eq!(String::from_utf8(to_json(&read)).unwrap(), text);
    }

    #[test]
    fn json_accepts_what_serde_json_accepts(body in "[\\[\\]{}:,\"0-9.eE+\\-truefalsn \\\\]{0,24}") {
        let ours = json(body.as_bytes(), &LIMITS).is_ok();
        let theirs = serde_json::from_str::<&serde_json::value::RawValue>(&body).is_ok();
        prop_assert!(ours == theirs || body.contains(['e', 'E']) , "{}", body);
    }

    #[test]
    fn xml_survives_writing_and_reading(text in "[a-zé<>&\"' \\]]{0,20}", attribute in "[a-z<>&\"'\\n ]{0,9}") {
        let value = crate::mapping::value::object([(crate::mapping::value::text("r"), crate::mapping::value::object([
            (crate::mapping::value::text("@a"), crate::mapping::value::text(&attribute)),
            (crate::mapping::value::text("b"), crate::mapping::value::text(text.trim())),
        ]))]);
        let written = crate::mapping::to_xml(&value).unwrap();
        prop_assert_eq!(xml(&written, &LIMITS).unwrap(), value);
    }
}
