//! The carrier rules as they stand in settings.
//!
//! What always holds: a rule that cannot be read is named by its place, so that it can be refused
//! before it is stored; one that is stored all the same is left out, never half read.

use super::super::world::CarrierRule;
use crate::canonical::connection::Merchant;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Under which name merchants (and the operator) keep their rules.
pub const CARRIER_RULES: &str = "carrier_rules";

/// The rules for a merchant's orders: its own, then the operator's; and what cannot be read, by
/// place and what is wrong with it.
pub fn rules_of(merchant: &Merchant, operator: &Merchant) -> (Vec<CarrierRule>, Vec<String>) {
    let (mut rules, mut problems) = carrier_rules(&merchant.settings);
    if merchant.id != operator.id {
        let (more, wrong) = carrier_rules(&operator.settings);
        rules.extend(more);
        problems.extend(wrong);
    }
    (rules, problems)
}

/// The rules of these settings, and what cannot be read.
pub fn carrier_rules(settings: &Map<String, Value>) -> (Vec<CarrierRule>, Vec<String>) {
    let list = settings.get(CARRIER_RULES).and_then(Value::as_array);
    let mut rules = Vec::new();
    for value in list.into_iter().flatten() {
        rules.extend(read(value).ok());
    }
    let problems = check_carrier_rules(settings)
        .into_iter()
        .map(|(place, what)| format!("{place}: {what}"))
        .collect();
    (rules, problems)
}

/// What is wrong with the rules of these settings, by path below them.
pub fn check_carrier_rules(settings: &Map<String, Value>) -> BTreeMap<String, String> {
    let mut wrong = BTreeMap::new();
    match settings.get(CARRIER_RULES) {
        None | Some(Value::Null) => {}
        Some(Value::Array(list)) => {
            for (place, value) in list.iter().enumerate() {
                if let Err(what) = read(value) {
                    wrong.insert(format!("{CARRIER_RULES}.{place}"), what);
                }
            }
        }
        Some(_) => {
            wrong.insert(
                CARRIER_RULES.to_owned(),
                "a list of rules is wanted".to_owned(),
            );
        }
    }
    wrong
}

fn read(value: &Value) -> Result<CarrierRule, String> {
    let rule = CarrierRule::deserialize(value).map_err(|error| error.to_string())?;
    let bounds = rule.min_weight_g.zip(rule.max_weight_g);
    if bounds.is_some_and(|(min, max)| min > max) {
        return Err("min_weight_g is above max_weight_g: the rule fits nothing".to_owned());
    }
    let code = |text: &String| text.len() == 2 && text.bytes().all(|b| b.is_ascii_alphabetic());
    if !rule.country.iter().all(code) {
        return Err("country: ISO 3166-1 alpha-2 codes such as BG are wanted".to_owned());
    }
    let inside = |text: &String| text.trim_end_matches('*').contains('*');
    if rule.method_code.iter().any(inside) {
        return Err("method_code: `*` may stand at the end only".to_owned());
    }
    let lists = [&rule.method_code, &rule.carrier, &rule.network];
    if lists
        .into_iter()
        .flatten()
        .any(|text| text.trim().is_empty())
    {
        return Err("an empty text fits nothing".to_owned());
    }
    if rule.connection_id.is_none() && rule.service.is_none() && rule.name.is_none() {
        return Err(
            "connection_id is wanted; a rule without one (the warehouse ships by itself) needs a name"
                .to_owned(),
        );
    }
    Ok(rule)
}
