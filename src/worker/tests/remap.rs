//! Records that could not be read are read again.

use super::support::{MANIFEST, ORDER, house, order};
use crate::canonical::inbox::Disposition::*;
use crate::store::Scope;
use crate::worker::remap::RetryError;
use serde_json::json;

#[tokio::test]
async fn a_mended_mapping_reads_what_was_parked() {
    let house = house().await;
    let broken = ORDER.replace(".number", "(.no_such_field | require(\"no_such_field\"))");
    house.folder(MANIFEST, &broken);
    assert!(house.registry.reload_if_changed());
    house.hook("order.changed", &order(1, 1, "new")).await;
    house.apply().await;
    let problem = house.problems().await.remove(0);
    assert_eq!(problem.code, "mapping_missing");

    // Still broken: the problem stays, counted once more.
    let retried = house
        .applier
        .retry_problem(Scope::All, problem.id)
        .await
        .unwrap();
    assert_eq!((retried.mended, retried.left), (0, 1));
    let again = house.problems().await.remove(0);
    assert_eq!((again.id, again.count), (problem.id, 2));
    assert_eq!(house.records().await[0].problem_id, Some(problem.id));
    // By itself nothing is tried again while the folder is the same.
    let version = house.registry.get("testshop").unwrap().version().to_owned();
    let retried = house
        .applier
        .retry_broken(house.connection, &version)
        .await
        .unwrap();
    assert_eq!((retried.mended, retried.left), (0, 0));

    house.folder(MANIFEST, ORDER);
    let retried = house
        .applier
        .retry_problem(Scope::All, problem.id)
        .await
        .unwrap();
    assert_eq!((retried.mended, retried.left), (1, 0));
    assert_eq!(house.dispositions().await, [Applied]);
    assert!(house.order("1").await.is_some());
    assert!(house.problems().await.is_empty());
    assert!(matches!(
        house.applier.retry_problem(Scope::All, problem.id).await,
        Err(RetryError::Resolved)
    ));
    house.assert_balanced().await;
}

#[tokio::test]
async fn an_old_record_does_not_undo_a_newer_one() {
    let house = house().await;
    let mut old = order(1, 1, "new");
    old.as_object_mut().unwrap().remove("total");
    house.hook("order.changed", &old).await;
    house.hook("order.changed", &order(1, 5, "void")).await;
    house.apply().await;
    assert_eq!(house.dispositions().await, [Problem, Applied]);
    let problem = house.problems().await.remove(0);
    house.folder(
        MANIFEST,
        &ORDER.replace(".total | require(\"total\")", ".total // 20.5"),
    );
    house
        .applier
        .retry_problem(Scope::All, problem.id)
        .await
        .unwrap();
    assert_eq!(house.dispositions().await, [Stale, Applied]);
    assert_eq!(house.order("1").await.unwrap().order.meta.version, 1);
    house.assert_balanced().await;
}

#[tokio::test]
async fn a_page_that_could_not_be_sliced_is_one_record_still() {
    let house = house().await;
    house.folder(
        &MANIFEST.replace("records = \".orders\" }", "records = \".list\" }"),
        ORDER,
    );
    assert!(house.registry.reload_if_changed());
    house
        .hook(
            "orders.changed",
            &json!({"orders": [order(1, 1, "new"), order(2, 1, "new")]}),
        )
        .await;
    house.apply().await;
    assert_eq!(house.dispositions().await, [Problem]);
    let problem = house.problems().await.remove(0);
    house.folder(MANIFEST, ORDER);
    house
        .applier
        .retry_problem(Scope::All, problem.id)
        .await
        .unwrap();
    assert_eq!(house.dispositions().await, [Applied]);
    assert!(house.order("1").await.is_some() && house.order("2").await.is_some());
    house.assert_balanced().await;
}
