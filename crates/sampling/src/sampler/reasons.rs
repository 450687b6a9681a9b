//! Names of reasons and the thresholds that go with them, also of policies that are no longer in the list.
//!
//! Promises:
//! 1. What a verdict's reason stands for never changes, whatever set of policies comes into force after it.
//! 2. No policy goes by the name of a reason that is none, whatever it is called.
//! 3. Strangers' journals fill a bounded part: whoever comes later has "an earlier policy" for a name, or no threshold.

use std::borrow::Cow;

use crate::policy::PolicySet;
use crate::tracestate::Threshold;
use crate::verdict::{Reason, Verdict};

/// Names that journals may bring along beyond those of policies that were in force here.
const MAX_BROUGHT: usize = 1_000;
/// A reason has a byte for one of them and for none.
const MAX_THRESHOLDS: usize = 255;

/// Stands before the name of a policy that is called like a reason that is none, or like a policy with this before its name.
const POLICY: &str = "policy: ";

/// The names of policies and their thresholds, in the order in which they became known: a place is never given out again.
#[derive(Debug, Default)]
pub(super) struct Reasons {
    names: Vec<Box<str>>,
    thresholds: Vec<Threshold>,
    /// How many of the names only journals brought.
    brought: usize,
    /// For each policy of the set in force its reason here, and for each threshold its place.
    policies: Vec<Reason>,
    places: Vec<Option<usize>>,
}

impl Reasons {
    pub(super) fn new(policies: &PolicySet) -> Self {
        let mut reasons = Self::default();
        reasons.put_in_force(policies);
        reasons
    }

    /// From now on [`Reasons::known`] is about this set.
    pub(super) fn put_in_force(&mut self, policies: &PolicySet) {
        let told = policies.names().map(told);
        self.policies = told.map(|name| self.policy(&name).unwrap_or_else(|| self.add(&name))).collect();
        self.places = policies.thresholds().iter().map(|threshold| self.place(*threshold)).collect();
    }

    /// A verdict of the set in force, with the reason that stays its own.
    pub(super) fn known(&self, verdict: Verdict) -> Verdict {
        let policy = verdict.reason.place().and_then(|place| self.policies.get(place)).copied();
        let place = verdict.reason.threshold().and_then(|place| self.places.get(place).copied()?);
        Verdict { reason: with(policy.unwrap_or(verdict.reason), place), ..verdict }
    }

    pub(super) fn name(&self, reason: Reason) -> &str {
        let policy = reason.place().and_then(|place| self.names.get(place));
        policy.map_or(reason.fixed_name(), AsRef::as_ref)
    }

    /// The name of the policy as the document has it, if the reason is one.
    pub(super) fn policy_name(&self, reason: Reason) -> Option<&str> {
        let name = self.names.get(reason.place()?)?;
        Some(name.strip_prefix(POLICY).unwrap_or(name))
    }

    /// By which threshold, if by one.
    pub(super) fn threshold(&self, reason: Reason) -> Option<Threshold> {
        self.thresholds.get(reason.threshold()?).copied()
    }

    /// The reason of a name and a threshold that a journal brings; a name gets a number if it has none.
    pub(super) fn brought(&mut self, name: &str, threshold: Option<Threshold>) -> Reason {
        let fixed = Reason::FIXED.into_iter().find(|reason| reason.fixed_name() == name);
        let reason = fixed.or_else(|| self.policy(name)).unwrap_or_else(|| {
            if self.brought >= MAX_BROUGHT {
                return Reason::EARLIER_POLICY;
            }
            self.brought += 1;
            self.add(name)
        });
        with(reason, threshold.and_then(|threshold| self.place(threshold)))
    }

    fn policy(&self, name: &str) -> Option<Reason> {
        self.names.iter().position(|known| **known == *name).map(Reason::policy)
    }

    fn add(&mut self, name: &str) -> Reason {
        self.names.push(name.into());
        Reason::policy(self.names.len() - 1)
    }

    fn place(&mut self, threshold: Threshold) -> Option<usize> {
        let known = self.thresholds.iter().position(|known| *known == threshold);
        known.or_else(|| {
            let has_room = self.thresholds.len() < MAX_THRESHOLDS;
            has_room.then(|| {
                self.thresholds.push(threshold);
                self.thresholds.len() - 1
            })
        })
    }
}

/// A policy's name as that of a reason.
fn told(policy: &str) -> Cow<'_, str> {
    let is_taken = Reason::FIXED.iter().any(|fixed| fixed.fixed_name() == policy) || policy.starts_with(POLICY);
    if is_taken { format!("{POLICY}{policy}").into() } else { policy.into() }
}

fn with(reason: Reason, threshold: Option<usize>) -> Reason {
    threshold.map_or(reason.without_threshold(), |place| reason.at_threshold(place))
}
