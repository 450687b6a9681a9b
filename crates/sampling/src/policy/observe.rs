//! What a span tells of its trace: the marks and times of the summary, and for the sets that need more the words of the second
//! column.

use tollgate_otlp::wire::framed_len;
use tollgate_otlp::{Item, SpanView};

use super::PolicySet;
use super::closer::Failed;
use crate::summary::{Mark, Marks, Summary};
use crate::tracestate;

/// The words of the second column, as one request fills them.
#[derive(Debug, Default)]
pub(crate) struct Words {
    /// Those that the resource at hand earns for every trace with spans below it.
    resource: Vec<u64>,
    span: Vec<u64>,
    /// What could not be evaluated.
    pub(crate) failed: Failed,
}

/// Where in a request a span stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    /// The bodies of the `Resource` and the `InstrumentationScope`, each with its schema URL.
    pub(crate) resource: (&'a [u8], &'a str),
    pub(crate) scope: (&'a [u8], &'a str),
    /// The number of the scope in the request, counted from one, and that of the first below this resource.
    pub(crate) number: usize,
    pub(crate) first: usize,
}

/// What frames a message of a few kilobytes: its tag and its length.
const FRAME: usize = 3;

impl PolicySet {
    /// Whether summaries tell all that the policies need to know.
    pub(crate) fn is_narrow(&self) -> bool {
        self.layout.width() == 0 && self.looks.closer.is_idle()
    }

    /// What the body of a `Resource` message tells of every trace that has spans below it.
    pub fn observe_resource(&self, resource: &[u8]) -> Summary {
        Summary::of_marks(self.looks.first.watched.of_resource(resource))
    }

    /// What the body of a `Span` message tells of its trace, without its resource.
    pub fn observe(&self, span: &[u8]) -> Summary {
        self.looks.first.observe(span)
    }

    /// The same for a set that needs more: the words that the resource earns.
    pub(crate) fn observe_resource_closely(&self, resource: &[u8], words: &mut Words) {
        words.resource.clear();
        words.resource.extend(self.layout.blank());
        for (look, word) in self.looks.more.iter().zip(&mut words.resource) {
            *word = look.watched.of_resource(resource).word();
        }
    }

    /// The words that a span and its resource earn, of a trace whose last span before it stood in scope `met`; marks that fit
    /// the summary go there.
    pub(crate) fn observe_closely<'w>(
        &self,
        item: &Item<'_>,
        (around, met): (&Surroundings<'_>, usize),
        now: u64,
        summary: &mut Summary,
        words: &'w mut Words,
    ) -> &'w [u64] {
        let Words { resource, span, failed } = words;
        span.clone_from(resource);
        for (look, word) in self.looks.more.iter().zip(span.iter_mut()) {
            *word |= look.observe(item.body()).marks.word();
            summary.marks = summary.marks.with(Marks::UNREADABLE.among(*word));
        }
        if let Some(word) = self.layout.bytes_at().and_then(|place| span.get_mut(place)) {
            *word = (item.field().len() + around.bytes_more(met)) as u64;
        }
        if self.layout.root || self.layout.randomness || !self.looks.closer.is_idle() {
            match SpanView::parse(item.body()) {
                Ok(view) => {
                    self.note_minima(&view, now, span);
                    self.looks.closer.look(&view, around, failed, |mark| earn(mark, summary, span));
                }
                Err(_) => summary.marks = summary.marks.with(Marks::UNREADABLE),
            }
        }
        span
    }

    fn note_minima(&self, span: &SpanView<'_>, now: u64, words: &mut [u64]) {
        let is_root = span.parent_span_id.iter().all(|byte| *byte == 0);
        if let Some(word) = self.layout.root_at().and_then(|place| words.get_mut(place)).filter(|_| is_root) {
            *word = now;
        }
        if let Some(word) = self.layout.randomness_at().and_then(|place| words.get_mut(place))
            && let Some(randomness) = tracestate::randomness(span.trace_state)
        {
            *word = randomness.0;
        }
    }
}

impl Surroundings<'_> {
    /// What a resource and a scope weigh for a trace that was last met in scope `met`: the Collector counts each once.
    fn bytes_more(&self, met: usize) -> usize {
        let framed = |(body, _): (&[u8], &str)| FRAME + framed_len(1, body.len());
        let scope = if met == self.number { 0 } else { framed(self.scope) };
        let resource = if met >= self.first { 0 } else { framed(self.resource) };
        scope + resource
    }
}

fn earn(mark: Mark, summary: &mut Summary, words: &mut [u64]) {
    match mark.group.checked_sub(1) {
        None => summary.marks = summary.marks.with(mark.bit),
        Some(group) => {
            if let Some(word) = words.get_mut(group) {
                *word |= mark.bit.word();
            }
        }
    }
}
