//! The residency policy of a federation: catalogue, rules, instruments and invariants, read and proved together.
//!
//! Promises:
//! 1. A policy with any fault is none; every fault is reported.
//! 2. What it does not support it refuses.
//! 3. A date that passes closes a link and never fails a load; the day is an argument.

use std::collections::BTreeMap;
use std::ops::Deref;

use sha2::{Digest, Sha256};
use time::Date;
use tollgate_config::{Document, Faults, Set};
use tollgate_federation::{Federation, FederationDraft, Link, LinkId, Origin, Regime, Signal};

use crate::broken::Broken;
use crate::catalogue::Catalogue;
use crate::claims::Claims;
use crate::class::Class;
use crate::closed::Closed;
use crate::day::When;
use crate::document::Residency;
use crate::finding::Finding;
use crate::layers::Layers;
use crate::prove;
use crate::rule::{Mode, Narrowing, Rule};
use crate::sender::Sender;
use crate::standing::Standing;
use crate::table::{Parts, Table};
use crate::tables::Tables;
use crate::transfer::{self, Transfer};
use crate::transform::KeyUse;

const CATALOGUE: &str = "policies/catalogue.yaml";
/// A deployment's own additions; it need not be there.
const OWN: &str = "policies/catalogue-own.yaml";
const RESIDENCY: &str = "policies/residency.yaml";

/// A policy whose invariants were not judged: it shows what it would do, and never becomes the one that a node runs on.
#[derive(Debug)]
pub struct Unproved(Policy);

impl Unproved {
    /// Forgets an instrument, to see what depends on it: links that name it go on to its fallback. Says whether it was there.
    pub fn forget_instrument(&mut self, name: &str) -> bool {
        self.0.residency.instruments.remove(name)
    }
}

impl Unproved {
    /// Lets everything hold that is in shadow, to see what it would do. Says whether there was anything.
    pub fn lift_shadows(&mut self) -> bool {
        let residency = &mut self.0.residency;
        let modes = std::iter::once(&mut residency.mode).chain(residency.rules.iter_mut().map(|rule| &mut rule.mode));
        let shadows = modes.filter(|mode| **mode == Mode::Shadow);
        shadows.map(|mode| *mode = Mode::Active).count() > 0
    }

    /// What there is to say of the policy as it would be, and is not said of it as it is: invariants that would break.
    #[must_use]
    pub fn latent_in_shadow(&self, federation: &Federation) -> Vec<Finding> {
        let broken = self.0.broken(federation).into_iter();
        broken.map(|broken| Finding::latent(broken, "if what is in shadow held")).collect()
    }
}

impl Deref for Unproved {
    type Target = Policy;

    fn deref(&self) -> &Policy {
        &self.0
    }
}

/// A residency policy without faults.
#[derive(Debug)]
pub struct Policy {
    pub(crate) catalogue: Catalogue,
    pub(crate) residency: Residency,
    digest: [u8; 32],
}

impl Policy {
    /// Reads `policies/catalogue.yaml` and `policies/residency.yaml` and checks them against what the federation says.
    pub fn read(set: &Set, federation: &FederationDraft, faults: &Faults) -> Option<Self> {
        let before = faults.len();
        let policy = Self::draft(set, federation, faults)?;
        prove::invariants(&policy, federation, faults);
        (policy.is_sound(faults) && faults.len() == before).then_some(policy)
    }

    /// Reads the documents without proving the invariants: for tools that show what a policy does, whatever it should not.
    /// No node runs on such a policy.
    pub fn unproved(set: &Set, federation: &FederationDraft, faults: &Faults) -> Option<Unproved> {
        let before = faults.len();
        let policy = Self::draft(set, federation, faults)?;
        (policy.is_sound(faults) && faults.len() == before).then_some(Unproved(policy))
    }

    /// When each instrument and each accepted risk ends, by what it is.
    #[must_use]
    pub fn ends(&self) -> BTreeMap<String, String> {
        let instruments = self.residency.instruments.iter();
        let instruments = instruments.map(|(name, one)| (format!("instrument {name}"), one.last.to_string()));
        let transforms =
            self.residency.transforms.list.iter().map(|one| (format!("transform {}", one.name), &one.risk));
        let rules = self.residency.rules.iter().map(|one| (format!("rule {}", one.id), &one.risk));
        let risks = transforms.chain(rules).filter_map(|(what, risk)| {
            let risk = risk.as_ref()?;
            let until = risk.expires.map_or_else(|| "without an end".to_owned(), |last| format!("until {last}"));
            Some((format!("{what} on {}", risk.id), format!("accepted {until}")))
        });
        instruments.chain(risks).collect()
    }

    /// Says whether this resource attribute tells that a resource is somebody's device.
    #[must_use]
    pub fn marks_device(&self, key: &str) -> bool {
        self.catalogue.marks_device(key)
    }

    /// Says whether a catalogue has the key, by itself or below a template.
    #[must_use]
    pub fn knows(&self, key: &str) -> bool {
        self.catalogue.classify(key).is_some()
    }

    /// Every name that a catalogue lists, each as documents spell it: a template ends in `.*`.
    pub fn listed_names(&self) -> impl Iterator<Item = &str> {
        self.catalogue.names()
    }

    /// Returns the class of a key and the first name of its attribute, if a catalogue has it.
    #[must_use]
    pub fn classify(&self, key: &str) -> Option<(Class, &str)> {
        self.catalogue.classify(key).map(|entry| (entry.class, entry.attribute.as_str()))
    }

    /// The names of all instruments.
    pub fn instruments(&self) -> impl Iterator<Item = &str> {
        self.residency.instruments.iter().map(|(name, _)| name)
    }

    /// What root keys are needed for, whether or not a rule asks for it today.
    #[must_use]
    pub fn key_uses(&self) -> &[KeyUse] {
        &self.residency.transforms.key_uses
    }

    /// Judges every invariant on all paths and places; each that does not hold is told with a shortest witness.
    #[must_use]
    pub fn broken(&self, federation: &Federation) -> Vec<Broken> {
        prove::on_all_paths(self, federation)
    }

    fn draft(set: &Set, federation: &FederationDraft, faults: &Faults) -> Option<Self> {
        let own = set.get(OWN);
        let documents = (set.require(CATALOGUE, faults), set.require(RESIDENCY, faults));
        let catalogue = documents.0.map_or_else(Catalogue::unread, |document| {
            Catalogue::read(document.root(faults), own.map(|own| own.root(faults)))
        });
        let residency = documents.1.and_then(|document| Residency::read(document.root(faults), &catalogue))?;
        prove::links(&residency, federation, faults);
        let digest = digest([documents.0, documents.1, own]);
        Some(Self { catalogue, residency, digest })
    }

    /// A rule that could not be read may have been a deny: with one fault, of notation or of meaning, there is no policy.
    fn is_sound(&self, faults: &Faults) -> bool {
        let sound = faults.iter().all(|fault| ![CATALOGUE, OWN, RESIDENCY].contains(&&*fault.at.file));
        sound && self.residency.unsettled.is_empty()
    }

    /// Returns by which instrument data of one regime may cross a link, and until when; `None` where it needs none,
    /// because it stays in its regime.
    #[must_use]
    pub fn standing(&self, link: &Link, origin: &Regime) -> Option<Standing<'_>> {
        transfer::standing(link, origin, &self.residency)
    }

    /// Compiles what one link lets through of one signal from one origin on that day, whoever sent it: what rules hold back
    /// for any cluster or claim is held back, and what they allow for some is not allowed.
    ///
    /// # Errors
    /// Says why nothing may cross at all.
    pub fn table(
        &self,
        federation: &Federation,
        link: LinkId,
        signal: Signal,
        origin: &Origin,
        today: Date,
    ) -> Result<Table, Closed> {
        let layers =
            self.layers(&Transfer::over(federation, link, signal, origin)?, origin, &Sender::UNPROVED, today)?;
        layers.of(&Claims::default()).cloned().map_err(Clone::clone)
    }

    /// Compiles the same for each sender that rules tell apart, and for each kind of data by what it says of itself.
    ///
    /// # Errors
    /// Says why nothing may cross, whoever sent it.
    pub fn tables(
        &self,
        federation: &Federation,
        link: LinkId,
        signal: Signal,
        origin: &Origin,
        today: Date,
    ) -> Result<Tables, Closed> {
        let transfer = Transfer::over(federation, link, signal, origin)?;
        let told = origin.regimes().first().map(|member| transfer.told(member, &self.residency)).unwrap_or_default();
        let compiled = |sender: &Sender| (sender.clone(), self.layers(&transfer, origin, sender, today));
        let (_, unproved) = compiled(&Sender::UNPROVED);
        let proved: Vec<_> = told.senders.iter().skip(1).map(compiled).collect();
        if proved.iter().all(|(_, answer)| answer.is_err()) {
            unproved.as_ref().map_err(Clone::clone)?;
        }
        Ok(Tables::new(unproved, proved, &told))
    }

    /// Says whether any rule is narrowed to clusters or listeners, in shadow or not.
    #[must_use]
    pub fn names_senders(&self) -> bool {
        let mut narrowings = self.residency.rules.iter().filter_map(|rule| rule.narrowing.as_ref());
        narrowings.any(|one| one.names_listeners() || one.clusters().next().is_some())
    }

    /// Says whether any rule for data of a regime is narrowed to listeners, in shadow or not.
    #[must_use]
    pub fn names_listeners(&self, origin: &Regime, signal: Signal) -> bool {
        let of = |rule: &&Rule| rule.crossing.origin == origin.as_str() && rule.crossing.signal == signal;
        let mut narrowings = self.residency.rules.iter().filter(of).filter_map(|rule| rule.narrowing.as_ref());
        narrowings.any(Narrowing::names_listeners)
    }

    /// Says whether any rule is narrowed by what data says of itself, in shadow or not.
    #[must_use]
    pub fn asks_claims(&self) -> bool {
        self.residency.rules.iter().any(|rule| rule.asks().is_some())
    }

    fn layers(&self, transfer: &Transfer<'_>, origin: &Origin, sender: &Sender, today: Date) -> Result<Layers, Closed> {
        let (catalogue, residency) = (&self.catalogue, &self.residency);
        let compile = |claims: &Claims| {
            let members = origin.regimes().iter();
            let whose = (sender, claims);
            let parts = members.map(|member| transfer.compile(member, catalogue, residency, whose, When::On(today)));
            // Merged data obeys the rules of every origin in it.
            let strictest = parts.reduce(|one, two| Ok(Parts::meet(&one?, &two?)));
            strictest.unwrap_or_else(|| Err(Closed::Origin(origin.clone()))).map(Table::new)
        };
        Layers::new(transfer.asks(residency, Rule::is_active), compile)
    }

    /// Returns the identity of catalogue and rules together.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }
}

fn digest(documents: [Option<&Document>; 3]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update("tollgate policy 1");
    for document in documents.into_iter().flatten() {
        let text = document.canonical();
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    hash.finalize().into()
}

#[cfg(test)]
pub(crate) mod tests;
