//! In which worlds and with which inputs an operation works with its simulator: found by trying,
//! from the plainest world on, until every request of the operation was sent.

use super::cases;
use super::stage::{ORDERS, Script, Stage};
use crossdock::connector::Connector;
use crossdock::manifest::fixture::{Case, Kind};
use crossdock::manifest::folder::Folder;
use crossdock::manifest::model::{Method, Repeat, Step};
use crossdock::operation::{Checkpoint, Ended, retry};
use crossdock::simulator::routes::Simulator;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What comes before what in an order's life; each may need those before it.
const LIFE: [&str; 4] = [
    "orders.ack",
    "shipment.create",
    "fulfillment.push",
    "delivery.push",
];

/// An operation that works with the simulator, and how the simulator stands after it.
pub struct Played {
    pub operation: String,
    /// For messages.
    pub at: String,
    pub set: Set,
    pub case: Case,
    pub input: Value,
    /// The steps that sent something, each once.
    pub steps: Vec<String>,
    /// Every request, by its step.
    pub sent: Vec<String>,
    /// How the simulator stood before and stands after it.
    pub before: Value,
    pub state: Value,
    /// How it stands when all is looked up once more and nothing is found to do.
    pub again: Option<Value>,
}

/// What an operation is played in.
#[derive(Debug, Clone)]
pub struct Set {
    /// A feature of the simulator that only this world has.
    pub feature: Option<String>,
    /// Operations that come first.
    pub prelude: Vec<&'static str>,
    /// Which of the orders.
    pub order: usize,
}

/// The call fixtures of an operation that come to a good end.
pub fn good(connector: &Connector, operation: &str) -> Vec<Case> {
    let all = cases(connector, Kind::Call).into_iter();
    all.filter(|case| case.operation.as_deref() == Some(operation) && case.step.is_none())
        .filter(|case| case.class.as_deref().is_none_or(|class| class == "ok"))
        .collect()
}

/// What may come before an operation: nothing, the order's life up to it, or itself with another
/// input.
fn preludes(connector: &Connector, operation: &str) -> Vec<Vec<&'static str>> {
    let operations = &connector.manifest().operations;
    let end = LIFE.iter().position(|name| *name == operation);
    let life = &LIFE[..end.map_or(LIFE.len(), |end| end + 1)];
    let life = life.iter().copied();
    let life: Vec<&str> = life.filter(|name| operations.contains_key(*name)).collect();
    let mut all: Vec<_> = (0..=life.len()).map(|n| life[..n].to_vec()).collect();
    all.extend(
        life.last()
            .filter(|_| life.len() > 1)
            .map(|last| vec![*last]),
    );
    all
}

/// Features that some of the simulator's routes exist only with.
fn features(connector: &Connector) -> Vec<Option<String>> {
    let folder = Folder::load(connector.folder().source.clone()).unwrap();
    let routes = Simulator::load(&folder).unwrap().file.routes;
    let named = routes.iter().filter_map(|route| {
        let (_, name) = route.when.as_deref()?.split_once(".options.")?;
        let word = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        Some(Some(name.chars().take_while(word).collect()))
    });
    let named: BTreeSet<Option<String>> = named.collect();
    std::iter::once(None).chain(named).collect()
}

fn sets(connector: &Connector, operation: &str) -> Vec<Set> {
    let (mut all, preludes) = (Vec::new(), preludes(connector, operation));
    let sells = connector
        .manifest()
        .operations
        .keys()
        .any(|name| name.starts_with("orders."));
    let orders = if sells { ORDERS } else { 1 };
    for feature in features(connector) {
        for prelude in &preludes {
            let one = |order| Set {
                feature: feature.clone(),
                prelude: prelude.clone(),
                order,
            };
            all.extend((0..orders).map(one));
        }
    }
    all.sort_by_key(|set: &Set| (set.order, set.feature.is_some()));
    all
}

/// Plays an operation with the inputs of its fixtures in one world after the other, until every
/// step was sent or no world is left; what sends no further step is passed over.
///
/// Beside them, why the others did not work.
pub async fn plays(connector: &Arc<Connector>, operation: &str) -> (Vec<Played>, Vec<String>) {
    let (mut found, mut refused) = (Vec::new(), BTreeSet::new());
    let steps = &connector.manifest().operations[operation].steps;
    let named = |must: bool| {
        let all = steps.iter().filter(|step| step.method != Method::Get);
        let all = all.filter(|step| !must || once(step));
        all.map(|step| step.name.as_str())
            .collect::<BTreeSet<&str>>()
    };
    let (mut must, mut left) = (named(true), named(false));
    for set in sets(connector, operation) {
        for case in good(connector, operation) {
            let plain = set.feature.is_none() && set.order == 0;
            let enough = if plain {
                left.is_empty()
            } else {
                must.is_empty()
            };
            if enough && !found.is_empty() {
                break;
            }
            let Some(stage) = Stage::set(connector, &set).await else {
                break;
            };
            match play(&stage, operation, &set, &case).await {
                Ok(played) => {
                    let before = left.len();
                    let sent = |name: &str| played.steps.iter().any(|sent| sent == name);
                    left.retain(|name| !sent(name));
                    must.retain(|name| !sent(name));
                    if left.len() < before || found.is_empty() {
                        found.push(played);
                    }
                }
                Err(why) => drop(refused.insert(format!("{} in {set:?}: {why}", case.name))),
            }
            stage.close().await;
        }
    }
    (found, refused.into_iter().collect())
}

async fn play(stage: &Stage, operation: &str, set: &Set, case: &Case) -> Result<Played, String> {
    let input = stage.input(case);
    let before = stage.state().await;
    let mut script = Script::default();
    let fresh = Checkpoint::default();
    let run = stage.perform(operation, &input, Some(case), fresh, &mut script);
    if let Some(Ended::Stopped(stopped)) = run.await {
        return Err(format!("{:?}", stopped.outcome));
    }
    let mut steps: Vec<String> = Vec::new();
    for name in &script.sent {
        if !steps.contains(name) {
            steps.push(name.clone());
        }
    }
    let mut played = Played {
        operation: operation.to_owned(),
        at: format!("{}/{operation} ({})", stage.connector.id(), case.name),
        set: set.clone(),
        case: case.clone(),
        input,
        steps,
        sent: script.sent,
        before,
        state: stage.state().await,
        again: None,
    };
    played.again = again(stage, &played).await;
    Ok(played)
}

/// What reading alone moves on (a courier comes, a download is counted) is no second doing: the
/// state after another run that sends nothing but what may be sent again and again.
async fn again(stage: &Stage, played: &Played) -> Option<Value> {
    let mut script = Script::default();
    let ended = stage.run(played, Checkpoint::default(), &mut script).await;
    let steps = &stage.connector.manifest().operations[&played.operation].steps;
    let once = |name: &String| steps.iter().any(|step| step.name == *name && once(step));
    let quiet = !script.sent.iter().any(once);
    match ended {
        Ended::Finished(_) if quiet => Some(stage.state().await),
        _ => None,
    }
}

/// A request that must not be sent twice.
fn once(step: &Step) -> bool {
    matches!(step.repeat, Repeat::LookupFirst | Repeat::Never)
        || step.method != Method::Get && !retry::repeatable(step.repeat, step.method)
}
