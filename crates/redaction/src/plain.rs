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
    /// The fields of trace id and span id, and of the parent's id if there is one.
    pub(crate) ids: &'a [u8],
    pub(crate) trace_id: &'a [u8],
    pub(crate) span_id: &'a [u8],
    pub(crate) parent_span_id: Option<&'a [u8]>,
    /// Any bytes: whether they are text was not looked at.
    pub(crate) name: &'a [u8],
    /// The fields of kind, start and end.
    pub(crate) course: &'a [u8],
    pub(crate) kind: u8,
    pub(crate) start: u64,
    pub(crate) end: u64,
}

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
        let (span_id, rest) = id::<8>(0x12, rest)?;
        let (parent_span_id, rest) = id::<8>(0x22, rest).map_or((None, rest), |(id, rest)| (Some(id), rest));
        let ids = body.get(..body.len() - rest.len())?;
        let [0x2a, length @ 0..=0x7f, rest @ ..] = rest else { return None };
        let (name, times) = rest.split_at_checked(usize::from(*length))?;
        let [0x30, kind @ 0..=LAST_KIND, rest @ ..] = times else { return None };
        let (start, rest) = fixed64(0x39, rest)?;
        let (end, rest) = fixed64(0x41, rest)?;
        let course = times.get(..times.len() - rest.len())?;
        Some((Self { ids, trace_id, span_id, parent_span_id, name, course, kind: *kind, start, end }, rest))
    }
}

#[inline]
fn id<const LENGTH: usize>(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let [found, length, rest @ ..] = bytes else { return None };
    let (id, rest) = rest.split_first_chunk::<LENGTH>()?;
    (*found == tag && usize::from(*length) == LENGTH).then_some((id, rest))
}

#[inline]
fn fixed64(tag: u8, bytes: &[u8]) -> Option<(u64, &[u8])> {
    let [found, rest @ ..] = bytes else { return None };
    let (value, rest) = rest.split_first_chunk()?;
    (*found == tag).then_some((u64::from_le_bytes(*value), rest))
}
