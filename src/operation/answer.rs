//! What a run does with an answer: pages, saves, records, what is remembered.
//!
//! What always holds: nothing here changes the run's checkpoint; what follows from an answer is
//! computed first, handed over, and only then taken over with the attempt's report.

use super::classify::Outcome;
use super::engine::{Exchange, headers};
use super::observer::{Checkpoint, Page, PageUse};
use super::paging::{Next, Pager, Read};
use super::retry;
use super::run::{Halt, Place, Run};
use super::value::{field, from_json, to_json, truthy, with};
use crate::canonical::problem::Class;
use crate::manifest::model::{Pagination, Step};
use crate::mapping::{self, MapError, Scope};
use bytes::Bytes;
use jaq_json::Val;
use serde_json::Value;

/// What an answer leads to.
pub(super) struct Turned {
    pub(super) next: Next,
    pub(super) done: bool,
    context: Val,
    /// Where the run goes on, when the step (or this item of it) is over.
    pub(super) after: Option<Checkpoint>,
}

impl Run<'_> {
    /// Reads an answer: what comes next, what is saved, whether that was all.
    pub(super) fn turn(
        &mut self,
        step: &Step,
        pager: &mut Pager<'_>,
        exchange: &Exchange,
        saved: &mut Option<Value>,
        place: Place,
    ) -> Result<Turned, Outcome> {
        let next = self.next(step, pager, exchange)?;
        if let Some(save) = &step.save {
            let value = to_json(&self.answered(step, "save", save, &exchange.context)?);
            *saved = Some(match (saved.take(), value) {
                // The pages of a list are one list.
                (Some(Value::Array(mut all)), Value::Array(more)) => {
                    all.extend(more);
                    Value::Array(all)
                }
                (_, value) => value,
            });
        }
        let done = match &step.done_when {
            Some(done_when) => {
                truthy(&self.answered(step, "done_when", done_when, &exchange.context)?)
            }
            None => false,
        };
        let over = done || next != Next::More;
        let mut after = Checkpoint {
            answer: None,
            ..self.checkpoint.clone()
        };
        if over && let Some(value) = saved.take() {
            save(&mut after, step, value, place);
        }
        let steps = from_json(&Value::Object(after.steps.clone()));
        let context = with(&exchange.context, "steps", steps);
        if !over {
            return Ok(Turned {
                next,
                done,
                context,
                after: None,
            });
        }
        if let Some(memory) = self.remember(&context) {
            after.memory = Some(memory);
        }
        (after.step, after.item) = match place.item {
            _ if done => (
                u32::try_from(self.operation.steps.len()).unwrap_or(u32::MAX),
                0,
            ),
            Some((done, false)) => (place.step, done),
            _ => (place.step + 1, 0),
        };
        Ok(Turned {
            next,
            done,
            context,
            after: Some(after),
        })
    }

    fn next(
        &self,
        step: &Step,
        pager: &mut Pager<'_>,
        exchange: &Exchange,
    ) -> Result<Next, Outcome> {
        let (Some(answer), false) = (&exchange.answer, exchange.accepted) else {
            return Ok(Next::End);
        };
        let items = match &step.pagination {
            Pagination::Page { .. } => self.records(step, &exchange.context)?.len(),
            _ => 0,
        };
        let cursor = match &step.pagination {
            Pagination::Cursor { next, .. } => {
                self.answered(step, "pagination.next", next, &exchange.context)?
            }
            _ => Val::Null,
        };
        match pager.advance(Read {
            answer,
            url: &exchange.request.url,
            items,
            cursor: &cursor,
        }) {
            Next::Fault(code) => {
                Err(self.faulty(step, code, "the provider's pages do not come to an end"))
            }
            next => Ok(next),
        }
    }

    /// Gives records to the observer, and maps them here if it wants that.
    pub(super) async fn hand_over(
        &mut self,
        step: &Step,
        exchange: &Exchange,
        turned: &Turned,
        number: u64,
        place: Place,
    ) -> Result<(), Halt> {
        let (Some(mapping), Some(answer), false) =
            (&step.mapping, &exchange.answer, exchange.accepted)
        else {
            return Ok(());
        };
        let composed = match &step.input {
            None => None,
            // Composed of all pages, once.
            Some(_) if turned.after.is_none() => return Ok(()),
            Some(input) => match self.answered(step, "input", input, &turned.context) {
                Ok(value) => Some((Bytes::from(mapping::to_json(&value)), value)),
                Err(outcome) => return Err(self.fail(step, exchange, outcome).await),
            },
        };
        let read = field(&exchange.context, "body")
            .cloned()
            .unwrap_or_default();
        let (bytes, body) = composed
            .as_ref()
            .map_or((&answer.body, &read), |(bytes, body)| (bytes, body));
        let path = match composed {
            Some(_) => ".",
            None => &step.records,
        };
        let scope = Scope {
            connection: field(&turned.context, "connection")
                .cloned()
                .unwrap_or_default(),
            headers: headers(&answer.headers),
            context: turned.context.clone(),
        };
        let page = Page {
            step: &step.name,
            mapping,
            records: path,
            number,
            item: place.item.map(|(done, _)| done.saturating_sub(1)),
            bytes,
            body,
            composed: composed.is_some(),
            scope: &scope,
            last: turned.after.is_some(),
        };
        match self.observer.page(page).await? {
            PageUse::Taken => return Ok(()),
            PageUse::Unusable { code, message } => {
                let outcome = self.faulty(step, &code, &message);
                return Err(self.fail(step, exchange, outcome).await);
            }
            PageUse::Map => {}
        }
        match self.map(step, mapping, path, body, &scope) {
            Ok(()) => Ok(()),
            Err(outcome) => Err(self.fail(step, exchange, outcome).await),
        }
    }

    fn map(
        &mut self,
        step: &Step,
        mapping: &str,
        path: &str,
        body: &Val,
        scope: &Scope,
    ) -> Result<(), Outcome> {
        let sliced = slice(path, body).map_err(|why| self.faulty(step, "records_missing", &why))?;
        for record in sliced {
            let yielded = self.line.provider.map(mapping, record, scope);
            let yielded =
                yielded.map_err(|error| self.faulty(step, error.code(), &error.message()))?;
            self.finished.records.extend(yielded.values);
            self.finished.notes.warnings.extend(yielded.notes.warnings);
            self.finished.notes.drift.extend(yielded.notes.drift);
        }
        Ok(())
    }

    fn records(&self, step: &Step, context: &Val) -> Result<Vec<Val>, Outcome> {
        let body = field(context, "body").cloned().unwrap_or_default();
        slice(&step.records, &body).map_err(|why| self.faulty(step, "records_missing", &why))
    }

    /// What the operation has learned; none when it does not say, or cannot say yet.
    pub(super) fn remember(&mut self, context: &Val) -> Option<Value> {
        match self
            .line
            .provider
            .eval(self.operation.remember.as_ref()?, context)
        {
            Ok(value) => {
                self.unlearned = None;
                Some(to_json(&value))
            }
            // A later step may save what is missing; only after the last one it is a fault.
            Err(error) => {
                self.unlearned = Some(error);
                None
            }
        }
    }

    /// An expression over an answer: the call has happened.
    fn answered(
        &self,
        step: &Step,
        place: &str,
        expression: &str,
        context: &Val,
    ) -> Result<Val, Outcome> {
        let failed = |error: MapError| {
            self.faulty(
                step,
                "expression_failed",
                &format!("{}.{place}: {}", step.name, error.message()),
            )
        };
        self.line.provider.eval(expression, context).map_err(failed)
    }

    /// An answer that cannot be used.
    fn faulty(&self, step: &Step, code: &str, why: &str) -> Outcome {
        let repeatable = retry::repeatable(step.repeat, step.method);
        Outcome::failed(
            if repeatable {
                Class::BrokenContract
            } else {
                Class::Ambiguous
            },
            code,
            why,
        )
    }
}

/// `.steps.<name>` of a step: what it saved; of a step with `for_each` the list over its items.
fn save(checkpoint: &mut Checkpoint, step: &Step, value: Value, place: Place) {
    if place.item.is_none() {
        checkpoint.steps.insert(step.name.clone(), value);
        return;
    }
    let all = checkpoint
        .steps
        .entry(step.name.clone())
        .or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(all) = all {
        all.push(value);
    }
}

fn slice(path: &str, body: &Val) -> Result<Vec<Val>, String> {
    let path = mapping::Path::parse(path).map_err(|error| error.to_string())?;
    let found = mapping::select(body, &path).map_err(|error| error.to_string())?;
    Ok(found.into_iter().cloned().collect())
}
