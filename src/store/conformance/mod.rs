//! The conformance suite: what every backend does, as behaviours over `Arc<dyn Store>`.
//!
//! What always holds: a behaviour speaks the trait only; [`suite!`] runs all of them for a backend,
//! so that two backends cannot drift apart unseen.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

pub mod admin;
pub mod cod;
pub mod documents;
pub mod duplicates;
pub mod egress;
pub mod erased;
pub mod events;
pub mod inbox;
pub mod isolation;
pub mod jobs;
pub mod ledger;
pub mod lists;
pub mod once;
pub mod parcels;
pub mod points;
pub mod problems;
pub mod retention;
pub mod shipping;
pub mod state;
pub mod stock;
pub mod support;
pub mod tracking;

/// Runs every behaviour for a backend: `$open` is an async function that yields a fresh store and
/// whatever must live as long.
macro_rules! suite {
    ($open:path) => {
        $crate::store::conformance::suite! { $open;
            inbox: appended_deliveries_are_pending_until_decided,
            inbox: places_rise_and_pages_go_on,
            inbox: those_at_given_places_are_read_while_they_wait,
            inbox: a_delivery_is_decided_once,
            inbox: what_cannot_be_decided_stays_pending,
            inbox: dedupe_keys_belong_to_one_record_for_seven_days,
            inbox: hashes_and_unchanged_subjects,
            inbox: subjects_that_repeat_in_one_delivery_are_no_conflict,
            inbox: a_cursor_moves_with_its_page,
            inbox: lists_show_pending_first,
            ledger: many_appends_share_commits_and_none_is_lost,
            ledger: counters_equal_a_recount_whatever_happens,
            state: an_order_reads_back_whole,
            state: a_lock_conflict_fails_alone,
            state: the_same_external_id_twice_is_a_conflict,
            state: a_poison_set_does_not_touch_its_neighbours,
            state: a_rewritten_version_replaces_its_bytes,
            state: many_sets_are_written_as_if_each_were_alone,
            duplicates: similar_orders_are_found_by_contact_and_time,
            duplicates: a_duplicate_outlives_a_cancelled_order,
            lists: lists_filter_and_page,
            lists: the_work_list_is_sorted_by_cut_off,
            events: events_carry_the_objects_of_their_version,
            events: events_are_gapless_under_concurrency,
            events: an_order_has_a_timeline,
            jobs: a_key_is_unique_until_done,
            jobs: leases_follow_lanes_and_ordering_keys,
            jobs: an_expired_lease_is_given_again,
            jobs: a_result_needs_the_current_epoch,
            jobs: parked_jobs_come_back,
            jobs: attempts_are_written_before_and_after,
            jobs: a_coalesced_job_runs_again,
            problems: a_problem_is_opened_once_and_counted,
            problems: records_follow_the_problem_that_is_open,
            egress: a_subscription_goes_through_its_life,
            egress: progress_is_one_commit,
            egress: replays_have_rows_of_their_own,
            admin: connections_keep_what_was_learned,
            admin: credentials_are_merged_by_name,
            admin: suspension_is_an_event,
            admin: tokens_are_found_by_hash_until_revoked,
            admin: an_idempotency_key_answers_again,
            once: an_answer_is_stored_with_what_it_tells_of,
            once: an_answer_of_what_was_refused_is_not_stored,
            parcels: orders_are_found_by_shipment_and_number,
            parcels: a_number_is_one_shipments_at_an_account,
            parcels: parcels_of_a_shipment_swap_their_numbers,
            parcels: parcels_follow_their_shipment,
            parcels: a_former_number_still_finds_its_order,
            parcels: parcels_come_due_and_are_asked_for,
            parcels: shipments_are_listed_newest_first,
            tracking: tracking_is_only_added_to,
            tracking: cash_is_kept_by_version,
            tracking: events_carry_tracking_and_cash,
            tracking: a_timeline_tells_each_once,
            cod: cod_items_are_listed_newest_first,
            cod: a_statement_is_exact,
            documents: a_document_is_kept_as_it_came,
            points: a_reading_marks_what_is_gone,
            points: the_newest_reading_of_a_network_wins,
            points: a_changed_point_is_found_by_what_it_is_now,
            points: points_are_found_by_words,
            points: the_nearest_come_first,
            retention: personal_data_of_ended_orders_goes,
            retention: payloads_go_when_nobody_needs_them,
            erased: an_erased_merchant_is_unreadable_and_hurts_no_one,
            stock: levels_are_judged_over_what_is_stored,
            stock: levels_are_listed_in_the_order_of_changes,
            stock: changes_have_places_that_rise,
            problems: open_ones_are_counted_by_class,
            admin: a_merchant_is_changed,
            admin: housekeeping_forgets_in_time,
            isolation: a_merchant_sees_its_own_rows_only,
        }
    };
    ($open:path; $($group:ident: $name:ident,)*) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let (store, _kept) = $open().await;
            $crate::store::conformance::$group::$name(store).await;
        }
    )* };
}
pub(crate) use suite;
