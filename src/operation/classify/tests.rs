#![allow(clippy::unwrap_used)]
use super::*;
use crate::manifest::model::Format;
use crate::operation::decode::decode;
use crate::operation::testing::{TestProvider, provider};
use crate::operation::value::{int, object};
use bytes::Bytes;
use proptest::prelude::*;
use reqwest::header::{HeaderName, HeaderValue};

const RULES: &str = r#"
[[errors]]
status = [404]
jq = '.body.code == "no_such_route"'
class = "rejected"
code = '.body.code'
message = '.body.message'

[[errors]]
status = ["2xx"]
jq = '.body.error != null'
class = "invalid"
code = '.body.error.code'
fields = '.body.error.fields'

[[errors]]
status = ["4xx", 503]
header = ["x-limit", "used"]
class = "throttled"
retry_after = '.body.wait'

[[errors]]
text = "already done"
operations = ["fulfillment.push"]
class = "ok"
"#;

fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Answer {
    let headers = headers
        .iter()
        .map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)));
    Answer {
        status,
        headers: headers.collect(),
        body: Bytes::from(body.to_owned()),
    }
}

fn judged(provider: &TestProvider, operation: &str, repeatable: bool, answer: &Answer) -> Outcome {
    let decoded = decode(Format::Json, false, answer);
    let context = object([
        ("status", int(answer.status.into())),
        ("body", decoded.body.clone()),
    ]);
    let now = Timestamp::constant(1_700_000_000, 0);
    Judge {
        provider,
        operation,
        repeatable,
        refreshable: false,
        now,
    }
    .answer(answer, &decoded, &context)
}

fn class(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Option<Class> {
    judged(
        &provider(""),
        "orders.pull",
        true,
        &answer(status, headers, body),
    )
    .class
}

#[test]
fn without_rules_http_decides() {
    use Class::*;
    let page = "<!DOCTYPE html><p>Blocked</p>";
    let cases: &[(u16, &str, Option<Class>)] = &[
        (200, "{}", None),
        (201, "", None),
        (204, "", None),
        (200, " \r\n", None),
        (200, "{\"a\":", Some(BrokenContract)),
        (200, page, Some(BrokenContract)),
        (200, "ok", Some(BrokenContract)),
        (301, "", Some(BrokenContract)),
        (302, page, Some(BrokenContract)),
        (400, "{}", Some(Invalid)),
        (401, "{}", Some(AuthBroken)),
        (401, page, Some(Transient)),
        (402, "", Some(Invalid)),
        (403, "{}", Some(AuthBroken)),
        (403, page, Some(Transient)),
        (404, "{}", Some(Gone)),
        (404, page, Some(Gone)),
        (405, "", Some(Invalid)),
        (408, "", Some(Throttled)),
        (409, "{}", Some(Conflict)),
        (410, "", Some(Gone)),
        (422, "{}", Some(Invalid)),
        (425, "", Some(Throttled)),
        (429, page, Some(Throttled)),
        (500, "{}", Some(Transient)),
        (502, page, Some(Transient)),
        (503, "", Some(Transient)),
        (504, "", Some(Transient)),
    ];
    for (status, body, expected) in cases {
        assert_eq!(class(*status, &[], body), *expected, "{status} {body}");
    }
    assert_eq!(
        class(401, &[("www-authenticate", "Basic")], page),
        Some(AuthBroken)
    );
    assert_eq!(
        class(
            403,
            &[("content-type", "text/html; charset=utf-8")],
            "Blocked"
        ),
        Some(Transient)
    );
}

#[test]
fn a_failure_of_a_step_that_must_not_be_repeated_is_ambiguous() {
    let judge = |status| judged(&provider(""), "stock.push", false, &answer(status, &[], "")).class;
    assert_eq!(judge(500), Some(Class::Ambiguous));
    assert_eq!(judge(504), Some(Class::Ambiguous));
    assert_eq!(judge(429), Some(Class::Throttled));
    assert_eq!(judge(422), Some(Class::Invalid));
    let unreadable = judged(
        &provider(""),
        "stock.push",
        false,
        &answer(200, &[], "<html>"),
    );
    assert_eq!(unreadable.class, Some(Class::Ambiguous), "it has happened");
}

#[test]
fn a_refreshable_login_expires() {
    let (none, sample) = (answer(401, &[], "{}"), provider(""));
    let judge = Judge {
        provider: &sample,
        operation: "x",
        repeatable: true,
        refreshable: true,
        now: Timestamp::UNIX_EPOCH,
    };
    let outcome = judge.answer(&none, &decode(Format::Json, false, &none), &Val::Null);
    assert_eq!(outcome.class, Some(Class::AuthExpired));
}

#[test]
fn rules_come_first_and_are_taken_at_their_word() {
    let sample = provider(RULES);
    let judge = |operation, status, headers: &[_], body| {
        judged(&sample, operation, false, &answer(status, headers, body))
    };
    let outcome = judge(
        "orders.get",
        404,
        &[],
        r#"{"code":"no_such_route","message":"No route"}"#,
    );
    assert_eq!(
        (
            outcome.class,
            outcome.code.as_str(),
            outcome.message.as_str()
        ),
        (Some(Class::Rejected), "no_such_route", "No route")
    );
    assert_eq!(
        judge("orders.get", 404, &[], r#"{"code":"gone"}"#).class,
        Some(Class::Gone)
    );
    // A body that the expression does not fit is no match, and no failure.
    assert_eq!(
        judge("orders.get", 404, &[], "[1]").class,
        Some(Class::Gone)
    );

    let outcome = judge(
        "orders.get",
        200,
        &[],
        r#"{"error":{"code":17,"fields":["sku",{"field":"qty","value":"x"},3]}}"#,
    );
    assert_eq!(outcome.class, Some(Class::Invalid));
    assert_eq!(
        (outcome.code.as_str(), outcome.fields),
        ("17", vec!["sku".to_owned(), "qty".to_owned()])
    );

    let outcome = judge(
        "orders.get",
        503,
        &[("x-limit", "all used"), ("retry-after", "9")],
        r#"{"wait": 2.5}"#,
    );
    assert_eq!(
        (outcome.class, outcome.retry_after),
        (Some(Class::Throttled), Some(Duration::from_millis(2_500)))
    );
    let outcome = judge(
        "orders.get",
        403,
        &[("x-limit", "used"), ("retry-after", "9")],
        "{}",
    );
    assert_eq!(outcome.retry_after, Some(Duration::from_secs(9)));
    assert_eq!(
        judge("orders.get", 503, &[("x-limit", "free")], "{}").class,
        Some(Class::Ambiguous)
    );

    assert!(judge("fulfillment.push", 409, &[], r#"{"m":"was already done"}"#).is_ok());
    assert_eq!(
        judge("orders.ack", 409, &[], r#"{"m":"was already done"}"#).class,
        Some(Class::Conflict)
    );
}

#[test]
fn a_lost_call_is_judged_by_whether_it_was_sent() {
    let sample = provider("");
    let judge = |repeatable, sent, failure, status| {
        let judge = Judge {
            provider: &sample,
            operation: "x",
            repeatable,
            refreshable: false,
            now: Timestamp::UNIX_EPOCH,
        };
        judge.lost(&SendError {
            sent,
            failure,
            status,
        })
    };
    use Class::*;
    assert_eq!(
        judge(false, Sent::NotSent, Failure::Connect, None).class,
        Some(Transient)
    );
    assert_eq!(
        judge(false, Sent::Maybe, Failure::Timeout, None).class,
        Some(Ambiguous)
    );
    assert_eq!(
        judge(true, Sent::Maybe, Failure::Timeout, None).class,
        Some(Transient)
    );
    assert_eq!(
        judge(true, Sent::Answered, Failure::TooLarge, Some(200)).class,
        Some(BrokenContract)
    );
    assert_eq!(
        judge(false, Sent::Answered, Failure::TooLarge, Some(200)).class,
        Some(Ambiguous)
    );
    assert_eq!(
        judge(false, Sent::Answered, Failure::TooLarge, Some(429)).class,
        Some(Throttled)
    );
    assert_eq!(
        judge(false, Sent::NotSent, Failure::Blocked, None).class,
        Some(Invalid)
    );
    assert_eq!(
        judge(true, Sent::Maybe, Failure::Timeout, None).code,
        "timeout"
    );
}

#[test]
fn notices_before_the_json_are_skipped_when_asked() {
    let noisy = answer(
        200,
        &[],
        "<b>Notice</b>: undefined [0] in {file}\n{\"id\": 7.10}",
    );
    assert_eq!(
        decode(Format::Json, true, &noisy).body.to_string(),
        "{\"id\":7.10}"
    );
    assert!(matches!(
        decode(Format::Json, false, &noisy).fault,
        Some(Fault::Malformed(_))
    ));
    let page = answer(200, &[], "<html><script>{\"a\":1}</script></html>");
    assert_eq!(decode(Format::Json, true, &page).fault, Some(Fault::Html));
}

#[test]
fn other_formats_are_decoded() {
    let body = |format, headers: &[_], text| {
        decode(format, false, &answer(200, headers, text))
            .body
            .to_string()
    };
    assert_eq!(
        body(Format::Xml, &[], "<a><b>1</b></a>"),
        r#"{"a":{"b":"1"}}"#
    );
    let page = answer(403, &[], "<html><p>Blocked</p></html>");
    assert_eq!(decode(Format::Xml, false, &page).fault, Some(Fault::Html));
    assert_eq!(body(Format::Text, &[], "plain"), r#""plain""#);
    assert_eq!(body(Format::None, &[], "plain"), "null");
    assert_eq!(
        body(
            Format::Form,
            &[("content-type", "application/x-www-form-urlencoded")],
            "a=1&b=x+y"
        ),
        r#"{"a":"1","b":"x y"}"#
    );
    assert_eq!(
        body(
            Format::Form,
            &[("content-type", "application/json; charset=utf-8")],
            "{\"a\":1}"
        ),
        r#"{"a":1}"#
    );
    assert_eq!(body(Format::Form, &[], "OK"), r#""OK""#);
}

#[test]
fn messages_hold_no_personal_data() {
    let cases = [
        (
            "Invalid billing email anna@example.com.",
            "Invalid billing email ***",
        ),
        ("phone +371 2612-3456 is bad", "phone +*** is bad"),
        ("phone +371 26 123 456 is bad", "phone +*** is bad"),
        ("order 12345678 not found", "order 12345678 not found"),
        ("a\r\n\tb\u{7}", "a b"),
        ("card 4111111111111111", "card ***"),
    ];
    for (text, expected) in cases {
        assert_eq!(clean(text, 300), expected);
    }
    assert_eq!(clean(&"ж".repeat(400), 300).chars().count(), 300);
}

proptest! {
    #[test]
    fn any_answer_has_an_outcome(status in 100u16..1000, body in "\\PC{0,60}", repeatable: bool) {
        let outcome = judged(&provider(""), "x", repeatable, &answer(status, &[], &body));
        prop_assert!(outcome.message.chars().count() <= 300);
        prop_assert_eq!(outcome.is_ok(), outcome.code.is_empty());
        prop_assert!(repeatable || outcome.class != Some(Class::Transient) || status < 500);
    }
}
