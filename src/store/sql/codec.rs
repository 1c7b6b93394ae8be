//! How values become columns: ids are 16 bytes, times are microseconds, enums are their JSON words.
//!
//! What always holds: what was written reads back equal (times to the microsecond); a stored value
//! that cannot be read is `Corrupt`, never a guess.

use super::row::Row;
use super::value::Value;
pub(in crate::store) use crate::canonical::word;
use crate::canonical::{MerchantId, Timestamp};
use crate::store::{Scope, StoreError};
use serde::Serialize;
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, IntoDeserializer};
use uuid::Uuid;

pub(in crate::store) type Result<T> = std::result::Result<T, StoreError>;

/// The value of cut-off columns of what has none: sorts last.
pub(in crate::store) const NO_CUT_OFF: i64 = i64::MAX;

impl From<rusqlite::Error> for StoreError {
    /// Tells a full or failing disk from damage. Texts name tables and columns, never values.
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        match error.sqlite_error_code() {
            Some(
                Code::DiskFull
                | Code::SystemIoFailure
                | Code::DatabaseBusy
                | Code::DatabaseLocked
                | Code::CannotOpen
                | Code::ReadOnly
                | Code::PermissionDenied
                | Code::OutOfMemory
                | Code::FileLockingProtocolFailed,
            ) => StoreError::Unavailable(error.to_string()),
            Some(Code::ConstraintViolation) => StoreError::Exists(error.to_string()),
            _ => StoreError::Corrupt(error.to_string()),
        }
    }
}

pub(in crate::store) fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(what.to_owned())
}

pub(in crate::store) fn json_error(error: serde_json::Error) -> StoreError {
    // The text of a serde error may quote a value; its place is enough.
    StoreError::Corrupt(format!(
        "not the JSON that was expected, at line {} column {}",
        error.line(),
        error.column()
    ))
}

pub(in crate::store) fn to_json<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(json_error)
}

pub(in crate::store) fn to_json_text<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(json_error)
}

pub(in crate::store) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(json_error)
}

pub(in crate::store) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

pub(in crate::store) fn timestamp(micros: i64) -> Result<Timestamp> {
    Timestamp::from_microsecond(micros).map_err(|_| corrupt("a time out of range"))
}

/// The UTC day as a number (days since 1970).
pub(in crate::store) fn day_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(86_400)
}

/// The text of a day number, `2026-11-23`.
pub(in crate::store) fn day_text(day: i64) -> String {
    Timestamp::from_second(day.saturating_mul(86_400))
        .map(|at| at.strftime("%Y-%m-%d").to_string())
        .unwrap_or_default()
}

/// The number of a day's text.
pub(in crate::store) fn day_number(text: &str) -> Option<i64> {
    let date: jiff::civil::Date = text.parse().ok()?;
    let at = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(day_of(at.timestamp()))
}

pub(in crate::store) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(in crate::store) fn uint(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// Column readers.
pub(in crate::store) trait Columns {
    fn uuid(&self, at: usize) -> Result<Uuid>;
    fn opt_uuid(&self, at: usize) -> Result<Option<Uuid>>;
    fn time(&self, at: usize) -> Result<Timestamp>;
    fn opt_time(&self, at: usize) -> Result<Option<Timestamp>>;
    fn number(&self, at: usize) -> Result<u64>;
    fn word<T: DeserializeOwned>(&self, at: usize) -> Result<T>;
    fn text(&self, at: usize) -> Result<String>;
    fn opt_text(&self, at: usize) -> Result<Option<String>>;
}

impl Columns for Row<'_> {
    fn uuid(&self, at: usize) -> Result<Uuid> {
        Ok(Uuid::from_bytes(self.get::<[u8; 16]>(at)?))
    }
    fn opt_uuid(&self, at: usize) -> Result<Option<Uuid>> {
        Ok(self.get::<Option<[u8; 16]>>(at)?.map(Uuid::from_bytes))
    }
    fn time(&self, at: usize) -> Result<Timestamp> {
        timestamp(self.get(at)?)
    }
    fn opt_time(&self, at: usize) -> Result<Option<Timestamp>> {
        self.get::<Option<i64>>(at)?.map(timestamp).transpose()
    }
    fn number(&self, at: usize) -> Result<u64> {
        Ok(uint(self.get(at)?))
    }
    fn word<T: DeserializeOwned>(&self, at: usize) -> Result<T> {
        let text = self.str(at)?;
        parse_word(text)
    }
    fn text(&self, at: usize) -> Result<String> {
        self.get(at)
    }
    fn opt_text(&self, at: usize) -> Result<Option<String>> {
        self.get(at)
    }
}

/// Reads an enum from its JSON word.
pub(in crate::store) fn parse_word<T: DeserializeOwned>(text: &str) -> Result<T> {
    let reader: StrDeserializer<'_, serde::de::value::Error> = text.into_deserializer();
    T::deserialize(reader).map_err(|_| corrupt("an unknown word in a column"))
}

/// A WHERE clause that grows with the filters given.
#[derive(Default)]
pub(in crate::store) struct Filter {
    sql: String,
    pub args: Vec<Value>,
}

impl Filter {
    /// What the scope sees; of one merchant where that is asked for.
    pub fn seen_by(scope: Scope, merchant: Option<MerchantId>) -> Self {
        let mut conditions = Self::default();
        let own = match scope {
            Scope::Merchant(own) => Some(own),
            Scope::All => None,
        };
        for merchant in own.into_iter().chain(merchant) {
            conditions.and("merchant_id = ?", blob(merchant.uuid()));
        }
        conditions
    }
    /// Adds a condition with one `?`.
    pub fn and(&mut self, condition: &str, value: impl Into<Value>) {
        self.raw(condition);
        self.args.push(value.into());
    }
    /// Adds a condition without values.
    pub fn raw(&mut self, condition: &str) {
        self.sql.push_str(if self.sql.is_empty() {
            " WHERE "
        } else {
            " AND "
        });
        self.sql.push_str(condition);
    }
    /// The clause, with a space before it; empty when there is no condition.
    pub fn sql(&self) -> &str {
        &self.sql
    }
}

pub(in crate::store) fn blob(uuid: Uuid) -> Value {
    Value::Blob(uuid.as_bytes().to_vec())
}

/// The cursor after an id.
pub(in crate::store) fn cursor_of(uuid: Uuid) -> String {
    uuid.simple().to_string()
}

pub(in crate::store) fn bad_cursor() -> StoreError {
    StoreError::NotFound("the cursor `after` is not one of ours".to_owned())
}

/// Reads a cursor that is an id.
pub(in crate::store) fn cursor_id(after: Option<&str>) -> Result<Option<Uuid>> {
    after
        .map(|text| Uuid::try_parse(text).map_err(|_| bad_cursor()))
        .transpose()
}

/// A page's limit within its bounds.
pub(in crate::store) fn limit_of(limit: usize) -> usize {
    limit.clamp(1, 500)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::canonical::event::EventType;
    use crate::canonical::order::OrderStatus;

    #[test]
    fn words_read_back() {
        assert_eq!(word(&OrderStatus::PendingPayment), "pending_payment");
        assert_eq!(
            word(&EventType::FulfillmentSubmitted),
            "fulfillment_order.submitted"
        );
        assert_eq!(word(&"text"), "");
        assert_eq!(
            parse_word::<OrderStatus>("on_hold").unwrap(),
            OrderStatus::OnHold
        );
        assert_eq!(
            parse_word::<EventType>("order.held").unwrap(),
            EventType::OrderHeld
        );
        assert!(parse_word::<OrderStatus>("nonsense").is_err());
    }

    #[test]
    fn days_are_utc() {
        let at: Timestamp = "2026-11-23T23:59:59.999999Z".parse().unwrap();
        assert_eq!(day_text(day_of(at)), "2026-11-23");
        assert_eq!(day_number("2026-11-23"), Some(day_of(at)));
        assert_eq!(timestamp(micros(at)).unwrap(), at);
        assert_eq!(day_number("yesterday"), None);
        let before_epoch: Timestamp = "1969-12-31T01:00:00Z".parse().unwrap();
        assert_eq!(day_text(day_of(before_epoch)), "1969-12-31");
    }
}
