//! Puts two series of figures together as one row of the table.

use super::contest::Figures;
use crate::row::{NANOS_A_SPAN, Row, Spread, Target};

/// What a row is called, what went in, and what is asked.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) row: &'static str,
    pub(crate) shape: String,
    pub(crate) target: Target,
}

/// CPU time a span, and how many times as much the other takes; no row where one of them was not measured.
pub(crate) fn times_less(head: Head, figures: &[Figures], ours: &str, peer: &str) -> Option<Row> {
    beside(head, [named(figures, ours)?, named(figures, peer)?], |ours, peer| peer / ours)
}

/// CPU time a span as a multiple of the other's.
pub(crate) fn multiple(head: Head, figures: &[Figures], ours: &str, other: &str) -> Option<Row> {
    beside(head, [named(figures, ours)?, named(figures, other)?], |ours, peer| ours / peer)
}

/// Figures that belong together in pairs, as parts of each other.
pub(crate) fn part(head: Head, unit: &'static str, ours: &[f64], peer: &[f64]) -> Row {
    row(head, unit, [ours, peer], |ours, peer| ours / peer)
}

fn named<'f>(figures: &'f [Figures], name: &str) -> Option<&'f Figures> {
    figures.iter().find(|figures| figures.name == name)
}

fn beside(head: Head, sides: [&Figures; 2], ratio: fn(f64, f64) -> f64) -> Option<Row> {
    let row = row(head, NANOS_A_SPAN, sides.map(|side| side.nanos.as_slice()), ratio);
    Some(Row { peaks: sides.map(|side| side.peak), ..row })
}

fn row(head: Head, unit: &'static str, [ours, peer]: [&[f64]; 2], ratio: fn(f64, f64) -> f64) -> Row {
    // Each repetition's own pair: what slows the machine down for a minute hits both sides of it.
    let ratios = ours.iter().zip(peer).map(|(ours, peer)| ratio(*ours, *peer));
    Row {
        row: head.row,
        shape: head.shape,
        unit,
        ours: Spread::of(ours.iter().copied()),
        peer: Spread::of(peer.iter().copied()),
        ratio: Spread::of(ratios),
        peaks: [None, None],
        target: head.target,
    }
}
