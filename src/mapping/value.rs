//! Small helpers around jq's value type, so that the rest reads plainly.

use super::Val;
use jaq_json::{Map, Num};
use std::borrow::Cow;

/// A text value.
pub(crate) fn text(text: &str) -> Val {
    Val::utf8_str(text.as_bytes().to_vec())
}

/// A text value that takes the string over.
pub(crate) fn string(text: String) -> Val {
    Val::utf8_str(text)
}

/// A whole number.
pub(crate) fn int(number: i64) -> Val {
    match isize::try_from(number) {
        Ok(small) => Val::Num(Num::Int(small)),
        Err(_) => Val::Num(Num::Dec(number.to_string().into())),
    }
}

/// A number from its JSON text: whole numbers become numbers that jq can index and count with, all others keep their digits.
pub(crate) fn number(text: String) -> Val {
    let whole = text.bytes().all(|b| b.is_ascii_digit() || b == b'-') && text != "-0";
    if whole && let Some(number) = Num::from_str_radix(&text, 10) {
        return Val::Num(number);
    }
    Val::Num(Num::Dec(text.into()))
}

/// An array.
pub(crate) fn array(items: Vec<Val>) -> Val {
    items.into_iter().collect()
}

/// An object.
pub(crate) fn object(entries: impl IntoIterator<Item = (Val, Val)>) -> Val {
    Val::obj(entries.into_iter().collect::<Map>())
}

/// The text of a valid UTF-8 string value.
pub(crate) fn as_str(value: &Val) -> Option<&str> {
    match value {
        Val::TStr(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

/// The text of a string, number or boolean, as a lookup key or an XML text needs it.
pub(crate) fn scalar_text(value: &Val) -> Option<Cow<'_, str>> {
    match value {
        Val::TStr(_) => as_str(value).map(Cow::Borrowed),
        Val::Num(number) => Some(Cow::Owned(number.to_string())),
        Val::Bool(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
        _ => None,
    }
}

/// The member of an object.
pub(crate) fn field<'a>(value: &'a Val, name: &str) -> Option<&'a Val> {
    match value {
        Val::Obj(map) => map.get(&text(name)),
        _ => None,
    }
}
