//! What stands before a span's attributes, in the order in which encoders write it, read at one go.
//!
//! Promises:
//! 1. What is taken holds each field once, in the shortest form, and nothing else, so that it may be copied.
//! 2. Whatever is not plainly so is left to be read field by field; nothing is withheld because of it.

use tollgate_residency::{Carrier, Form, Table};

use crate::span::LAST_KIND;

/// The fields before a span's attributes.
#[derive(Clone, Copy)]
pub(crate) struct Plain<'a> {
    /// All of them: ids, name, kind, start and end.
    pub(crate) head: &'a [u8],
    /// The fields of trace id and span id, and of the parent's id if there is one.
    pub(crate) ids: &'a [u8],
    pub(crate) trace_id: &'a [u8; 16],
    pub(crate) parent: Parent,
    /// Any bytes: whether they are text was not looked at.
    pub(crate) name: &'a [u8],
}

/// Whether a span has a parent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parent {
    Named,
    None,
}

/// How many bytes kind, start and end take.
const COURSE: usize = 20;

impl<'a> Plain<'a> {
    pub(crate) const IDS: [Carrier; 2] = [Carrier::SpanTraceId, Carrier::SpanId];
    pub(crate) const COURSE: [Carrier; 3] = [Carrier::SpanKind, Carrier::SpanStart, Carrier::SpanEnd];

    /// Says whether the table lets all of it but the name cross as it is.
    pub(crate) fn crosses(table: &Table) -> bool {
        let mut carriers = Self::IDS.iter().chain(&Self::COURSE).chain(&[Carrier::SpanParentId]);
        carriers.all(|carrier| table.carrier(*carrier) == Form::Raw)
    }

    /// Takes it from the front of a span's body, with what follows.
    #[inline]
    pub(crate) fn take(body: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (trace_id, rest) = id::<16>(0x0a, body)?;
        let (_, rest) = id::<8>(0x12, rest)?;
        let (parent, rest) = id::<8>(0x22, rest).map_or((Parent::None, rest), |(_, rest)| (Parent::Named, rest));
        let ids = body.get(..body.len() - rest.len())?;
        let [0x2a, length @ 0..=0x7f, rest @ ..] = rest else { return None };
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        let (course, rest) = rest.split_first_chunk::<COURSE>()?;
        let [0x30, 0..=LAST_KIND, 0x39, _, _, _, _, _, _, _, _, 0x41, ..] = course else { return None };
        let head = body.get(..body.len() - rest.len())?;
        Some((Self { head, ids, trace_id, parent, name }, rest))
    }

    /// The fields of kind, start and end.
    pub(crate) fn course(&self) -> &'a [u8] {
        self.head.last_chunk::<COURSE>().map_or(&[], |course| course)
    }

    /// Says whether a field of this number is among them.
    pub(crate) fn holds(&self, number: u32) -> bool {
        matches!(number, 1 | 2 | 5..=8) || number == 4 && self.parent == Parent::Named
    }
}

#[inline]
fn id<const LENGTH: usize>(tag: u8, bytes: &[u8]) -> Option<(&[u8; LENGTH], &[u8])> {
    let [found, length, rest @ ..] = bytes else { return None };
    let (id, rest) = rest.split_first_chunk::<LENGTH>()?;
    (*found == tag && usize::from(*length) == LENGTH).then_some((id, rest))
}
