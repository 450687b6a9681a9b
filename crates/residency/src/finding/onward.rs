//! Paths over more than one border, and where they let through more than the direct way does.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_federation::{LinkId, PlaceId, Regime, Signal};

use super::{Finding, Kind, Look, few, shown};
use crate::flow::Crossed;
use crate::form::Form;

/// Data of one origin and signal that reaches a regime.
type Reach = (Regime, Signal, Regime);

impl Look<'_> {
    pub(super) fn onward(&self) -> Vec<Finding> {
        let crossed: Vec<Crossed> = self.flow.crossings().filter(|one| self.is_abroad(one)).collect();
        let mut direct: BTreeMap<Reach, BTreeMap<usize, BTreeSet<Form>>> = BTreeMap::new();
        for one in crossed.iter().filter(|one| !one.onward) {
            let Some(reach) = self.reach(one) else { continue };
            direct.entry(reach).or_default().entry(one.item).or_default().insert(one.form);
        }
        let mut onward: BTreeMap<(LinkId, Reach), Vec<&Crossed>> = BTreeMap::new();
        for one in crossed.iter().filter(|one| one.onward) {
            let Some(reach) = self.reach(one) else { continue };
            onward.entry((one.link, reach)).or_default().push(one);
        }
        onward.into_iter().flat_map(|((link, reach), all)| self.judge(link, &reach, direct.get(&reach), &all)).collect()
    }

    /// Data that comes home, or never left, is where it may be.
    fn is_abroad(&self, crossed: &Crossed) -> bool {
        self.flow.origin(crossed.at) != self.flow.regime(crossed.at)
    }

    fn reach(&self, crossed: &Crossed) -> Option<Reach> {
        let (origin, regime) = (self.flow.origin(crossed.at)?, self.flow.regime(crossed.at)?);
        Some((origin.clone(), crossed.at.signal, regime.clone()))
    }

    fn judge(
        &self,
        link: LinkId,
        (origin, signal, regime): &Reach,
        direct: Option<&BTreeMap<usize, BTreeSet<Form>>>,
        all: &[&Crossed],
    ) -> Vec<Finding> {
        let weaker = |one: &&&Crossed| {
            let forms = direct.and_then(|direct| direct.get(&one.item));
            !forms.is_some_and(|forms| forms.iter().any(|form| form.exposes_at_least(one.form)))
        };
        let weak: BTreeSet<String> = all.iter().filter(weaker).filter_map(|one| self.named(one)).collect();
        let weak: Vec<String> = weak.into_iter().collect();
        let path: Vec<PlaceId> =
            all.first().map(|one| self.flow.way(one).into_iter().cloned().collect()).unwrap_or_default();
        let at = self.federation.link(link).map(|link| link.at());
        let message = format!("{signal} from {origin} reach {regime} onward, by {}", shown(&path));
        let mut found = vec![Finding { path: path.clone(), ..Finding::new(Kind::Onward, at, message) }];
        if !weak.is_empty() {
            let than =
                if direct.is_some() { "in a weaker form than on the direct way" } else { "where no direct way leads" };
            let message = format!("{signal} from {origin} reach {regime} {than}, by {}: {}", shown(&path), few(&weak));
            found.push(Finding { path, ..Finding::new(Kind::WeakerOnward, at, message) });
        }
        found
    }

    fn named(&self, crossed: &Crossed) -> Option<String> {
        let one = self.flow.items.get(&crossed.at.signal)?.list.get(crossed.item)?;
        Some(format!("{} ({})", one.name(), crossed.form))
    }
}
