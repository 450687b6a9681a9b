//! Rules: what data of one origin may become when it reaches a regime, by whatever path.
//!
//! Promises:
//! 1. Rules have no order, and each holds for the data of its origin on every hop.
//! 2. Secret and unclassified values cannot be allowed, and nothing can be denied that the catalogue does not know.
//! 3. What a rule asks that nobody can tell or carries out yet (`aggregated_at`, `min_group`) never
//!    lets more cross: see `answers.rs`.
//!
//! Not here: what several rules come to together (`answers.rs`).

mod narrowing;
mod read;
mod require;

use std::collections::{BTreeMap, BTreeSet};

use tollgate_config::At;
use tollgate_federation::Signal;

use crate::claims::{Asks, Claims};
use crate::class::Class;
use crate::form::{Action, Form};
use crate::risk::Risk;
use crate::sender::{Sender, Speaks};

pub(crate) use narrowing::Narrowing;
pub(crate) use read::{KEYS, Outline, RuleDraft, Words, mode, pairs};
pub(crate) use require::Requirement;

/// Which data a rule speaks of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Crossing {
    /// Regime that the data comes from.
    pub(crate) origin: String,
    /// Regime that it would reach.
    pub(crate) reaching: String,
    pub(crate) signal: Signal,
}

#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) at: At,
    pub(crate) crossing: Crossing,
    pub(crate) mode: Mode,
    /// What the data must be, beyond its crossing, for the rule to speak of it.
    pub(crate) narrowing: Option<Narrowing>,
    /// The risk on which its allows rest.
    pub(crate) risk: Option<Risk>,
    pub(crate) allow: BTreeMap<Class, Grant>,
    pub(crate) deny: Denial,
    /// Forms above which no value of a class may cross, whichever rule allows it.
    pub(crate) cap: BTreeMap<Class, (Form, At)>,
    pub(crate) require: Option<Requirement>,
    pub(crate) not_together: Vec<Pair>,
}

/// Whether a rule, or a whole policy, decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mode {
    #[default]
    Active,
    /// It is counted and decides nothing: neither what it allows crosses, nor what it denies stays.
    Shadow,
}

/// What a rule allows of one class.
#[derive(Debug)]
pub(crate) enum Grant {
    /// Every attribute and carrier of the class.
    All(Said),
    /// These attributes, by first name; the rule says nothing of others. Two names of one attribute: both hold.
    Only(BTreeMap<String, Vec<Said>>),
}

/// How a rule lets something cross, and where it says so.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) how: How,
    pub(crate) at: At,
}

/// How something crosses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Raw,
    /// By the transform at this place of the list.
    By(usize),
}

impl How {
    /// What it does, where each transform does this.
    pub(crate) fn action(self, transforms: &[Action]) -> Action {
        match self {
            Self::Raw => Action::Raw,
            Self::By(place) => transforms.get(place).copied().unwrap_or(Action::Absent),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Denial {
    pub(crate) all: Option<At>,
    pub(crate) classes: BTreeMap<Class, At>,
    pub(crate) attributes: BTreeMap<String, At>,
}

/// Two attributes, by first name, that never cross the same link together: where both would cross, neither does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) one: String,
    pub(crate) two: String,
    pub(crate) at: At,
}

impl Rule {
    pub(crate) fn is_active(&self) -> bool {
        self.mode == Mode::Active
    }

    /// Whether it speaks of what this sender sent and a resource that says this.
    pub(crate) fn speaks_of(&self, sender: &Sender, claims: &Claims) -> Speaks {
        self.narrowing.as_ref().map_or(Speaks::Wholly, |narrowing| narrowing.speaks_of(sender, claims))
    }

    /// The claims that it is narrowed to.
    pub(crate) fn asks(&self) -> Option<&Asks> {
        self.narrowing.as_ref()?.asks()
    }

    /// The classes on which it says anything at all.
    pub(crate) fn answered(&self) -> BTreeSet<Class> {
        if self.deny.all.is_some() {
            return Class::ALL.into_iter().collect();
        }
        self.allow.keys().chain(self.deny.classes.keys()).chain(self.cap.keys()).copied().collect()
    }
}
