//! What sealing did, in numbers.
//!
//! Promises:
//! 1. `items_in` = `items_out` + the withheld of every reason.
//! 2. Each value of what crossed is counted once, by its class and by the form in which it crossed. Of a span, link,
//!    resource or scope that did not cross no values are counted.

use tollgate_otlp::Fault;
use tollgate_residency::{Carrier, Class, Form};

/// Why an item did not cross.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Withheld {
    /// The item cannot be read, or not in only one way.
    Malformed,
    /// Its resource or scope cannot be read.
    Surroundings,
    /// What it is told apart by does not cross, and without it it is none: the ids of a span, the name, times and values
    /// of a metric.
    Identity,
    /// The key that blinds its ids is not here.
    KeyMissing,
}

impl Withheld {
    /// Every reason, in order of discriminant.
    pub const ALL: [Self; 4] = [Self::Malformed, Self::Surroundings, Self::Identity, Self::KeyMissing];

    /// Returns the word for metrics and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Surroundings => "surroundings",
            Self::Identity => "identity",
            Self::KeyMissing => "key_missing",
        }
    }
}

impl From<Fault> for Withheld {
    fn from(_: Fault) -> Self {
        Self::Malformed
    }
}

/// Counts of one or many batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Items that were to be sealed.
    pub items_in: u64,
    /// Items that crossed.
    pub items_out: u64,
    /// Values left out because the key of their pseudonym is not here, and items for want of the one that blinds.
    pub keys_missing: u64,
    withheld: [u64; Withheld::ALL.len()],
    values: Values,
}

/// Values by class and form.
type Values = [[u64; Form::ALL.len()]; Class::ALL.len()];
/// What was counted of values at one point.
pub(crate) type Mark = (Values, u64);

impl Counts {
    /// Returns how many items did not cross for this reason.
    #[must_use]
    pub fn withheld_for(&self, reason: Withheld) -> u64 {
        self.withheld.get(reason as usize).copied().unwrap_or(0)
    }

    /// Returns how many items did not cross.
    #[must_use]
    pub fn withheld(&self) -> u64 {
        self.withheld.iter().sum()
    }

    /// Returns how many values of a class crossed in a form; in the form absent, how many did not.
    #[must_use]
    pub fn values(&self, class: Class, form: Form) -> u64 {
        self.values.get(class as usize).and_then(|forms| forms.get(form as usize)).copied().unwrap_or(0)
    }

    /// Adds another batch's counts.
    pub fn add(&mut self, other: &Self) {
        self.items_in += other.items_in;
        self.items_out += other.items_out;
        self.keys_missing += other.keys_missing;
        self.withheld.iter_mut().zip(other.withheld).for_each(|(count, more)| *count += more);
        let forms = self.values.iter_mut().flatten();
        forms.zip(other.values.iter().flatten()).for_each(|(count, more)| *count += more);
    }

    /// Counts items that cross.
    pub(crate) fn cross(&mut self, items: u64) {
        self.items_in += items;
        self.items_out += items;
    }

    /// Counts items that do not.
    pub(crate) fn withhold(&mut self, reason: Withheld, items: u64) {
        self.items_in += items;
        if let Some(count) = self.withheld.get_mut(reason as usize) {
            *count += items;
        }
    }

    #[inline]
    pub(crate) fn value(&mut self, class: Class, form: Form) {
        if let Some(count) = self.values.get_mut(class as usize).and_then(|forms| forms.get_mut(form as usize)) {
            *count += 1;
        }
    }

    /// Counts a carrier's value that crossed as it was.
    #[inline]
    pub(crate) fn crossed(&mut self, carrier: Carrier) {
        self.value(carrier.class().unwrap_or(Class::Unclassified), Form::Raw);
    }

    /// What was counted of values so far, to be put back if the item at hand turns out not to cross.
    pub(crate) fn mark(&self) -> Mark {
        (self.values, self.keys_missing)
    }

    pub(crate) fn put_back(&mut self, (values, keys_missing): Mark) {
        self.values = values;
        self.keys_missing = keys_missing;
    }
}
