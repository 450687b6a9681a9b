//! Names of reasons, also of policies that are no longer in the list.

use crate::policy::PolicySet;
use crate::verdict::Reason;

/// Names that journals may bring along beyond the policies in force. More become "an earlier policy".
const MAX_EARLIER: usize = 1_000;

/// The names of the policies in force, and behind them those that only old verdicts have.
#[derive(Debug)]
pub(super) struct Reasons {
    policies: Vec<Box<str>>,
    in_force: usize,
}

impl Reasons {
    pub(super) fn new(policies: &PolicySet) -> Self {
        let policies: Vec<Box<str>> = policies.names().map(Box::from).collect();
        Self { in_force: policies.len(), policies }
    }

    pub(super) fn name(&self, reason: Reason) -> &str {
        let policy = reason.place().and_then(|place| self.policies.get(place));
        policy.map_or(reason.fixed_name(), AsRef::as_ref)
    }

    /// The number of a name, which gets one if it has none.
    pub(super) fn number(&mut self, name: &str) -> Reason {
        if let Some(fixed) = Reason::FIXED.into_iter().find(|reason| reason.fixed_name() == name) {
            return fixed;
        }
        if let Some(place) = self.policies.iter().position(|policy| **policy == *name) {
            return Reason::policy(place);
        }
        if self.policies.len() - self.in_force >= MAX_EARLIER {
            return Reason::EARLIER_POLICY;
        }
        self.policies.push(name.into());
        Reason::policy(self.policies.len() - 1)
    }
}
