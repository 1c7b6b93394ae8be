//! How long a provider wants us to wait: `Retry-After` in all its forms, limit headers, budgets of points.
//!
//! What always holds: a wait is capped at a day, whatever the provider says.

use super::provider::Provider;
use super::value::scalar;
use crate::canonical::Timestamp;
use crate::clock::{after, between};
use crate::manifest::model::{LimitCost, LimitHeaders, ResetAs};
use jaq_json::Val;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use std::time::Duration;

/// The longest wait that is obeyed.
pub const LONGEST: Duration = Duration::from_secs(24 * 3_600);

/// The wait in `Retry-After`: seconds or a date. None when there is none that can be read.
pub fn from_headers(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match seconds(text) {
        Some(wait) => wait,
        None => between(now, http_date(text)?),
    };
    Some(wait.min(LONGEST))
}

/// A number of seconds; fractions are sent by some.
pub fn seconds(text: &str) -> Option<Duration> {
    let number: f64 = text.parse().ok()?;
    (number >= 0.0).then(|| {
        Duration::try_from_secs_f64(number)
            .unwrap_or(LONGEST)
            .min(LONGEST)
    })
}

/// An HTTP date (RFC 9110 §5.6.7): IMF-fixdate and the two obsolete forms.
pub fn http_date(text: &str) -> Option<Timestamp> {
    [
        "%a, %d %b %Y %H:%M:%S GMT",
        "%A, %d-%b-%y %H:%M:%S GMT",
        "%a %b %e %H:%M:%S %Y",
    ]
    .iter()
    .find_map(|format| {
        let civil = DateTime::strptime(format, text).ok()?;
        civil
            .to_zoned(TimeZone::UTC)
            .ok()
            .map(|zoned| zoned.timestamp())
    })
}

/// Until when limit headers say that nothing is left. None while something is, or when the reset
/// cannot be read (then the rate alone holds us back).
pub fn from_limit_headers(
    rule: &LimitHeaders,
    headers: &HeaderMap,
    now: Timestamp,
) -> Option<Timestamp> {
    let read = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let remaining: f64 = read(&rule.remaining)?.parse().ok()?;
    if remaining >= 1.0 {
        return None;
    }
    let reset = read(rule.reset.as_deref()?)?;
    let until = match rule.reset_as {
        ResetAs::Seconds => after(now, seconds(reset)?),
        ResetAs::EpochS => Timestamp::from_second(reset.parse().ok()?).ok()?,
        ResetAs::EpochMs => Timestamp::from_millisecond(reset.parse().ok()?).ok()?,
        ResetAs::Date => http_date(reset).or_else(|| reset.parse().ok())?,
    };
    let until = until.min(after(now, LONGEST));
    (until > now).then_some(until)
}

/// How long it takes until the budget that an answer tells covers the dearest call. None when it
/// does, or is not told.
pub fn from_cost(cost: &LimitCost, provider: &dyn Provider, context: &Val) -> Option<Duration> {
    let read = |expression: &str| -> Option<f64> {
        let value = provider.eval(expression, context).ok()?;
        scalar(&value)?.parse().ok()
    };
    let lacking = cost.needed - read(&cost.available)?;
    let restored = read(&cost.restored_per_second).filter(|rate| *rate > 0.0)?;
    (lacking > 0.0).then(|| {
        let wait = Duration::try_from_secs_f64(lacking / restored);
        wait.unwrap_or(LONGEST).min(LONGEST)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    const NOW: Timestamp = Timestamp::constant(784_111_747, 0); // Sun, 06 Nov 1994 08:49:07 GMT

    fn wait(text: &str) -> Option<u64> {
        let headers: HeaderMap = [(RETRY_AFTER, HeaderValue::from_str(text).unwrap())]
            .into_iter()
            .collect();
        from_headers(&headers, NOW).map(|wait| wait.as_secs())
    }

    #[test]
    fn every_form_of_retry_after_is_read() {
        let cases = [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("1.9", Some(1)),
            ("999999999999", Some(86_400)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(30)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(30)),
            ("Sun Nov  6 08:49:37 1994", Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("Sat, 06 Nov 1999 08:00:00 GMT", Some(86_400)),
            ("-5", None),
            ("NaN", None),
            ("soon", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(wait(text), expected, "{text:?}");
        }
        assert_eq!(from_headers(&HeaderMap::new(), NOW), None);
    }

    fn limit(remaining: &'static str, reset: &'static str, reset_as: ResetAs) -> Option<i64> {
        let rule = LimitHeaders {
            remaining: "X-Left".into(),
            reset: Some("X-Reset".into()),
            reset_as,
        };
        let mut headers = HeaderMap::new();
        headers.insert("x-left", HeaderValue::from_static(remaining));
        headers.insert("x-reset", HeaderValue::from_static(reset));
        from_limit_headers(&rule, &headers, NOW).map(|until| until.as_second() - NOW.as_second())
    }

    #[test]
    fn limit_headers_freeze_only_when_nothing_is_left() {
        assert_eq!(limit("0", "30", ResetAs::Seconds), Some(30));
        assert_eq!(limit("3", "30", ResetAs::Seconds), None);
        assert_eq!(limit("0", "784111757", ResetAs::EpochS), Some(10));
        assert_eq!(limit("0", "784111752000", ResetAs::EpochMs), Some(5));
        assert_eq!(
            limit("0", "Sun, 06 Nov 1994 08:49:37 GMT", ResetAs::Date),
            Some(30)
        );
        assert_eq!(limit("0", "1994-11-06T08:49:17Z", ResetAs::Date), Some(10));
        assert_eq!(limit("0", "later", ResetAs::Seconds), None);
        assert_eq!(limit("0", "1", ResetAs::EpochS), None);
        assert_eq!(limit("0", "99999999999", ResetAs::EpochS), Some(86_400));
    }

    #[test]
    fn a_budget_is_waited_for_until_the_dearest_call_fits() {
        let cost = LimitCost {
            available: ".body.left".into(),
            restored_per_second: ".body.rate".into(),
            needed: 600.0,
        };
        let provider = crate::operation::testing::provider("");
        let wait = |body: serde_json::Value| {
            let context = crate::operation::value::from_json(&serde_json::json!({ "body": body }));
            from_cost(&cost, &provider, &context).map(|wait| wait.as_millis())
        };
        let cases = [
            (serde_json::json!({"left": 100.0, "rate": 200}), Some(2_500)),
            (
                serde_json::json!({"left": "0", "rate": 0.001}),
                Some(86_400_000),
            ),
            (serde_json::json!({"left": 600, "rate": 100}), None),
            (serde_json::json!({"left": 100, "rate": 0}), None),
            (serde_json::json!({"left": null, "rate": 100}), None),
            (serde_json::json!("not an object"), None),
        ];
        for (body, expected) in cases {
            assert_eq!(wait(body.clone()), expected, "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader_or_waits_longer_than_a_day(text in "[ -~]{0,40}") {
            prop_assert!(wait(&text).is_none_or(|seconds| seconds <= 86_400));
        }
    }
}
