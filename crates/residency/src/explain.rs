//! What a link would do with one value, and why: which rules decide it, and where they stand.
//!
//! Promises:
//! 1. It says what the table of the same link, signal, origin and day does: a property test holds the two together.
//! 2. No value is asked for and none is shown: a name and a carrier are enough.

mod reason;

use time::Date;
use tollgate_config::At;
use tollgate_federation::{Federation, LinkId, Origin, Regime, Signal};

use crate::answers::{Answers, Because, By, Whose};
use crate::carrier::{Carrier, Holds};
use crate::catalogue::Entry;
use crate::claims::Claims;
use crate::class::Class;
use crate::closed::Closed;
use crate::day::When;
use crate::existence;
use crate::form::{Action, Form};
use crate::instrument::Lets;
use crate::mark::Mark;
use crate::policy::Policy;
use crate::rule::Mode;
use crate::sender::{Proved, Sender};
use crate::table::Resource;
use crate::transfer::{Named, Transfer};

pub use reason::Reason;

/// A value, by where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item<'k> {
    /// An attribute in a carrier that holds attributes.
    Attribute {
        /// The carrier.
        carrier: Carrier,
        /// The attribute's key.
        key: &'k str,
        /// Whose resource it describes.
        resource: Resource,
    },
    /// A carrier's own value.
    Carrier(Carrier),
}

impl Item<'_> {
    fn carrier(&self) -> Carrier {
        match self {
            Self::Attribute { carrier, .. } | Self::Carrier(carrier) => *carrier,
        }
    }
}

/// A rule that decides, and the place in it that does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleAt {
    /// The rule's id.
    pub id: String,
    /// Where it says so.
    pub at: At,
}

/// What a link would do with a value, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What the value is.
    pub class: Class,
    /// The form in which it crosses.
    pub form: Form,
    /// The transform that brings it into this form.
    pub transform: Option<String>,
    /// Why.
    pub reason: Reason,
    /// The rules that decide it.
    pub rules: Vec<RuleAt>,
    /// Rules in shadow that speak of the same crossing: they decide nothing.
    pub shadows: Vec<String>,
    /// The form in which it would cross if they held, or if the whole policy were not in shadow; where there is a shadow.
    pub unshadowed: Option<Form>,
    action: Action,
}

/// What is known while one value is explained.
struct Case<'a> {
    policy: &'a Policy,
    transfer: &'a Transfer<'a>,
    member: &'a Regime,
    answers: &'a Answers<'a>,
    instrument: Option<Named<'a>>,
    when: When,
}

/// What there is to know of the data that a value is in, besides its origin; nothing unless given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given<'g> {
    /// Who is proved to have sent it.
    pub sender: Proved<'g>,
    /// What its resource says.
    pub claims: Claims,
}

/// Who sent a value inside its region, and what its resource says.
#[derive(Clone, Copy)]
enum Sent<'s> {
    /// Whoever is given, as far as the link can prove it.
    Given(&'s Given<'s>),
    /// Of what it says nothing is held back.
    By(&'s Sender),
}

impl Policy {
    /// Says what a link does on a day with a value of that origin and signal, and why. Merged data obeys the rules of every
    /// origin in it, so the strictest answer is the one explained.
    #[must_use]
    pub fn explain(
        &self,
        federation: &Federation,
        (link, signal, origin): (LinkId, Signal, &Origin),
        item: Item<'_>,
        today: Date,
    ) -> Explanation {
        self.explain_given(federation, (link, signal, origin), &Given::default(), item, today)
    }

    /// The same for a sender of whom something is proved and a resource that says something of itself. Where the link cannot
    /// prove the cluster, nothing is proved.
    #[must_use]
    pub fn explain_given(
        &self,
        federation: &Federation,
        crossing: (LinkId, Signal, &Origin),
        given: &Given<'_>,
        item: Item<'_>,
        today: Date,
    ) -> Explanation {
        self.explain_when(federation, crossing, item, (Sent::Given(given), When::On(today)))
    }

    /// As on the day on which most crosses, for a sender of whom it crosses in this form.
    pub(crate) fn explain_ever(
        &self,
        federation: &Federation,
        (link, signal, origin): (LinkId, Signal, &Origin),
        item: Item<'_>,
        (before, form): (Form, Form),
    ) -> Explanation {
        let transfer = Transfer::over(federation, link, signal, origin).ok();
        let member = origin.regimes().first();
        let senders = transfer.zip(member).map(|(transfer, member)| transfer.senders(member, &self.residency));
        let of = |sender: &Sender| {
            self.explain_when(federation, (link, signal, origin), item, (Sent::By(sender), When::Ever))
        };
        let mut told: Vec<Explanation> = senders.unwrap_or_default().iter().map(of).collect();
        let in_that_form = told.iter().position(|one| one.acts_on(before) == form);
        let crossing = || told.iter().position(|one| one.form != Form::Absent);
        match in_that_form.or_else(crossing) {
            Some(place) => told.swap_remove(place),
            None => of(&Sender::UNPROVED),
        }
    }

    fn explain_when(
        &self,
        federation: &Federation,
        (link, signal, origin): (LinkId, Signal, &Origin),
        item: Item<'_>,
        sent: (Sent<'_>, When),
    ) -> Explanation {
        let class = self.class_of(item);
        let transfer = match Transfer::over(federation, link, signal, origin) {
            Ok(transfer) => transfer,
            Err(closed) => return Explanation::closed(class, closed, Vec::new()),
        };
        let members = origin.regimes().iter();
        let all: Vec<Explanation> = members.map(|member| self.explain_member(&transfer, member, item, sent)).collect();
        let action = all.iter().map(|one| one.action).reduce(Action::meet).unwrap_or(Action::Absent);
        let rules = all.iter().flat_map(|one| one.rules.iter().cloned()).collect();
        let decided = all.into_iter().find(|one| one.action == action);
        decided.unwrap_or_else(|| Explanation::absent(class, Reason::Incomparable, rules))
    }

    fn explain_member(
        &self,
        transfer: &Transfer<'_>,
        member: &Regime,
        item: Item<'_>,
        (sent, when): (Sent<'_>, When),
    ) -> Explanation {
        let class = self.class_of(item);
        let (sender, claims) = match sent {
            Sent::By(sender) => (sender.clone(), &Claims::OTHER),
            Sent::Given(given) => (transfer.sender(member, &self.residency, given.sender), &given.claims),
        };
        let whose = Whose { crossing: &transfer.crossing(member), sender: &sender, claims };
        let answers = Answers::of(&self.residency, whose, when);
        let instrument = match transfer.justified(member, &self.residency, when) {
            Ok(holding) => holding.into_iter().next(),
            Err(closed) => return Explanation::closed(class, closed, Vec::new()),
        };
        if let Err(closed) = transfer.open(member, &self.residency, &answers) {
            let required = answers.unmet().map(|(by, _)| by).take(1);
            let by: Vec<By<'_>> = match closed {
                Closed::Denied { .. } => answers.denied_all().to_vec(),
                Closed::Required { .. } => required.collect(),
                _ => Vec::new(),
            };
            let closed = Explanation::closed(class, closed, placed(&by));
            return self.with_shadows(closed, &answers, (transfer, member, whose, instrument), item, when);
        }
        let case = Case { policy: self, transfer, member, answers: &answers, instrument, when };
        let told = match sent {
            Sent::Given(_) => case.explain_within(item, class),
            // What is proved of a value holds of it whatever it stands in.
            Sent::By(_) => case.explain(item, class),
        };
        self.with_shadows(told, &answers, (transfer, member, whose, instrument), item, when)
    }

    /// Adds what would be if the rules in shadow held.
    fn with_shadows(
        &self,
        mut told: Explanation,
        answers: &Answers<'_>,
        (transfer, member, whose, instrument): (&Transfer<'_>, &Regime, Whose<'_>, Option<Named<'_>>),
        item: Item<'_>,
        when: When,
    ) -> Explanation {
        told.shadows = answers.shadows().iter().map(|rule| rule.id.clone()).collect();
        if told.shadows.is_empty() && self.residency.mode == Mode::Active {
            return told;
        }
        let answers = Answers::unshadowed(&self.residency, whose, when);
        let case = Case { policy: self, transfer, member, answers: &answers, instrument, when };
        let open = transfer.open_by_rules(member, &answers).is_ok();
        told.unshadowed = Some(if open { case.explain_within(item, told.class).form } else { Form::Absent });
        told
    }

    /// The class of a value: an attribute's by its key, a carrier's own.
    fn class_of(&self, item: Item<'_>) -> Class {
        match item {
            Item::Attribute { key, resource, .. } => match (self.catalogue.classify(key), resource) {
                (Some(Entry { on_device: Some(class), .. }), Resource::Device) => *class,
                (Some(entry), _) => entry.class,
                (None, _) => Class::Unclassified,
            },
            Item::Carrier(carrier) => carrier.class().unwrap_or(Class::Unclassified),
        }
    }
}

impl Case<'_> {
    /// As `explain`, but that nothing crosses without what it stands in.
    fn explain_within(&self, item: Item<'_>, class: Class) -> Explanation {
        let told = self.explain(item, class);
        if told.action == Action::Absent {
            return told;
        }
        let own =
            |carrier: Carrier| self.explain(Item::Carrier(carrier), carrier.class().unwrap_or(Class::Unclassified));
        let lost = existence::lost(item.carrier(), self.transfer.signal, |needed| own(needed).action != Action::Absent);
        match lost.as_ref().and_then(|lost| Some((lost.what, *lost.without.first()?))) {
            Some((what, without)) => {
                let missing = own(without);
                let because = Box::new(missing.reason);
                Explanation::absent(told.class, Reason::Lost { what, without, because }, missing.rules)
            }
            None => told,
        }
    }

    fn explain(&self, item: Item<'_>, class: Class) -> Explanation {
        let carrier = item.carrier();
        if !carrier.is_on(self.transfer.signal) {
            return Explanation::absent(class, Reason::NoCarrier(self.transfer.signal), Vec::new());
        }
        let stripped = self.answers.stripped_by(carrier);
        if !stripped.is_empty() {
            return Explanation::absent(class, Reason::Stripped, placed(&stripped));
        }
        match (item, carrier.holds()) {
            (Item::Attribute { key, resource, .. }, Holds::Attributes) => match Mark::of(carrier, key) {
                Some(mark) => Explanation::absent(class, Reason::Ours(mark), Vec::new()),
                None => self.attribute(key, resource, class),
            },
            (Item::Carrier(_), Holds::One(class)) => self.carrier(class),
            _ => Explanation::absent(class, Reason::NeverCrosses, Vec::new()),
        }
    }

    fn carrier(&self, class: Class) -> Explanation {
        let explained = self.judge(class, None, self.answers.class(class));
        if explained.action.outside_attributes() == explained.action {
            return explained;
        }
        Explanation::absent(class, Reason::NoTransform, explained.rules)
    }

    fn attribute(&self, key: &str, resource: Resource, class: Class) -> Explanation {
        let Some(entry) = self.policy.catalogue.classify(key) else {
            let reason = if crate::catalogue::is_credential(key) {
                Reason::NeverAllowed(Class::Secret)
            } else {
                Reason::Unclassified
            };
            return Explanation::absent(class, reason, Vec::new());
        };
        let alone = self.alone(entry, resource);
        if alone.action == Action::Absent {
            return alone;
        }
        let crosses = |other: &str| self.policy.catalogue.first_named(other).is_some_and(|entry| self.crosses(entry));
        match self.answers.partners(&entry.attribute).iter().find(|(other, _)| crosses(other)) {
            Some((other, by)) => {
                let by: Vec<By<'_>> = by.iter().copied().collect();
                Explanation::absent(class, Reason::NotTogether((*other).to_owned()), placed(&by))
            }
            None => alone,
        }
    }

    /// Whether rules alone would let an attribute cross, on a server or on a device.
    fn crosses(&self, entry: &Entry) -> bool {
        // What crosses on a device crosses on a server too.
        self.answers.crosses_at_first(&entry.attribute, entry.class)
    }

    /// An attribute as if no pair named it. On a device it is of both classes, and both must let it cross.
    fn alone(&self, entry: &Entry, resource: Resource) -> Explanation {
        let judge = |class| {
            let told = self.judge(class, Some(&entry.attribute), self.answers.attribute(&entry.attribute, class));
            if told.action.on_attributes() == told.action {
                return told;
            }
            Explanation::absent(class, Reason::OnlyIds, told.rules)
        };
        let own = judge(entry.class);
        let Some(class) = entry.on_device.filter(|_| resource == Resource::Device) else { return own };
        let other = judge(class);
        let action = own.action.meet(other.action);
        let rules = [own.rules.clone(), other.rules.clone()].concat();
        let decided = [other, own].into_iter().find(|one| one.action == action);
        match decided {
            Some(decided) => Explanation { class, ..decided },
            None => Explanation::absent(class, Reason::Incomparable, rules),
        }
    }

    /// What the rules say, then what the instrument and the place of the key take back.
    fn judge(&self, class: Class, attribute: Option<&str>, action: Action) -> Explanation {
        let because = self.answers.why(class, attribute);
        let (reason, by) = Reason::of(&because, class);
        if action == Action::Absent {
            return Explanation::absent(class, reason, placed(&by));
        }
        if let Some((name, instrument)) = self.instrument {
            let name = name.to_owned();
            match instrument.lets(class, action) {
                Lets::Through => {}
                Lets::Outside => return Explanation::absent(class, Reason::OutOfScope(name), placed(&by)),
                Lets::Above(cap) => {
                    return Explanation::absent(class, Reason::AboveCap { instrument: name, cap }, placed(&by));
                }
            }
        }
        let transform = self.policy.residency.transforms.name_of(action, self.when);
        if matches!(action, Action::Hmac(_)) && self.member != self.transfer.sealed_in {
            let (transform, place) = (transform.unwrap_or_default(), self.transfer.link.from().to_string());
            return Explanation::absent(class, Reason::KeyElsewhere { transform, place }, placed(&by));
        }
        Explanation {
            class,
            form: action.form(),
            transform,
            reason,
            rules: placed(&by),
            shadows: Vec::new(),
            unshadowed: None,
            action,
        }
    }
}

impl Explanation {
    /// The form of a value that was in some form before the link.
    pub(crate) fn acts_on(&self, form: Form) -> Form {
        self.action.on(form)
    }

    fn absent(class: Class, reason: Reason, rules: Vec<RuleAt>) -> Self {
        Self {
            class,
            form: Form::Absent,
            transform: None,
            reason,
            rules,
            shadows: Vec::new(),
            unshadowed: None,
            action: Action::Absent,
        }
    }

    fn closed(class: Class, closed: Closed, rules: Vec<RuleAt>) -> Self {
        Self::absent(class, Reason::Closed(closed), rules)
    }
}

fn placed(by: &[By<'_>]) -> Vec<RuleAt> {
    let mut rules: Vec<RuleAt> = by.iter().map(|by| RuleAt { id: by.rule.id.clone(), at: by.at.clone() }).collect();
    rules.sort();
    rules.dedup();
    rules
}

impl Because<'_> {
    /// The rules that are the reason.
    pub(crate) fn by(&self) -> Vec<By<'_>> {
        match self {
            Self::Unclassified | Self::NeverAllowed | Self::Omitted => Vec::new(),
            Self::Narrowed(by)
            | Self::Denied(by)
            | Self::Allowed(by)
            | Self::Incomparable(by)
            | Self::Unusable(by)
            | Self::Capped(by) => by.clone(),
        }
    }
}
