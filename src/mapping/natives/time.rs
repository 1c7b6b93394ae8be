//! Time. Results are RFC 3339 in UTC with `Z`, without a fraction when it is zero.
//!
//! - `time(format; zone)`: reads the input. Formats: `rfc3339` (offset needed), `iso_local` (an offset in the text wins, else `zone`
//!   counts; a date alone is its midnight), `epoch_s`, `epoch_ms`, or strptime text such as `%d.%m.%Y %H:%M`. `time(format)`: zone UTC.
//! - `time_add_s(seconds)`. `day_of`, `day_of(zone)`: the calendar day, `2026-01-31`.
//! - `time_text(format; zone)`: the other way, by strftime text; also `epoch_s` and `epoch_ms`, which give numbers.
//!
//! A zone is an IANA name or an offset such as `+03:00`. Null stays null. A local time that a clock change doubles means the first.

use super::{Native, Outcome, arg, failed, text_of};
use crate::mapping::engine::Frame;
use crate::mapping::natives::money::decimal;
use crate::mapping::{MapError, Val, value};
use jaq_json::Num;
use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

pub(super) const NATIVES: &[Native] = &[
    Native {
        name: "time",
        arity: 1,
        run: |_, input, args| time(&input, arg(args, 0), &value::text("UTC")),
    },
    Native {
        name: "time",
        arity: 2,
        run: |_, input, args| time(&input, arg(args, 0), arg(args, 1)),
    },
    Native {
        name: "time_add_s",
        arity: 1,
        run: time_add_s,
    },
    Native {
        name: "day_of",
        arity: 0,
        run: |_, input, _| day_of(&input, &value::text("UTC")),
    },
    Native {
        name: "day_of",
        arity: 1,
        run: |_, input, args| day_of(&input, arg(args, 0)),
    },
    Native {
        name: "time_text",
        arity: 2,
        run: time_text,
    },
];

fn time(input: &Val, format: &Val, zone: &Val) -> Outcome {
    if matches!(input, Val::Null) {
        return Ok(Val::Null);
    }
    let format = text_of("time", format)?;
    let stamp = match format {
        "epoch_s" => epoch(input, 1_000_000_000)?,
        "epoch_ms" => epoch(input, 1_000_000)?,
        "rfc3339" => text_of("time", input)?.trim().parse().ok(),
        "iso_local" => local_or_absolute(text_of("time", input)?.trim(), zone)?,
        word if !word.contains('%') => {
            return failed(format!(
                "time: there is no format {word}: epoch_s, epoch_ms, rfc3339, iso_local, or a pattern such as %d.%m.%Y"
            ));
        }
        strptime => by_format(strptime, text_of("time", input)?.trim(), zone)?,
    };
    match stamp {
        Some(stamp) => Ok(value::string(stamp.to_string())),
        None => failed(format!(
            "time: the input is not a time in the format {format}"
        )),
    }
}

fn epoch(input: &Val, nanoseconds_each: i64) -> Result<Option<Timestamp>, MapError> {
    let number = decimal("time", input)?;
    let nanoseconds = number
        .checked_mul(Decimal::from(nanoseconds_each))
        .and_then(|total| total.trunc().to_i128());
    Ok(nanoseconds.and_then(|total| Timestamp::from_nanosecond(total).ok()))
}

fn local_or_absolute(text: &str, zone: &Val) -> Result<Option<Timestamp>, MapError> {
    if let Ok(stamp) = text.parse() {
        return Ok(Some(stamp));
    }
    match text.parse::<DateTime>() {
        Ok(local) => in_zone(local, zone),
        Err(_) => Ok(None),
    }
}

fn by_format(format: &str, text: &str, zone: &Val) -> Result<Option<Timestamp>, MapError> {
    let Ok(parts) = BrokenDownTime::parse(format, text) else {
        return Ok(None);
    };
    if let Ok(stamp) = parts.to_timestamp() {
        return Ok(Some(stamp));
    }
    let local = parts.to_datetime().or_else(|_| {
        parts
            .to_date()
            .map(|date| date.to_datetime(jiff::civil::Time::midnight()))
    });
    match local {
        Ok(local) => in_zone(local, zone),
        Err(_) => Ok(None),
    }
}

fn in_zone(local: DateTime, zone: &Val) -> Result<Option<Timestamp>, MapError> {
    Ok(zone_of(zone)?.to_timestamp(local).ok())
}

fn zone_of(zone: &Val) -> Result<TimeZone, MapError> {
    let name = text_of("time zone", zone)?;
    if name == "UTC" {
        return Ok(TimeZone::UTC);
    }
    let offset = || {
        BrokenDownTime::parse("%:z", name)
            .ok()
            .and_then(|parts| parts.offset())
    };
    match TimeZone::get(name) {
        Ok(zone) => Ok(zone),
        Err(_) => match offset() {
            Some(offset) => Ok(TimeZone::fixed(offset)),
            None => failed(
                "time: unknown time zone; use an IANA name such as Europe/Athens or an offset such as +03:00",
            ),
        },
    }
}

/// A time as the canonical model writes it.
fn stamp(name: &str, input: &Val) -> Result<Timestamp, MapError> {
    match text_of(name, input)?.parse() {
        Ok(stamp) => Ok(stamp),
        Err(_) => failed(format!("{name}: expected an RFC 3339 time")),
    }
}

fn time_add_s(_: &Frame<'_>, input: Val, args: &[Val]) -> Outcome {
    if matches!(input, Val::Null) {
        return Ok(Val::Null);
    }
    let Val::Num(Num::Int(seconds)) = arg(args, 0) else {
        return failed("time_add_s: expected a whole number of seconds");
    };
    match stamp("time_add_s", &input)?.checked_add(SignedDuration::from_secs(*seconds as i64)) {
        Ok(later) => Ok(value::string(later.to_string())),
        Err(_) => failed("time_add_s: the result is out of range"),
    }
}

fn day_of(input: &Val, zone: &Val) -> Outcome {
    match input {
        Val::Null => Ok(Val::Null),
        input => {
            let stamp = stamp("day_of", input)?;
            Ok(value::string(
                zone_of(zone)?.to_datetime(stamp).date().to_string(),
            ))
        }
    }
}

fn time_text(_: &Frame<'_>, input: Val, args: &[Val]) -> Outcome {
    if matches!(input, Val::Null) {
        return Ok(Val::Null);
    }
    let stamp = stamp("time_text", &input)?;
    match text_of("time_text", arg(args, 0))? {
        "epoch_s" => Ok(value::int(stamp.as_second())),
        "epoch_ms" => Ok(value::int(stamp.as_millisecond())),
        format => {
            let zoned = stamp.to_zoned(zone_of(arg(args, 1))?);
            match BrokenDownTime::from(&zoned).to_string(format) {
                Ok(text) => Ok(value::string(text)),
                Err(_) => failed("time_text: the format is not strftime text"),
            }
        }
    }
}
