//! The Collector's attribute policies (`string_`, `numeric_`, `boolean_attribute`): which values of which keys are looked for.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use regex::RegexSet;
use tollgate_otlp::wire::{Field, Fields, Wire};
use tollgate_otlp::{Fault, RawAttribute, ValueView};

use crate::summary::Marks;

/// What a value is compared with.
#[derive(Debug, Clone)]
pub(crate) enum Matcher {
    /// Equal to one of these.
    Values(BTreeSet<Box<str>>),
    /// Matched by one of these expressions, anywhere in the value.
    Expressions(RegexSet),
    /// An integer of this range.
    Integers(RangeInclusive<i64>),
    Boolean(bool),
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Values(one), Self::Values(two)) => one == two,
            (Self::Expressions(one), Self::Expressions(two)) => one.patterns() == two.patterns(),
            (Self::Integers(one), Self::Integers(two)) => one == two,
            (Self::Boolean(one), Self::Boolean(two)) => one == two,
            _ => false,
        }
    }
}

impl Matcher {
    /// Exact values; empty ones are ignored, as the Collector does.
    pub(crate) fn values(values: Vec<String>) -> Self {
        Self::Values(values.into_iter().filter(|value| !value.is_empty()).map(String::into_boxed_str).collect())
    }

    /// The bits of the lengths of texts that may match.
    fn lengths(&self) -> u64 {
        match self {
            Self::Values(values) => values.iter().fold(0, |lengths, value| lengths | bit_of(value.len())),
            Self::Expressions(_) => u64::MAX,
            Self::Integers(_) | Self::Boolean(_) => 0,
        }
    }

    /// A value of another type never matches.
    fn matches(&self, owner: Owner, value: &ValueView<'_>) -> bool {
        match (self, value) {
            (Self::Values(values), ValueView::String(text)) => values.contains(*text),
            // The Collector skips empty text on spans but shows it to the expressions on resources.
            (Self::Expressions(_), ValueView::String("")) if owner == Owner::Span => false,
            (Self::Expressions(expressions), ValueView::String(text)) => expressions.is_match(text),
            (Self::Integers(range), ValueView::Int(number)) => range.contains(number),
            (Self::Boolean(wanted), ValueView::Bool(value)) => wanted == value,
            _ => false,
        }
    }
}

/// One key that policies look for, with what each of them compares its value with.
#[derive(Debug)]
struct Watched {
    key: Box<str>,
    tests: Vec<(Marks, Matcher)>,
    /// Of all tests, as in [`Matcher::lengths`].
    lengths: u64,
}

/// All keys that the policies of a set look for; a resource's or span's attributes are gone through once.
#[derive(Debug, Default)]
pub(crate) struct WatchedKeys {
    keys: Vec<Watched>,
    /// The bits of the keys' lengths.
    lengths: u64,
}

/// The bit of keys and values of this length; those share one whose lengths differ by 64.
fn bit_of(length: usize) -> u64 {
    1 << (length % 64)
}

/// Whose attributes are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Resource,
    Span,
}

/// What the attributes of one owner have shown so far.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) marks: Marks,
    /// A bit for each watched key: there are fewer of them than policies, which are at most 63.
    keys: u64,
}

impl WatchedKeys {
    pub(crate) fn watch(&mut self, key: String, marks: Marks, matcher: Matcher) {
        let (lengths, test) = (matcher.lengths(), (marks, matcher));
        match self.keys.iter_mut().find(|watched| *watched.key == key) {
            Some(watched) => {
                watched.lengths |= lengths;
                watched.tests.push(test);
            }
            None => {
                self.lengths |= bit_of(key.len());
                self.keys.push(Watched { key: key.into_boxed_str(), tests: vec![test], lengths });
            }
        }
    }

    /// The marks that a resource's attributes earn; what cannot be read earns [`Marks::UNREADABLE`].
    pub(crate) fn of_resource(&self, body: &[u8]) -> Marks {
        if self.keys.is_empty() {
            return Marks::default();
        }
        let mut found = Found::default();
        let read = Fields::new(body).try_for_each(|field| match field? {
            Field { number: 1, value: Wire::Bytes(attribute), .. } => self.look(Owner::Resource, attribute, &mut found),
            Field { number: 1, .. } => Err(Fault::WireType),
            _ => Ok(()),
        });
        read.map_or(found.marks.with(Marks::UNREADABLE), |()| found.marks)
    }

    /// Looks at one attribute. The walk has let no `KeyValue` through that has two keys, so its first field tells.
    ///
    /// Nearly all are stepped over by the length of their key, in a few instructions where the call alone takes thirty.
    #[inline(always)]
    pub(crate) fn look(&self, owner: Owner, attribute: &[u8], found: &mut Found) -> Result<(), Fault> {
        match attribute {
            [0x0a, length @ 0..=0x7f, ..] if self.lengths & bit_of(usize::from(*length)) == 0 => Ok(()),
            _ if self.keys.is_empty() => Ok(()),
            _ => self.look_closely(owner, attribute, found),
        }
    }

    #[inline(never)]
    fn look_closely(&self, owner: Owner, attribute: &[u8], found: &mut Found) -> Result<(), Fault> {
        let attribute = RawAttribute::parse(attribute)?;
        let is_key = |(_, watched): &(usize, &Watched)| watched.key.as_bytes() == attribute.key;
        let Some((place, watched)) = self.keys.iter().enumerate().find(is_key) else { return Ok(()) };
        // Where a key stands twice the first counts, as for the Collector.
        if found.keys & 1 << place != 0 {
            return Ok(());
        }
        found.keys |= 1 << place;
        match attribute.value {
            // Text as long as none that is looked for.
            [0x0a, length @ 0..=0x7f, text @ ..]
                if text.len() == usize::from(*length) && watched.lengths & bit_of(text.len()) == 0 => {}
            value => watched.compare(owner, ValueView::parse(value)?, &mut found.marks),
        }
        Ok(())
    }
}

impl Watched {
    fn compare(&self, owner: Owner, value: ValueView<'_>, found: &mut Marks) {
        for (marks, matcher) in &self.tests {
            if matcher.matches(owner, &value) {
                *found = found.with(*marks);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tollgate_otlp::{Writer, messages};

    use super::*;
    use crate::policy::pattern;
    use crate::summary::Mark;

    const EXACT: Marks = Mark::of(0).bit;
    const ANY: Marks = Mark::of(1).bit;

    fn watched() -> WatchedKeys {
        let mut keys = WatchedKeys::default();
        let values = ["payment", "checkout", ""].map(str::to_owned).to_vec();
        keys.watch("service.name".to_owned(), EXACT, Matcher::values(values));
        let expressions = Matcher::Expressions(pattern::compile(&[".*".to_owned()]).unwrap());
        keys.watch("service.name".to_owned(), ANY, expressions);
        keys
    }

    fn look(owner: Owner, attributes: &[(&str, &str)]) -> Marks {
        let mut body = Vec::new();
        let mut writer = Writer::new(&mut body);
        attributes.iter().for_each(|(key, text)| writer.key_string(1, key, text));
        find(&watched(), owner, &body)
    }

    fn find(watched: &WatchedKeys, owner: Owner, body: &[u8]) -> Marks {
        let mut found = Found::default();
        messages(body, 1).for_each(|attribute| watched.look(owner, attribute, &mut found).unwrap());
        if owner == Owner::Resource {
            assert_eq!(watched.of_resource(body), found.marks);
        }
        found.marks
    }

    #[test]
    fn a_value_is_found_on_resources_and_on_spans() {
        for owner in [Owner::Resource, Owner::Span] {
            assert!(look(owner, &[("a", "payment"), ("service.name", "payment")]).contains(EXACT));
            assert!(!look(owner, &[("service.name", "payments")]).contains(EXACT));
            assert_eq!(look(owner, &[("a", "payment")]), Marks::default());
        }
    }

    #[test]
    fn the_first_of_two_equal_keys_counts() {
        let twice = [("service.name", "other"), ("service.name", "payment")];
        assert!(!look(Owner::Span, &twice).contains(EXACT));
    }

    #[test]
    fn empty_text_is_skipped_on_spans_and_no_exact_value_anywhere() {
        let empty = [("service.name", "")];
        assert_eq!(look(Owner::Span, &empty), Marks::default());
        assert_eq!(look(Owner::Resource, &empty), ANY);
    }

    #[test]
    fn a_value_that_is_not_text_never_matches() {
        for owner in [Owner::Resource, Owner::Span] {
            let mut body = Vec::new();
            Writer::new(&mut body).key_int(1, "service.name", 0);
            assert_eq!(find(&watched(), owner, &body), Marks::default());
        }
    }

    #[test]
    fn long_keys_and_keys_of_one_length_are_told_apart() {
        let long = "k".repeat(200);
        let mut keys = watched();
        keys.watch(long.clone(), Mark::of(2).bit, Matcher::values(vec!["on".to_owned()]));
        for (key, text, expected) in [
            (long.as_str(), "on", Mark::of(2).bit),
            (&long[1..], "on", Marks::default()),
            (long.as_str(), "no", Marks::default()),
            (long.as_str(), "off", Marks::default()),
            ("service_name", "payment", Marks::default()),
        ] {
            let mut body = Vec::new();
            Writer::new(&mut body).key_string(1, key, text);
            assert_eq!(find(&keys, Owner::Span, &body), expected, "{key}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_marked_and_what_came_before_it_counts() {
        let mut body = Vec::new();
        Writer::new(&mut body).key_string(1, "service.name", "payment");
        body.push(0x0a);
        assert_eq!(watched().of_resource(&body), EXACT.with(ANY).with(Marks::UNREADABLE));
        assert_eq!(WatchedKeys::default().of_resource(&body), Marks::default(), "nobody asked");
    }
}
