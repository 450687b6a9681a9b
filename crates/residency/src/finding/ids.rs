//! Ids that reach one place in two forms.

use std::collections::BTreeMap;

use tollgate_federation::{Link, PlaceId};

use super::{Finding, Kind, Look};
use crate::answers::{Answers, Whose};
use crate::claims::Claims;
use crate::class::Class;
use crate::day::When;
use crate::form::Action;
use crate::rule::Crossing;
use crate::sender::Sender;

/// What becomes of ids on one crossing, for each sender that rules tell apart.
struct Ids<'f> {
    link: &'f Link,
    crossing: Crossing,
    actions: Vec<Action>,
}

impl Look<'_> {
    /// What comes to a place with its ids as they were, where others come blinded.
    pub(super) fn ids(&self) -> Vec<Finding> {
        let mut reaching: BTreeMap<&PlaceId, Vec<Ids<'_>>> = BTreeMap::new();
        for link in self.federation.links() {
            let origins = link.carries().map(ToString::to_string);
            let crossings = origins.flat_map(|origin| {
                let crossing =
                    move |signal| Crossing { origin: origin.clone(), reaching: link.regime().to_string(), signal };
                link.signals().iter().map(crossing).collect::<Vec<_>>()
            });
            reaching.entry(link.to()).or_default().extend(crossings.map(|crossing| {
                let actions = self.of_ids(&crossing);
                Ids { link, crossing, actions }
            }));
        }
        let mut found = Vec::new();
        for (place, crossings) in reaching {
            if !crossings.iter().flat_map(|ids| &ids.actions).any(|action| matches!(action, Action::Blind(_))) {
                continue;
            }
            for Ids { link, crossing, .. } in crossings.iter().filter(|ids| ids.actions.contains(&Action::Raw)) {
                let message = format!(
                    "{} from {} over {link}: ids cross as they are, and others reach {place} blinded: they do not join",
                    crossing.signal, crossing.origin
                );
                found.push(Finding::new(Kind::Unjoinable, Some(link.at()), message));
            }
        }
        found
    }

    fn of_ids(&self, crossing: &Crossing) -> Vec<Action> {
        let residency = &self.policy.residency;
        let of = |sender: Sender| {
            let whose = Whose { crossing, sender: &sender, claims: &Claims::OTHER };
            Answers::of(residency, whose, When::On(self.today))
        };
        residency.senders(crossing).into_iter().map(|sender| of(sender).class(Class::Corr)).collect()
    }
}
