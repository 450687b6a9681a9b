//! What is asked and nothing carries out yet, keys that lie elsewhere, pairs that were parted.

use tollgate_federation::{Link, Origin, Regime, Signal};

use super::{Finding, Kind, Look, few};
use crate::answers::{Answers, Whose};
use crate::claims::{Claims, Example};
use crate::day::When;
use crate::form::Action;
use crate::sender::Sender;
use crate::transfer::Transfer;
use crate::transform::Does;

impl Look<'_> {
    pub(super) fn unenforced(&self) -> Vec<Finding> {
        let residency = &self.policy.residency;
        let mut found = Vec::new();
        for rule in residency.rules.iter().filter(|rule| rule.is_active()) {
            if let Some(asks) = rule.asks() {
                let message = format!(
                    "rule {} is narrowed by {}, which the sender chooses: no invariant rests on it",
                    rule.id,
                    asks.about()
                );
                found.push(Finding::new(Kind::Claimed, Some(&rule.at), message));
            }
            for (required, what) in rule.require.iter().flat_map(|one| one.unmet.iter().map(move |what| (one, what))) {
                let crossing = &rule.crossing;
                let message = format!(
                    "rule {} requires `{what}`, which nothing carries out yet: no {} from {} reach {}",
                    rule.id, crossing.signal, crossing.origin, crossing.reaching
                );
                found.push(Finding::new(Kind::NotEnforced, Some(&required.at), message));
            }
        }
        for transform in residency.transforms.list.iter().filter(|one| one.does == Does::Shared) {
            let message = format!(
                "transform {} makes pseudonyms that several destinations could join, which nothing does yet: its values do \
                 not cross",
                transform.name
            );
            found.push(Finding::new(Kind::NotEnforced, Some(&transform.at), message));
        }
        for link in self.federation.links() {
            for origin in self.federation.origins_over(link.id()) {
                let comes = |signal: &Signal| self.federation.lets_over(link.id(), *signal, origin);
                for signal in link.signals().iter().filter(comes) {
                    found.extend(origin.regimes().iter().flat_map(|member| self.on_link(link, signal, origin, member)));
                }
            }
        }
        found
    }

    fn on_link(&self, link: &Link, signal: Signal, origin: &Origin, member: &Regime) -> Vec<Finding> {
        let Ok(transfer) = Transfer::over(self.federation, link.id(), signal, origin) else {
            return Vec::new();
        };
        let crossing = transfer.crossing(member);
        let answers = |sender: &Sender, claims: &Claims| {
            let whose = Whose { crossing: &crossing, sender, claims };
            Answers::of(&self.policy.residency, whose, When::On(self.today))
        };
        let mut found = self.keyed_elsewhere(&transfer, member, &answers(&Sender::UNPROVED, &Claims::OTHER));
        found.extend(self.without_items(link, signal, member));
        let parted = |sender: &Sender, claims: &Claims| self.parted(&answers(sender, claims));
        let of_all = parted(&Sender::UNPROVED, &Claims::OTHER);
        let mut tell = |message: String, by: String| {
            let message = format!("{signal} from {member} over {link}: {message}{by}");
            found.push(Finding::new(Kind::Parted, Some(link.at()), message));
        };
        for sender in transfer.senders(member, &self.policy.residency).iter().skip(1) {
            // What is said of all is not said again of some.
            let own = parted(sender, &Claims::OTHER).into_iter().filter(|message| !of_all.contains(message));
            own.for_each(|message| tell(message, format!(", if sent by {sender}")));
        }
        for Example { claims, name } in self.policy.residency.kinds(&crossing) {
            let own = parted(&Sender::UNPROVED, &claims).into_iter().filter(|message| !of_all.contains(message));
            own.for_each(|message| tell(message, format!(", for {name}")));
        }
        of_all.iter().for_each(|message| tell(message.clone(), String::new()));
        found
    }

    /// Where the data is sealed in another regime than its own no cluster is proved.
    fn keyed_elsewhere(&self, transfer: &Transfer<'_>, member: &Regime, answers: &Answers<'_>) -> Vec<Finding> {
        let (link, signal) = (transfer.link, transfer.signal);
        let attributes = || self.policy.catalogue.attributes();
        let mut found = Vec::new();
        if member != transfer.sealed_in {
            let keyed = attributes()
                .filter(|entry| matches!(answers.attribute(&entry.attribute, entry.class), Action::Hmac(_)));
            let names: Vec<String> = keyed.map(|entry| entry.attribute.clone()).collect();
            if !names.is_empty() {
                let message = format!(
                    "{signal} from {member} over {link}: the key of {} lies in {member}, not in {}, so no value crosses",
                    few(&names),
                    link.from()
                );
                found.push(Finding::new(Kind::KeyElsewhere, Some(link.at()), message));
            }
        }
        found
    }

    /// What rules allow of spans or metrics that cannot cross.
    fn without_items(&self, link: &Link, signal: Signal, member: &Regime) -> Vec<Finding> {
        let origin = Origin::of(member.clone());
        let Ok(tables) = self.policy.tables(self.federation, link.id(), signal, &origin, self.today) else {
            return Vec::new();
        };
        let told = tables.iter().filter_map(|(sender, layers)| {
            let table = layers.ok()?.base();
            let lost = table.lost_items().filter(|_| table.lets_anything())?;
            let by = if tables.tell_apart() { format!(", if sent by {sender}") } else { String::new() };
            let message = format!("{signal} from {member} over {link}: {lost}, so nothing does that rules allow{by}");
            Some(Finding::new(Kind::NoItem, Some(link.at()), message))
        });
        told.collect()
    }

    /// The pairs that are parted.
    fn parted(&self, answers: &Answers<'_>) -> Vec<String> {
        let mut found = Vec::new();
        let crosses = |name: &str| {
            let entry = self.policy.catalogue.first_named(name);
            entry.is_some_and(|entry| answers.crosses_at_first(&entry.attribute, entry.class))
        };
        for entry in self.policy.catalogue.attributes().filter(|entry| crosses(&entry.attribute)) {
            let name = &entry.attribute;
            let partners = answers.partners(name).iter().map(|(other, _)| *other);
            for other in partners.filter(|other| name.as_str() < *other && crosses(other)) {
                found.push(format!("{name} and {other} would both cross, so neither does"));
            }
        }
        found
    }
}
