//! What is asked or told together, and by halves where the provider refuses it together, down to
//! the one that it refuses.
//!
//! What always holds: one that is refused stops no other; refusals are kept back until it is known
//! what they are about: a provider that takes nothing and gives several the same refusal refuses
//! the account, which is one problem and the end of the turn, not a problem for each.

use crate::canonical::problem::Class;
use crate::operation::Stopped;

/// So many refused alike, with nothing taken between, are no accident of theirs.
pub(super) const ALIKE: usize = 3;

/// One that was refused, and how.
pub(super) type Refused<T> = (Vec<T>, Box<Stopped>);

/// One turn's calls. See the module.
pub(super) struct Halves<T> {
    waiting: Vec<Vec<T>>,
    taken: bool,
    refused: Vec<Refused<T>>,
}

impl<T> Default for Halves<T> {
    fn default() -> Self {
        Self {
            waiting: Vec::new(),
            taken: false,
            refused: Vec::new(),
        }
    }
}

impl<T> Halves<T> {
    /// These are to be told together.
    pub(super) fn add(&mut self, items: Vec<T>) {
        if !items.is_empty() {
            self.waiting.push(items);
        }
    }

    /// What goes into the next call.
    pub(super) fn next(&mut self) -> Option<Vec<T>> {
        self.waiting.pop()
    }

    /// The call was taken: the account is in order.
    pub(super) fn taken(&mut self) {
        self.taken = true;
    }

    /// The call was refused for what it held: it is halved, or, where it was `alone` (one thing,
    /// however many entries tell of it), set aside. The error: the call that ends the turn, because
    /// the account is refused, and what it held.
    pub(super) fn refused(
        &mut self,
        mut items: Vec<T>,
        alone: bool,
        stopped: Box<Stopped>,
    ) -> Result<(), Refused<T>> {
        if !alone {
            let rest = items.split_off(items.len() / 2);
            self.add(rest);
            self.add(items);
            return Ok(());
        }
        let alike = |(_, other): &&Refused<T>| {
            let (one, other) = (&stopped.outcome, &other.outcome);
            one.class == other.class && one.code == other.code && one.status == other.status
        };
        let account = stopped.outcome.class != Some(Class::Gone)
            && !self.taken
            && self.refused.iter().filter(alike).count() + 1 >= ALIKE;
        if account {
            self.refused.clear();
            return Err((items, stopped));
        }
        self.refused.push((items, stopped));
        Ok(())
    }

    /// What was never told.
    pub(super) fn left(&self) -> impl Iterator<Item = &T> {
        self.waiting.iter().flatten()
    }

    /// What people are to be told: those that were refused, each for itself.
    pub(super) fn take_refused(&mut self) -> Vec<Refused<T>> {
        std::mem::take(&mut self.refused)
    }
}

/// The request was understood and turned down, or could not be made of what it was to hold: another
/// one may be taken.
pub(super) fn is_about_what_it_held(stopped: &Stopped) -> bool {
    let outcome = &stopped.outcome;
    match outcome.class {
        Some(Class::Invalid | Class::Rejected | Class::Gone) => true,
        Some(Class::BrokenContract) => outcome.status.is_none(),
        _ => false,
    }
}
