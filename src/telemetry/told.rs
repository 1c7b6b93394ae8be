//! The one place where what is told becomes a log event and a span.
//!
//! What always holds: both have the same fields; a field's value is worked out once; the span ends by
//! it. Fields are ids, codes, counts and durations; never a body, a name, an address or a URL.

/// Tells one thing: as an event of the log at this level, and, where there is a span, as its
/// attributes and its end (at this moment).
macro_rules! told {
    ($level:ident, $span:expr, $at:expr, $message:literal, { $($field:ident = $value:expr),+ $(,)? }) => {{
        // Many a field is a local of the same name already.
        $(#[allow(clippy::redundant_locals)] let $field = $value;)+
        let span: Option<$crate::telemetry::trace::Span> = $span;
        if let Some(mut span) = span {
            $(span.set(stringify!($field), &$field);)+
            span.end($at);
        }
        tracing::$level!($($field = $field,)+ $message);
    }};
}
pub(crate) use told;
