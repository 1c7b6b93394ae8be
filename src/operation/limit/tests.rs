#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use super::*;
use crate::clock::TestClock;
use std::sync::Mutex as StdMutex;
use tokio::task::JoinHandle;

const START: Timestamp = Timestamp::constant(1_700_000_000, 0);

fn at(seconds: u64) -> Timestamp {
    after(START, Duration::from_secs(seconds))
}

fn limits(rate_per_second: f64, burst: u32, concurrency: u32) -> Limits {
    Limits {
        rate_per_second,
        burst,
        concurrency,
        headers: None,
        cost: None,
    }
}

struct Stage {
    clock: Arc<TestClock>,
    limiter: Arc<Limiter>,
    connection: ConnectionId,
    limits: Limits,
    log: Arc<StdMutex<Vec<&'static str>>>,
}

impl Stage {
    fn new(limits: Limits) -> Self {
        let clock = Arc::new(TestClock::at(START));
        let limiter = Arc::new(Limiter::new(clock.clone()));
        Self {
            clock,
            limiter,
            connection: ConnectionId::new(),
            limits,
            log: Arc::default(),
        }
    }

    async fn now(&self) -> Result<Permit, LimitError> {
        self.limiter
            .acquire(self.connection, Lane::StatusPush, &self.limits, at(0))
            .await
    }

    /// Waits in a lane and writes its name down when its turn comes.
    async fn waiting(&self, name: &'static str, lane: Lane) -> JoinHandle<Result<(), LimitError>> {
        let (limiter, connection, limits, log) = (
            self.limiter.clone(),
            self.connection,
            self.limits.clone(),
            self.log.clone(),
        );
        let before = self.clock.sleepers();
        let task = tokio::spawn(async move {
            let permit = limiter
                .acquire(connection, lane, &limits, at(1_000))
                .await?;
            log.lock().unwrap().push(name);
            drop(permit);
            Ok(())
        });
        while self.clock.sleepers() == before {
            tokio::task::yield_now().await;
        }
        task
    }

    async fn settle(&self) {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    fn seen(&self) -> Vec<&'static str> {
        self.log.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn burst_then_rate() {
    let stage = Stage::new(limits(0.5, 2, 10));
    let (first, second) = (stage.now().await.unwrap(), stage.now().await.unwrap());
    drop((first, second));
    assert_eq!(stage.now().await.unwrap_err(), LimitError::Busy);
    let task = stage.waiting("third", Lane::Stock).await;
    stage.clock.advance(Duration::from_millis(1_900));
    stage.settle().await;
    assert!(stage.seen().is_empty());
    stage.clock.advance(Duration::from_millis(200));
    task.await.unwrap().unwrap();
    assert_eq!(stage.seen(), ["third"]);
}

#[tokio::test]
async fn no_more_calls_under_way_than_allowed() {
    let stage = Stage::new(limits(1_000.0, 1_000, 2));
    let (first, _second) = (stage.now().await.unwrap(), stage.now().await.unwrap());
    let task = stage.waiting("third", Lane::Stock).await;
    stage.settle().await;
    assert!(stage.seen().is_empty());
    drop(first);
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_label_goes_before_a_stock_push() {
    let stage = Stage::new(limits(1_000.0, 1_000, 1));
    let busy = stage.now().await.unwrap();
    let tasks = [
        stage.waiting("stock 1", Lane::Stock).await,
        stage.waiting("stock 2", Lane::Stock).await,
        stage.waiting("poll", Lane::TrackingPoll).await,
        stage.waiting("label", Lane::Label).await,
        stage.waiting("order", Lane::OrderImport).await,
    ];
    drop(busy);
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(stage.seen()[..2], ["label", "order"]);
    assert_eq!(stage.seen().len(), 5);
}

#[tokio::test]
async fn a_freeze_holds_everything_and_only_grows() {
    let stage = Stage::new(limits(1_000.0, 1_000, 10));
    stage.limiter.freeze_until(stage.connection, at(60));
    stage.limiter.freeze_until(stage.connection, at(30));
    assert_eq!(stage.limiter.frozen_until(stage.connection), Some(at(60)));
    assert_eq!(stage.limiter.frozen(), [(stage.connection, at(60))]);
    assert_eq!(
        stage.now().await.unwrap_err(),
        LimitError::Frozen(at(60)),
        "longer than the deadline"
    );
    let task = stage.waiting("after", Lane::Stock).await;
    stage.clock.advance(Duration::from_secs(59));
    stage.settle().await;
    assert!(stage.seen().is_empty());
    stage.clock.advance(Duration::from_secs(1));
    task.await.unwrap().unwrap();
    assert_eq!(stage.limiter.frozen(), []);
}

#[tokio::test]
async fn a_thaw_and_a_forgotten_connection_start_anew() {
    let stage = Stage::new(limits(0.001, 1, 10));
    stage.limiter.freeze_until(stage.connection, at(600));
    stage.limiter.thaw(stage.connection);
    drop(stage.now().await.unwrap());
    assert!(stage.now().await.is_err());
    stage.limiter.forget(stage.connection);
    assert!(stage.now().await.is_ok());
}

#[tokio::test]
async fn one_that_gives_up_leaves_its_place_to_the_next() {
    let stage = Stage::new(limits(1_000.0, 1_000, 1));
    let busy = stage.now().await.unwrap();
    let gone = stage.waiting("gone", Lane::Label).await;
    let stays = stage.waiting("stays", Lane::Stock).await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    drop(busy);
    stays.await.unwrap().unwrap();
    assert_eq!(stage.seen(), ["stays"]);
    assert!(stage.now().await.is_ok());
}

#[tokio::test]
async fn who_waits_until_the_deadline_is_told_to_come_back() {
    let stage = Stage::new(limits(1_000.0, 1_000, 1));
    let _busy = stage.now().await.unwrap();
    let task = stage.waiting("never", Lane::Label).await;
    stage.clock.advance(Duration::from_secs(1_000));
    assert_eq!(task.await.unwrap().unwrap_err(), LimitError::Busy);
}

#[tokio::test]
async fn changed_limits_are_adopted() {
    let mut stage = Stage::new(limits(0.001, 1, 10));
    drop(stage.now().await.unwrap());
    assert!(stage.now().await.is_err());
    stage.limits = limits(0.001, 3, 10);
    assert!(stage.now().await.is_ok());
    stage.limits = limits(f64::NAN, 0, 0);
    assert!(stage.now().await.is_ok());
    assert!(stage.now().await.is_err());
}

#[tokio::test]
async fn bulk_work_leaves_a_place_for_labels() {
    let stage = Stage::new(limits(1_000.0, 1_000, 2));
    let take = |lane| {
        stage
            .limiter
            .acquire(stage.connection, lane, &stage.limits, at(0))
    };
    let directory = take(Lane::Stock).await.unwrap();
    assert!(
        take(Lane::TrackingPoll).await.is_err(),
        "the last place is none for bulk work"
    );
    let label = take(Lane::Label).await.unwrap();
    assert!(take(Lane::Label).await.is_err(), "two calls at once");
    drop(label);
    drop(directory);
    assert!(take(Lane::TrackingPoll).await.is_ok());
    // Where one call at a time is all that there is, bulk work takes it.
    let single = Stage::new(limits(1_000.0, 1_000, 1));
    let only = single
        .limiter
        .acquire(single.connection, Lane::Stock, &single.limits, at(0));
    assert!(only.await.is_ok());
}

#[tokio::test]
async fn a_heavy_call_takes_its_weight_off_the_pace() {
    let stage = Stage::new(limits(4.0, 2, 8));
    stage.now().await.unwrap().counts_for(4);
    // It owes three: one is there, the others come in half a second, and one for the next call.
    for wait in [0, 250, 250, 240] {
        stage.clock.advance(Duration::from_millis(wait));
        assert_eq!(stage.now().await.unwrap_err(), LimitError::Busy);
    }
    stage.clock.advance(Duration::from_millis(20));
    stage.now().await.unwrap();
}

#[tokio::test]
async fn who_waits_behind_a_heavy_call_gets_its_turn() {
    let stage = Stage::new(limits(4.0, 2, 8));
    stage.now().await.unwrap().counts_for(4);
    let next = stage.waiting("next", Lane::StatusPush).await;
    for _ in 0..80 {
        stage.clock.advance(Duration::from_millis(10));
        stage.settle().await;
    }
    assert_eq!(stage.seen(), ["next"]);
    next.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_new_owner_begins_with_nothing_saved_up() {
    let mut stage = Stage::new(limits(1.0, 3, 10));
    let number = Arc::new(std::sync::atomic::AtomicU64::new(1));
    let read = number.clone();
    let limiter = Limiter::new(stage.clock.clone()).owned_by(Arc::new(move |_| {
        read.load(std::sync::atomic::Ordering::Relaxed)
    }));
    stage.limiter = Arc::new(limiter);
    assert_eq!(stage.now().await.unwrap_err(), LimitError::Busy);
    let task = stage.waiting("first", Lane::Stock).await;
    stage.clock.advance(Duration::from_secs(1));
    task.await.unwrap().unwrap();
    // Saved up again, and then another node had it for a while.
    stage.clock.advance(Duration::from_secs(60));
    number.store(3, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(stage.now().await.unwrap_err(), LimitError::Busy);
    let task = stage.waiting("second", Lane::Stock).await;
    stage.clock.advance(Duration::from_secs(1));
    task.await.unwrap().unwrap();
    assert_eq!(stage.seen(), ["first", "second"]);
}
