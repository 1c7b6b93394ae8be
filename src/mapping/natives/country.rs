//! `country`: an English or native name, an ISO 3166-1 alpha-3 or alpha-2 code in any case → the alpha-2 code, or null when unknown.

use super::{Native, Outcome};
use crate::mapping::engine::Frame;
use crate::mapping::{Val, value};
use std::collections::HashMap;
use std::sync::OnceLock;

/// `alpha2,alpha3,names` with names separated by `|`.
const COUNTRIES: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/mappings/tables/countries.csv"
));

pub(super) const NATIVES: &[Native] = &[Native {
    name: "country",
    arity: 0,
    run: country,
}];

fn country(_: &Frame<'_>, input: Val, _: &[Val]) -> Outcome {
    let code = value::as_str(&input).and_then(|name| names().get(&folded(name)).copied());
    Ok(code.map_or(Val::Null, value::text))
}

/// A name as it is compared: lower case, letters and digits only.
fn folded(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

fn names() -> &'static HashMap<String, &'static str> {
    static NAMES: OnceLock<HashMap<String, &'static str>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let mut names = HashMap::new();
        for line in COUNTRIES.lines().skip(1) {
            let mut columns = line.splitn(3, ',');
            let (Some(alpha2), Some(alpha3), Some(list)) =
                (columns.next(), columns.next(), columns.next())
            else {
                continue;
            };
            names.insert(folded(alpha2), alpha2);
            names.insert(folded(alpha3), alpha2);
            for name in list.trim_matches('"').split('|') {
                names.entry(folded(name)).or_insert(alpha2);
            }
        }
        names
    })
}
