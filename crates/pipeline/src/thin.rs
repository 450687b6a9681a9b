//! Takes traces out of a batch on a way that the documents thin, before it is stamped or sealed.
//!
//! Promises:
//! 1. What is left out was asked to be, is counted by reason, and is dropped in the consumer's sum.
//! 2. What stays says by which threshold (`ot=th`), or is counted as saying none. All else of it is as it came.
//! 3. A batch of which everything stays is not touched.
//!
//! Not here: who stays (`tollgate_sampling`), which parts of a batch are whose (`step.rs`).

use std::sync::Arc;
use std::time::Duration;

use tollgate_federation::{Signal, Thinning};
use tollgate_otlp::{Batch, Index, Item, Limits, SpanView, TraceId, select_rewritten};
use tollgate_sampling::tracestate::{Arrived, marked};
use tollgate_sampling::{Cut, Fate, Terms, Thinner};
use tollgate_spool::Record;

use crate::admit::walk;
use crate::hold::thresholds::with_state;
use crate::node::counters::{OfConsumer, ThinningCounters};

/// What thins one way out.
pub(crate) struct Thin {
    thinner: Thinner,
    counters: Arc<OfConsumer>,
}

/// A batch of which some was left out.
pub(crate) struct Thinned {
    payload: Vec<u8>,
    index: Index,
    /// Items that were left out.
    pub(crate) dropped: u64,
}

impl Thinned {
    pub(crate) fn batch(&self) -> Batch<'_> {
        Batch::new(&self.payload, &self.index)
    }
}

/// Which of a batch's items are wanted, by number.
pub(crate) type Wanted<'a> = &'a dyn Fn(&Item<'_>) -> bool;

impl Thin {
    /// None where the documents say nothing, and for signals that have no traces of their own.
    pub(crate) fn new(
        thinning: Option<Thinning>,
        signal: Signal,
        consumer: &str,
        counters: &ThinningCounters,
    ) -> Option<Self> {
        let Thinning { percentage, spans_per_second, bytes_per_second } =
            thinning.filter(|_| signal == Signal::Traces)?;
        let terms = Terms {
            share: percentage.map(|percentage| percentage / 100.0),
            spans: spans_per_second.map(|rate| rate as f64),
            bytes: bytes_per_second.map(|rate| rate.bytes() as f64),
        };
        Some(Self { thinner: Thinner::new(terms), counters: counters.of(consumer) })
    }

    /// What holds for a record, of which these items would be sent by anybody.
    pub(crate) fn cut(&mut self, record: &Record, batch: Batch<'_>, wanted: Wanted<'_>) -> Cut {
        let spans = batch.items().filter(|item| wanted(item)).filter_map(|item| {
            let (_, arrived) = read(&item)?;
            Some((arrived, item.body().len()))
        });
        let arrival = Duration::from_nanos(record.arrival.nanos());
        let cut = self.thinner.cut(record.position.value(), arrival, spans);
        self.counters.probability.set(cut.probability());
        cut
    }

    /// The batch without what is left out and without what nobody wants here; none where everything wanted stays as it is.
    pub(crate) fn apply(&self, cut: Cut, batch: Batch<'_>, wanted: Wanted<'_>) -> Option<Thinned> {
        if cut.is_nothing() {
            return None;
        }
        let mut tally = Tally::default();
        let mut payload = Vec::with_capacity(batch.payload.len());
        let write = |item: &Item<'_>, out: &mut Vec<u8>| wanted(item) && self.write(cut, item, &mut tally, out);
        select_rewritten(batch, write, &mut payload);
        // What we wrote walks like what it was written from: only a defect of ours could change that, and then nothing is
        // thinned.
        let index = walk(Signal::Traces, &payload, &Limits::JOINED)
            .inspect_err(|error| tracing::error!(%error, "a thinned batch cannot be read and stays whole"))
            .ok()?
            .index;
        self.counters.share.add(tally.share.0, tally.share.1);
        self.counters.rate.add(tally.rate.0, tally.rate.1);
        Some(Thinned { payload, index, dropped: tally.share.0 + tally.rate.0 })
    }

    /// Whether a span stays; if so it is written.
    fn write(&self, cut: Cut, item: &Item<'_>, tally: &mut Tally, out: &mut Vec<u8>) -> bool {
        let (Some((view, arrived)), Some(trace)) = (read(item), item.trace_id()) else {
            // The walk at the door lets no such span in.
            out.extend_from_slice(item.body());
            return true;
        };
        if !arrived.is_declared(view.flags) {
            self.counters.undeclared.inc();
        }
        let bytes = item.body().len() as u64;
        match cut.fate(&arrived) {
            Fate::Share => tally.share = (tally.share.0 + 1, tally.share.1 + bytes),
            Fate::Rate => tally.rate = (tally.rate.0 + 1, tally.rate.1 + bytes),
            Fate::Stays(threshold) => {
                let marked = marked(view.trace_state, &trace, threshold);
                if let Some(why) = marked.unmarked {
                    self.counters.unmarked(why);
                }
                match marked.state {
                    None => out.extend_from_slice(item.body()),
                    Some(state) => with_state(item.body(), &state, out),
                }
                return true;
            }
        }
        false
    }
}

/// Spans and bytes that were left out.
#[derive(Default)]
struct Tally {
    share: (u64, u64),
    rate: (u64, u64),
}

fn read<'a>(item: &Item<'a>) -> Option<(SpanView<'a>, Arrived)> {
    let trace: TraceId = item.trace_id()?;
    let view = SpanView::parse(item.body()).ok()?;
    Some((view, Arrived::read(view.trace_state, &trace)))
}
