//! Walks a request once: checks all of it and notes where everything lies. Every receiver admits data through here.
//!
//! Promises:
//! 1. What is outside of items (wire format, limits, a singular field set twice) decides about the whole request.
//! 2. What is inside an item decides about that item; a resource or scope with bad text takes its items with it.
//! 3. Nothing is lost in silence: items in the request = items in the index + items rejected.
//! 4. No allocation but the index, whose vectors grow by doubling.

use crate::{
    Fault, Index, ItemFault, Limits, Rejected,
    check::Checker,
    index::{Entry, Group, Level, Slice, narrow},
    schema::{Message, RESOURCE, SCOPE},
    utf8,
    wire::{Field, Fields, Wire},
};

/// A request that was accepted, with where its good items lie and how many were left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walked {
    /// Where everything lies that is to be used.
    pub index: Index,
    /// What was left out, if anything was.
    pub rejected: Option<Rejected>,
}

/// Walks an `ExportTraceServiceRequest` or `TracesData`; its items are spans.
///
/// # Errors
/// A [`Fault`] outside of all spans refuses the whole request.
pub fn walk_traces(payload: &[u8], limits: &Limits) -> Result<Walked, Fault> {
    walk(payload, limits, Checker::span)
}

/// Walks an `ExportMetricsServiceRequest` or `MetricsData`; its items are metrics.
///
/// # Errors
/// A [`Fault`] outside of all metrics refuses the whole request.
pub fn walk_metrics(payload: &[u8], limits: &Limits) -> Result<Walked, Fault> {
    walk(payload, limits, Checker::metric)
}

/// Walks an `ExportLogsServiceRequest` or `LogsData`; its items are log records.
///
/// # Errors
/// A [`Fault`] outside of all log records refuses the whole request.
pub fn walk_logs(payload: &[u8], limits: &Limits) -> Result<Walked, Fault> {
    walk(payload, limits, Checker::log_record)
}

/// A typical item is no shorter than this; the guess saves most of the index's growth.
const TYPICAL_ITEM: usize = 256;

fn walk<C>(payload: &[u8], limits: &Limits, check: C) -> Result<Walked, Fault>
where
    C: Fn(&mut Checker, &[u8]) -> Result<Option<usize>, ItemFault>,
{
    if payload.len() > limits.request_bytes || u32::try_from(payload.len()).is_err() {
        return Err(Fault::RequestBytes);
    }
    let mut walk = Walk {
        checker: Checker::new(limits),
        check,
        index: Index::default(),
        rejected: None,
        left: Left { resources: limits.resources, scopes: limits.scopes, items: limits.items },
    };
    walk.index.items.reserve((payload.len() / TYPICAL_ITEM).min(limits.items));
    each(payload, 0, |field, at| match (field.number, field.value) {
        (1, Wire::Bytes(body)) => walk.resource(body, body_at(at, &field, body)),
        (1, _) => Err(Fault::WireType),
        _ => Ok(()),
    })?;
    Ok(Walked { index: walk.index, rejected: walk.rejected })
}

/// How much more of each a request may hold.
struct Left {
    resources: usize,
    scopes: usize,
    items: usize,
}

struct Walk<C> {
    checker: Checker,
    check: C,
    index: Index,
    rejected: Option<Rejected>,
    left: Left,
}

impl<C> Walk<C>
where
    C: Fn(&mut Checker, &[u8]) -> Result<Option<usize>, ItemFault>,
{
    fn resource(&mut self, body: &[u8], base: usize) -> Result<(), Fault> {
        take(&mut self.left.resources, Fault::Resources)?;
        let (first, scopes) = (self.index.items.len(), self.index.scopes.mark());
        let mut header = Header::new(&RESOURCE, self.index.resources.mark());
        each(body, base, |field, at| match (field.number, field.value) {
            (2, Wire::Bytes(scope)) => self.scope(scope, body_at(at, &field, scope)),
            (2, _) => Err(Fault::WireType),
            _ => header.field(&field, at, &mut self.checker, &mut self.index.resources),
        })?;
        self.reject_from(header.bad, first);
        if self.index.items.len() == first {
            self.index.scopes.cut(scopes);
            self.index.resources.cut(header.start);
        } else {
            let children = self.index.scopes.groups.len();
            header.close(&mut self.index.resources, children);
        }
        Ok(())
    }

    fn scope(&mut self, body: &[u8], base: usize) -> Result<(), Fault> {
        take(&mut self.left.scopes, Fault::Scopes)?;
        let first = self.index.items.len();
        let mut header = Header::new(&SCOPE, self.index.scopes.mark());
        each(body, base, |field, at| match (field.number, field.value) {
            (2, Wire::Bytes(item)) => self.item(item, at, &field),
            (2, _) => Err(Fault::WireType),
            _ => header.field(&field, at, &mut self.checker, &mut self.index.scopes),
        })?;
        self.reject_from(header.bad, first);
        if self.index.items.len() == first {
            self.index.scopes.cut(header.start);
        } else {
            let children = self.index.items.len();
            header.close(&mut self.index.scopes, children);
        }
        Ok(())
    }

    #[inline]
    fn item(&mut self, item: &[u8], at: usize, field: &Field<'_>) -> Result<(), Fault> {
        take(&mut self.left.items, Fault::Items)?;
        let end = at + field.raw.len();
        let body = end - item.len();
        match (self.check)(&mut self.checker, item) {
            Ok(trace) => self.index.items.push(Entry {
                start: narrow(at),
                body: narrow(body),
                end: narrow(end),
                trace: trace.map_or(0, |trace| narrow(body + trace)),
            }),
            Err(fault) => self.reject(1, fault),
        }
        Ok(())
    }

    /// Takes back the items from `first` on if the header that they would travel under is bad.
    fn reject_from(&mut self, bad: Option<ItemFault>, first: usize) {
        let count = self.index.items.len() - first;
        if let Some(fault) = bad.filter(|_| count > 0) {
            self.index.items.truncate(first);
            self.reject(narrow(count), fault);
        }
    }

    fn reject(&mut self, count: u32, fault: ItemFault) {
        let rejected = self.rejected.get_or_insert(Rejected { items: 0, first: fault });
        rejected.items = rejected.items.saturating_add(count);
    }
}

/// What one group holds beside its children, gathered while its fields go by.
struct Header {
    message: &'static Message,
    start: Mark,
    group: Group,
    has_message: bool,
    has_schema_url: bool,
    /// Why no item can travel under this header, if none can.
    bad: Option<ItemFault>,
}

impl Header {
    fn new(message: &'static Message, start: Mark) -> Self {
        Self { message, start, group: Group::default(), has_message: false, has_schema_url: false, bad: None }
    }

    fn field(&mut self, field: &Field<'_>, at: usize, checker: &mut Checker, level: &mut Level) -> Result<(), Fault> {
        let end = at + field.raw.len();
        match (field.number, field.value) {
            (1, Wire::Bytes(body)) => {
                once(&mut self.has_message)?;
                self.group.message = Slice::new(end - body.len(), end);
                match checker.top(body, self.message, |_, _, _| {}) {
                    Ok(()) => {}
                    Err(ItemFault::Malformed(fault)) if fault != Fault::Utf8 => return Err(fault),
                    Err(fault) => self.bad = Some(fault),
                }
            }
            (3, Wire::Bytes(text)) => {
                once(&mut self.has_schema_url)?;
                self.group.schema_url = Slice::new(end - text.len(), end);
                if !utf8::is_valid(text) {
                    self.bad = Some(Fault::Utf8.into());
                }
            }
            (1 | 3, _) => return Err(Fault::WireType),
            _ => {}
        }
        level.extend_headers(self.start, Slice::new(at, end));
        Ok(())
    }

    fn close(self, level: &mut Level, children: usize) {
        let headers_end = narrow(level.headers.len());
        level.groups.push(Group { headers_end, children_end: narrow(children), ..self.group });
    }
}

/// How far a level was filled when a group began.
#[derive(Clone, Copy)]
struct Mark {
    groups: usize,
    headers: usize,
}

impl Level {
    fn mark(&self) -> Mark {
        Mark { groups: self.groups.len(), headers: self.headers.len() }
    }

    fn cut(&mut self, mark: Mark) {
        self.groups.truncate(mark.groups);
        self.headers.truncate(mark.headers);
    }

    /// Adds a header of the open group, joined to the one before if nothing lies between.
    fn extend_headers(&mut self, group: Mark, header: Slice) {
        match self.headers.get_mut(group.headers..).and_then(<[Slice]>::last_mut) {
            Some(last) if last.end == header.start => last.end = header.end,
            _ => self.headers.push(header),
        }
    }
}

/// Shows each field of a body with the offset at which it starts.
#[inline]
fn each(body: &[u8], base: usize, mut visit: impl FnMut(Field<'_>, usize) -> Result<(), Fault>) -> Result<(), Fault> {
    let mut at = base;
    Fields::new(body).try_for_each(|field| {
        let field = field?;
        let start = at;
        at += field.raw.len();
        visit(field, start)
    })
}

fn body_at(field_at: usize, field: &Field<'_>, body: &[u8]) -> usize {
    field_at + field.raw.len() - body.len()
}

fn take(left: &mut usize, fault: Fault) -> Result<(), Fault> {
    *left = left.checked_sub(1).ok_or(fault)?;
    Ok(())
}

fn once(seen: &mut bool) -> Result<(), Fault> {
    if std::mem::replace(seen, true) { Err(Fault::Duplicate) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
