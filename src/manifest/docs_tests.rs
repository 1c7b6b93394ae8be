//! The manual names every key and word of the vocabulary: a key that is added without a word in
//! `docs/connectors.md` fails here.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::model::*;
use serde::de::DeserializeOwned;

fn manual() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/connectors.md")).unwrap()
}

/// What serde says is known where an unknown key stands in a table of this type.
fn keys<T: DeserializeOwned>(table: &str) -> Vec<String> {
    let error = match toml::from_str::<T>(&format!("zzz = 1\n{table}")) {
        Ok(_) => panic!("an unknown key must be refused"),
        Err(error) => error.message().to_owned(),
    };
    assert!(error.starts_with("unknown field `zzz`"), "{error}");
    error
        .split('`')
        .skip(3)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// The words of an enumeration.
fn words<T: DeserializeOwned>() -> Vec<String> {
    let error = match serde_json::from_str::<T>("\"zzz\"") {
        Ok(_) => panic!("an unknown word must be refused"),
        Err(error) => error.to_string(),
    };
    error
        .split('`')
        .skip(3)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// The kinds of a tagged enumeration.
fn kinds<T: DeserializeOwned>() -> Vec<String> {
    let error = match toml::from_str::<T>("kind = \"zzz\"") {
        Ok(_) => panic!("an unknown kind must be refused"),
        Err(error) => error.message().to_owned(),
    };
    error
        .split('`')
        .skip(3)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_manual_names_every_word_of_the_vocabulary() {
    let all = [
        keys::<Manifest>(""),
        keys::<Transport>(""),
        keys::<Limits>(""),
        keys::<LimitHeaders>(""),
        keys::<LimitCost>(""),
        keys::<Retry>(""),
        keys::<ErrorRule>(""),
        keys::<Operation>(""),
        keys::<Step>(""),
        keys::<Poll>(""),
        keys::<Webhooks>(""),
        keys::<TopicRule>(""),
        keys::<Challenge>(""),
        keys::<Acknowledge>(""),
        keys::<Verify>("kind = \"hmac\""),
        keys::<Pagination>("kind = \"page\""),
        keys::<Pagination>("kind = \"cursor\""),
        keys::<Auth>("kind = \"basic\""),
        keys::<Auth>("kind = \"header\""),
        keys::<Auth>("kind = \"query\""),
        keys::<Auth>("kind = \"oauth1\""),
        keys::<Auth>("kind = \"sign\""),
        keys::<super::form::FormField>(""),
        keys::<super::fixture::CaseFile>(""),
        kinds::<AuthKind>(),
        kinds::<Pagination>(),
        kinds::<Verify>(),
        words::<OauthPlace>(),
        words::<Format>(),
        words::<RuleClass>(),
        words::<Repeat>(),
        words::<ResetAs>(),
        words::<HashAlgorithm>(),
        words::<Encoding>(),
        words::<SignedPart>(),
        words::<SecretVariant>(),
        words::<super::form::FieldType>(),
        super::lint::OPERATIONS
            .iter()
            .map(|name| (*name).to_owned())
            .collect(),
        super::lint::READ_MAPPINGS
            .iter()
            .map(|name| (*name).to_owned())
            .collect(),
    ];
    let manual = manual();
    // A word is named when it stands alone inside code quotes, or as a heading's table name.
    let code: Vec<&str> = manual.split('`').skip(1).step_by(2).collect();
    let named = |word: &str| {
        code.iter().any(|text| {
            text.split(|c: char| !c.is_ascii_alphanumeric() && !"_.-".contains(c))
                .any(|part| part.trim_matches('.') == word)
        }) || code.iter().any(|text| {
            text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .any(|part| part == word)
        })
    };
    let silent: Vec<&String> = all.iter().flatten().filter(|word| !named(word)).collect();
    assert!(all.iter().all(|list| !list.is_empty()), "{all:?}");
    assert!(
        silent.is_empty(),
        "docs/connectors.md does not name {silent:?}"
    );
}
