//! Holds and release: every cause, how it clears, and what a person may do about it.
use super::*;
use crate::canonical::connection::ConnectionState;

/// Settings, changes to the order, and the hold that comes of them.
type Case = (Value, Vec<(&'static str, Value)>, Option<HoldReason>);

#[test]
fn every_visible_cause_holds_and_nothing_else() {
    let unpaid = json!({"method": "prepaid", "status": "unpaid"});
    let gone = json!(null);
    let big = json!({"method": "cod", "status": "unpaid", "cod_amount": eur("28.00")});
    use HoldReason as R;
    let cases: Vec<Case> = vec![
        (json!({}), vec![], None),
        (
            json!({}),
            vec![("payment", unpaid.clone())],
            Some(R::AwaitingPayment),
        ),
        (
            json!({}),
            vec![("payment", gone.clone())],
            Some(R::AwaitingPayment),
        ),
        (
            json!({}),
            vec![("payment.status", json!("authorized"))],
            None,
        ),
        (
            json!({}),
            vec![("payment.status", json!("refunded"))],
            Some(R::AwaitingPayment),
        ),
        (
            json!({}),
            vec![("payment", json!({"method": "on_account"}))],
            None,
        ),
        (json!({}), vec![("payment", big.clone())], None),
        (
            json!({"cod_limit": "20"}),
            vec![("payment", big.clone())],
            Some(R::CodLimit),
        ),
        (
            json!({"cod_limit": "28.00"}),
            vec![("payment", big.clone())],
            None,
        ),
        (
            json!({"cod_currencies": ["BGN"]}),
            vec![("payment", big.clone())],
            Some(R::CodCurrency),
        ),
        (
            json!({}),
            vec![("payment", big), ("totals.total", eur("27.00"))],
            Some(R::TotalsMismatch),
        ),
        (
            json!({"hold_totals_mismatch": true}),
            vec![("totals.total", eur("27.00"))],
            Some(R::TotalsMismatch),
        ),
        (
            json!({}),
            vec![("channel_state", json!("pending_payment"))],
            Some(R::AwaitingPayment),
        ),
        (
            json!({}),
            vec![("channel_state", json!("on_hold"))],
            Some(R::MerchantRequest),
        ),
        (
            json!({}),
            vec![("acceptance", json!({"state": "pending"}))],
            Some(R::AwaitingAcceptance),
        ),
        (
            json!({}),
            vec![("acceptance", json!({"state": "accepted"}))],
            None,
        ),
        (
            json!({}),
            vec![("details_missing", json!(true))],
            Some(R::AwaitingDetails),
        ),
        (
            json!({}),
            vec![("ship_to", gone.clone())],
            Some(R::IncorrectAddress),
        ),
        (
            json!({}),
            vec![("ship_to.city", json!(" "))],
            Some(R::IncorrectAddress),
        ),
        (
            json!({}),
            vec![("ship_to.country", gone.clone())],
            Some(R::IncorrectAddress),
        ),
        (
            json!({}),
            vec![("ship_to.line1", gone.clone())],
            Some(R::IncorrectAddress),
        ),
        (
            json!({}),
            vec![
                ("ship_to.line1", gone.clone()),
                ("ship_to.street", json!("ul.")),
            ],
            None,
        ),
        (
            json!({}),
            vec![("ship_to", gone.clone()), ("kind", json!("quick"))],
            Some(R::IncompleteQuickOrder),
        ),
        (
            json!({}),
            vec![
                ("ship_to", gone.clone()),
                ("delivery.mode", json!("collect")),
            ],
            None,
        ),
        (
            json!({}),
            vec![("delivery.mode", json!("pickup_point"))],
            Some(R::PickupPointInvalid),
        ),
        (
            json!({}),
            vec![(
                "delivery",
                json!({"mode": "pickup_point", "pickup_point": {"id": "77"}}),
            )],
            None,
        ),
        (json!({}), vec![("lines.0.sku", gone.clone())], None),
        (
            json!({"require_sku": true}),
            vec![("lines.0.sku", gone)],
            Some(R::SkuUnmapped),
        ),
        (
            json!({"edit_window_minutes": 10}),
            vec![],
            Some(R::EditWindow),
        ),
    ];
    for (settings, changes, wanted) in cases {
        let mut world = World::new(settings.clone());
        let outcome = world.record(but(paid(), &changes));
        assert_eq!(
            world.holds(),
            Vec::from_iter(wanted),
            "{settings} {changes:?}"
        );
        let held = kinds(&outcome).contains(&"order.held".to_owned());
        assert_eq!(held, wanted.is_some());
        let submitted = world.part().status == FulfillmentStatus::Submitted;
        assert_eq!(submitted, wanted.is_none());
    }
}

#[test]
fn a_hold_goes_with_its_cause() {
    let unpaid = but(paid(), &[("payment.status", json!("unpaid"))]);
    let mut world = World::with(unpaid);
    assert_eq!(world.status(), OrderStatus::PendingPayment);
    let outcome = world.record(later(paid(), 5, &[]));
    assert_eq!(
        kinds(&outcome),
        [
            "order.updated",
            "order.released",
            "fulfillment_order.submitted"
        ]
    );
    assert_eq!(world.part().revision, 1, "no warehouse had seen it before");
    // And comes back with it: taken from the warehouse while it has not accepted.
    let outcome = world.record(later(paid(), 6, &[("channel_state", json!("on_hold"))]));
    assert_eq!(kinds(&outcome), ["order.updated", "order.held"]);
    assert_eq!(
        outcome.events[1].extra["fulfillment_order_ids"][0],
        json!(world.part().id)
    );
    assert_eq!(
        (world.status(), world.part().revision),
        (OrderStatus::OnHold, 2)
    );
    let outcome = world.record(later(paid(), 7, &[]));
    assert_eq!(
        outcome.events.last().unwrap().kind.as_str(),
        "fulfillment_order.submitted"
    );
    assert_eq!(world.part().revision, 3);
}

#[test]
fn an_edit_window_ends_by_itself() {
    let mut world = World::new(json!({"edit_window_minutes": 30}));
    world.record(paid());
    assert_eq!(world.status(), OrderStatus::Scheduled);
    let at = world.part().fulfill_at.unwrap();
    assert_eq!(
        at,
        world.order().meta.received_at + jiff::SignedDuration::from_mins(30)
    );
    world.pass(29);
    assert_eq!(world.settle().disposition, Disposition::Unchanged);
    world.now = at;
    let outcome = world.settle();
    assert_eq!(
        kinds(&outcome),
        ["order.released", "fulfillment_order.submitted"]
    );
    assert_eq!(world.status(), OrderStatus::Open);
    // A person need not wait.
    let mut world = World::new(json!({"edit_window_minutes": 30}));
    world.record(paid());
    world.run(Command::Release {
        reasons: Some(vec![HoldReason::EditWindow]),
    });
    assert_eq!(world.part().status, FulfillmentStatus::Submitted);
}

#[test]
fn a_person_holds_and_releases() {
    let mut world = World::with(paid());
    let hold = Command::Hold {
        reason: HoldReason::HighRiskOfFraud,
        detail: None,
    };
    let outcome = world.run(hold.clone());
    assert_eq!(kinds(&outcome), ["order.held"]);
    assert_eq!(world.run(hold).disposition, Disposition::Unchanged);
    // The channel's newer revision does not clear it.
    world.record(later(paid(), 5, &[("note", json!("n"))]));
    assert_eq!(world.status(), OrderStatus::OnHold);
    let other = Command::Release {
        reasons: Some(vec![HoldReason::Other]),
    };
    assert_eq!(world.run(other).disposition, Disposition::Unchanged);
    let outcome = world.run(Command::Release { reasons: None });
    assert_eq!(
        kinds(&outcome),
        ["order.released", "fulfillment_order.submitted"]
    );
}

#[test]
fn a_released_cause_stays_released_until_it_has_gone_once() {
    let unpaid = [("payment.status", json!("unpaid"))];
    let mut world = World::with(but(paid(), &unpaid));
    world.run(Command::Release { reasons: None });
    assert_eq!(world.part().status, FulfillmentStatus::Submitted);
    world.record(later(paid(), 5, &[unpaid[0].clone(), ("note", json!("n"))]));
    assert_eq!(world.part().status, FulfillmentStatus::Submitted);
    world.record(later(paid(), 6, &[]));
    world.record(later(paid(), 7, &unpaid));
    assert_eq!(world.holds(), [HoldReason::AwaitingPayment]);
}

#[test]
fn marketplaces_are_answered_by_setting_or_by_a_person() {
    let pending = but(paid(), &[("acceptance", json!({"state": "pending"}))]);
    let mut auto = World::new(json!({"accept": "auto"}));
    let outcome = auto.record(pending.clone());
    assert_eq!(jobs(&outcome), ["orders.ack"]);
    assert_eq!(auto.holds(), [HoldReason::AwaitingAcceptance]);
    let again = later(pending.clone(), 5, &[("note", json!("x"))]);
    assert!(auto.record(again).jobs.is_empty(), "asked once");
    let outcome = auto.record(later(
        pending.clone(),
        6,
        &[("acceptance.state", json!("accepted"))],
    ));
    assert!(kinds(&outcome).contains(&"fulfillment_order.submitted".to_owned()));

    let mut observing = World::new(json!({"accept": "auto"}));
    observing.connection.state = ConnectionState::Observing;
    assert!(observing.record(pending.clone()).jobs.is_empty());
    observing.connection.state = ConnectionState::Active;
    assert_eq!(jobs(&observing.settle()), ["orders.ack"]);

    let mut manual = World::with(pending);
    assert_eq!(
        jobs(&manual.run(Command::AcceptOrder { choice: None })),
        ["orders.ack"]
    );
    let refuse = Command::RefuseOrder(Refusal {
        reason: "no stock".to_owned(),
        ..Refusal::default()
    });
    assert_eq!(jobs(&manual.run(refuse)), ["orders.refuse"]);
    let mut plain = World::with(paid());
    assert_eq!(
        plain
            .try_run(Command::AcceptOrder { choice: None })
            .unwrap_err()
            .code(),
        "illegal_state"
    );
}
