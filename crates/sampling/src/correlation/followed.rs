//! One trace that is followed, and what is found when its time is up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tollgate_otlp::{SpanView, TraceId};

/// A region, by a number of the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(pub u16);

/// Where a span was made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct End {
    /// What its resource calls the service.
    pub service: Arc<str>,
    /// The region it came from.
    pub region: Region,
}

/// What a span says of where its parent is, in bits 8 and 9 of its flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Parent {
    /// In another process.
    Remote,
    /// In the same process.
    Local,
    /// It says nothing.
    Unsaid,
}

/// What does not join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gap {
    /// A root beside the first that was entered by a call or a message (`SERVER`, `CONSUMER`).
    EntryRoot,
    /// Any other root beside the first.
    InnerRoot,
    /// A span whose parent is not here.
    Orphan(Parent),
}

/// Spans of one service that do not join the rest of their trace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Break {
    /// What they are.
    pub gap: Gap,
    /// Where they were made.
    pub to: End,
    /// How many they are.
    pub spans: u32,
}

/// Calls between two services, or two regions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Join {
    /// Where the parents were made.
    pub from: End,
    /// Where the children were made.
    pub to: End,
    /// How many they are.
    pub spans: u32,
}

/// How a service was entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entered {
    /// By a call that brought no parent: the trace began there.
    WithoutParent,
    /// By a call whose parent is here.
    WithParent,
}

/// What was found of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Correlated {
    /// It had more spans than are followed.
    TooLarge,
    /// All of it was looked at.
    Whole {
        /// The trace.
        trace: TraceId,
        /// Uptime of its first span's arrival, and of its last one's.
        arrived: (Duration, Duration),
        /// The regions that spans came from.
        regions: Vec<Region>,
        /// How many roots it has.
        roots: usize,
        /// Where it began: the root that started first, as spans say.
        began: Option<End>,
        /// What does not join.
        breaks: Vec<Break>,
        /// What joins over the border of a service or region.
        joins: Vec<Join>,
        /// How services were entered, each once.
        entered: Vec<(End, Entered)>,
    },
}

/// What must be known of a span.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seen {
    id: [u8; 8],
    parent: [u8; 8],
    start: u64,
    place: Parent,
    is_entry: bool,
    region: Region,
    service: Arc<str>,
}

/// `HAS_IS_REMOTE` and `IS_REMOTE`.
const FLAGS: [u32; 2] = [0x100, 0x200];
/// `SPAN_KIND_SERVER` and `SPAN_KIND_CONSUMER`.
const ENTRIES: [i32; 2] = [2, 5];
const NONE: [u8; 8] = [0; 8];

impl Seen {
    /// None if it cannot be read, which the walk made sure of, or has no id.
    pub(super) fn read(body: &[u8], service: &Arc<str>, region: Region) -> Option<Self> {
        let span = SpanView::parse(body).ok()?;
        let [says, remote] = FLAGS.map(|flag| span.flags & flag != 0);
        Some(Self {
            id: span.span_id.try_into().ok()?,
            parent: if span.parent_span_id.is_empty() { NONE } else { span.parent_span_id.try_into().ok()? },
            start: span.start_unix_nano,
            place: match (says, remote) {
                (true, true) => Parent::Remote,
                (true, false) => Parent::Local,
                (false, _) => Parent::Unsaid,
            },
            is_entry: ENTRIES.contains(&span.kind),
            region,
            service: Arc::clone(service),
        })
    }

    fn end(&self) -> End {
        End { service: Arc::clone(&self.service), region: self.region }
    }

    fn is_where(&self, other: &Self) -> bool {
        self.region == other.region && self.service == other.service
    }
}

/// A trace.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) hash: u64,
    arrived: Duration,
    last: Duration,
    /// None once there were too many.
    spans: Option<Vec<Seen>>,
}

impl Followed {
    pub(super) fn new(hash: u64, now: Duration) -> Self {
        Self { hash, arrived: now, last: now, spans: Some(Vec::new()) }
    }

    /// What it holds, in spans.
    pub(super) fn weight(&self) -> usize {
        self.spans.as_ref().map_or(0, Vec::capacity)
    }

    pub(super) fn add(&mut self, now: Duration, seen: Seen, most: usize) {
        self.last = now;
        match &mut self.spans {
            Some(spans) if spans.len() < most => spans.push(seen),
            spans => *spans = None,
        }
    }

    /// What is found.
    pub(super) fn end(self, trace: TraceId, tells_parents: &impl Fn(Region) -> bool) -> Correlated {
        let Some(mut spans) = self.spans else { return Correlated::TooLarge };
        spans.sort_unstable();
        spans.dedup();
        let roots: Vec<&Seen> = spans.iter().filter(|span| span.parent == NONE && tells_parents(span.region)).collect();
        let first = roots.iter().min_by_key(|root| (root.start, root.id)).copied();
        let mut found = Found::default();
        roots.iter().filter(|root| Some(**root) != first).for_each(|root| found.root(root));
        for span in spans.iter().filter(|span| span.parent != NONE) {
            let at = spans.partition_point(|other| other.id < span.parent);
            match spans.get(at).filter(|other| other.id == span.parent) {
                Some(parent) => found.join(parent, span),
                None => found.add(Gap::Orphan(span.place), span),
            }
        }
        if let Some(first) = first.filter(|first| first.is_entry) {
            found.entered.insert((first.end(), Entered::WithoutParent));
        }
        let mut regions: Vec<Region> = spans.iter().map(|span| span.region).collect();
        regions.sort_unstable();
        regions.dedup();
        Correlated::Whole {
            trace,
            arrived: (self.arrived, self.last),
            regions,
            roots: roots.len(),
            began: first.map(Seen::end),
            breaks: found.breaks.into_iter().map(|((gap, to), spans)| Break { gap, to, spans }).collect(),
            joins: found.joins.into_iter().map(|((from, to), spans)| Join { from, to, spans }).collect(),
            entered: found.entered.into_iter().collect(),
        }
    }
}

#[derive(Default)]
struct Found {
    breaks: BTreeMap<(Gap, End), u32>,
    joins: BTreeMap<(End, End), u32>,
    entered: BTreeSet<(End, Entered)>,
}

impl Found {
    fn root(&mut self, root: &Seen) {
        self.add(if root.is_entry { Gap::EntryRoot } else { Gap::InnerRoot }, root);
    }

    fn add(&mut self, gap: Gap, span: &Seen) {
        *self.breaks.entry((gap, span.end())).or_default() += 1;
    }

    fn join(&mut self, parent: &Seen, span: &Seen) {
        if !parent.is_where(span) {
            *self.joins.entry((parent.end(), span.end())).or_default() += 1;
        }
        if span.is_entry {
            self.entered.insert((span.end(), Entered::WithParent));
        }
    }
}
