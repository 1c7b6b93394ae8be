//! An operation, step by step: what a job does between its lease and its verdict.
//!
//! What always holds: steps run in their order, each request is announced before and reported
//! after; a step counts as done (in the checkpoint) only with its report, so that a run that is
//! taken up again repeats nothing that was reported; a fault found after a call that must not be
//! repeated makes its outcome `ambiguous`, because it has happened; one run is one pass: waiting
//! between attempts is the caller's.

use super::call::{Call, Ended, Finished, RunError, Stopped};
use super::classify::Outcome;
use super::client::Answer;
use super::engine::{Engine, Exchange, Line, Unsent};
use super::observer::{Checkpoint, KeptAnswer, Observer, Refused, Report};
use super::paging::{Next, Pager};
use super::provider::{Account, context};
use super::tell::Running;
use super::value::{from_json, kind, truthy, with};
use crate::canonical::problem::Class;
use crate::connector::map::settings;
use crate::manifest::model::{Operation, Repeat, Step};
use crate::mapping::MapError;
use jaq_json::Val;
use serde_json::Value;
use std::time::Duration;

impl Engine {
    /// Runs an operation once, from its checkpoint on.
    pub async fn run(
        &self,
        call: &Call<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Ended, RunError> {
        let manifest = call.provider.manifest();
        let unknown = || RunError::UnknownOperation(call.operation.to_owned());
        let operation = manifest
            .operations
            .get(call.operation)
            .ok_or_else(unknown)?;
        let running = Running::of(self, call);
        let settings = settings(manifest, call.settings);
        let account = Account {
            id: Some(call.connection),
            settings: &settings,
            hook_url: call.hook_url,
            memory: call.memory,
        };
        let line = Line {
            provider: call.provider,
            operation: call.operation,
            lane: operation.lane(call.operation),
            connection: call.connection,
            credentials: call.credentials,
            limits: call.limits.unwrap_or(&manifest.limits),
            weight: operation.weight,
            send_until: call.send_until,
            order: call.order,
            trace: running.inside(),
        };
        let mut run = Run {
            engine: self,
            line,
            operation,
            base: context(&account, call.input, call.cursor, self.clock.now()),
            checkpoint: call.checkpoint.clone(),
            unlearned: None,
            finished: Finished::default(),
            observer,
        };
        let ended = match run.steps().await {
            Ok(()) => Ok(run.finish()),
            Err(Halt::Stopped(stopped)) => Ok(Ended::Stopped(stopped)),
            Err(Halt::Refused(refused)) => Err(refused.into()),
        };
        running.ended(&ended);
        ended
    }
}

/// What ends a run early.
pub(super) enum Halt {
    Stopped(Box<Stopped>),
    Refused(Refused),
}

impl From<Refused> for Halt {
    fn from(refused: Refused) -> Self {
        Halt::Refused(refused)
    }
}

pub(super) struct Run<'a> {
    pub(super) engine: &'a Engine,
    pub(super) line: Line<'a>,
    pub(super) operation: &'a Operation,
    pub(super) base: Val,
    pub(super) checkpoint: Checkpoint,
    /// Why `remember` failed after the last step, if it did.
    pub(super) unlearned: Option<MapError>,
    pub(super) finished: Finished,
    pub(super) observer: &'a mut dyn Observer,
}

/// Where a step stands among its items.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The step's index.
    pub(super) step: u32,
    /// For `for_each`: how many items are done after this one, and whether that is all.
    pub(super) item: Option<(u32, bool)>,
}

impl Run<'_> {
    async fn steps(&mut self) -> Result<(), Halt> {
        let operation = self.operation;
        for (index, step) in (0u32..).zip(&operation.steps) {
            if index < self.checkpoint.step {
                continue;
            }
            if self.step(index, step).await? {
                break;
            }
            self.checkpoint.step = index + 1;
            self.checkpoint.item = 0;
        }
        Ok(())
    }

    /// Runs a step; true when it ends the operation.
    async fn step(&mut self, index: u32, step: &Step) -> Result<bool, Halt> {
        let context = self.context();
        if let Some(when) = &step.when
            && !truthy(&self.eval(step, "when", when, &context)?)
        {
            return Ok(false);
        }
        let Some(for_each) = &step.for_each else {
            return self
                .walk(
                    step,
                    &context,
                    Place {
                        step: index,
                        item: None,
                    },
                )
                .await;
        };
        let items = match self.eval(step, "for_each", for_each, &context)? {
            Val::Arr(items) => items,
            Val::Null => return Ok(false),
            other => {
                let why = format!(
                    "{}.for_each must be an array, it is {}",
                    step.name,
                    kind(&other)
                );
                return Err(self.stop(
                    step,
                    Outcome::failed(Class::BrokenContract, "request_field", &why),
                ));
            }
        };
        let total = u32::try_from(items.len()).unwrap_or(u32::MAX);
        for (done, item) in (1u32..).zip(items.iter()) {
            if done <= self.checkpoint.item {
                continue;
            }
            let context = with(&self.context(), "item", item.clone());
            if self
                .walk(
                    step,
                    &context,
                    Place {
                        step: index,
                        item: Some((done, done == total)),
                    },
                )
                .await?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Walks the pages of a step (most have one); true when the operation is done.
    async fn walk(&mut self, step: &Step, context: &Val, place: Place) -> Result<bool, Halt> {
        let mut pager = Pager::new(&step.pagination);
        let mut saved = None;
        loop {
            let context = with(context, "page", pager.context());
            let exchange = self.exchange(step, &context, &pager).await?;
            let turned = match self.turn(step, &mut pager, &exchange, &mut saved, place) {
                Ok(turned) => turned,
                Err(outcome) => return Err(self.fail(step, &exchange, outcome).await),
            };
            self.hand_over(step, &exchange, &turned, pager.fetched(), place)
                .await?;
            let over = turned.after.is_some();
            if let Some(after) = turned.after {
                self.checkpoint = after;
            }
            let checkpoint = over.then_some(&self.checkpoint);
            let report = Report {
                checkpoint,
                ..report(step, &exchange, &exchange.outcome)
            };
            self.observer.after(exchange.attempt, report).await?;
            self.finished.more |= turned.next == Next::Limit;
            self.finished.last_answer = exchange.answer;
            if over {
                return Ok(turned.done);
            }
        }
    }

    /// One request. Its outcome is a success, or one that the step accepts.
    async fn exchange(
        &mut self,
        step: &Step,
        context: &Val,
        pager: &Pager<'_>,
    ) -> Result<Exchange, Halt> {
        let turn = pager.turn();
        let exchanged = match self.kept(step) {
            Some(answer) => self.reuse(step, context, answer).await,
            None => {
                self.engine
                    .exchange(&self.line, step, context, &turn, self.observer)
                    .await
            }
        };
        let mut exchange = match exchanged {
            Ok(exchange) => exchange,
            Err(Unsent::Refused(refused)) => return Err(refused.into()),
            Err(Unsent::Because(outcome)) => return Err(self.stop(step, outcome)),
            Err(Unsent::Announced(attempt, outcome)) => {
                let report = Report {
                    step: &step.name,
                    outcome: &outcome,
                    duration: Duration::ZERO,
                    checkpoint: None,
                    frozen_until: None,
                };
                self.observer.after(attempt, report).await?;
                return Err(self.stop(step, outcome));
            }
        };
        if exchange.outcome.is_ok() {
            return Ok(exchange);
        }
        if step
            .accept
            .iter()
            .any(|accepted| accepted.class() == exchange.outcome.class)
        {
            exchange.outcome.class = None;
            exchange.accepted = true;
            return Ok(exchange);
        }
        let outcome = exchange.outcome.clone();
        Err(self.fail(step, &exchange, outcome).await)
    }

    /// The answer to begin with instead of a call, if this is its step.
    fn kept(&self, step: &Step) -> Option<Answer> {
        let kept = self.checkpoint.answer.as_ref()?;
        let here = kept.step == step.name && kept.item == self.checkpoint.item;
        here.then(|| kept.answer()).flatten()
    }

    async fn reuse(
        &mut self,
        step: &Step,
        context: &Val,
        answer: Answer,
    ) -> Result<Exchange, Unsent> {
        let attempt = self.observer.before_reuse(&step.name).await?;
        let reused = self
            .engine
            .reuse(&self.line, step, context, attempt, answer);
        reused.map_err(|outcome| Unsent::Announced(attempt, outcome))
    }

    fn context(&self) -> Val {
        with(
            &self.base,
            "steps",
            from_json(&Value::Object(self.checkpoint.steps.clone())),
        )
    }

    /// An expression before the call: a failure stops the run, nothing was sent.
    fn eval(&self, step: &Step, place: &str, expression: &str, context: &Val) -> Result<Val, Halt> {
        let failed = |error: MapError| {
            let why = format!("{}.{place}: {}", step.name, error.message());
            self.stop(
                step,
                Outcome::failed(Class::BrokenContract, "expression_failed", &why),
            )
        };
        self.line.provider.eval(expression, context).map_err(failed)
    }

    /// Reports a failed attempt and stops.
    pub(super) async fn fail(
        &mut self,
        step: &Step,
        exchange: &Exchange,
        outcome: Outcome,
    ) -> Halt {
        let outcome = Outcome {
            status: exchange.outcome.status,
            ..outcome
        };
        self.keep(step, exchange, &outcome);
        match self
            .observer
            .after(exchange.attempt, report(step, exchange, &outcome))
            .await
        {
            Ok(()) => self.stop(step, outcome),
            Err(refused) => refused.into(),
        }
    }

    /// Keeps a success that cannot be used: it is all that is known of the call. Where the provider
    /// can be asked, it is asked instead.
    fn keep(&mut self, step: &Step, exchange: &Exchange, outcome: &Outcome) {
        let unclear = outcome.class == Some(Class::Ambiguous) && step.repeat != Repeat::LookupFirst;
        let answer = exchange
            .answer
            .as_ref()
            .filter(|answer| (200..300).contains(&answer.status));
        if let (Some(answer), true) = (answer, unclear && self.observer.keeps_answers()) {
            self.checkpoint.answer = KeptAnswer::of(&step.name, self.checkpoint.item, answer);
        }
    }

    fn stop(&self, step: &Step, outcome: Outcome) -> Halt {
        let look_first =
            outcome.class == Some(Class::Ambiguous) && step.repeat == Repeat::LookupFirst;
        let restart = look_first || outcome.class == Some(Class::Conflict);
        let checkpoint = if restart {
            Checkpoint::default()
        } else {
            self.checkpoint.clone()
        };
        Halt::Stopped(Box::new(Stopped {
            outcome,
            step: step.name.clone(),
            repeat: step.repeat,
            checkpoint,
        }))
    }

    fn finish(mut self) -> Ended {
        if self.checkpoint.memory.is_none() && self.unlearned.is_none() {
            let context = self.context();
            self.checkpoint.memory = self.remember(&context);
        }
        if let (Some(error), Some(step)) = (&self.unlearned, self.operation.steps.last()) {
            let why = format!("remember: {}", error.message());
            let outcome = Outcome::failed(Class::BrokenContract, "expression_failed", &why);
            let (step, repeat, checkpoint) = (step.name.clone(), step.repeat, self.checkpoint);
            return Ended::Stopped(Box::new(Stopped {
                outcome,
                step,
                repeat,
                checkpoint,
            }));
        }
        Ended::Finished(Box::new(Finished {
            memory_update: self.checkpoint.memory,
            ..self.finished
        }))
    }
}

fn report<'a>(step: &'a Step, exchange: &Exchange, outcome: &'a Outcome) -> Report<'a> {
    Report {
        step: &step.name,
        outcome,
        duration: exchange.duration,
        checkpoint: None,
        frozen_until: exchange.frozen_until,
    }
}

#[cfg(test)]
mod tests;
