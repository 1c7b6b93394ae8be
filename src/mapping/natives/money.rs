//! Exact money. Amounts are decimal strings or numbers as the payload wrote them; results are decimal strings that keep their scale.
//!
//! - `dec`: number or numeric text → decimal text, scale kept (`19.90` → `"19.90"`); null stays null. `dec_comma`: the same for `1.234,50`.
//! - `money_add(a; b)`, `money_sub(a; b)`, `money_mul(a; b)`: exact, or `mapping_overflow`. `money_neg(a)`.
//! - `money_div(a; b)`: up to 28 digits, at least the scale of `a`; round it. `money_sum`: array → sum, `"0"` for none.
//! - `money_round(x; places)`: half up, away from zero, to exactly that many places. `money_cmp(a; b)`: -1, 0, 1.
//! - `minor_to_major(n; places)`: cents → text. `major_to_minor(x; places)`: text → whole number, exact or an error.
//! - `currency_digits(code)`: minor digits by ISO 4217. `to_number_exact`: decimal text → JSON number with the same digits.
//!
//! Always holds: a number that jq's float arithmetic made is refused; arithmetic that cannot be exact is an error, never rounded silently.

use super::{Native, Outcome, arg, failed, text_of};
use crate::mapping::engine::Frame;
use crate::mapping::{MapError, Val, error::kind, value};
use jaq_json::Num;
use rust_decimal::{Decimal, RoundingStrategy};
use std::cmp::Ordering;

pub(super) const NATIVES: &[Native] = &[
    Native {
        name: "dec",
        arity: 0,
        run: dec,
    },
    Native {
        name: "dec_comma",
        arity: 0,
        run: dec_comma,
    },
    Native {
        name: "money_add",
        arity: 2,
        run: |_, _, a| both(a, "money_add", add),
    },
    Native {
        name: "money_sub",
        arity: 2,
        run: |_, _, a| both(a, "money_sub", |x, y| add(x, -y)),
    },
    Native {
        name: "money_mul",
        arity: 2,
        run: |_, _, a| both(a, "money_mul", multiply),
    },
    Native {
        name: "money_div",
        arity: 2,
        run: |_, _, a| both(a, "money_div", divide),
    },
    Native {
        name: "money_neg",
        arity: 1,
        run: |_, _, a| Ok(amount(-decimal("money_neg", arg(a, 0))?)),
    },
    Native {
        name: "money_sum",
        arity: 0,
        run: sum,
    },
    Native {
        name: "money_round",
        arity: 2,
        run: round,
    },
    Native {
        name: "money_cmp",
        arity: 2,
        run: compare,
    },
    Native {
        name: "minor_to_major",
        arity: 2,
        run: minor_to_major,
    },
    Native {
        name: "major_to_minor",
        arity: 2,
        run: major_to_minor,
    },
    Native {
        name: "currency_digits",
        arity: 1,
        run: currency_digits,
    },
    Native {
        name: "to_number_exact",
        arity: 0,
        run: to_number_exact,
    },
];

/// The exact decimal of a number or numeric text.
pub(crate) fn decimal(name: &str, input: &Val) -> Result<Decimal, MapError> {
    match input {
        Val::Num(Num::Int(int)) => Ok(Decimal::from(*int as i64)),
        Val::Num(Num::Float(_)) => failed(format!(
            "{name}: the number was computed as a float and is not exact; use the money functions"
        )),
        Val::Num(Num::Dec(digits)) => parse(name, digits),
        Val::Num(number) => parse(name, &number.to_string()),
        Val::TStr(_) => parse(name, text_of(name, input)?),
        other => failed(format!("{name}: expected an amount, found {}", kind(other))),
    }
}

/// Parses plain decimal text with an optional exponent, exactly.
fn parse(name: &str, text: &str) -> Result<Decimal, MapError> {
    let text = text.trim();
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()),
        None => (text, Some(0)),
    };
    let digits = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let numeric = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let plain = numeric(whole) && numeric(fraction) && !(whole.is_empty() && fraction.is_empty());
    let (true, Some(exponent)) = (plain, exponent) else {
        return failed(format!(
            "{name}: expected an amount such as 12.30, found another text"
        ));
    };
    let parsed = Decimal::from_str_exact(mantissa).map_err(|_| overflow(name))?;
    let scaled = if exponent == 0 {
        Some(parsed)
    } else {
        shift(parsed, exponent)
    };
    scaled
        .map(without_negative_zero)
        .ok_or_else(|| overflow(name))
}

/// `number × 10^exponent`, exactly.
fn shift(number: Decimal, exponent: i32) -> Option<Decimal> {
    let scale = i64::from(number.scale()) - i64::from(exponent);
    let digits = number.mantissa();
    if scale >= 0 {
        return Decimal::try_from_i128_with_scale(digits, u32::try_from(scale).ok()?).ok();
    }
    let factor = 10_i128.checked_pow(u32::try_from(-scale).ok()?)?;
    Decimal::try_from_i128_with_scale(digits.checked_mul(factor)?, 0).ok()
}

fn without_negative_zero(mut number: Decimal) -> Decimal {
    if number.is_zero() {
        number.set_sign_positive(true);
    }
    number
}

fn overflow(name: &str) -> MapError {
    MapError::Overflow(format!(
        "{name}: the amount does not fit in 28 exact digits"
    ))
}

/// A decimal as amounts are written.
pub(crate) fn amount(number: Decimal) -> Val {
    value::string(without_negative_zero(number).to_string())
}

fn both(args: &[Val], name: &str, operation: fn(Decimal, Decimal) -> Option<Decimal>) -> Outcome {
    let (left, right) = (decimal(name, arg(args, 0))?, decimal(name, arg(args, 1))?);
    if name == "money_div" && right.is_zero() {
        return failed("money_div: division by zero");
    }
    operation(left, right)
        .map(amount)
        .ok_or_else(|| overflow(name))
}

/// Exact sum: `None` where the library would have to drop digits.
fn add(left: Decimal, right: Decimal) -> Option<Decimal> {
    let scale = left.scale().max(right.scale());
    let mut sum = left.checked_add(right)?;
    // The library drops the scale of a zero operand, which loses nothing.
    if left.is_zero() || right.is_zero() {
        sum.rescale(scale);
    }
    Some(sum).filter(|sum| sum.scale() == scale)
}

/// Exact product: `None` where the library would have to drop digits.
fn multiply(left: Decimal, right: Decimal) -> Option<Decimal> {
    let scale = left.scale() + right.scale();
    let digits = left.mantissa().checked_mul(right.mantissa())?;
    Decimal::try_from_i128_with_scale(digits, scale).ok()
}

fn divide(left: Decimal, right: Decimal) -> Option<Decimal> {
    let mut quotient = left.checked_div(right)?.normalize();
    if quotient.scale() < left.scale() {
        quotient.rescale(left.scale());
    }
    Some(quotient)
}

fn dec(_: &Frame<'_>, input: Val, _: &[Val]) -> Outcome {
    match input {
        Val::Null => Ok(Val::Null),
        other => decimal("dec", &other).map(amount),
    }
}

fn dec_comma(_: &Frame<'_>, input: Val, _: &[Val]) -> Outcome {
    match &input {
        Val::Null => Ok(Val::Null),
        Val::TStr(_) => {
            let text = text_of("dec_comma", &input)?;
            let plain: String = text
                .chars()
                .filter(|c| !matches!(c, '.' | ' ' | '\u{a0}' | '\u{202f}' | '\''))
                .collect();
            if text.matches(',').count() > 1 {
                return failed(
                    "dec_comma: expected an amount such as 1.234,50, found several commas",
                );
            }
            parse("dec_comma", &plain.replace(',', ".")).map(amount)
        }
        other => decimal("dec_comma", other).map(amount),
    }
}

fn sum(_: &Frame<'_>, input: Val, _: &[Val]) -> Outcome {
    let Val::Arr(items) = &input else {
        return failed(format!(
            "money_sum: expected an array of amounts, found {}",
            kind(&input)
        ));
    };
    let mut total = Decimal::ZERO;
    for item in items.iter() {
        total = add(total, decimal("money_sum", item)?).ok_or_else(|| overflow("money_sum"))?;
    }
    Ok(amount(total))
}

/// A count of decimal places, 0 to 28.
fn places(name: &str, input: &Val) -> Result<u32, MapError> {
    match input {
        Val::Num(Num::Int(count @ 0..=28)) => Ok(u32::try_from(*count).unwrap_or(0)),
        _ => failed(format!(
            "{name}: places must be a whole number from 0 to 28"
        )),
    }
}

fn round(_: &Frame<'_>, _: Val, args: &[Val]) -> Outcome {
    let (number, places) = (
        decimal("money_round", arg(args, 0))?,
        places("money_round", arg(args, 1))?,
    );
    let mut rounded = number.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero);
    rounded.rescale(places);
    if rounded.scale() == places {
        Ok(amount(rounded))
    } else {
        Err(overflow("money_round"))
    }
}

fn compare(_: &Frame<'_>, _: Val, args: &[Val]) -> Outcome {
    let (left, right) = (
        decimal("money_cmp", arg(args, 0))?,
        decimal("money_cmp", arg(args, 1))?,
    );
    Ok(value::int(match left.cmp(&right) {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    }))
}

fn minor_to_major(_: &Frame<'_>, _: Val, args: &[Val]) -> Outcome {
    let (minor, places) = (
        decimal("minor_to_major", arg(args, 0))?,
        places("minor_to_major", arg(args, 1))?,
    );
    if !minor.fract().is_zero() {
        return failed("minor_to_major: expected a whole number of minor units");
    }
    Decimal::try_from_i128_with_scale(minor.trunc().mantissa(), places)
        .map(amount)
        .map_err(|_| overflow("minor_to_major"))
}

fn major_to_minor(_: &Frame<'_>, _: Val, args: &[Val]) -> Outcome {
    let (major, places) = (
        decimal("major_to_minor", arg(args, 0))?,
        places("major_to_minor", arg(args, 1))?,
    );
    let exponent = i32::try_from(places).unwrap_or(0);
    let minor = shift(major, exponent).ok_or_else(|| overflow("major_to_minor"))?;
    if !minor.fract().is_zero() {
        return failed(
            "major_to_minor: the amount has more decimal places than the currency; round it first",
        );
    }
    Ok(value::number(
        without_negative_zero(minor.trunc()).to_string(),
    ))
}

fn currency_digits(frame: &Frame<'_>, _: Val, args: &[Val]) -> Outcome {
    let code = text_of("currency_digits", arg(args, 0))?;
    if code.len() != 3 || !code.bytes().all(|b| b.is_ascii_uppercase()) {
        return failed("currency_digits: expected an ISO 4217 code such as EUR");
    }
    let row = frame
        .library
        .row("currency_digits", code)
        .and_then(|row| value::field(row, "digits").cloned());
    let digits = row
        .as_ref()
        .and_then(value::as_str)
        .and_then(|digits| digits.parse().ok());
    Ok(value::int(digits.unwrap_or(2)))
}

fn to_number_exact(_: &Frame<'_>, input: Val, _: &[Val]) -> Outcome {
    match input {
        Val::Null => Ok(Val::Null),
        other => decimal("to_number_exact", &other).map(|number| value::number(number.to_string())),
    }
}
