//! Settings that fit and that do not.

#![allow(clippy::unwrap_used)]
use super::*;

#[test]
fn values_that_flow_would_ignore_are_refused() {
    let good = json!({
        "location": "sofia", "accept": "auto", "refuse": "before_deadline", "refuse_minutes": 5, "refuse_reason": "other", "edit_window_minutes": 30, "duplicate_window_minutes": 60, "cod_limit": "500.00",
        "cod_currencies": ["EUR", "BGN"], "require_sku": true, "cut_off": "16:30",
        "priority": -1, "timezone": "Europe/Riga", "currency": "EUR", "on_short": "ask",
        "cod_overdue_days": 0, "cod_currency": "BGN", "tracking_every_s": 2, "orders_every_s": 5,
        "exchange_rates": {"USD/EUR": "0.92"}, "delivery_push": ["delivered"], "push_stock": "listed", "stock_locations": ["main"],
    });
    assert_eq!(check("settings", good.as_object().unwrap()), []);
    let bad = json!({
        "location": " ", "accept": "yes", "refuse": true, "refuse_minutes": -1, "refuse_reason": "", "edit_window_minutes": -1, "duplicate_window_minutes": "60", "cod_limit": 500,
        "cod_currencies": ["eur"], "require_sku": "true", "cut_off": "25:00",
        "priority": 1.5, "timezone": "Mars/Base", "currency": "euro", "on_short": null,
        "cod_overdue_days": -1, "cod_currency": "lev", "tracking_every_s": 0, "orders_every_s": 0,
        "exchange_rates": {"USD/EUR": 0.92}, "delivery_push": ["in_transit"], "push_stock": true, "stock_locations": [],
    });
    assert_eq!(check("settings", bad.as_object().unwrap()).len(), 23);
}

#[test]
fn a_rate_is_a_pair_and_an_amount() {
    for bad in [
        json!({"USD": "1"}),
        json!({"USD/USD": "1"}),
        json!({"USD/eur": "1"}),
        json!({"USD/EUR": "0"}),
        json!({"USD/EUR": "-1"}),
        json!("1"),
    ] {
        assert!(!rates(&bad), "{bad}");
    }
    assert!(rates(&json!({})));
}

#[test]
fn a_merchants_carrier_rules_are_named_by_their_place() {
    let settings = json!({"carrier_rules": [{"name": "none"}, {"conection_id": "x"}]});
    let errors = check_merchant("settings", settings.as_object().unwrap());
    let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(paths, ["settings.carrier_rules.1"]);
    let kept = json!({"keep_payloads_days": -1, "keep_personal_days": "30"});
    let errors = check_merchant("settings", kept.as_object().unwrap());
    assert_eq!(errors.len(), 2);
    let kept = json!({"keep_payloads_days": 0, "keep_personal_days": 730});
    assert_eq!(check_merchant("settings", kept.as_object().unwrap()), []);
}
