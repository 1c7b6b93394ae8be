//! Jobs about labels: what their answers and their end mean for a shipment.
//!
//! What always holds: a label is known in the transaction that says its attempt is over; a request
//! that may have been carried out is never sent again (where the carrier can be asked, it is asked;
//! else a person is); a request that nobody wants any more is not sent at all.

use super::commit::{Fact, NotWritten, Patience, decide};
use super::verdict::{self, Verdict};
use crate::canonical::ShipmentId;
use crate::canonical::document::LabelAnswer;
use crate::canonical::job::{Attempt, Job, JobState};
use crate::canonical::problem::Class;
use crate::canonical::shipment::LabelFailure;
use crate::connector::output::Output;
use crate::flow::{self, CarrierFact};
use crate::mapping::{Drift, Scope, Val};
use crate::operation::{Outcome, Page, PageUse, Refused};
use crate::worker::connectors::Loaded;
use crate::worker::work::Work;
use std::collections::HashMap;
use std::sync::Arc;

/// The operation that makes a label.
pub const CREATE: &str = "shipment.create";
/// The operation that voids it.
pub const CANCEL: &str = "shipment.cancel";
/// The mapping that reads labels.
const MAPPING: &str = "label";

/// The label side of a job.
#[derive(Debug)]
pub(super) struct Labels {
    /// Whose label.
    pub shipment: ShipmentId,
    /// Which request, for [`CREATE`].
    pub request_number: u32,
    /// It makes a label; else it voids one.
    pub buys: bool,
    /// What the page said that was read last, until its attempt is over.
    pub read: Option<Fact>,
    /// Codes that no table knows, of the same page.
    pub drift: Vec<Drift>,
    /// Successes by step: what must not be done again.
    done: HashMap<String, u32>,
    /// It is to be void: nothing more is bought.
    pub withdrawn: bool,
    /// A step that buys was stopped, and why.
    pub barred: Option<Barred>,
}

/// Why a step that buys was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Barred {
    /// It was done already.
    Done,
    /// Nobody wants it any more.
    Withdrawn,
}

impl Labels {
    /// The label side of this job; `None` for jobs about anything else, and for input that names
    /// no shipment.
    pub fn of(job: &Job) -> Option<Self> {
        if job.kind != CREATE && job.kind != CANCEL {
            return None;
        }
        let shipment = job.input.get("shipment")?;
        let number = shipment.get("request_number").and_then(|n| n.as_u64());
        Some(Self {
            shipment: shipment.get("id")?.as_str()?.parse().ok()?,
            request_number: number.and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
            buys: job.kind == CREATE,
            read: None,
            drift: Vec::new(),
            done: HashMap::new(),
            withdrawn: false,
            barred: None,
        })
    }

    /// What earlier runs did.
    pub fn remember(&mut self, attempts: &[Attempt]) {
        for attempt in attempts.iter().filter(|attempt| succeeded(attempt)) {
            self.count(&attempt.step);
        }
    }

    /// A step was done.
    pub fn count(&mut self, step: &str) {
        *self.done.entry(step.to_owned()).or_default() += 1;
    }

    /// Whether a step that buys may be sent: `items` of it are expected to be done.
    pub fn bar(&mut self, step: &str, items: u32) -> Option<Barred> {
        let done = self.done.get(step).copied().unwrap_or(0);
        self.barred = match () {
            () if !self.buys => None,
            () if done > items => Some(Barred::Done),
            () if self.withdrawn => Some(Barred::Withdrawn),
            () => None,
        };
        self.barred
    }

    /// Reads a page of labels and decides what they mean. Nothing is written before the attempt is
    /// over.
    pub async fn page(
        &mut self,
        work: &Work,
        connector: &Loaded,
        page: &Page<'_>,
        patience: Patience,
    ) -> Result<PageUse, Refused> {
        if page.mapping != MAPPING || !self.buys {
            return Ok(PageUse::Map);
        }
        let read = read(work, connector, page).await;
        let (labels, drift) = match read {
            Ok(read) => read,
            Err((code, message)) => return Ok(PageUse::Unusable { code, message }),
        };
        let fact = CarrierFact::Labels {
            shipment_id: self.shipment,
            parcel: page.item.and_then(|item| usize::try_from(item).ok()),
            labels,
        };
        let mut patience = patience;
        match decide(work, &fact, &mut patience).await {
            Ok(outcome) => {
                let state = outcome.state.as_ref();
                self.withdrawn |=
                    state.is_some_and(|state| flow::void_wanted(state, self.shipment));
                self.drift = drift;
                self.read = Some(Fact {
                    fact,
                    decided: Some(outcome),
                });
                Ok(PageUse::Taken)
            }
            Err(NotWritten::Refused(error)) => Ok(PageUse::Unusable {
                code: error.code().to_owned(),
                message: error.to_string(),
            }),
            Err(NotWritten::Store(error)) => Err(Refused(error.to_string())),
        }
    }

    /// What the end of all steps means.
    pub fn finished(&self) -> CarrierFact {
        let shipment_id = self.shipment;
        if self.buys {
            CarrierFact::Complete { shipment_id }
        } else {
            CarrierFact::Voided {
                shipment_id,
                note: None,
            }
        }
    }

    /// What a failure means that is judged so; the verdict on the job is made fit. `kept`: the
    /// answer is there, and cannot be read.
    pub fn stopped(
        &self,
        verdict: &mut Verdict,
        outcome: &Outcome,
        kept: bool,
    ) -> Option<CarrierFact> {
        let class = outcome.class?;
        if verdict.state == JobState::Ready {
            return None;
        }
        let fact = if self.buys {
            self.not_bought(class, outcome, kept)?
        } else {
            self.not_voided(class, outcome)?
        };
        if kept && class == Class::Ambiguous {
            verdict.state = JobState::Parked;
            if let Some(problem) = &mut verdict.problem {
                problem.class = Class::BrokenContract;
                problem.hint = Some(verdict::hint(Class::BrokenContract).to_owned());
            }
        } else {
            // What is to be done next is the shipment's business, and told there.
            verdict.state = JobState::Dead;
            verdict.problem = None;
        }
        Some(fact)
    }

    fn not_bought(&self, class: Class, outcome: &Outcome, kept: bool) -> Option<CarrierFact> {
        let shipment_id = self.shipment;
        let mut failure = failure(class, outcome);
        match class {
            // It goes on when the credentials are mended, the carrier is back.
            Class::AuthBroken | Class::AuthExpired | Class::Transient | Class::Throttled => None,
            Class::Ambiguous => {
                if kept {
                    let why = "the carrier's answer is kept and cannot be read";
                    failure.message = format!("{why}: {}", failure.message);
                }
                Some(CarrierFact::Unknown {
                    shipment_id,
                    failure,
                })
            }
            _ => Some(CarrierFact::Failed {
                shipment_id,
                failure,
            }),
        }
    }

    fn not_voided(&self, class: Class, outcome: &Outcome) -> Option<CarrierFact> {
        let shipment_id = self.shipment;
        match class {
            Class::Gone => Some(CarrierFact::Voided {
                shipment_id,
                note: Some("the carrier does not know the label (any more)".to_owned()),
            }),
            Class::Invalid | Class::Rejected | Class::Conflict => Some(CarrierFact::VoidRefused {
                shipment_id,
                failure: failure(class, outcome),
            }),
            _ => None,
        }
    }

    /// What it means that nothing can be sent at all: `code` says why.
    pub fn impossible(&self, code: &str, message: &str, maybe_sent: bool) -> CarrierFact {
        let shipment_id = self.shipment;
        let class = match maybe_sent {
            true => Class::Ambiguous,
            false => Class::Rejected,
        };
        let failure = failure(class, &Outcome::failed(class, code, message));
        match (self.buys, maybe_sent) {
            (true, true) => CarrierFact::Unknown {
                shipment_id,
                failure,
            },
            (true, false) => CarrierFact::Failed {
                shipment_id,
                failure,
            },
            (false, _) => CarrierFact::VoidRefused {
                shipment_id,
                failure,
            },
        }
    }
}

/// Its answer came and was a success.
pub(super) fn succeeded(attempt: &Attempt) -> bool {
    attempt.class.is_none() && attempt.status.is_some() && attempt.duration_ms.is_some()
}

fn failure(class: Class, outcome: &Outcome) -> LabelFailure {
    LabelFailure {
        class,
        code: match outcome.code.is_empty() {
            true => class.as_str().to_owned(),
            false => outcome.code.clone(),
        },
        message: outcome.message.clone(),
        fields: outcome.fields.clone(),
    }
}

/// A page on its way to the mapping threads.
struct ToRead {
    body: Val,
    path: String,
    scope: Scope,
    connector: Loaded,
}

type Unreadable = (String, String);
type Read = Result<(Vec<LabelAnswer>, Vec<Drift>), Unreadable>;

/// The labels of a page; or a code and a message without values.
async fn read(work: &Work, connector: &Loaded, page: &Page<'_>) -> Read {
    let job = ToRead {
        body: page.body.clone(),
        path: page.records.to_owned(),
        scope: page.scope.clone(),
        connector: connector.clone(),
    };
    let read = work.pool.map(Arc::new(vec![job]), map).await;
    let panicked = || {
        let message = "the gateway failed while it was mapping".to_owned();
        Err(("internal_fault".to_owned(), message))
    };
    read.into_iter().next().flatten().unwrap_or_else(panicked)
}

fn map(job: &ToRead) -> Read {
    let records = crate::connector::records::by_path(&job.path, &job.body);
    let records = records.map_err(|e| ("records_missing".to_owned(), e.to_string()))?;
    let (mut labels, mut drift) = (Vec::new(), Vec::new());
    for record in records {
        let provider = job.connector.provider.as_ref();
        let yielded = provider
            .map(MAPPING, record.clone(), &job.scope)
            .map_err(|error| (error.code().to_owned(), error.message()))?;
        for value in &yielded.values {
            match Output::check(MAPPING, value) {
                Ok(Output::Label(label)) => labels.push(*label),
                Ok(_) => {}
                Err(error) => return Err((error.code.to_owned(), error.to_string())),
            }
        }
        drift.extend(yielded.notes.drift);
    }
    Ok((labels, drift))
}
