//! Refusals of numbers, kept back until it is known what they are about.
//!
//! What always holds: a carrier that tells of nothing and gives several numbers the same refusal
//! refuses the account, not the numbers: that is one problem of the account, and the questions end.

use crate::canonical::problem::Class;
use crate::operation::Stopped;
use crate::store::query::DueParcel;

/// So many numbers refused alike, with nothing told between, are no accident of theirs.
const ALIKE: usize = 3;

/// The refusals of one turn that nobody was told of yet.
#[derive(Default)]
pub(super) struct Refusals {
    told: bool,
    waiting: Vec<(Vec<DueParcel>, Box<Stopped>)>,
}

impl Refusals {
    /// A number was refused. The error: it is the account that is refused.
    pub(super) fn add(
        &mut self,
        parcels: Vec<DueParcel>,
        stopped: Box<Stopped>,
    ) -> Result<(), Box<Stopped>> {
        let alike = |(_, other): &&(Vec<DueParcel>, Box<Stopped>)| {
            let (one, other) = (&stopped.outcome, &other.outcome);
            one.class == other.class && one.code == other.code && one.status == other.status
        };
        let account = stopped.outcome.class != Some(Class::Gone)
            && !self.told
            && self.waiting.iter().filter(alike).count() + 1 >= ALIKE;
        if account {
            self.waiting.clear();
            return Err(stopped);
        }
        self.waiting.push((parcels, stopped));
        Ok(())
    }

    /// The carrier told of a number: the account is in order.
    pub(super) fn told(&mut self) {
        self.told = true;
    }

    /// What people are to be told: the numbers that were refused, each for itself.
    pub(super) fn take(&mut self) -> Vec<(Vec<DueParcel>, Box<Stopped>)> {
        std::mem::take(&mut self.waiting)
    }
}
