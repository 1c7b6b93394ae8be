//! A connector's simulator with a made-up world in it, and the engine in front: operations are run
//! with the inputs of the connector's fixtures, put over onto what the simulator really has.

use super::mutate::texts;
use super::plays::{Played, Set, good};
use crate::support::gateway::client;
use async_trait::async_trait;
use crossdock::canonical::{AttemptId, ConnectionId};
use crossdock::cli::difference;
use crossdock::clock::{Clock, TestClock, after};
use crossdock::connector::Connector;
use crossdock::manifest::fixture::Case;
use crossdock::manifest::folder::Folder;
use crossdock::manifest::model::Limits;
use crossdock::mapping::to_json;
use crossdock::operation::{
    Call, Checkpoint, Circuits, ClientConfig, Credentials, Ended, Engine, Finished, GuardedClient,
    Limiter, Observer, Page, PageUse, PlannedRequest, Refused, Report,
};
use crossdock::simulator::routes::Simulator;
use crossdock::simulator::{self, Handle, Options, SimClock};
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

const NOW: &str = "2026-12-01T10:00:00Z";
/// Orders that are made in each world: of several kinds.
pub const ORDERS: usize = 4;
const HOOK: &str = "http://127.0.0.1:9/hooks/con_made_up";

/// What is to go wrong, by step, and what was sent.
#[derive(Default)]
pub struct Script {
    faults: Vec<(String, VecDeque<(String, Value)>)>,
    /// The fault that the last request met.
    pub fired: Option<String>,
    pub sent: Vec<String>,
}

impl Script {
    /// The next request of this step meets this fault, those after it the next ones.
    pub fn add(&mut self, step: &str, what: &str, fault: Value) {
        let fault = (what.to_owned(), fault);
        match self.faults.iter_mut().find(|(name, _)| name == step) {
            Some((_, waiting)) => waiting.push_back(fault),
            None => self.faults.push((step.to_owned(), VecDeque::from([fault]))),
        }
    }
}

struct Watch<'s> {
    stage: &'s Stage,
    script: &'s mut Script,
}

#[async_trait]
impl Observer for Watch<'_> {
    async fn before_send(&mut self, step: &str, _: &PlannedRequest) -> Result<AttemptId, Refused> {
        self.script.sent.push(step.to_owned());
        self.script.fired = None;
        let mut faults = self.script.faults.iter_mut();
        let next = faults.find(|(name, _)| name == step);
        if let Some((what, fault)) = next.and_then(|(_, waiting)| waiting.pop_front()) {
            self.stage.sim("POST", "/_sim/faults", fault).await;
            self.script.fired = Some(what);
        }
        Ok(AttemptId::new())
    }
    async fn after(&mut self, _: AttemptId, _: Report<'_>) -> Result<(), Refused> {
        Ok(())
    }
    async fn page(&mut self, _: Page<'_>) -> Result<PageUse, Refused> {
        Ok(PageUse::Map)
    }
}

/// To call the provider with, and its simulator: made once, they read the system's certificates.
static CLIENTS: LazyLock<(GuardedClient, reqwest::Client)> = LazyLock::new(|| {
    let config = ClientConfig {
        allow_private: true,
        ..ClientConfig::default()
    };
    (GuardedClient::new(config).unwrap(), client())
});

/// See the module.
pub struct Stage {
    pub connector: Arc<Connector>,
    handle: Handle,
    http: reqwest::Client,
    engine: Engine,
    settings: Map<String, Value>,
    contract: Map<String, Value>,
    memory: Map<String, Value>,
    credentials: Credentials,
    clock: Arc<TestClock>,
    /// An order that the simulator has, as the mapping reads it.
    order: Option<Value>,
    /// What changes of its state when something is only read: its pace.
    pace: Vec<String>,
    /// Tracking numbers of the label that was made before.
    numbers: Vec<Value>,
}

impl Stage {
    /// A fresh simulator as it stood before that operation.
    pub async fn of(connector: &Arc<Connector>, played: &Played) -> Self {
        let stage = Self::set(connector, &played.set).await;
        let stage = stage.unwrap_or_else(|| panic!("{}: it cannot be set again", played.at));
        let input = stage.input(&played.case);
        assert_eq!(input, played.input, "{}: another input now", played.at);
        let differs = differs(&played.before, &stage.state().await);
        assert!(differs.is_empty(), "{}: {differs}", played.at);
        stage
    }

    /// A simulator with orders in it, after the prelude; nothing when that does not work.
    pub async fn set(connector: &Arc<Connector>, set: &Set) -> Option<Self> {
        let mut stage = Self::open(connector, set.feature.as_deref(), set.order).await;
        for name in &set.prelude {
            // What takes a provider a while is done then.
            let done = stage.first(name).await;
            stage.clock.advance(Duration::from_secs(3_600));
            let Some(done) = done else {
                stage.close().await;
                return None;
            };
            for record in &done.records {
                let label: Value = serde_json::from_slice(&to_json(record)).unwrap();
                let number = label.get("tracking_number").filter(|n| n.is_string());
                stage.numbers.extend(number.cloned());
            }
        }
        Some(stage)
    }

    /// Runs an operation with the first input that works.
    async fn first(&self, operation: &str) -> Option<Finished> {
        for case in good(&self.connector, operation) {
            let mut input = self.input(&case);
            // One parcel first: its fellows come later.
            if let Some(told) = input.get_mut("tracking").and_then(Value::as_array_mut) {
                told.truncate(1);
            }
            let done = self.call(operation, &input, Some(&case)).await;
            if done.is_some() {
                return done;
            }
        }
        None
    }

    async fn open(connector: &Arc<Connector>, feature: Option<&str>, order: usize) -> Self {
        let folder = Folder::load(connector.folder().source.clone()).unwrap();
        let data = Simulator::load(&folder).unwrap().file;
        let clock = Arc::new(TestClock::at(NOW.parse().unwrap()));
        let mut features = data.demo.options.clone();
        features.extend(feature.map(|name| (name.to_owned(), json!(true))));
        let options = Options {
            options: features,
            clock: SimClock(clock.clone()),
            ..Options::default()
        };
        let listen = "127.0.0.1:0".parse().unwrap();
        let handle = simulator::serve(&folder, listen, options).await.unwrap();
        let mut settings = handle.settings.clone();
        settings.extend(data.demo.settings.clone());
        let mut credentials = Credentials::new();
        for (name, field) in &connector.manifest().credentials {
            let given = handle.credentials.get(name).or(field.example.as_ref());
            let text = given.cloned().unwrap_or_else(|| "made-up".to_owned());
            credentials.insert(name.clone(), SecretString::from(text));
        }
        let engine = Engine {
            client: CLIENTS.0.clone(),
            limiter: Arc::new(Limiter::new(clock.clone())),
            circuits: Arc::new(Circuits::default()),
            clock: clock.clone(),
            traces: Default::default(),
        };
        let contract = data
            .demo
            .contract
            .as_ref()
            .and_then(Value::as_object)
            .cloned();
        let mut stage = Self {
            connector: connector.clone(),
            handle,
            http: CLIENTS.1.clone(),
            engine,
            settings,
            contract: contract.unwrap_or_default(),
            memory: Map::new(),
            credentials,
            clock,
            order: None,
            pace: Vec::new(),
            numbers: Vec::new(),
        };
        stage.check().await;
        if let Some(generator) = &data.generator {
            let mut control = data.control.iter();
            let route = control.find(|route| &route.name == generator).unwrap();
            let made = stage
                .sim("POST", &route.path, json!({"count": ORDERS}))
                .await;
            stage.order = stage.read(&made, order).await;
            assert!(
                stage.order.is_some(),
                "{}: no order: {made}",
                connector.id()
            );
        }
        stage
    }

    /// What the connection's check learns of it.
    async fn check(&mut self) {
        let before = self.state().await;
        let Some(done) = self.call("connection.check", &Value::Null, None).await else {
            return;
        };
        if let Some(Value::Object(learned)) = done.memory_update {
            self.memory = learned;
        }
        let after = self.state().await;
        let keys = after.as_object().unwrap().iter();
        let moved = keys.filter(|(name, value)| before.get(name.as_str()) != Some(*value));
        self.pace = moved.map(|(name, _)| name.clone()).collect();
    }

    /// An order that was made: of the list, or by one of the ids that the simulator named.
    async fn read(&self, made: &Value, which: usize) -> Option<Value> {
        let json = |order: &_| serde_json::from_slice::<Value>(&to_json(order)).unwrap();
        let mut orders = Vec::new();
        if let Some(done) = self.call("orders.pull", &Value::Null, None).await {
            orders = done.records.iter().map(json).collect();
        } else {
            let mut named = Vec::new();
            texts(made, &mut named);
            for id in named {
                let done = self
                    .call("orders.get", &json!({"external_id": id}), None)
                    .await;
                orders.extend(done.iter().flat_map(|done| &done.records).map(json));
            }
        }
        orders.get(which % orders.len().max(1)).cloned()
    }

    /// The fixture's input, put over onto this world.
    pub fn input(&self, case: &Case) -> Value {
        let mut input = case.json("input").unwrap().unwrap_or(Value::Null);
        let Some(fields) = input.as_object_mut() else {
            return input;
        };
        for (name, value) in &self.contract {
            if fields.contains_key(name) {
                fields.insert(name.clone(), value.clone());
            }
        }
        if fields.contains_key("tracking_numbers") && !self.numbers.is_empty() {
            fields.insert("tracking_numbers".into(), json!(self.numbers));
        }
        let Some(order) = &self.order else {
            return input;
        };
        if fields.contains_key("external_id") {
            fields.insert("external_id".into(), order["external_id"].clone());
        }
        if let Some(known) = fields.get_mut("order") {
            over(known, order);
        }
        let lines = order["lines"].as_array().unwrap();
        if let Some(template) = fields.get("lines").and_then(|rows| rows.get(0)).cloned() {
            let row = |line: &Value| {
                let mut row = template.clone();
                over(&mut row, line);
                row
            };
            fields.insert("lines".into(), lines.iter().map(row).collect());
        }
        let levels = fields.get_mut("levels").and_then(Value::as_array_mut);
        for (level, line) in levels.into_iter().flatten().zip(lines.iter().cycle()) {
            if level["external_id"].is_null() && level["sku"].as_str().is_some_and(no_number) {
                level["sku"] = line["sku"].clone();
            }
        }
        input
    }

    async fn call(&self, operation: &str, input: &Value, case: Option<&Case>) -> Option<Finished> {
        let (mut script, fresh) = (Script::default(), Checkpoint::default());
        let run = self.perform(operation, input, case, fresh, &mut script);
        match run.await? {
            Ended::Finished(done) => Some(*done),
            Ended::Stopped(_) => None,
        }
    }

    /// Runs an operation that was played before, with these faults.
    pub async fn run(&self, played: &Played, from: Checkpoint, script: &mut Script) -> Ended {
        let case = Some(&played.case);
        let run = self.perform(&played.operation, &played.input, case, from, script);
        run.await.unwrap()
    }

    pub async fn perform(
        &self,
        operation: &str,
        input: &Value,
        case: Option<&Case>,
        checkpoint: Checkpoint,
        script: &mut Script,
    ) -> Option<Ended> {
        let now = self.clock.now();
        let limits = Limits {
            rate_per_second: 10_000.0,
            burst: 10_000,
            concurrency: 4,
            headers: None,
            cost: None,
        };
        let mut memory = self.memory.clone();
        memory.extend(case.map(|case| case.memory.clone()).unwrap_or_default());
        let mut settings = case.map(|case| case.settings.clone()).unwrap_or_default();
        settings.extend(self.settings.clone());
        let call = Call {
            provider: self.connector.as_ref(),
            operation,
            // Of each run its own: neither pace nor circuit is what is tried here.
            connection: ConnectionId::new(),
            settings: &settings,
            hook_url: Some(HOOK),
            memory: &memory,
            credentials: &self.credentials,
            input,
            checkpoint,
            cursor: Some(&json!("2026-11-30T00:00:00Z")),
            limits: Some(&limits),
            send_until: after(now, Duration::from_secs(3_600)),
            order: None,
            job: None,
        };
        let mut watch = Watch {
            stage: self,
            script,
        };
        self.engine.run(&call, &mut watch).await.ok()
    }

    pub async fn sim(&self, verb: &str, route: &str, body: Value) -> Value {
        let url = format!("{}{route}", self.handle.url());
        let request = self.http.request(verb.parse().unwrap(), url);
        let request = request.header("content-type", "application/json");
        let answer = request.body(body.to_string()).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{verb} {route}: {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// All that the provider keeps; its address, which differs each time, is left out.
    pub async fn state(&self) -> Value {
        let shown = self.sim("GET", "/_sim/state", Value::Null).await;
        let mut state = shown["state"].clone();
        let kept = state.as_object_mut().unwrap();
        kept.retain(|name, _| !self.pace.contains(name));
        let text = state.to_string();
        let text = text.replace(&self.handle.addr.to_string(), "provider.example");
        serde_json::from_str(&text).unwrap()
    }

    pub async fn close(self) {
        self.handle.stop().await;
    }
}

/// Where two states differ, for messages; empty when they are equal.
pub fn differs(before: &Value, after: &Value) -> String {
    let found = difference::between(Some(before), Some(after));
    serde_json::to_string(&found).unwrap().replace("[]", "")
}

/// What both have is taken from the real one, but for our own ids.
fn over(row: &mut Value, real: &Value) {
    let Some(fields) = row.as_object_mut() else {
        return;
    };
    for (name, value) in fields.iter_mut().filter(|(name, _)| *name != "id") {
        if let Some(real) = real.get(name) {
            *value = real.clone();
        }
    }
}

fn no_number(text: &str) -> bool {
    text.parse::<u64>().is_err()
}
