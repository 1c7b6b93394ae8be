//! Absent, null, value: three things (DECISIONS 4).
//!
//! A key that a mapping leaves out means "this shape does not tell" and keeps what is stored;
//! `null` and `[]` mean "known to be none". [`Merge`] lays a newer revision over a stored one.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One key of what a channel told us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Field<T> {
    /// The shape does not tell.
    #[default]
    Absent,
    /// Known to be none.
    Null,
    /// Known.
    Value(T),
}

impl<T> Field<T> {
    /// True when the shape does not tell (used to leave the key out of JSON).
    pub const fn is_absent(&self) -> bool {
        matches!(self, Field::Absent)
    }
    /// The value, if there is one.
    pub const fn value(&self) -> Option<&T> {
        match self {
            Field::Value(value) => Some(value),
            _ => None,
        }
    }
    /// The value to change in place, if there is one.
    pub const fn value_mut(&mut self) -> Option<&mut T> {
        match self {
            Field::Value(value) => Some(value),
            _ => None,
        }
    }
    /// The value itself, if there is one.
    pub fn into_value(self) -> Option<T> {
        match self {
            Field::Value(value) => Some(value),
            _ => None,
        }
    }
}

impl<T: Default + Clone> Field<T> {
    /// The value, or the type's default when there is none.
    pub fn or_default(&self) -> T {
        self.value().cloned().unwrap_or_default()
    }
}

impl Field<String> {
    /// The text, if there is one.
    pub fn text(&self) -> Option<&str> {
        self.value().map(String::as_str)
    }
}

impl<T> From<Option<T>> for Field<T> {
    /// `None` is "known to be none".
    fn from(option: Option<T>) -> Self {
        option.map_or(Field::Null, Field::Value)
    }
}

impl<T: Serialize> Serialize for Field<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Field::Value(value) => value.serialize(serializer),
            _ => serializer.serialize_none(),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<T>::deserialize(deserializer).map(Field::from)
    }
}

/// Lays a newer revision over what is stored.
pub trait Merge {
    /// Keeps `older`'s value wherever `self` does not tell.
    fn merge_over(&mut self, older: &Self);
}

/// Defines a structure whose every key is a [`Field`], with its strictness, [`Merge`], the list of
/// its keys and which of them differ between two revisions. Keys marked `nested` merge key by key;
/// the others are replaced whole.
macro_rules! fields {
    ($(#[$meta:meta])* pub struct $name:ident {
        $( $(#[$doc:meta])* $field:ident : $ty:ty $(=> $nested:ident)? ),* $(,)?
    }) => {
        #[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
        $(#[$meta])*
        pub struct $name {
            $( $(#[$doc])*
               #[serde(default, skip_serializing_if = "crate::canonical::Field::is_absent")]
               pub $field: crate::canonical::Field<$ty>, )*
        }
        impl $name {
            /// Every key, as in JSON.
            pub const KEYS: &'static [&'static str] = &[$(stringify!($field)),*];
            /// The keys that differ between two revisions; absent on either side counts as a
            /// difference only when the other side has a value.
            pub fn changed_keys(&self, other: &Self) -> Vec<&'static str> {
                let mut keys = Vec::new();
                $( if self.$field.value() != other.$field.value() { keys.push(stringify!($field)); } )*
                keys
            }
        }
        impl crate::canonical::Merge for $name {
            fn merge_over(&mut self, older: &Self) {
                $( crate::canonical::field::fields!(@merge self, older, $field $(, $nested)?); )*
            }
        }
    };
    (@merge $self:ident, $older:ident, $field:ident, nested) => {
        match (&mut $self.$field, &$older.$field) {
            (crate::canonical::Field::Value(new), crate::canonical::Field::Value(old)) =>
                crate::canonical::Merge::merge_over(new, old),
            (new @ crate::canonical::Field::Absent, old) => *new = old.clone(),
            _ => {}
        }
    };
    (@merge $self:ident, $older:ident, $field:ident) => {
        if $self.$field.is_absent() { $self.$field = $older.$field.clone(); }
    };
}
pub(crate) use fields;
