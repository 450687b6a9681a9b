//! What a resource says of itself, as far as rules are narrowed by it.
//!
//! Promises:
//! 1. What is not said clearly counts as all that any rule asks for: missing, empty, said twice, said in two ways, no text, or
//!    by a pseudonym that another border left.
//! 2. Two resources of one kind are answered alike, and there are at most [`Kinds::MOST`] kinds.
//!
//! Not here: that a rule which asks for a claim can only hold back (`rule/read.rs`, `answers.rs`).

use std::collections::{BTreeMap, BTreeSet};

/// What claims are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum About {
    Service,
    Namespace,
    Environment,
}

impl About {
    pub(crate) const ALL: [Self; 3] = [Self::Service, Self::Namespace, Self::Environment];

    /// The key of `where`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Namespace => "namespace",
            Self::Environment => "environment",
        }
    }

    /// The resource attributes that say it. Two names of one thing must agree.
    const fn attributes(self) -> &'static [&'static str] {
        match self {
            Self::Service => &["service.name"],
            Self::Namespace => &["service.namespace"],
            Self::Environment => &["deployment.environment.name", "deployment.environment"],
        }
    }
}

/// What a resource says of one thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Claim {
    /// Nothing, or nothing clear: it counts as whatever a rule asks for.
    #[default]
    Unclear,
    /// This.
    Is(String),
    /// Something that no rule names.
    Other,
}

/// What a resource says of itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Claims {
    /// Its `service.name`.
    pub service: Claim,
    /// Its `service.namespace`.
    pub namespace: Claim,
    /// Its `deployment.environment.name`, or `deployment.environment` as it was called.
    pub environment: Claim,
}

impl Claims {
    /// What no rule asks for: rules that are narrowed by claims say nothing of it.
    pub(crate) const OTHER: Self = Self { service: Claim::Other, namespace: Claim::Other, environment: Claim::Other };
    /// What any rule may ask for.
    pub(crate) const UNCLEAR: Self =
        Self { service: Claim::Unclear, namespace: Claim::Unclear, environment: Claim::Unclear };

    /// Reads the attributes of a resource; a value that is no text has none here.
    pub fn of<'a>(attributes: impl IntoIterator<Item = (&'a [u8], Option<&'a str>)>) -> Self {
        let mut said: [[Said<'a>; 2]; 3] = Default::default();
        for (key, text) in attributes {
            for (about, said) in About::ALL.into_iter().zip(&mut said) {
                let names = about.attributes().iter().zip(said);
                names.filter(|(name, _)| name.as_bytes() == key).for_each(|(_, said)| said.add(text));
            }
        }
        let [service, namespace, environment] = said.map(|[one, two]| one.and(two));
        Self { service, namespace, environment }
    }

    pub(crate) fn about(&self, about: About) -> &Claim {
        match about {
            About::Service => &self.service,
            About::Namespace => &self.namespace,
            About::Environment => &self.environment,
        }
    }

    /// What is still said where only some attributes are left.
    pub(crate) fn left_where(self, is_left: impl Fn(&'static str) -> bool) -> Self {
        let gone = |about: &About| !about.attributes().iter().all(|key| is_left(key));
        About::ALL.into_iter().filter(gone).fold(self, |left, about| left.with(about, Claim::Unclear))
    }

    fn with(mut self, about: About, claim: Claim) -> Self {
        match about {
            About::Service => self.service = claim,
            About::Namespace => self.namespace = claim,
            About::Environment => self.environment = claim,
        }
        self
    }
}

/// What begins so is a pseudonym: it does not say what it stands for.
const PSEUDONYM: &str = "tg1.";

/// What one attribute says.
#[derive(Default)]
enum Said<'a> {
    #[default]
    Nothing,
    Text(&'a str),
    Unclear,
}

impl<'a> Said<'a> {
    fn add(&mut self, text: Option<&'a str>) {
        *self = match (&self, text) {
            (Self::Nothing, Some(text)) if !text.is_empty() && !text.starts_with(PSEUDONYM) => Self::Text(text),
            _ => Self::Unclear,
        };
    }

    fn and(self, other: Self) -> Claim {
        match (self, other) {
            (Self::Text(one), Self::Text(two)) if one == two => Claim::Is(one.to_owned()),
            (Self::Text(text), Self::Nothing) | (Self::Nothing, Self::Text(text)) => Claim::Is(text.to_owned()),
            _ => Claim::Unclear,
        }
    }
}

/// The claims that a rule is narrowed to: one of the names for each thing that it asks about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Asks(BTreeMap<About, BTreeSet<String>>);

impl Asks {
    /// None where it asks for nothing.
    pub(crate) fn new(asked: BTreeMap<About, BTreeSet<String>>) -> Option<Self> {
        (!asked.is_empty()).then_some(Self(asked))
    }

    /// Whether a rule that asks this speaks of such a resource, or may.
    pub(crate) fn may_mean(&self, claims: &Claims) -> bool {
        self.0.iter().all(|(about, names)| match claims.about(*about) {
            Claim::Unclear => true,
            Claim::Is(name) => names.contains(name),
            Claim::Other => false,
        })
    }

    /// What it asks about.
    pub(crate) fn about(&self) -> String {
        self.0.keys().map(|about| about.as_str()).collect::<Vec<_>>().join(" and ")
    }

    /// How digests write it.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&'static str, &BTreeSet<String>)> {
        self.0.iter().map(|(about, names)| (about.as_str(), names))
    }
}

/// Which of the rules' questions a resource answers with yes, in their order.
pub(crate) type Kind = Box<[bool]>;

/// The kinds of resources that rules tell apart by what they say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kinds {
    asked: Vec<Asks>,
    kinds: BTreeMap<Kind, Example>,
}

/// Claims that stand for a kind, and how reports call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Example {
    pub(crate) claims: Claims,
    pub(crate) name: String,
}

impl Kinds {
    /// Each has a table of its own.
    pub(crate) const MOST: usize = 64;

    /// None where there are too many.
    pub(crate) fn of(asked: BTreeSet<Asks>) -> Option<Self> {
        let asked: Vec<Asks> = asked.into_iter().collect();
        let everything: Kind = vec![true; asked.len()].into();
        let mut kinds = BTreeMap::from([(everything, Example { claims: Claims::OTHER, name: String::new() })]);
        for about in About::ALL {
            let answers = answers(&asked, about)?;
            let mut next = BTreeMap::new();
            for (kind, example) in kinds {
                for (claim, (name, answer)) in &answers {
                    let kind = kind.iter().zip(answer).map(|(one, two)| *one && *two).collect();
                    next.entry(kind).or_insert_with(|| example.with(about, claim, name));
                }
                if next.len() > Self::MOST {
                    return None;
                }
            }
            kinds = next;
        }
        for example in kinds.values_mut().filter(|example| example.name.is_empty()) {
            "anything else".clone_into(&mut example.name);
        }
        Some(Self { asked, kinds })
    }

    /// Whether there are several.
    pub(crate) fn are_told(&self) -> bool {
        !self.asked.is_empty()
    }

    pub(crate) fn asked(&self) -> &[Asks] {
        &self.asked
    }

    /// Those of whom the rules speak least first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Kind, &Example)> {
        self.kinds.iter()
    }

    /// The kind of such a resource.
    pub(crate) fn kind(&self, claims: &Claims) -> Kind {
        self.asked.iter().map(|asks| asks.may_mean(claims)).collect()
    }
}

impl Example {
    pub(crate) fn unnamed(claims: Claims) -> Self {
        Self { claims, name: String::new() }
    }

    fn with(&self, about: About, claim: &Claim, name: &str) -> Self {
        let names = [self.name.as_str(), name].into_iter().filter(|name| !name.is_empty());
        let name = names.collect::<Vec<_>>().join(", ");
        Self { claims: self.claims.clone().with(about, claim.clone()), name }
    }
}

/// A claim with a name, and the answers to what is asked of it.
type Answered = (Claim, (String, Vec<bool>));

/// The claims about one thing that are not answered alike; none where there are too many.
fn answers(asked: &[Asks], about: About) -> Option<Vec<Answered>> {
    let named: BTreeSet<&String> = asked.iter().filter_map(|asks| asks.0.get(&about)).flatten().collect();
    if named.is_empty() {
        return Some(vec![(Claim::Other, (String::new(), vec![true; asked.len()]))]);
    }
    let own = |name: &&String| (Claim::Is((*name).clone()), format!("{} {name}", about.as_str()));
    let unclear = (Claim::Unclear, format!("no clear {}", about.as_str()));
    let claims = std::iter::once((Claim::Other, String::new())).chain(named.iter().map(own)).chain([unclear]);
    let mut answers: Vec<Answered> = Vec::new();
    for (claim, name) in claims {
        // Of what is not asked about here nothing is excluded.
        let claims = Claims::UNCLEAR.with(about, claim.clone());
        let answer: Vec<bool> = asked.iter().map(|asks| asks.may_mean(&claims)).collect();
        if answers.len() > Kinds::MOST {
            return None;
        }
        match answers.iter_mut().find(|(_, (_, known))| *known == answer) {
            Some((_, (names, _))) if !names.is_empty() => *names = format!("{names} or {name}"),
            Some(_) => {}
            None => answers.push((claim, (name, answer))),
        }
    }
    Some(answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(said: &[(&str, Option<&str>)]) -> Claim {
        Claims::of(said.iter().map(|(key, text)| (key.as_bytes(), *text))).environment
    }

    /// Guarantees: only what is said once, as text, in one way, is said.
    #[test]
    fn whatever_is_not_said_clearly_is_unclear() {
        const OLD: &str = "deployment.environment";
        const NEW: &str = "deployment.environment.name";
        let is = |name: &str| Claim::Is(name.to_owned());
        assert_eq!(environment(&[(NEW, Some("test"))]), is("test"));
        assert_eq!(environment(&[("other", None), (OLD, Some("test"))]), is("test"));
        assert_eq!(environment(&[(OLD, Some("test")), (NEW, Some("test"))]), is("test"));
        for unclear in [
            &[][..],
            &[(NEW, None)],
            &[(NEW, Some(""))],
            &[(NEW, Some("tg1.aaaa.bbbb"))],
            &[(NEW, Some("test")), (NEW, Some("test"))],
            &[(NEW, Some("test")), (OLD, Some("production"))],
            &[(NEW, Some("test")), (OLD, None)],
            &[(OLD, Some("")), (NEW, Some("test"))],
        ] {
            assert_eq!(environment(unclear), Claim::Unclear, "{unclear:?}");
        }
    }

    /// Guarantees: names that are answered alike are one kind, and more kinds than can be held are none.
    #[test]
    fn kinds_are_bounded_by_what_is_answered_otherwise() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let asks = |about, of: &[&str]| Asks::new(BTreeMap::from([(about, names(of))])).unwrap();
        let kinds = Kinds::of([asks(About::Service, &["b", "a"]), asks(About::Environment, &["test"])].into()).unwrap();
        let told: Vec<&str> = kinds.iter().map(|(_, example)| example.name.as_str()).collect();
        let service = "service a or service b or no clear service";
        let environment = "environment test or no clear environment";
        assert_eq!(told, ["anything else", environment, service, &format!("{service}, {environment}")]);
        let many = |count: usize| Kinds::of((0..count).map(|one| asks(About::Service, &[&one.to_string()])).collect());
        assert!(many(Kinds::MOST - 2).is_some() && many(Kinds::MOST).is_none() && many(5000).is_none());
    }
}
