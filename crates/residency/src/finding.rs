//! What there is to say of a policy that can be read: broken invariants first, then what deserves a look.
//!
//! Promises:
//! 1. A finding of severity `Error` means that the policy starts nowhere; there is one exactly where an invariant is broken.
//! 2. The same documents on the same day give the same findings in the same order.

mod dates;
mod enforced;
mod ids;
mod names;
mod onward;
mod rules;

use std::collections::BTreeSet;
use std::fmt;

use time::Date;
use tollgate_config::At;
use tollgate_federation::{Federation, PlaceId};

use crate::broken::{Broken, way};
use crate::day::When;
use crate::explain::RuleAt;
use crate::flow::Flow;
use crate::policy::Policy;
use crate::prove;
use crate::rule::Crossing;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The policy may not start.
    Error,
    /// It may not do what somebody believes.
    Warning,
    /// Worth knowing.
    Note,
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident $text:literal $severity:ident;)*) => {
        /// What kind of thing was found.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind { $($(#[doc = $doc])+ $name,)* }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Returns the word that reports use.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Returns how much it matters.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }

            /// Returns what it means, in a sentence.
            #[must_use]
            pub const fn about(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+),)* }
            }
        }
    };
}

kinds! {
    /// An invariant does not hold: a path brings what it forbids to where it forbids it.
    BrokenInvariant "broken-invariant" Error;
    /// The rules would break an invariant, but no path leads there today.
    LatentInvariant "latent-invariant" Warning;
    /// Data sent on by another region arrives in a form that the direct way would not let through.
    WeakerOnward "weaker-onward-path" Warning;
    /// Data reaches a place over more than one border.
    Onward "onward-path" Note;
    /// No data that the rule speaks of can come over any link.
    DeadRule "dead-rule" Note;
    /// Without the rule everything would be the same.
    RedundantRule "redundant-rule" Note;
    /// What a rule allows never crosses, because of what rules say together.
    ContradictoryRule "contradictory-rule" Warning;
    /// The rule or the policy is in shadow and decides nothing.
    Shadow "shadow" Note;
    /// Classes that a rule says nothing of: they do not cross by it.
    UnansweredClass "unanswered-class" Note;
    /// The data path does not carry this out yet, so what depends on it does not cross.
    NotEnforced "not-enforced" Warning;
    /// Only the sender vouches for what narrows the rule, so no proof rests on it.
    Claimed "claimed" Note;
    /// The key of a transform lies elsewhere than where the data is sealed, so the value does not cross.
    KeyElsewhere "key-elsewhere" Warning;
    /// Ids reach one place as they are and blinded, so what belongs together does not join there.
    Unjoinable "unjoinable-ids" Warning;
    /// What a signal's items cannot be without does not cross, so nothing that rules allow of them does.
    NoItem "nothing-crosses" Warning;
    /// Both of a pair would cross, so neither does.
    Parted "not-together" Note;
    /// The last day of an instrument has passed.
    ExpiredInstrument "expired-instrument" Warning;
    /// An instrument ends soon.
    ExpiringInstrument "expiring-instrument" Warning;
    /// The last day of an accepted risk has passed: what rests on it does not cross.
    ExpiredRisk "expired-risk" Warning;
    /// An accepted risk ends soon.
    ExpiringRisk "expiring-risk" Warning;
    /// An accepted risk has no owner and no last day.
    UnownedRisk "unowned-risk" Warning;
    /// Two names of one attribute are answered differently.
    AliasesDisagree "aliases-disagree" Warning;
    /// A known other name of a classified attribute has no class.
    CatalogueGap "catalogue-gap" Note;
    /// A link lets through less than a sampling policy reads.
    SamplingWithheld "sampling-withheld" Warning;
    /// At the expected rate more traces wait for their verdict than there is room for.
    SamplingRoom "sampling-room" Warning;
    /// More traces wait than there is room for while a link lags for as long as it is waited for.
    SamplingRoomInLag "sampling-room-in-lag" Note;
    /// Something of the sampling policy means another thing here than for the Collector.
    SamplingOtherwise "sampling-otherwise" Note;
}

/// One thing that was found.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What kind of thing it is.
    pub kind: Kind,
    /// What was found.
    pub message: String,
    /// Where it stands.
    pub at: Option<At>,
    /// The path that shows it, first place first; empty where there is none.
    pub path: Vec<PlaceId>,
    /// The rules concerned.
    pub rules: Vec<RuleAt>,
}

impl Finding {
    /// An invariant that would not hold under some condition.
    pub(crate) fn latent(broken: Broken, when: &str) -> Self {
        let message = format!("{broken}, {when}");
        let Broken { at, path, rules, .. } = broken;
        Self { kind: Kind::LatentInvariant, message, at: Some(at), path, rules }
    }

    fn new(kind: Kind, at: Option<&At>, message: impl fmt::Display) -> Self {
        Self { kind, message: message.to_string(), at: at.cloned(), path: Vec::new(), rules: Vec::new() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.kind.as_str())?;
        if let Some(at) = &self.at {
            write!(f, "{}:{}:{}: ", at.file, at.line, at.column)?;
        }
        f.write_str(&self.message)
    }
}

/// What findings are looked for in.
struct Look<'a> {
    policy: &'a Policy,
    federation: &'a Federation,
    today: Date,
    flow: Flow,
}

impl Policy {
    /// Finds everything that there is to say of the policy on a day.
    #[must_use]
    pub fn findings(&self, federation: &Federation, today: Date) -> Vec<Finding> {
        let flow = Flow::of(self, federation, When::On(today));
        let look = Look { policy: self, federation, today, flow };
        let mut all = look.broken();
        all.extend(look.latent());
        all.extend(look.onward());
        all.extend(look.rules());
        all.extend(look.unenforced());
        all.extend(look.ids());
        all.extend(look.dates());
        all.extend(look.names());
        all.sort_by(|one, two| order(one).cmp(&order(two)));
        all
    }
}

fn order(finding: &Finding) -> (Severity, Kind, Option<&At>, &str) {
    (finding.kind.severity(), finding.kind, finding.at.as_ref(), &finding.message)
}

impl Look<'_> {
    fn broken(&self) -> Vec<Finding> {
        let told = self.policy.broken(self.federation).into_iter().map(|broken| Finding {
            message: broken.to_string(),
            kind: Kind::BrokenInvariant,
            at: Some(broken.at),
            path: broken.path,
            rules: broken.rules,
        });
        told.collect()
    }

    /// What would break if somebody added a link; a crossing that a path leads over was judged exactly.
    fn latent(&self) -> Vec<Finding> {
        let crossed = self.crossed();
        let told = prove::latent(self.policy, |crossing| !crossed.contains(crossing));
        told.into_iter()
            .map(|(invariant, message)| {
                let message = format!("{message}, if a link led there");
                Finding::new(Kind::LatentInvariant, Some(&invariant.at), message)
            })
            .collect()
    }

    /// Every crossing that data can come over.
    fn crossed(&self) -> BTreeSet<Crossing> {
        let mut crossed = BTreeSet::new();
        for link in self.federation.links() {
            for origin in self.federation.origins_over(link.id()) {
                let comes =
                    |signal: &tollgate_federation::Signal| self.federation.lets_over(link.id(), *signal, origin);
                crossed.extend(link.signals().iter().filter(comes).flat_map(|signal| {
                    let reaching = link.regime().to_string();
                    let crossing = move |origin: &tollgate_federation::Regime| Crossing {
                        origin: origin.to_string(),
                        reaching: reaching.clone(),
                        signal,
                    };
                    origin.regimes().iter().map(crossing).collect::<Vec<_>>()
                }));
            }
        }
        crossed
    }
}

/// A few names, and how many more there are.
fn few(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{shown} and {} more", names.len() - SHOWN) } else { shown }
}

fn shown(path: &[PlaceId]) -> String {
    way(path)
}
