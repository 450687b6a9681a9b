//! What the rules of one crossing come to together.
//!
//! Promises:
//! 1. What no rule allows is absent; a deny beats every allow; of several allows the strictest holds; no order counts.
//! 2. A rule in shadow changes nothing.
//! 3. A rule that is narrowed to other clusters than the sender's, or to other claims than a resource's, says nothing. What
//!    cannot be told is answered for the strictest case: a narrowed allow lets nothing cross by itself and still restricts
//!    what others allow; a narrowed deny, cap or pair holds for all data.
//! 4. A rule that is narrowed by claims only takes back: what it denies of a pair never opens the other one.
//! 5. What an allow rests on and has lapsed makes it absent, and opens nothing in its place.
//! 6. Each value takes a few look-ups, however many rules there are.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tollgate_config::At;

use crate::carrier::Carrier;
use crate::claims::Claims;
use crate::class::Class;
use crate::day::When;
use crate::document::Residency;
use crate::form::{Action, Form};
use crate::rule::{Crossing, Grant, Pair, Rule, Said};
use crate::sender::{Sender, Speaks};

/// A rule, and the place in it that counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct By<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) at: &'a At,
}

/// Whose data is asked about: of which crossing, sent by whom, and what it says of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whose<'w> {
    pub(crate) crossing: &'w Crossing,
    pub(crate) sender: &'w Sender,
    pub(crate) claims: &'w Claims,
}

impl Whose<'_> {
    /// The rules that speak of it, or may.
    fn rules(self, residency: &Residency) -> impl Iterator<Item = &Rule> {
        residency.rules_of(self.crossing).filter(move |rule| rule.speaks_of(self.sender, self.claims) != Speaks::Not)
    }
}

/// What an allow comes to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer<'a> {
    pub(crate) by: By<'a>,
    pub(crate) action: Action,
    /// What it came to before anything that it rests on had lapsed.
    at_first: Action,
    /// Of how much of the data its rule speaks.
    speaks: Speaks,
}

/// Why an answer is what it is.
#[derive(Debug, Clone)]
pub(crate) enum Because<'a> {
    /// Nothing is known of it, so no rule can speak of it.
    Unclassified,
    /// No rule can allow the class.
    NeverAllowed,
    /// No rule allows it.
    Omitted,
    /// Only rules that are narrowed to a part of the data allow it, and nothing proves that this is of it.
    Narrowed(Vec<By<'a>>),
    /// Rules deny it.
    Denied(Vec<By<'a>>),
    /// Rules allow it, and this is what they come to.
    Allowed(Vec<By<'a>>),
    /// Rules allow it in forms that cannot be compared.
    Incomparable(Vec<By<'a>>),
    /// What an allow rests on has lapsed, or nobody can carry it out.
    Unusable(Vec<By<'a>>),
    /// Rules cap the class below the form in which it is allowed.
    Capped(Vec<By<'a>>),
}

/// The rules that speak of one crossing, put in order for looking up.
pub(crate) struct Answers<'a> {
    rules: Vec<&'a Rule>,
    shadows: Vec<&'a Rule>,
    denied_all: Vec<By<'a>>,
    classes: BTreeMap<Class, OfClass<'a>>,
    denied: HashMap<&'a str, Vec<By<'a>>>,
    pairs: HashMap<&'a str, Vec<(&'a str, Option<By<'a>>)>>,
    strip: BTreeSet<Carrier>,
}

/// What rules say of a class as a whole.
#[derive(Default)]
struct OfClass<'a> {
    all: Vec<Offer<'a>>,
    only: HashMap<&'a str, Vec<Offer<'a>>>,
    denied: Vec<By<'a>>,
    caps: Vec<(By<'a>, Form)>,
}

impl<'a> Answers<'a> {
    pub(crate) fn of(residency: &'a Residency, whose: Whose<'_>, when: When) -> Self {
        Self::holding(residency, whose, when, Rule::is_active)
    }

    /// As if one of the rules were not there.
    pub(crate) fn without(residency: &'a Residency, whose: Whose<'_>, when: When, gone: &str) -> Self {
        let others = whose.rules(residency).filter(|rule| rule.id != gone);
        Self::from(residency, others.partition(|rule| rule.is_active()), whose, when)
    }

    /// As if the rules in shadow held.
    pub(crate) fn unshadowed(residency: &'a Residency, whose: Whose<'_>, when: When) -> Self {
        Self::holding(residency, whose, when, |_| true)
    }

    /// As if exactly these rules held.
    pub(crate) fn holding(
        residency: &'a Residency,
        whose: Whose<'_>,
        when: When,
        holds: impl Fn(&Rule) -> bool,
    ) -> Self {
        Self::from(residency, whose.rules(residency).partition(|rule| holds(rule)), whose, when)
    }

    fn from(
        residency: &'a Residency,
        (rules, shadows): (Vec<&'a Rule>, Vec<&'a Rule>),
        whose: Whose<'_>,
        when: When,
    ) -> Self {
        let on = |when| residency.transforms.list.iter().map(|one| one.action(when)).collect::<Vec<Action>>();
        let (transforms, at_first) = (on(when), on(When::Ever));
        let mut answers = Self {
            rules: Vec::new(),
            shadows,
            denied_all: Vec::new(),
            classes: BTreeMap::new(),
            denied: HashMap::new(),
            pairs: HashMap::new(),
            strip: BTreeSet::new(),
        };
        for rule in &rules {
            answers.add(rule, rule.speaks_of(whose.sender, whose.claims), (&transforms, &at_first), when);
        }
        residency.not_together.iter().for_each(|pair| answers.add_pair(pair, None));
        answers.rules = rules;
        answers
    }

    fn add(&mut self, rule: &'a Rule, speaks: Speaks, (transforms, at_first): (&[Action], &[Action]), when: When) {
        let by = |at: &'a At| By { rule, at };
        let lapsed = rule.risk.as_ref().is_some_and(|risk| risk.has_lapsed(when));
        let offer = |said: &'a Said| {
            let action = if lapsed { Action::Absent } else { said.how.action(transforms) };
            Offer { by: by(&said.at), action, at_first: said.how.action(at_first), speaks }
        };
        for (class, grant) in &rule.allow {
            match grant {
                Grant::All(said) => self.classes.entry(*class).or_default().all.push(offer(said)),
                Grant::Only(list) => {
                    for (attribute, said) in list {
                        let only = &mut self.classes.entry(*class).or_default().only;
                        only.entry(attribute).or_default().extend(said.iter().map(offer));
                    }
                }
            }
        }
        self.denied_all.extend(rule.deny.all.iter().map(by));
        for (class, at) in &rule.deny.classes {
            self.classes.entry(*class).or_default().denied.push(by(at));
        }
        for (attribute, at) in &rule.deny.attributes {
            self.denied.entry(attribute).or_default().push(by(at));
        }
        for (class, (form, at)) in &rule.cap {
            self.classes.entry(*class).or_default().caps.push((by(at), *form));
        }
        rule.not_together.iter().for_each(|pair| self.add_pair(pair, Some(rule)));
        self.strip.extend(rule.require.iter().flat_map(|required| &required.strip));
    }

    fn add_pair(&mut self, pair: &'a Pair, rule: Option<&'a Rule>) {
        let by = rule.map(|rule| By { rule, at: &pair.at });
        self.pairs.entry(&pair.one).or_default().push((&pair.two, by));
        self.pairs.entry(&pair.two).or_default().push((&pair.one, by));
    }

    /// The rules that decide.
    pub(crate) fn rules(&self) -> &[&'a Rule] {
        &self.rules
    }

    /// The rules that only would.
    pub(crate) fn shadows(&self) -> &[&'a Rule] {
        &self.shadows
    }

    /// The denies that close the crossing as a whole.
    pub(crate) fn denied_all(&self) -> &[By<'a>] {
        &self.denied_all
    }

    /// The requirements that nothing fulfils, each with its rule.
    pub(crate) fn unmet(&self) -> impl Iterator<Item = (By<'a>, &'static str)> {
        self.rules.iter().flat_map(|rule| {
            let required = rule.require.iter();
            required.flat_map(|one| one.unmet.iter().map(|what| (By { rule, at: &one.at }, *what)))
        })
    }

    /// The rules that strip a carrier.
    pub(crate) fn stripped_by(&self, carrier: Carrier) -> Vec<By<'a>> {
        let strips = |rule: &&&'a Rule| rule.require.as_ref().is_some_and(|required| required.strip.contains(&carrier));
        let by = |rule: &&'a Rule| rule.require.as_ref().map(|required| By { rule, at: &required.at });
        if self.strip.contains(&carrier) {
            self.rules.iter().filter(strips).filter_map(by).collect()
        } else {
            Vec::new()
        }
    }

    /// The carriers of which nothing crosses, whatever is allowed.
    pub(crate) fn stripped(&self) -> &BTreeSet<Carrier> {
        &self.strip
    }

    /// The attributes that may not cross together with this one.
    pub(crate) fn partners(&self, attribute: &str) -> &[(&'a str, Option<By<'a>>)] {
        self.pairs.get(attribute).map_or(&[], Vec::as_slice)
    }

    /// Whether any attribute has a partner.
    pub(crate) fn has_pairs(&self) -> bool {
        !self.pairs.is_empty()
    }

    /// Answers for whatever is of a class and has no name of its own.
    pub(crate) fn class(&self, class: Class) -> Action {
        self.answer(class, None, |_| true, |offer| offer.action)
    }

    /// Answers for an attribute, taken as one of that class. Pairs are for who sees all attributes.
    pub(crate) fn attribute(&self, attribute: &str, class: Class) -> Action {
        self.answer(class, Some(attribute), |_| true, |offer| offer.action)
    }

    /// Whether a class, or an attribute taken as one of it, is answered alike with and without a rule, now and before
    /// anything had lapsed. Pairs and what closes the crossing as a whole are for who sees all of it.
    pub(crate) fn is_alike_without(&self, gone: &Rule, class: Class, attribute: Option<&str>) -> bool {
        let alike = |action: fn(&Offer<'a>) -> Action| {
            let others = |rule: &Rule| !std::ptr::eq(rule, gone);
            self.answer(class, attribute, |_| true, action) == self.answer(class, attribute, others, action)
        };
        alike(|offer| offer.action) && alike(|offer| offer.at_first)
    }

    /// Whether an attribute would cross before anything had lapsed: what a pair is judged by, or the day on which the one
    /// lapses would open the other. Rules that are narrowed by claims are not asked: whoever makes the claim would choose which
    /// one crosses.
    pub(crate) fn crosses_at_first(&self, attribute: &str, class: Class) -> bool {
        self.answer(class, Some(attribute), |rule| rule.asks().is_none(), |offer| offer.at_first) != Action::Absent
    }

    /// What all rules that count come to.
    fn answer(
        &self,
        class: Class,
        attribute: Option<&str>,
        counts: impl Fn(&Rule) -> bool,
        action: fn(&Offer<'a>) -> Action,
    ) -> Action {
        let counts = |by: &By<'a>| counts(by.rule);
        let of_class = self.classes.get(&class);
        let denied = self.denied_all.iter().any(counts)
            || of_class.is_some_and(|one| one.denied.iter().any(counts))
            || attribute.is_some_and(|name| self.denied.get(name).is_some_and(|denied| denied.iter().any(counts)));
        if denied || !class.may_be_allowed() {
            return Action::Absent;
        }
        let allowed = strictest(self.offers(class, attribute).filter(|offer| counts(&offer.by)), action);
        let caps = of_class.map_or(&[][..], |one| &one.caps);
        let above = caps.iter().filter(|(by, _)| counts(by)).any(|(_, cap)| !cap.exposes_at_least(allowed.form()));
        if above { Action::Absent } else { allowed }
    }

    fn offers<'s>(
        &'s self,
        class: Class,
        attribute: Option<&str>,
    ) -> impl Iterator<Item = &'s Offer<'a>> + Clone + use<'s, 'a> {
        let of_class = self.classes.get(&class);
        let all = of_class.map_or(&[][..], |one| &one.all);
        let only = attribute.and_then(|name| of_class?.only.get(name)).map_or(&[][..], Vec::as_slice);
        all.iter().chain(only)
    }

    /// Says why the answer is what it is.
    pub(crate) fn why(&self, class: Class, attribute: Option<&str>) -> Because<'a> {
        if let Some(denied) = self.denials(class, attribute) {
            return Because::Denied(denied);
        }
        match class {
            Class::Unclassified => return Because::Unclassified,
            _ if !class.may_be_allowed() => return Because::NeverAllowed,
            _ => {}
        }
        let offers: Vec<Offer<'a>> = self.offers(class, attribute).copied().collect();
        let by = |offers: &[Offer<'a>]| offers.iter().map(|offer| offer.by).collect::<Vec<_>>();
        let whole: Vec<Offer<'a>> = offers.iter().copied().filter(|offer| offer.speaks == Speaks::Wholly).collect();
        if whole.is_empty() {
            return if offers.is_empty() { Because::Omitted } else { Because::Narrowed(by(&offers)) };
        }
        let action = strictest(offers.iter(), |offer| offer.action);
        if action == Action::Absent {
            let unusable: Vec<Offer<'a>> =
                offers.iter().copied().filter(|offer| offer.action == Action::Absent).collect();
            let incomparable = unusable.is_empty();
            return if incomparable { Because::Incomparable(by(&offers)) } else { Because::Unusable(by(&unusable)) };
        }
        let caps = self.classes.get(&class).map_or(&[][..], |one| &one.caps);
        let above = caps.iter().filter(|(_, cap)| !cap.exposes_at_least(action.form()));
        let above: Vec<By<'a>> = above.map(|(by, _)| *by).collect();
        if above.is_empty() { Because::Allowed(deciding(&offers, action)) } else { Because::Capped(above) }
    }

    fn denials(&self, class: Class, attribute: Option<&str>) -> Option<Vec<By<'a>>> {
        let of_class = self.classes.get(&class).map_or(&[][..], |one| &one.denied);
        let own = attribute.and_then(|name| self.denied.get(name)).map_or(&[][..], Vec::as_slice);
        let denied: Vec<By<'a>> = self.denied_all.iter().chain(of_class).chain(own).copied().collect();
        (!denied.is_empty()).then_some(denied)
    }
}

/// What several allows come to: the strictest of all, if one of them speaks of all data.
fn strictest<'o, 'a: 'o>(
    offers: impl Iterator<Item = &'o Offer<'a>> + Clone,
    action: fn(&Offer<'a>) -> Action,
) -> Action {
    if offers.clone().all(|offer| offer.speaks != Speaks::Wholly) {
        return Action::Absent;
    }
    offers.map(action).reduce(Action::meet).unwrap_or(Action::Absent)
}

/// Those offers that say just what all come to; where each was cut by another, all of them.
fn deciding<'a>(offers: &[Offer<'a>], action: Action) -> Vec<By<'a>> {
    let just: Vec<By<'a>> = offers.iter().filter(|offer| offer.action == action).map(|offer| offer.by).collect();
    if just.is_empty() { offers.iter().map(|offer| offer.by).collect() } else { just }
}
