//! How a value may cross, and which of two answers is the stricter.
//!
//! Promises:
//! 1. `meet` is commutative, associative and idempotent, and its result is never wider than either side.
//! 2. Answers that cannot be compared (keyed and generalised, two different keys) meet in absent.

use std::fmt;

use tollgate_config::{Read, Value};

/// How exposed a value is after it crossed. Keyed and generalised cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Form {
    /// It does not cross.
    Absent,
    /// It crosses only inside an aggregate over many.
    Aggregated,
    /// It crosses as a pseudonym under a key of the origin.
    Keyed,
    /// It crosses with less precision.
    Generalised,
    /// It crosses as it is.
    Raw,
}

impl Form {
    /// Every form, in order of discriminant.
    pub const ALL: [Self; 5] = [Self::Absent, Self::Aggregated, Self::Keyed, Self::Generalised, Self::Raw];

    /// Returns the word that documents use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Aggregated => "aggregated",
            Self::Keyed => "keyed",
            Self::Generalised => "generalised",
            Self::Raw => "raw",
        }
    }

    /// Says whether this form shows at least as much as the other.
    #[must_use]
    pub const fn exposes_at_least(self, other: Self) -> bool {
        self as u8 == other as u8
            || match self {
                Self::Raw => true,
                Self::Keyed | Self::Generalised => matches!(other, Self::Absent | Self::Aggregated),
                Self::Aggregated => matches!(other, Self::Absent),
                Self::Absent => false,
            }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Read for Form {
    fn read(value: Value<'_>) -> Option<Self> {
        value.choice(&Self::ALL.map(|form| (form.as_str(), form)))
    }
}

/// Which keyed transform of a table. It means nothing for another table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransformIndex(pub(crate) u16);

impl TransformIndex {
    /// Returns the place of the transform in [`Table::keyed`](crate::Table::keyed).
    #[must_use]
    pub fn position(self) -> usize {
        usize::from(self.0)
    }
}

/// What is to be done with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Leave it out.
    Absent,
    /// Replace it by a pseudonym.
    Hmac(TransformIndex),
    /// Replace an id by a blinded one. It is for ids alone: anything else is left out.
    Blind(TransformIndex),
    /// Keep as many leading bits of an IP address; anything but one clean address is left out.
    Truncate {
        /// Bits kept of an IPv4 address.
        v4: u8,
        /// Bits kept of an IPv6 address.
        v6: u8,
    },
    /// Pass it on.
    Raw,
}

impl Action {
    /// Returns the strictest answer that satisfies both.
    #[must_use]
    pub fn meet(self, other: Self) -> Self {
        match (self, other) {
            (Self::Raw, action) | (action, Self::Raw) => action,
            (Self::Hmac(one), Self::Hmac(two)) | (Self::Blind(one), Self::Blind(two)) if one == two => self,
            (Self::Truncate { v4, v6 }, Self::Truncate { v4: other_v4, v6: other_v6 }) => {
                Self::Truncate { v4: v4.min(other_v4), v6: v6.min(other_v6) }
            }
            (Self::Absent | Self::Hmac(_) | Self::Blind(_) | Self::Truncate { .. }, _) => Self::Absent,
        }
    }

    /// Returns the form of a value that was in some form already.
    ///
    /// A pseudonym can be made of a shortened address too; no address can be shortened that is a pseudonym by now.
    #[must_use]
    pub const fn on(self, form: Form) -> Form {
        match (self, form) {
            (Self::Absent, _) | (_, Form::Absent) => Form::Absent,
            (Self::Raw, form) => form,
            (Self::Hmac(_), Form::Raw | Form::Keyed | Form::Generalised) => Form::Keyed,
            (Self::Blind(_), Form::Raw | Form::Keyed) => Form::Keyed,
            (Self::Truncate { .. }, Form::Raw | Form::Generalised) => Form::Generalised,
            (Self::Blind(_), Form::Aggregated | Form::Generalised)
            | (Self::Hmac(_), Form::Aggregated)
            | (Self::Truncate { .. }, Form::Aggregated | Form::Keyed) => Form::Absent,
        }
    }

    /// Says whether whatever this lets through the other lets through too.
    #[must_use]
    pub fn is_within(self, other: Self) -> bool {
        self.meet(other) == self
    }

    /// What comes of it outside attributes: nothing is defined there on ids, times and texts but blinding, which no class
    /// but that of ids can ask for.
    pub(crate) const fn outside_attributes(self) -> Self {
        match self {
            Self::Raw | Self::Blind(_) => self,
            Self::Absent | Self::Hmac(_) | Self::Truncate { .. } => Self::Absent,
        }
    }

    /// What comes of it on an attribute, which is no id.
    pub(crate) const fn on_attributes(self) -> Self {
        match self {
            Self::Blind(_) => Self::Absent,
            Self::Absent | Self::Hmac(_) | Self::Truncate { .. } | Self::Raw => self,
        }
    }

    /// Returns the form in which a value crosses.
    #[inline]
    #[must_use]
    pub const fn form(self) -> Form {
        match self {
            Self::Absent => Form::Absent,
            Self::Hmac(_) | Self::Blind(_) => Form::Keyed,
            Self::Truncate { .. } => Form::Generalised,
            Self::Raw => Form::Raw,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn action() -> impl Strategy<Value = Action> {
        prop_oneof![
            Just(Action::Absent),
            (0_u16..3).prop_map(|index| Action::Hmac(TransformIndex(index))),
            (0_u16..3).prop_map(|index| Action::Blind(TransformIndex(index))),
            (0_u8..=24, 0_u8..=48).prop_map(|(v4, v6)| Action::Truncate { v4, v6 }),
            Just(Action::Raw),
        ]
    }

    proptest! {
        #[test]
        fn meet_is_a_semilattice(one in action(), two in action(), three in action()) {
            prop_assert_eq!(one.meet(one), one);
            prop_assert_eq!(one.meet(two), two.meet(one));
            prop_assert_eq!(one.meet(two).meet(three), one.meet(two.meet(three)));
        }

        #[test]
        fn meet_never_widens(one in action(), two in action()) {
            let both = one.meet(two);
            prop_assert!(both.is_within(one) && both.is_within(two));
            prop_assert!(one.form().exposes_at_least(both.form()));
        }
    }

    #[test]
    fn incomparable_answers_meet_in_absent() {
        let keyed = Action::Hmac(TransformIndex(0));
        assert_eq!(keyed.meet(Action::Hmac(TransformIndex(1))), Action::Absent);
        assert_eq!(keyed.meet(Action::Truncate { v4: 24, v6: 48 }), Action::Absent);
        let blind = |number| Action::Blind(TransformIndex(number));
        assert_eq!([keyed.meet(blind(0)), blind(0).meet(blind(1))], [Action::Absent; 2]);
        assert_eq!([blind(0).meet(Action::Raw), Action::Raw.meet(blind(0))], [blind(0); 2]);
        assert!(!Form::Keyed.exposes_at_least(Form::Generalised) && !Form::Generalised.exposes_at_least(Form::Keyed));
    }

    #[test]
    fn discriminants_index_the_list_of_all() {
        for (index, form) in Form::ALL.into_iter().enumerate() {
            assert_eq!(form as usize, index);
        }
    }
}
