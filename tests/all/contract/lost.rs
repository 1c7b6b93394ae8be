//! Calls that go wrong on their way, through the engine against each connector's simulator: every
//! operation that changes something, every step of it.
//!
//! What goes wrong is put before the simulator at the moment at which the engine announces the
//! request. Afterwards the simulator must stand where it stands when all went well: nothing lost,
//! nothing done twice, by what the simulator itself keeps.

use super::answers::{may_mean, refusals};
use super::connectors;
use super::plays::{Played, plays};
use super::stage::{Script, Stage, differs};
use crossdock::canonical::problem::Class;
use crossdock::connector::Connector;
use crossdock::manifest::model::{Repeat, Step};
use crossdock::operation::call::changes;
use crossdock::operation::retry::{self, Decision};
use crossdock::operation::{Checkpoint, Ended, Stopped};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// More rounds than any operation has steps and faults.
const ROUNDS: usize = 200;

fn step<'c>(connector: &'c Connector, operation: &str, name: &str) -> &'c Step {
    let steps = &connector.manifest().operations[operation].steps;
    steps.iter().find(|step| step.name == name).unwrap()
}

/// Goes on from stop to stop; the last one when the operation parks, `None` when it finished.
/// `judge` is told which step stopped and of which fault.
async fn through(
    stage: &Stage,
    played: &Played,
    script: &mut Script,
    mut judge: impl FnMut(&str, &str, &Stopped) -> bool,
) -> Result<Option<Box<Stopped>>, String> {
    let mut checkpoint = Checkpoint::default();
    for _ in 0..ROUNDS {
        match stage.run(played, checkpoint, script).await {
            Ended::Finished(_) => return Ok(None),
            Ended::Stopped(stopped) => {
                let fault = script.fired.take();
                let Some(fault) = fault else {
                    let why = format!("{}: then it stops by itself: {stopped:?}", played.at);
                    return Err(why);
                };
                if !judge(&stopped.step, &fault, &stopped) {
                    return Ok(Some(stopped));
                }
                checkpoint = stopped.checkpoint;
            }
        }
    }
    panic!("{}: it never ends", played.at);
}

/// Every refusal at every step, one after the other, then none: as if nothing had been.
async fn refused(stage: &Stage, played: &Played, wrong: &mut Vec<String>) {
    let mut script = Script::default();
    for name in &played.steps {
        for (what, answer, _, _) in refusals() {
            let fault =
                json!({"status": answer.status, "headers": answer.headers, "body": answer.body});
            script.add(name, what, fault);
        }
    }
    let parked = through(stage, played, &mut script, |name, what, stopped| {
        let step = step(&stage.connector, &played.operation, name);
        let may = may_mean(what, step);
        let class = stopped.outcome.class.unwrap();
        if !may.contains(&class) {
            wrong.push(format!(
                "{} {name}: {what} means {class:?}, may be {may:?}",
                played.at
            ));
        }
        let told = stopped.outcome.retry_after;
        if what.contains("Retry-After") && told != Some(Duration::from_secs(7)) {
            wrong.push(format!(
                "{} {name}: {what} is told, {told:?} understood",
                played.at
            ));
        }
        true
    });
    if let Err(why) = parked.await {
        wrong.push(why);
    }
    compare(stage, played, "refusals", wrong).await;
}

async fn compare(stage: &Stage, played: &Played, what: &str, wrong: &mut Vec<String>) {
    let now = stage.state().await;
    let differs = differs(&played.state, &now);
    if !differs.is_empty() && played.again.as_ref() != Some(&now) {
        wrong.push(format!(
            "{}: after {what} the provider stands elsewhere: {differs}",
            played.at
        ));
    }
}

/// The answer of this step is lost after it was done.
async fn lost(stage: &Stage, played: &Played, name: &str, wrong: &mut Vec<String>) {
    let mut script = Script::default();
    script.add(name, "lost", json!({"drop_answer": true}));
    let step = step(&stage.connector, &played.operation, name);
    let repeatable = retry::repeatable(step.repeat, step.method);
    let wanted = if repeatable {
        Class::Transient
    } else {
        Class::Ambiguous
    };
    let rules = &stage.connector.manifest().retry;
    let parked = through(stage, played, &mut script, |_, _, stopped| {
        let class = stopped.outcome.class.unwrap();
        if class != wanted {
            wrong.push(format!(
                "{} {name}: a lost answer means {class:?}",
                played.at
            ));
        }
        let mut rng = StdRng::seed_from_u64(1);
        let decision = retry::next(rules, 1, &stopped.outcome, stopped.repeat, &mut rng);
        matches!(decision, Decision::RetryAfter { .. })
    })
    .await;
    let parked = match parked {
        Ok(parked) => parked,
        Err(why) => return wrong.push(format!("{name} is lost, {why}")),
    };
    let looked_up = step.repeat == Repeat::LookupFirst;
    if parked.is_some() == (repeatable || looked_up) {
        wrong.push(format!(
            "{} {name}: a lost answer parks: {parked:?}",
            played.at
        ));
    }
    // A person who is asked finds at the provider what the call has done, and no more.
    let sent = script.sent.iter().filter(|sent| *sent == name).count();
    let once = played.sent.iter().filter(|sent| *sent == name).count();
    if looked_up && sent != once {
        wrong.push(format!(
            "{} {name}: sent {sent} times, {once} are due",
            played.at
        ));
    }
    if parked.is_none() {
        compare(stage, played, &format!("a lost answer of {name}"), wrong).await;
    } else if stage.state().await == played.before {
        wrong.push(format!("{} {name}: the call did nothing", played.at));
    }
}

/// What is wrong with a connector, and which steps were tried.
async fn all(connector: Arc<Connector>) -> (Vec<String>, Vec<String>) {
    let (mut wrong, mut tried) = (Vec::new(), Vec::new());
    let operations = &connector.manifest().operations;
    for (name, operation) in operations.iter().filter(|(_, o)| changes(o)) {
        let (plays, refused_inputs) = plays(&connector, name).await;
        if plays.is_empty() {
            wrong.push(format!(
                "{}/{name}: no fixture's input works with the simulator: {refused_inputs:?}",
                connector.id()
            ));
        }
        for played in &plays {
            let stage = Stage::of(&connector, played).await;
            refused(&stage, played, &mut wrong).await;
            stage.close().await;
            for name in &played.steps {
                let stage = Stage::of(&connector, played).await;
                lost(&stage, played, name, &mut wrong).await;
                stage.close().await;
                tried.push(format!("{} {name}", played.at));
            }
        }
        for step in &operation.steps {
            let asked = plays.iter().any(|played| played.steps.contains(&step.name));
            if !asked && matches!(step.repeat, Repeat::LookupFirst | Repeat::Never) {
                wrong.push(format!(
                    "{}/{name}: nothing leads to {}: {refused_inputs:?}",
                    connector.id(),
                    step.name
                ));
            }
        }
    }
    (wrong, tried)
}

#[actix_web::test]
async fn what_goes_wrong_on_its_way_is_neither_lost_nor_done_twice() {
    let (mut wrong, mut tried) = (Vec::new(), Vec::new());
    for connector in connectors() {
        let found = all(connector).await;
        wrong.extend(found.0);
        tried.extend(found.1);
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        tried.len(),
        wrong.join("\n")
    );
    assert!(tried.len() > 50, "{tried:#?}");
}
