//! The same for a set whose policies must know more than a summary tells: each trace has words of the second column as well.

use tollgate_otlp::{Batch, Item};

use super::Gathered;
use crate::policy::{PolicySet, Surroundings};
use crate::summary::Summary;

/// What every span of one request is looked at with.
struct Look<'p> {
    policies: &'p PolicySet,
    secret: u64,
    now: u64,
}

impl Gathered {
    /// Takes in what a request tells that arrived at `now`, in nanoseconds of uptime.
    pub(super) fn gather_closely(&mut self, policies: &PolicySet, secret: u64, now: u64, batch: Batch<'_>) {
        self.width = policies.layout().width();
        let look = Look { policies, secret, now };
        let (mut last, mut number) = (0, 0);
        for group in batch.resources() {
            let earned = policies.observe_resource(group.resource());
            policies.observe_resource_closely(group.resource(), &mut self.observed);
            let (resource, first) = ((group.resource(), group.schema_url()), number + 1);
            for scope in group.scopes() {
                number += 1;
                let around = Surroundings { resource, scope: (scope.scope(), scope.schema_url()), number, first };
                scope.items().for_each(|item| last = self.take_closely(&look, item, &around, &earned, last));
            }
        }
    }

    /// Takes in one span and returns the place of its trace.
    fn take_closely(
        &mut self,
        look: &Look<'_>,
        item: Item<'_>,
        around: &Surroundings<'_>,
        resource: &Summary,
        last: usize,
    ) -> usize {
        let Some(id) = item.trace_id() else {
            self.without_trace += 1;
            return last;
        };
        let place = self.place(last, id, look.secret);
        if self.met.len() <= place {
            self.met.push(0);
            self.words.extend(look.policies.layout().blank());
        }
        let met = self.met.get_mut(place).map(|met| std::mem::replace(met, around.number)).unwrap_or_default();
        let mut seen = look.policies.observe(item.body());
        seen.merge(resource);
        let words = look.policies.observe_closely(&item, (around, met), look.now, &mut seen, &mut self.observed);
        let own = self.words.iter_mut().skip(place * self.width).take(self.width);
        look.policies.layout().merge(own, words);
        self.unreadable += u64::from(seen.is_unreadable());
        if let Some(trace) = self.traces.get_mut(place) {
            trace.summary.merge(&seen);
        }
        place
    }
}
