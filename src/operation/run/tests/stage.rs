//! The stage of the tests of runs: a provider of three words, a server, an observer that writes
//! everything down.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
use super::super::*;
use crate::canonical::{AttemptId, ConnectionId, Timestamp};
use crate::clock::{TestClock, after};
use crate::operation::observer::{Page, PageUse};
use crate::operation::testing::{TestProvider, provider};
use crate::operation::{
    Circuits, ClientConfig, Credentials, GuardedClient, Limiter, PlannedRequest,
};
use async_trait::async_trait;
use serde_json::{Map, json};
use std::sync::Arc;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

pub(super) const START: Timestamp = Timestamp::constant(1_700_000_000, 0);

pub(super) const MANIFEST: &str = r#"
[limits]
rate_per_second = 1000
burst = 1000
concurrency = 10

[operations."orders.pull"]
steps = [{ name = "list", method = "GET", path = '"/orders"', query = '{after: .cursor}', mapping = "order", records = ".orders", pagination = { kind = "page", param = "page", size = 2 } }]

[operations."orders.walk"]
steps = [{ name = "list", method = "GET", path = '"/walk"', query = '{at: .page.cursor}', save = '.body.ids', pagination = { kind = "cursor", next = '.body.next' } }]
remember = '{ids: .steps.list}'

[operations."orders.get"]
steps = [
  { name = "order", method = "GET", path = '"/orders/7"', save = '.body' },
  { name = "refunds", method = "GET", path = '"/orders/7/refunds"', mapping = "order", input = '{order: .steps.order, refunds: .body}', accept = ["gone"] },
]

[operations."stock.push"]
steps = [{ name = "set", method = "POST", path = '"/stock"', body = '.item', for_each = '.input.items', save = '.body.id' }]

[operations."fulfillment.push"]
remember = '{done: .steps.create}'
steps = [
  { name = "look", method = "GET", path = '"/shipments"', save = '.body', done_when = '.body | any(. == "known")' },
  { name = "create", when = '.steps.look == []', method = "POST", path = '"/shipments"', repeat = "lookup_first", save = '.body.id' },
  { name = "complete", method = "PUT", path = '"/complete"', accept = ["conflict"] },
]
"#;

/// Writes down what it is told.
#[derive(Default)]
pub(super) struct Recorder {
    pub(super) log: Vec<String>,
    pub(super) checkpoints: Vec<Checkpoint>,
    pub(super) pages: Vec<String>,
    pub(super) map: bool,
    pub(super) refuse_at: Option<usize>,
}

#[async_trait]
impl Observer for Recorder {
    async fn before_send(
        &mut self,
        step: &str,
        request: &PlannedRequest,
    ) -> Result<AttemptId, Refused> {
        if self.refuse_at == Some(self.log.len()) {
            return Err(Refused("the lease is lost".into()));
        }
        self.log.push(format!("send {step} {}", request.method));
        Ok(AttemptId::new())
    }
    async fn after(&mut self, _: AttemptId, report: Report<'_>) -> Result<(), Refused> {
        let class = report.outcome.class.map_or("ok", |class| class.as_str());
        self.log.push(format!("{} {class}", report.step));
        self.checkpoints.extend(report.checkpoint.cloned());
        Ok(())
    }
    async fn page(&mut self, page: Page<'_>) -> Result<PageUse, Refused> {
        self.log.push(format!("page {}", page.number));
        self.pages.push(format!(
            "{} {} {}",
            page.mapping,
            page.records,
            String::from_utf8_lossy(page.bytes)
        ));
        Ok(if self.map {
            PageUse::Map
        } else {
            PageUse::Taken
        })
    }
}

pub(super) struct Stage {
    pub(super) server: MockServer,
    pub(super) provider: TestProvider,
    pub(super) engine: Engine,
    pub(super) clock: Arc<TestClock>,
    pub(super) connection: ConnectionId,
    pub(super) observer: Recorder,
}

impl Stage {
    pub(super) async fn new() -> Self {
        let clock = Arc::new(TestClock::at(START));
        let client = GuardedClient::new(ClientConfig {
            allow_private: true,
            ..ClientConfig::default()
        })
        .unwrap();
        let limiter = Arc::new(Limiter::new(clock.clone()));
        let engine = Engine {
            client,
            limiter,
            circuits: Arc::new(Circuits::default()),
            clock: clock.clone(),
            traces: Default::default(),
        };
        let mut provider = provider(MANIFEST);
        provider
            .mappings
            .insert("order".into(), "{id: (.id // .order.id)}".into());
        let (connection, observer) = (ConnectionId::new(), Recorder::default());
        Self {
            server: MockServer::start().await,
            provider,
            engine,
            clock,
            connection,
            observer,
        }
    }

    pub(super) async fn answers(&self, verb: &str, at: &str, answer: ResponseTemplate) {
        Mock::given(method(verb))
            .and(path(at))
            .respond_with(answer)
            .up_to_n_times(1)
            .mount(&self.server)
            .await;
    }

    pub(super) async fn run(
        &mut self,
        operation: &str,
        input: Value,
        checkpoint: Checkpoint,
    ) -> Result<Ended, RunError> {
        let settings = json!({"base_url": self.server.uri()})
            .as_object()
            .unwrap()
            .clone();
        let (memory, credentials) = (Map::new(), Credentials::new());
        let call = Call {
            provider: &self.provider,
            operation,
            connection: self.connection,
            settings: &settings,
            hook_url: None,
            memory: &memory,
            credentials: &credentials,
            input: &input,
            checkpoint,
            cursor: Some(&json!("2026-07-01T00:00:00Z")),
            limits: None,
            send_until: after(START, Duration::from_secs(300)),
            order: None,
            job: None,
        };
        self.engine.run(&call, &mut self.observer).await
    }

    pub(super) async fn fresh(&mut self, operation: &str, input: Value) -> Ended {
        self.run(operation, input, Checkpoint::default())
            .await
            .unwrap()
    }
}

pub(super) fn finished(ended: Ended) -> Finished {
    match ended {
        Ended::Finished(finished) => *finished,
        Ended::Stopped(stopped) => panic!("stopped: {stopped:?}"),
    }
}

pub(super) fn stopped(ended: Ended) -> Stopped {
    match ended {
        Ended::Stopped(stopped) => *stopped,
        Ended::Finished(finished) => panic!("finished: {finished:?}"),
    }
}

pub(super) fn json_answer(value: Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(value)
}
