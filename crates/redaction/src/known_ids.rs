//! The ids of a request whose ids are blinded, to be found again in its texts: an id in clear beside a blinded one undoes it.
//!
//! Promises:
//! 1. An id is found in hexadecimal digits of either case, with or without dashes, wherever it begins and ends.
//! 2. A text takes one step for each byte, however many ids there are.
//!
//! Not here: ids as decimal numbers, in base64 or cut short: these are not found.

use std::collections::HashSet;

use tollgate_federation::Signal;
use tollgate_otlp::Batch;
use tollgate_otlp::wire::{Fields, Wire};

use crate::schema::{self, Field, Message};

/// How many digits a span's id has, and a trace's.
const SPAN: u32 = 16;
const TRACE: u32 = 32;

/// Ids of spans and traces.
#[derive(Default)]
pub(crate) struct KnownIds {
    spans: HashSet<u64>,
    traces: HashSet<u128>,
}

impl KnownIds {
    /// Every id in a request.
    pub(crate) fn of(signal: Signal, batch: Batch<'_>) -> Self {
        let mut known = Self::default();
        let items = batch.resources().flat_map(|group| group.scopes().collect::<Vec<_>>());
        for item in items.flat_map(|scope| scope.items().collect::<Vec<_>>()) {
            match signal {
                Signal::Traces => known.add_span(item.body()),
                Signal::Metrics => known.add_all(&schema::METRIC, item.body()),
                Signal::Logs => known.add_all(&schema::LOG_RECORD, item.body()),
            }
        }
        known
    }

    /// Those of a span and its parent, and of its links.
    fn add_span(&mut self, body: &[u8]) {
        for field in Fields::new(body).flatten() {
            match (field.number, field.value) {
                (1 | 2 | 4, Wire::Bytes(id)) => self.add(id),
                (13, Wire::Bytes(link)) => self.add_ends(link),
                _ => {}
            }
        }
    }

    /// Those of the span that a link leads to.
    fn add_ends(&mut self, link: &[u8]) {
        for field in Fields::new(link).flatten() {
            if let (1 | 2, Wire::Bytes(id)) = (field.number, field.value) {
                self.add(id);
            }
        }
    }

    /// Those of a log record, or of all exemplars of a metric.
    fn add_all(&mut self, message: &'static Message, body: &[u8]) {
        for field in Fields::new(body).flatten() {
            match (message.field(field.number), field.value) {
                (Field::Id(..), Wire::Bytes(id)) => self.add(id),
                (Field::One(inner) | Field::Each(inner), Wire::Bytes(body)) => self.add_all(inner, body),
                _ => {}
            }
        }
    }

    /// Zeros are no id.
    fn add(&mut self, id: &[u8]) {
        if let Ok(span) = id.try_into().map(u64::from_be_bytes) {
            self.spans.extend((span != 0).then_some(span));
        } else if let Ok(trace) = id.try_into().map(u128::from_be_bytes) {
            self.traces.extend((trace != 0).then_some(trace));
        }
    }

    /// Says whether one of them is in a text, or in a value as it is encoded.
    pub(crate) fn are_in(&self, text: &[u8]) -> bool {
        let (mut last, mut digits) = (0_u128, 0_u32);
        text.iter().any(|byte| {
            match char::from(*byte).to_digit(16) {
                Some(digit) => (last, digits) = (last << 4 | u128::from(digit), digits.saturating_add(1)),
                None if *byte == b'-' => return false,
                None => digits = 0,
            }
            digits >= SPAN && self.spans.contains(&last_span(last)) || digits >= TRACE && self.traces.contains(&last)
        })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the last digits are the ones wanted")]
const fn last_span(digits: u128) -> u64 {
    digits as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantees: an id is found in every spelling in which it is an id, and nothing is found that is none.
    #[test]
    fn an_id_is_found_however_it_is_spelt() {
        let mut known = KnownIds::default();
        known.add(&0x5b8e_fff7_9803_8103_d269_b633_813f_c60c_u128.to_be_bytes());
        known.add(&0xeee1_9b7e_c3c1_b174_u64.to_be_bytes());
        known.add(&[0; 16]);
        known.add(&[0; 8]);
        for text in [
            "5b8efff798038103d269b633813fc60c",
            "5B8EFFF798038103D269B633813FC60C",
            "5b8efff7-9803-8103-d269-b633813fc60c",
            "00-5b8efff798038103d269b633813fc60c-0000000000000001-01",
            "lib/5b8efff798038103d269b633813fc60c.x",
            "ab5b8efff798038103d269b633813fc60cd",
            "span eee19b7ec3c1b174 of none",
        ] {
            assert!(known.are_in(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "5b8efff798038103d269b633813fc60",
            "5b8efff798038103 d269b633813fc60c",
            "eee19b7ec3c1b17",
            "00000000000000000000000000000000",
            "0123456789abcdef0123456789abcdef",
        ] {
            assert!(!known.are_in(text.as_bytes()), "{text}");
        }
    }
}
