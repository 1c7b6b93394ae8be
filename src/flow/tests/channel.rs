//! What the channel's own status does to our side, and what is only an echo or a finding.
use super::*;
use crate::canonical::order::ChannelState;

#[test]
fn drafts_and_unknown_cancellations_are_ignored_hints_are_read() {
    let mut world = World::active();
    let draft = world.record(but(paid(), &[("channel_state", json!("draft"))]));
    let notice = world.record(json!({"external_id": "1001", "channel_state": "cancelled"}));
    let hint = world.record(json!({"external_id": "1001", "details_missing": true}));
    for outcome in [&draft, &notice, &hint] {
        assert_eq!(outcome.disposition, Disposition::Ignored);
        assert!(outcome.reason.is_some());
    }
    assert!(world.state.is_none() && draft.jobs.is_empty() && notice.jobs.is_empty());
    assert_eq!(hint.jobs[0].input, json!({"external_id": "1001"}));
}

#[test]
fn a_late_creation_does_not_undo_a_cancellation_that_came_first() {
    let cancelled = later(paid(), 9, &[("channel_state", json!("cancelled"))]);
    let mut world = World::with(cancelled);
    assert_eq!(world.status(), OrderStatus::Cancelled);
    assert_eq!(world.parts(), 0);
    assert_eq!(world.record(paid()).disposition, Disposition::Stale);
    assert_eq!(world.status(), OrderStatus::Cancelled);
}

#[test]
fn a_thin_cancellation_cancels_every_line_and_a_return_is_read_anew() {
    let mut world = World::with(paid());
    let notice = json!({"external_id": "1001", "channel_state": "cancelled", "source_updated_at": "2026-11-20T09:10:00Z"});
    let outcome = world.record(notice.clone());
    assert_eq!(
        kinds(&outcome),
        ["fulfillment_order.cancelled", "order.cancelled"]
    );
    assert_eq!(
        world.order().meta.closed_reason.as_deref(),
        Some("cancelled_by_channel")
    );
    assert!(
        world
            .order()
            .facts
            .lines()
            .iter()
            .all(|line| !line.wanted().is_positive())
    );
    assert!(world.order().facts.stated_total().unwrap().amount.is_zero());
    assert_eq!(world.record(notice).disposition, Disposition::Unchanged);
    let back = json!({"external_id": "1001", "channel_state": "open", "source_updated_at": "2026-11-20T09:20:00Z"});
    let outcome = world.record(back);
    assert_eq!(jobs(&outcome), ["orders.get"]);
    assert!(
        world.parts() == 1,
        "nothing is shipped before the lines are known"
    );
    let outcome = world.fetched(later(paid(), 20, &[("details_missing", json!(false))]));
    assert!(kinds(&outcome).contains(&"fulfillment_order.submitted".to_owned()));
    assert_eq!(world.nth(1).lines.len(), 2);
}

#[test]
fn hidden_details_keep_lines_and_hold_until_they_are_read() {
    let mut world = World::with(paid());
    let refund = later(
        paid(),
        5,
        &[
            ("lines", json!([line("a", 2, "20.00")])),
            ("totals.total", eur("1.00")),
            ("payment.status", json!("partially_refunded")),
            ("details_missing", json!(true)),
        ],
    );
    let outcome = world.record(refund.clone());
    assert_eq!(jobs(&outcome), ["orders.get"]);
    assert_eq!(kinds(&outcome), ["order.updated", "order.held"]);
    assert_eq!(world.holds(), [HoldReason::AwaitingDetails]);
    assert_eq!(world.part().status, FulfillmentStatus::OnHold);
    assert_eq!(
        world.order().facts.lines()[1].wanted(),
        qty(1),
        "lines wait for the answer"
    );
    let answer = but(
        refund.clone(),
        &[
            (
                "lines",
                json!([
                    but(line("a", 2, "10.00"), &[("cancelled_quantity", json!(1))]),
                    line("b", 1, "5.00")
                ]),
            ),
            ("totals.total", eur("18.00")),
            ("details_missing", json!(false)),
        ],
    );
    let outcome = world.fetched(answer);
    assert_eq!(
        kinds(&outcome),
        [
            "order.updated",
            "order.released",
            "fulfillment_order.submitted"
        ]
    );
    assert_eq!(world.part().lines[0].quantity, qty(1));
    assert!(world.part().revision > 1);
    // The hint of the same revision, read by a poll, hides nothing that is not known.
    assert_eq!(world.record(refund).disposition, Disposition::Unchanged);
}

#[test]
fn our_own_push_coming_back_is_no_event() {
    let mut world = World::with(paid());
    world.ship("S1", None);
    assert_eq!(world.status(), OrderStatus::Fulfilled);
    let echo = later(
        paid(),
        30,
        &[
            ("channel_state", json!("fulfilled")),
            ("channel_status", json!("completed")),
            ("attributes", json!({"tracking": "T-S1"})),
        ],
    );
    let outcome = world.record(echo);
    assert_eq!(outcome.disposition, Disposition::Applied);
    assert!(outcome.events.is_empty());
    assert_eq!(world.status(), OrderStatus::Fulfilled);
    assert_eq!(world.order().facts.channel_state(), ChannelState::Fulfilled);
}

#[test]
fn fulfilled_elsewhere_is_never_shipped() {
    let mut world = World::with(paid());
    let done = later(paid(), 5, &[("channel_state", json!("fulfilled"))]);
    let outcome = world.record(done);
    assert_eq!(
        kinds(&outcome),
        [
            "order.updated",
            "fulfillment_order.cancelled",
            "order.closed"
        ]
    );
    assert_eq!(world.status(), OrderStatus::Closed);
    assert_eq!(
        world.order().meta.closed_reason.as_deref(),
        Some("closed_elsewhere")
    );
    let ship = world.ship_of(0, "S1", None);
    assert_eq!(world.try_run(ship).unwrap_err().code(), "illegal_state");
}

#[test]
fn an_unknown_status_keeps_what_we_do_and_is_counted() {
    let mut world = World::with(paid());
    let odd = later(
        paid(),
        5,
        &[
            ("channel_state", json!("unknown")),
            ("channel_status", json!("custom")),
        ],
    );
    let outcome = world.record(odd.clone());
    assert_eq!(outcome.problems[0].subject, "channel_status:custom");
    assert_eq!(world.order().facts.channel_state(), ChannelState::Open);
    assert_eq!(world.order().facts.channel_status.text(), Some("custom"));
    assert_eq!(world.part().status, FulfillmentStatus::Submitted);
    let mut fresh = World::with(odd.clone());
    assert_eq!(fresh.holds(), [HoldReason::AwaitingConfirmation]);
    fresh.run(Command::Release { reasons: None });
    assert_eq!(fresh.part().status, FulfillmentStatus::Submitted);
    let mut open = World::new(json!({"unknown_state": "release"}));
    open.record(odd);
    assert_eq!(open.part().status, FulfillmentStatus::Submitted);
}

#[test]
fn what_does_not_add_up_is_told_once_and_resolved() {
    let mut world = World::active();
    let outcome = world.record(but(paid(), &[("totals.total", eur("27.00"))]));
    assert_eq!(outcome.problems[0].code, "totals_mismatch");
    assert_eq!(
        outcome.problems[0].detail["differences"][0]["difference"],
        eur("-1.00")
    );
    assert_eq!(
        world.part().status,
        FulfillmentStatus::Submitted,
        "prepaid goes on"
    );
    let outcome = world.record(later(
        paid(),
        5,
        &[("totals.total", eur("27.00")), ("note", json!("x"))],
    ));
    assert!(outcome.problems.is_empty());
    let outcome = world.record(later(paid(), 6, &[]));
    assert_eq!(outcome.resolve[0].code.as_deref(), Some("totals_mismatch"));
}
