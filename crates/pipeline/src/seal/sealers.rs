//! The sealers of what has one origin and arrived under one set of documents: one for each sender that rules tell apart.
//!
//! Promises:
//! 1. What a cluster's collector sent is sealed by what both policies, that of now and that of its arrival, let through of
//!    this cluster and the listener by which it came; what nothing is proved of by what they let through of anybody.
//! 2. A parcel names the policy of a link as a whole. One that neither policy would have sealed so has a name of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use tollgate_federation::LinkId;
use tollgate_redaction::{Keys, Sealer};
use tollgate_residency::{Layers, Proved, Tables};

/// Where the tables of a sender lie: under the policy of now, and under the one of the arrival.
type Place = (Option<usize>, Option<usize>);

/// What two policies make of one origin.
pub(super) struct Sealers {
    now: Tables,
    /// None where it arrived under the policy of now.
    then: Option<Tables>,
    /// The number under which the link is known here.
    link: LinkId,
    made: BTreeMap<Place, Option<Sealer>>,
}

impl Sealers {
    pub(super) fn new(now: Tables, then: Option<Tables>, link: LinkId) -> Self {
        Self { now, then, link, made: BTreeMap::new() }
    }

    /// What seals as these do changes nothing for what is on its way.
    pub(super) fn digests(&self) -> [[u8; 32]; 2] {
        [self.then.as_ref().unwrap_or(&self.now).digest(), self.now.digest()]
    }

    /// Whether it matters who sent something.
    pub(super) fn tell_apart(&self) -> bool {
        self.now.tell_apart() || self.then.as_ref().is_some_and(Tables::tell_apart)
    }

    /// The sealer for that of which this is proved; none where nothing of it may cross.
    pub(super) fn of(&mut self, proved: Proved<'_>, keys: &Arc<dyn Keys>) -> Option<&mut Sealer> {
        self.at((self.now.place(proved), self.then.as_ref().and_then(|then| then.place(proved))), keys)
    }

    /// A sealer of whatever may cross, for what holds no data: a link may be open for some senders alone.
    pub(super) fn any(&mut self, keys: &Arc<dyn Keys>) -> Option<&mut Sealer> {
        let then = self.then.as_ref().map_or(Some(None), Tables::first_open)?;
        self.at((self.now.first_open()?, then), keys)
    }

    fn at(&mut self, place: Place, keys: &Arc<dyn Keys>) -> Option<&mut Sealer> {
        let Self { now, then, link, made } = self;
        made.entry(place).or_insert_with(|| sealer(now, then.as_ref(), place, *link, keys)).as_mut()
    }

    pub(super) fn forget_gone_keys(&mut self) {
        self.made.values_mut().flatten().for_each(Sealer::forget_gone_keys);
    }
}

fn sealer(
    now: &Tables,
    then: Option<&Tables>,
    (place, place_then): Place,
    link: LinkId,
    keys: &Arc<dyn Keys>,
) -> Option<Sealer> {
    let own = now.at(place).ok()?;
    let (layers, policy) = match then {
        None => (own.clone(), now.digest()),
        Some(then) => {
            let earlier = then.at(place_then).ok()?;
            let met = own.meet(earlier)?;
            let policy = named(&met, [(own, now), (earlier, then)]);
            (met, policy)
        }
    };
    Some(Sealer::new(layers.renumbered(link), Arc::clone(keys)).under(policy, now.digest()))
}

/// The name of what is applied: that of the first policy whose answers they are.
fn named(met: &Layers, of: [(&Layers, &Tables); 2]) -> [u8; 32] {
    let whose = of.iter().find(|(layers, _)| layers.digest() == met.digest());
    whose.map_or_else(|| met.digest(), |(_, tables)| tables.digest())
}
