//! Golden cases: what must become of a value on a path, and by which rule.
//!
//! Promises:
//! 1. A case says all that decides over a value; nothing is guessed for it.
//! 2. A path is followed hop by hop over the federation's links; each hop acts on the form that the one before left.

use std::collections::BTreeSet;

use time::Date;
use tollgate_config::{At, Document, Faults, Fields, Value};
use tollgate_federation::{Federation, Link, Listener, Origin, PlaceId, Region, Signal};

use crate::carrier::{Carrier, Holds};
use crate::claims::{Claim, Claims};
use crate::day::day;
use crate::explain::{Explanation, Given, Item};
use crate::form::Form;
use crate::policy::Policy;
use crate::reading::{if_there, one_or_more};
use crate::sender::Proved;
use crate::table::Resource;

/// The keys of a case, and of what it gives and expects.
pub(crate) const KEYS: [&str; 3] = ["name", "given", "expect"];
pub(crate) const GIVEN: [&str; 12] = [
    "origin",
    "path",
    "signal",
    "carrier",
    "attribute",
    "resource",
    "cluster",
    "listener",
    "service",
    "namespace",
    "environment",
    "day",
];
pub(crate) const EXPECT: [&str; 3] = ["form", "rule", "class"];

/// One golden case.
#[derive(Debug)]
pub struct GoldenCase {
    /// What it shows.
    pub name: String,
    /// Where it stands.
    pub at: At,
    origin: Origin,
    path: Vec<String>,
    signal: Signal,
    carrier: Carrier,
    attribute: Option<String>,
    resource: Resource,
    cluster: Option<String>,
    listener: Option<Listener>,
    claims: Claims,
    day: Option<Date>,
    form: Form,
    rules: Option<Vec<String>>,
    class: Option<crate::class::Class>,
}

/// What became of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As expected.
    Passed,
    /// Otherwise than expected.
    Failed(String),
}

/// What a path does to a value: the form at its end, and what each hop did.
#[derive(Debug)]
pub struct Followed {
    /// The form at the end.
    pub form: Form,
    /// Each link of the path, with what it does to the value.
    pub hops: Vec<(String, Explanation)>,
}

/// Why a path cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum NoPath {
    /// It names fewer than two places.
    #[error("a path has at least two places")]
    Short,
    /// No link leads from one to the other.
    #[error("no link leads from {0} to {1}")]
    NoLink(String, String),
    /// The region where it starts has no such cluster.
    #[error("{from} has no cluster {cluster}")]
    NoCluster {
        /// Where the path starts.
        from: String,
        /// The cluster that would have sent the value.
        cluster: String,
    },
    /// No collector of the region where it starts has such a listener.
    #[error("no collector of {from} that is meant has a listener {listener}")]
    NoListener {
        /// Where the path starts.
        from: String,
        /// The listener by which the value would have come.
        listener: Listener,
    },
    /// Several links do.
    #[error("several links lead from {from} to {to}: say which of {places}")]
    Several {
        /// Where they start.
        from: String,
        /// Where they lead, as the path says it.
        to: String,
        /// The places they lead to.
        places: String,
    },
}

/// Reads a document of golden cases.
#[must_use]
pub fn read_cases(document: &Document, faults: &Faults) -> Vec<GoldenCase> {
    let Some(mut fields) = document.root(faults).fields() else { return Vec::new() };
    let items = fields.required_value("cases").and_then(Value::items).unwrap_or_default();
    fields.done();
    items.into_iter().filter_map(GoldenCase::read).collect()
}

impl GoldenCase {
    fn read(value: Value<'_>) -> Option<Self> {
        let mut fields = value.fields()?;
        let name = fields.required::<String>("name");
        let (given, expect) = (fields.required_value("given"), fields.required_value("expect"));
        let known = fields.done();
        let expected = expect.and_then(expected);
        let mut given = given?.fields()?;
        let origin = given.required::<Origin>("origin");
        let path = given.required::<Vec<String>>("path");
        let signal = given.required::<Signal>("signal");
        let carrier = given.required_value("carrier").and_then(carrier);
        let attribute = if_there(given.value("attribute"), Value::read::<String>);
        let resource = if_there(given.value("resource"), |value| {
            value.choice(&[("server", Resource::Server), ("device", Resource::Device)])
        });
        let cluster = if_there(given.value("cluster"), Value::read::<String>);
        let listener = if_there(given.value("listener"), Value::read::<Listener>);
        let claims = claims(&mut given);
        let on_day = if_there(given.value("day"), day);
        if let (Some(carrier), Some(attribute)) = (carrier, &attribute)
            && (carrier.holds() == Holds::Attributes) != attribute.is_some()
        {
            let message =
                if attribute.is_some() { "holds no attributes" } else { "holds attributes: say which `attribute`" };
            value.fault(format_args!("{carrier} {message}"));
            return None;
        }
        given.done().and(known)?;
        let (form, rules, class) = expected?;
        Some(Self {
            name: name?,
            at: value.at(),
            origin: origin?,
            path: path?,
            signal: signal?,
            carrier: carrier?,
            attribute: attribute?,
            resource: resource?.unwrap_or(Resource::Server),
            cluster: cluster?,
            listener: listener?,
            claims: claims?,
            day: on_day?,
            form,
            rules,
            class,
        })
    }

    /// Follows the case on its own day, or on this one.
    #[must_use]
    pub fn run(&self, policy: &Policy, federation: &Federation, today: Date) -> Outcome {
        let item = match &self.attribute {
            Some(key) => Item::Attribute { carrier: self.carrier, key, resource: self.resource },
            None => Item::Carrier(self.carrier),
        };
        let day = self.day.unwrap_or(today);
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let sender = Proved { cluster: self.cluster.as_deref(), listener: self.listener };
        let given = Given { sender, claims: self.claims.clone() };
        match policy.follow(federation, &path, (self.signal, &self.origin, given), item, day) {
            Ok(followed) => self.judge(&followed),
            Err(error) => Outcome::Failed(error.to_string()),
        }
    }

    fn judge(&self, followed: &Followed) -> Outcome {
        let rules = followed.rules();
        let why = || {
            let hops = followed.hops.iter();
            hops.map(|(link, told)| format!("{link}: {} ({})", told.form, told.reason)).collect::<Vec<_>>().join("; ")
        };
        if followed.form != self.form {
            return Outcome::Failed(format!("expected {}, found {}: {}", self.form, followed.form, why()));
        }
        if let Some(expected) = &self.rules
            && expected.iter().any(|id| !rules.contains(id.as_str()))
        {
            let found = if rules.is_empty() { "no rule".to_owned() } else { join(&rules) };
            return Outcome::Failed(format!("expected rule {}, decided by {found}: {}", expected.join(", "), why()));
        }
        let class = followed.hops.first().map(|(_, told)| told.class);
        match (self.class, class) {
            (Some(expected), Some(found)) if expected != found => {
                Outcome::Failed(format!("expected class {expected}, found {found}"))
            }
            _ => Outcome::Passed,
        }
    }
}

fn join(rules: &BTreeSet<&str>) -> String {
    rules.iter().copied().collect::<Vec<_>>().join(", ")
}

/// What a case says of the resource; what it does not say is not clear.
fn claims(given: &mut Fields<'_>) -> Option<Claims> {
    let mut said = |key| {
        let name = if_there(given.value(key), Value::read::<String>)?;
        Some(name.map_or(Claim::Unclear, Claim::Is))
    };
    let (service, namespace, environment) = (said("service"), said("namespace"), said("environment"));
    Some(Claims { service: service?, namespace: namespace?, environment: environment? })
}

type Expected = (Form, Option<Vec<String>>, Option<crate::class::Class>);

fn expected(value: Value<'_>) -> Option<Expected> {
    let mut fields = value.fields()?;
    let form = fields.required::<Form>("form");
    let rules = if_there(fields.value("rule"), one_or_more);
    let class = if_there(fields.value("class"), Value::read);
    fields.done()?;
    Some((form?, rules?, class?))
}

fn carrier(value: Value<'_>) -> Option<Carrier> {
    let words: Vec<(&str, Carrier)> = Carrier::ALL.iter().map(|carrier| (carrier.as_str(), *carrier)).collect();
    value.choice(&words)
}

impl Followed {
    /// The rules that decide: of the hop that lets nothing on, or of all hops.
    fn rules(&self) -> BTreeSet<&str> {
        let last = self.hops.last().filter(|_| self.form == Form::Absent);
        let hops = self.hops.iter().filter(|hop| last.is_none_or(|last| std::ptr::eq(*hop, last)));
        hops.flat_map(|(_, told)| told.rules.iter().map(|rule| rule.id.as_str())).collect()
    }
}

impl Policy {
    /// Follows a value over a path of places: regions, tiers (`us-east/central`) or backends (`eu-west/backend/vendor`). A
    /// hop acts on what the one before let through; behind one that lets nothing through there is none. Who sent the
    /// value is proved on the first hop alone, and what its resource says is told as far as the attributes that say it cross.
    ///
    /// # Errors
    /// When the federation has no such path.
    pub fn follow(
        &self,
        federation: &Federation,
        path: &[&str],
        (signal, origin, mut given): (Signal, &Origin, Given<'_>),
        item: Item<'_>,
        today: Date,
    ) -> Result<Followed, NoPath> {
        if path.len() < 2 {
            return Err(NoPath::Short);
        }
        let links = path.windows(2).filter_map(|hop| match hop {
            [from, to] => Some(link_between(federation, from, to)),
            _ => None,
        });
        let links: Vec<&Link> = links.collect::<Result<_, _>>()?;
        if let Some(region) = links.first().and_then(|link| federation.region(link.from())) {
            known(given.sender, region)?;
        }
        let (mut form, mut hops) = (Form::Raw, Vec::new());
        for link in links {
            let crossing = (link.id(), signal, origin);
            let told = self.explain_given(federation, crossing, &given, item, today);
            let says = |key| {
                let item = Item::Attribute { carrier: Carrier::ResourceAttributes, key, resource: Resource::Device };
                self.explain_given(federation, crossing, &given, item, today).form == Form::Raw
            };
            given = Given { sender: Proved::default(), claims: given.claims.clone().left_where(says) };
            form = told.acts_on(form);
            hops.push((link.to_string(), told));
            if form == Form::Absent {
                break;
            }
        }
        Ok(Followed { form, hops })
    }
}

/// Whether a collector of the region can have sent it.
fn known(sender: Proved<'_>, region: &Region) -> Result<(), NoPath> {
    let from = || region.name().to_string();
    let cluster = Proved { listener: None, ..sender };
    match (sender.cluster, sender.listener) {
        (Some(name), _) if !cluster.is_of(region) => Err(NoPath::NoCluster { from: from(), cluster: name.to_owned() }),
        (_, Some(listener)) if !sender.is_of(region) => Err(NoPath::NoListener { from: from(), listener }),
        _ => Ok(()),
    }
}

/// The one link between two places; a region stands for what starts or ends in it.
///
/// # Errors
/// When there is none, or when it is not clear which is meant.
pub fn link_between<'f>(federation: &'f Federation, from: &str, to: &str) -> Result<&'f Link, NoPath> {
    let starts = |link: &&Link| link.from().as_str() == from || link.source().to_string() == from;
    let named = |place: &PlaceId| place.to_string() == to;
    // A region's name stands for its tiers; a backend is named in full.
    let leads =
        |link: &&Link| named(link.to()) || matches!(link.to(), PlaceId::Tier(tier) if tier.region().as_str() == to);
    let found: Vec<&Link> = federation.links().iter().filter(starts).filter(leads).collect();
    match found.as_slice() {
        [] => Err(NoPath::NoLink(from.to_owned(), to.to_owned())),
        [link] => Ok(link),
        several => {
            let places: Vec<String> = several.iter().map(|link| format!("{} → {}", link.source(), link.to())).collect();
            Err(NoPath::Several { from: from.to_owned(), to: to.to_owned(), places: places.join(", ") })
        }
    }
}
