//! What file exporters have written and fake backends have accepted: which span is where, and how often.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tollgate_otlp::{SpanId, TraceId};
use tollgate_testkit::FakeBackend;

use crate::ledger::Span;

/// The spans at some places: folders of file exporters, or fake backends.
#[derive(Clone, Debug, Default)]
pub struct Delivered {
    spans: BTreeMap<Span, Vec<usize>>,
}

impl Delivered {
    /// Reads every file of the folders of file exporters; one that is not there yet holds nothing. A place is the number of
    /// its folder.
    pub fn read(folders: &[PathBuf]) -> Self {
        let mut delivered = Self::default();
        for (place, folder) in folders.iter().enumerate() {
            for file in fs::read_dir(folder).into_iter().flatten().flatten() {
                delivered.read_file(place, &file.path());
            }
        }
        delivered
    }

    /// The spans that fake backends have accepted; a place is the number of its backend.
    pub fn accepted(backends: &[&FakeBackend]) -> Self {
        let mut delivered = Self::default();
        for (place, backend) in backends.iter().enumerate() {
            for span in backend.spans().into_iter().map(|received| received.span) {
                let ids = span.trace_id.as_slice().try_into().ok().zip(span.span_id.as_slice().try_into().ok());
                if let Some((trace, span)) = ids {
                    delivered.spans.entry((TraceId(trace), SpanId(span))).or_default().push(place);
                }
            }
        }
        delivered
    }

    fn read_file(&mut self, place: usize, file: &Path) {
        for line in fs::read_to_string(file).unwrap_or_default().lines() {
            // A last line may be on its way.
            let Ok(request) = serde_json::from_str::<Value>(line) else { continue };
            for group in items(&request, "resourceSpans") {
                let scopes = items(group, "scopeSpans");
                for span in scopes.flat_map(|scope| items(scope, "spans")).filter_map(id) {
                    self.spans.entry(span).or_default().push(place);
                }
            }
        }
    }

    /// Where this span is.
    pub fn places_of(&self, span: &Span) -> &[usize] {
        self.spans.get(span).map_or(&[], Vec::as_slice)
    }

    /// Where spans of this trace are.
    pub fn places_of_trace(&self, trace: &TraceId) -> BTreeSet<usize> {
        let spans = self.spans.range((*trace, SpanId([0; 8]))..);
        spans.take_while(|((of, _), _)| of == trace).flat_map(|(_, places)| places).copied().collect()
    }

    /// How many spans there are.
    pub fn spans(&self) -> usize {
        self.spans.len()
    }

    /// How many spans are there more often than once.
    pub fn repeated(&self) -> usize {
        self.spans.values().filter(|places| places.len() > 1).count()
    }

    /// How many spans are at this place.
    pub fn spans_at(&self, place: usize) -> usize {
        self.spans.values().filter(|places| places.contains(&place)).count()
    }
}

fn items<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn id(span: &Value) -> Option<Span> {
    Some((span.get("traceId")?.as_str()?.parse().ok()?, span.get("spanId")?.as_str()?.parse().ok()?))
}
