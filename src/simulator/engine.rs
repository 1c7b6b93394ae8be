//! The state and the programs over it: one thread owns both, so requests are answered one after another and never interleave.
//!
//! What always holds: a program that fails changes nothing; its error is the answer, for the author to read.

use super::routes::{Route, Simulator};
use super::{Options, SimClock, SimError};
use crate::mapping::{Library, Program, Scope, Val, from_serde, to_json};
use jaq_json::Map;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::mpsc;

/// Stack of the state thread: jq recurses as deep as its data.
const STACK_BYTES: usize = 32 << 20;

/// Where an expression belongs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Route(String),
    When(String),
    Refused,
    Missing,
    Limited,
    Targets,
    Headers,
    Delivered,
}

/// What a program yielded.
#[derive(Debug, Default, Clone)]
pub(crate) struct Outcome {
    /// Everything but the state.
    pub value: Value,
}

type Reply = tokio::sync::oneshot::Sender<Result<Outcome, String>>;

enum Command {
    Run {
        place: Place,
        input: Value,
        keeps_state: bool,
        reply: Reply,
    },
    State {
        reply: Reply,
    },
}

/// The state thread's door. A clone is another key to it.
#[derive(Clone)]
pub(crate) struct Engine {
    commands: mpsc::Sender<Command>,
    library: Library,
}

impl Engine {
    /// Compiles the programs, makes the first state and starts the thread.
    pub(crate) fn start(data: &Simulator, options: &Options) -> Result<Self, SimError> {
        let library = Library::builtin().map_err(|error| SimError::Data(error.to_string()))?;
        let mut keeper = Keeper::new(data, options, &library)?;
        let (commands, inbox) = mpsc::channel::<Command>();
        std::thread::Builder::new()
            .name(format!("simulator-{}", data.id))
            .stack_size(STACK_BYTES)
            .spawn(move || {
                while let Ok(command) = inbox.recv() {
                    // A caller that went away needs no answer.
                    let _ = match command {
                        Command::Run {
                            place,
                            input,
                            keeps_state,
                            reply,
                        } => reply.send(keeper.run(&place, &input, keeps_state)),
                        Command::State { reply } => reply.send(keeper.state()),
                    };
                }
            })
            .map_err(|error| SimError::Start(error.to_string()))?;
        Ok(Self { commands, library })
    }

    pub(crate) fn library(&self) -> &Library {
        &self.library
    }

    /// Runs a route or control; its new state is kept.
    pub(crate) async fn change(&self, place: Place, input: Value) -> Result<Value, String> {
        self.ask(|reply| Command::Run {
            place,
            input,
            keeps_state: true,
            reply,
        })
        .await
    }

    /// Evaluates an expression that only looks.
    pub(crate) async fn look(&self, place: Place, input: Value) -> Result<Value, String> {
        self.ask(|reply| Command::Run {
            place,
            input,
            keeps_state: false,
            reply,
        })
        .await
    }

    /// The whole state.
    pub(crate) async fn state(&self) -> Result<Value, String> {
        self.ask(|reply| Command::State { reply }).await
    }

    async fn ask(&self, command: impl FnOnce(Reply) -> Command) -> Result<Value, String> {
        let (reply, answer) = tokio::sync::oneshot::channel();
        let gone = || "the simulator has stopped".to_owned();
        self.commands.send(command(reply)).map_err(|_| gone())?;
        answer
            .await
            .map_err(|_| gone())?
            .map(|outcome| outcome.value)
    }
}

/// The thread's side.
struct Keeper {
    programs: HashMap<Place, Program>,
    state: Val,
    constants: Value,
    clock: SimClock,
}

impl Keeper {
    fn new(data: &Simulator, options: &Options, library: &Library) -> Result<Self, SimError> {
        let compile = |name: &str, expression: &str| {
            let label = format!("{}/simulator/routes.toml ({name})", data.id);
            let source = format!("{}\n{expression}", data.lib);
            Program::new(&label, &source, library)
                .map_err(|error| SimError::Data(error.to_string()))
        };
        let mut programs = HashMap::new();
        let mut add = |place: Place, name: &str, expression: &str| -> Result<(), SimError> {
            programs.insert(place, compile(name, expression)?);
            Ok(())
        };
        let file = &data.file;
        for Route {
            name, run, when, ..
        } in file.routes.iter().chain(&file.control)
        {
            add(Place::Route(name.clone()), name, run)?;
            if let Some(when) = when {
                add(Place::When(name.clone()), name, when)?;
            }
        }
        add(Place::Refused, "refused", &file.refused)?;
        add(Place::Missing, "missing", &file.missing)?;
        if let Some(limit) = &file.limit {
            add(Place::Limited, "limit", &limit.response)?;
        }
        if let Some(webhooks) = &file.webhooks {
            add(Place::Targets, "webhooks.targets", &webhooks.targets)?;
            add(Place::Headers, "webhooks.headers", &webhooks.headers)?;
            add(Place::Delivered, "webhooks.delivered", &webhooks.delivered)?;
        }
        let constants = json!({"options": options.options, "seed": options.seed});
        let start = compile("start", &file.start)?;
        let mut keeper = Self {
            programs,
            state: Val::Null,
            constants,
            clock: options.clock.clone(),
        };
        keeper.state = keeper
            .input(&json!({}))
            .and_then(|input| {
                start
                    .run_one(input, &Scope::default())
                    .map_err(|error| error.message())
            })
            .map_err(|error| {
                SimError::Data(format!(
                    "{}/simulator/routes.toml (start): {error}",
                    data.id
                ))
            })?;
        Ok(keeper)
    }

    /// The documented input: what the caller gives, the constants, the time and the state (never copied).
    fn input(&self, given: &Value) -> Result<Val, String> {
        let mut all = given.clone();
        if let (Some(all), Some(constants)) = (all.as_object_mut(), self.constants.as_object()) {
            all.extend(
                constants
                    .iter()
                    .map(|(key, value)| (key.clone(), value.clone())),
            );
            // Cut, not rounded: a shop's clock is never ahead of itself.
            let now = jiff::Timestamp::from_second(self.clock.0.now().as_second())
                .map_err(|error| error.to_string())?;
            all.insert("now".to_owned(), Value::String(now.to_string()));
        }
        let input = from_serde(&all).map_err(|error| error.to_string())?;
        let Val::Obj(object) = input else {
            return Err("an input is an object".to_owned());
        };
        let mut object: Map = object
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        object.insert(key("state"), self.state.clone());
        Ok(Val::obj(object))
    }

    fn run(&mut self, place: &Place, given: &Value, keeps_state: bool) -> Result<Outcome, String> {
        let program = self.programs.get(place).ok_or("no such program")?;
        let input = self.input(given)?;
        let output = program
            .run_one(input, &Scope::default())
            .map_err(|error| format!("{}: {}", program.label(), error.message()))?;
        if !keeps_state {
            return Ok(Outcome {
                value: value_of(&output)?,
            });
        }
        let Val::Obj(object) = &output else {
            return Err(format!("{}: yields no object", program.label()));
        };
        if let Some(state) = object.get(&key("state")) {
            self.state = state.clone();
        }
        let rest: Map = object
            .iter()
            .filter(|(name, _)| **name != key("state"))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        Ok(Outcome {
            value: value_of(&Val::obj(rest))?,
        })
    }

    fn state(&self) -> Result<Outcome, String> {
        Ok(Outcome {
            value: value_of(&self.state)?,
        })
    }
}

fn key(name: &str) -> Val {
    Val::utf8_str(name.as_bytes().to_vec())
}

fn value_of(val: &Val) -> Result<Value, String> {
    serde_json::from_slice(&to_json(val)).map_err(|_| "the output is no JSON".to_owned())
}
