//! Whether the policy that sealed a parcel is known here, and lets through no more than ours.
//!
//! Two regions never get new documents in the same second. While they differ, the receiver knows two tables of each
//! link: its own and the last other one. A parcel under the one before is taken if that lets through nothing that ours
//! forbids; any other waits at its sender, who seals it anew once it has the same documents.
//!
//! Promises:
//! 1. Nothing is taken that was sealed by a policy which may let through what the one in force here forbids.
//! 2. The same documents on the same day know each other, whatever the parcel had to wait for.
//!
//! Not here: whether the sender did as it says. It proved who it is; what another binary does no receiver can see.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use time::Date;
use tollgate_federation::{Federation, Link, LinkId, Manifest, Origin, Signal};
use tollgate_residency::Tables;
use tollgate_runtime::Clock;

use crate::documents::Documents;
use crate::node::in_force::{Borders, Edition};
use crate::seal::day;

/// Crossings are links, signals and origins of the documents. This many are remembered, which is more than there are.
const MOST: usize = 4096;

/// Compares the policies that parcels name with those of this node.
pub(crate) struct Recognition {
    clock: Clock,
    known: Mutex<Known>,
}

/// What was found out under one edition on one day.
struct Known {
    edition: Option<Arc<Edition>>,
    day: Date,
    crossings: BTreeMap<(LinkId, Signal, Origin), Crossing>,
}

/// The policies of one crossing, by digest.
#[derive(Clone, Copy, Debug, Default)]
struct Crossing {
    /// The one in force; none on a closed link.
    own: Option<[u8; 32]>,
    /// The last other one before it.
    previous: Option<[u8; 32]>,
    /// Whether the one before it lets through no more than the one in force.
    previous_is_within: bool,
}

/// What a parcel's policy is to this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recognized {
    /// It lets through no more than the one in force here.
    Within,
    /// It was in force here before, and may let through what the one in force forbids.
    Wider,
    /// It is neither in force here nor was it the last to be.
    Unknown,
}

impl Recognition {
    pub(crate) fn new(clock: Clock) -> Self {
        let known = Known { edition: None, day: Date::MIN, crossings: BTreeMap::new() };
        Self { clock, known: Mutex::new(known) }
    }

    /// What the policy of a parcel is that came over a link.
    pub(crate) fn of(&self, edition: &Arc<Edition>, link: LinkId, manifest: &Manifest) -> Recognized {
        if edition.borders == Borders::Closed {
            return Recognized::Unknown;
        }
        let Crossing { own, previous, previous_is_within } = self.crossing(edition, link, manifest);
        // What sealed it is at most what was in force at its sender; that one both sides have documents for.
        let named = [Some(manifest.policy), Some(manifest.in_force)];
        let names = |policy: Option<[u8; 32]>| policy.is_some() && named.contains(&policy);
        match (names(own), names(previous)) {
            (true, _) => Recognized::Within,
            (false, true) if previous_is_within => Recognized::Within,
            (false, true) => Recognized::Wider,
            (false, false) => Recognized::Unknown,
        }
    }

    fn crossing(&self, edition: &Arc<Edition>, link: LinkId, manifest: &Manifest) -> Crossing {
        let today = day(self.clock.now());
        let known = &mut *self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_current = known.edition.as_ref().is_some_and(|known| Arc::ptr_eq(known, edition));
        if !is_current || known.day != today || known.crossings.len() >= MOST {
            *known = Known { edition: Some(Arc::clone(edition)), day: today, crossings: BTreeMap::new() };
        }
        let key = (link, manifest.signal, manifest.origin.clone());
        *known.crossings.entry(key).or_insert_with_key(|key| compare(edition, key, today))
    }
}

fn compare(edition: &Edition, (link, signal, origin): &(LinkId, Signal, Origin), today: Date) -> Crossing {
    let documents = &edition.documents;
    let Some(link) = documents.federation.link(*link) else { return Crossing::default() };
    let of = |documents: &Documents| tables(documents, link, *signal, origin, today);
    let own = of(documents);
    let is_other = |tables: &Tables| own.as_ref().is_none_or(|own| own.digest() != tables.digest());
    let previous = edition.previous.iter().filter_map(|previous| of(previous)).find(is_other);
    let within = |previous: &Tables| own.as_ref().is_some_and(|own| previous.is_within(own));
    Crossing {
        own: own.as_ref().map(Tables::digest),
        previous: previous.as_ref().map(Tables::digest),
        previous_is_within: previous.as_ref().is_some_and(within),
    }
}

/// The tables of the same link in a set of documents, whatever number it has there.
fn tables(documents: &Documents, link: &Link, signal: Signal, origin: &Origin, today: Date) -> Option<Tables> {
    let federation: &Federation = &documents.federation;
    let same = |other: &&Link| other.from() == link.from() && other.to() == link.to();
    let link = federation.links().iter().find(same)?.id();
    documents.policy.tables(federation, link, signal, origin, today).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig;

    const CENTRAL: &str = "us-east/central";

    /// The example without what lets countries cross.
    fn strict() -> (tempfile::TempDir, Arc<Documents>) {
        rig::edited(|name, text| match name {
            "policies/residency.yaml" => text.replace("quasi: {only: {geo.country.iso_code: raw}}", ""),
            _ => text,
        })
    }

    /// The example with one more key in the deployment's own catalogue, and without countries: neither wider nor narrower.
    fn other() -> (tempfile::TempDir, Arc<Documents>) {
        rig::edited(|name, text| match name {
            "policies/residency.yaml" => text.replace("quasi: {only: {geo.country.iso_code: raw}}", ""),
            "policies/catalogue.yaml" => text.replace("attributes:\n", "attributes:\n  shop.till: op\n"),
            _ => text,
        })
    }

    fn digest(documents: &Documents) -> [u8; 32] {
        rig::table(documents, "eu-west", CENTRAL, "EEA").digest()
    }

    /// What a node is to a sender, each with a set in force and the one before it. All of the sender's arrived under `then`.
    struct Receiver(Arc<Edition>, Recognition);

    impl Receiver {
        fn new(now: &Arc<Documents>, before: Option<&Arc<Documents>>) -> Self {
            let edition = Edition {
                documents: Arc::clone(now),
                previous: before.into_iter().cloned().collect(),
                borders: Borders::Open,
            };
            Self(Arc::new(edition), Recognition::new(rig::standing().0))
        }

        fn judge(&self, then: &Documents, now: &Documents) -> Recognized {
            let met = rig::table(now, "eu-west", CENTRAL, "EEA").meet(&rig::table(then, "eu-west", CENTRAL, "EEA"));
            let manifest = rig::manifest("eu-west/gateway/0", "EEA", 1);
            let manifest = Manifest { policy: met.unwrap().digest(), in_force: digest(now), ..manifest };
            let links = self.0.documents.federation.links();
            let to_central = |link: &&Link| link.from().as_str() == "eu-west" && link.to().to_string() == CENTRAL;
            self.1.of(&self.0, links.iter().find(to_central).unwrap().id(), &manifest)
        }
    }

    /// Scenario: two regions widen their policy minutes apart, in either order. Guarantees: what is sealed by the narrower
    /// one always gets through; what is sealed by the wider one waits for a receiver that has it.
    #[test]
    fn a_widening_holds_once_both_have_it() {
        let (wide, (_dir, narrow)) = (rig::documents(), strict());
        let (behind, ahead) = (Receiver::new(&narrow, None), Receiver::new(&wide, Some(&narrow)));
        assert_eq!([&behind, &ahead].map(|to| to.judge(&narrow, &narrow)), [Recognized::Within; 2]);
        assert_eq!(behind.judge(&wide, &wide), Recognized::Unknown);
        assert_eq!(behind.judge(&narrow, &wide), Recognized::Within, "what waited was sealed by the narrower one");
        assert_eq!([&narrow, &wide].map(|then| ahead.judge(then, &wide)), [Recognized::Within; 2]);
    }

    /// Scenario: the same with a tightening. Guarantees: from the moment one of both has it, nothing gets through that it
    /// forbids.
    #[test]
    fn a_tightening_holds_once_one_of_both_has_it() {
        let (wide, (_dir, narrow)) = (rig::documents(), strict());
        let (behind, ahead) = (Receiver::new(&wide, None), Receiver::new(&narrow, Some(&wide)));
        assert_eq!(behind.judge(&wide, &narrow), Recognized::Unknown);
        assert_eq!(ahead.judge(&wide, &wide), Recognized::Wider);
        assert_eq!(ahead.judge(&narrow, &wide), Recognized::Within, "sealed by no more than ours");
        assert_eq!([&narrow, &wide].map(|then| ahead.judge(then, &narrow)), [Recognized::Within; 2]);
    }

    /// Scenario: what waits at the sender arrived under documents that the receiver never had. Guarantees: it gets through:
    /// it is known by what is in force, and is sealed by no more than that.
    #[test]
    fn what_waited_through_documents_that_were_never_here_gets_through() {
        let (now, (_dir, then)) = (rig::documents(), other());
        let here = Receiver::new(&now, None);
        assert_eq!(here.judge(&then, &now), Recognized::Within);
        assert_eq!(here.judge(&now, &then), Recognized::Unknown);
        assert_eq!(Receiver::new(&now, Some(&then)).judge(&then, &then), Recognized::Wider);
    }

    /// Scenario: after a tightening another set comes into force that leaves the link alone. Guarantees: what was in force
    /// before the tightening is still known.
    #[test]
    fn a_change_that_leaves_a_link_alone_does_not_make_its_last_policy_forgotten() {
        let (wide, (_dir, narrow)) = (rig::documents(), strict());
        let (_elsewhere, later) = rig::edited(|name, text| match name {
            "regions/uk-south.yaml" => text.replace("environment: production", "environment: test"),
            _ => text,
        });
        let Receiver(_, recognition) = Receiver::new(&later, None);
        let edition =
            Edition { documents: later, previous: vec![Arc::clone(&wide), narrow.clone()], borders: Borders::Open };
        let receiver = Receiver(Arc::new(edition), recognition);
        assert_eq!(receiver.judge(&wide, &wide), Recognized::Within);
        assert_eq!(receiver.judge(&narrow, &narrow), Recognized::Within, "known, and narrower");
    }

    /// Guarantees: a day that closes a link at the receiver lets nothing in, whatever a slower clock at the sender thinks.
    #[test]
    fn a_closed_link_takes_nothing_in() {
        let (clock, hand) = rig::standing();
        let documents = rig::documents();
        let Receiver(edition, _) = Receiver::new(&documents, None);
        let recognition = Recognition::new(clock);
        let receiver = Receiver(edition, recognition);
        assert_eq!(receiver.judge(&documents, &documents), Recognized::Within);
        hand.advance(std::time::Duration::from_secs(365 * 24 * 3600));
        assert_eq!(receiver.judge(&documents, &documents), Recognized::Unknown);
    }

    /// Guarantees: a node that started on what was kept takes nothing in over a link, whatever sealed it, and asks for it later.
    #[test]
    fn closed_borders_take_nothing_in() {
        let documents = rig::documents();
        let Receiver(edition, recognition) = Receiver::new(&documents, None);
        let Edition { documents: own, previous, .. } = Arc::into_inner(edition).unwrap();
        let edition = Arc::new(Edition { documents: own, previous, borders: Borders::Closed });
        assert_eq!(Receiver(edition, recognition).judge(&documents, &documents), Recognized::Unknown);
    }

    /// Scenario: an allow is narrowed to one cluster, then to the other. Guarantees: a receiver knows a parcel by the name of the
    /// whole; neither narrowing is within the other, and both are within the allow for all.
    #[test]
    fn a_policy_is_within_another_if_it_is_for_every_cluster() {
        let narrowed = |cluster: &str| {
            let narrowed = format!("signal: traces\n    where: {{cluster: {cluster}}}");
            rig::edited(|name, text| match name {
                "policies/residency.yaml" => text.replacen("signal: traces", &narrowed, 1),
                _ => text,
            })
        };
        let (wide, (_one, a), (_two, b)) = (rig::documents(), narrowed("eu-west-a"), narrowed("eu-west-b"));
        let judge = |own: &Arc<Documents>, before: &Arc<Documents>, sealed_by: &Arc<Documents>| {
            let link = own.federation.links().iter();
            let link = link.clone().find(|link| link.from() == "eu-west" && link.to().to_string() == CENTRAL).unwrap();
            let today = day(rig::standing().0.now());
            let digest = tables(sealed_by, link, Signal::Traces, &"EEA".parse().unwrap(), today).unwrap().digest();
            let manifest = rig::manifest("eu-west/gateway/0", "EEA", 1);
            let manifest = Manifest { policy: digest, in_force: digest, ..manifest };
            let Receiver(edition, recognition) = Receiver::new(own, Some(before));
            recognition.of(&edition, link.id(), &manifest)
        };
        assert_eq!([judge(&a, &wide, &a), judge(&a, &b, &a)], [Recognized::Within; 2]);
        assert_eq!([judge(&wide, &a, &a), judge(&wide, &b, &b)], [Recognized::Within; 2]);
        assert_eq!([judge(&a, &wide, &wide), judge(&a, &b, &b), judge(&b, &a, &a)], [Recognized::Wider; 3]);
        assert_eq!(judge(&a, &a, &b), Recognized::Unknown);
    }
}
