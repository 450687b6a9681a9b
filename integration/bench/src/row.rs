//! One line of the table: two things measured in turns in the same run, and what is asked of their ratio.

use serde_json::{Value, json};

/// The median of some repetitions, with the least and the greatest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Spread {
    /// Of at least one figure; of none it is not a number.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let at = |index: usize| figures.get(index).copied().unwrap_or(f64::NAN);
        let middle = figures.len() / 2;
        let median = if figures.len().is_multiple_of(2) {
            f64::midpoint(at(middle.wrapping_sub(1)), at(middle))
        } else {
            at(middle)
        };
        Self { median, low: at(0), high: at(figures.len().wrapping_sub(1)) }
    }
}

/// What is asked of a ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
    /// A figure to know; nothing is asked of it.
    Shown,
}

/// What time a span costs is counted in.
pub(crate) const NANOS_A_SPAN: &str = "ns/span";

/// One line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) row: &'static str,
    /// What went in: spans a request, bytes and attributes a span.
    pub(crate) shape: String,
    /// What `ours` and `peer` count, such as `ns/span`.
    pub(crate) unit: &'static str,
    pub(crate) ours: Spread,
    pub(crate) peer: Spread,
    /// Of each repetition's pair, so that a slow minute of the machine hits both sides of one ratio.
    pub(crate) ratio: Spread,
    /// The most bytes that were resident, of ours and of the peer; `None` for what is not a process of its own.
    pub(crate) peaks: [Option<u64>; 2],
    pub(crate) target: Target,
}

impl Row {
    /// Whether the median ratio is what was asked.
    pub(crate) fn met(&self) -> Option<bool> {
        match self.target {
            Target::AtLeast(least) => Some(self.ratio.median >= least),
            Target::AtMost(most) => Some(self.ratio.median <= most),
            Target::Shown => None,
        }
    }

    /// CPU seconds for a million spans, of ours and of the peer, where CPU time of spans is what is compared.
    pub(crate) fn cpu_seconds(&self) -> [Option<f64>; 2] {
        [self.ours, self.peer].map(|side| (self.unit == NANOS_A_SPAN).then_some(side.median / 1000.0))
    }

    /// For scripts.
    pub(crate) fn json(&self) -> Value {
        let target = match self.target {
            Target::AtLeast(value) => Some(format!(">= {value}")),
            Target::AtMost(value) => Some(format!("<= {value}")),
            Target::Shown => None,
        };
        let ([ours, peer], [ours_peak, peer_peak]) = (self.cpu_seconds(), self.peaks);
        json!({
            "row": self.row, "shape": self.shape,
            "ours": self.ours.median, "peer": self.peer.median,
            "ratio": self.ratio.median, "low": self.ratio.low, "high": self.ratio.high,
            "target": target, "met": self.met(),
            "unit": self.unit,
            "cpu_seconds_per_million_spans": {"ours": ours, "peer": peer},
            "peak_resident_bytes": {"ours": ours_peak, "peer": peer_peak},
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        assert_eq!(Spread::of([4.0, 1.0, 3.0, 2.0]), Spread { median: 2.5, low: 1.0, high: 4.0 });
        assert_eq!(Spread::of([7.0]), Spread { median: 7.0, low: 7.0, high: 7.0 });
        assert!(Spread::of([]).median.is_nan());
    }

    #[test]
    fn a_row_is_one_object_with_the_fields_that_scripts_read() {
        let row = Row {
            row: "gateway os / transform",
            shape: "1000 spans of 478 B, 10 attributes".to_owned(),
            unit: NANOS_A_SPAN,
            ours: Spread::of([800.0]),
            peer: Spread::of([6000.0]),
            ratio: Spread::of([7.0, 7.5, 8.0]),
            peaks: [Some(70), None],
            target: Target::AtLeast(6.0),
        };
        let expected = json!({
            "row": "gateway os / transform", "shape": "1000 spans of 478 B, 10 attributes",
            "ours": 800.0, "peer": 6000.0, "ratio": 7.5, "low": 7.0, "high": 8.0, "target": ">= 6", "met": true,
            "unit": "ns/span",
            "cpu_seconds_per_million_spans": {"ours": 0.8, "peer": 6.0},
            "peak_resident_bytes": {"ours": 70, "peer": null},
        });
        assert_eq!(row.json(), expected);
        assert!(!row.json().to_string().contains('\n'));
        let shown = Row { target: Target::Shown, unit: "B/trace", ..row };
        assert_eq!((&shown.json()["target"], &shown.json()["met"]), (&Value::Null, &Value::Null));
        assert_eq!(shown.cpu_seconds(), [None, None]);
    }
}
