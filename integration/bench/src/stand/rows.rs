//! Puts two series of figures together as one row of the table.

use super::contest::Figures;
use crate::row::{Row, Spread, Target};

/// What a row is called, what went in, and what is asked.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) row: &'static str,
    pub(crate) shape: String,
    pub(crate) target: Target,
}

/// CPU time a span, and how many times as much the other takes.
pub(crate) fn times_less(head: Head, ours: &Figures, peer: &Figures) -> Row {
    row(head, "ns/span", (&ours.nanos, &peer.nanos), |ours, peer| peer / ours)
}

/// CPU time a span as a multiple of the other's.
pub(crate) fn multiple(head: Head, ours: &Figures, peer: &Figures) -> Row {
    row(head, "ns/span", (&ours.nanos, &peer.nanos), |ours, peer| ours / peer)
}

/// The peak of resident memory, as a part of the other's.
pub(crate) fn peak(head: Head, ours: &Figures, peer: &Figures) -> Row {
    #[expect(clippy::cast_precision_loss, reason = "mebibytes are far below 2^52")]
    let mebibytes = |figures: &Figures| vec![figures.peak as f64 / 1_048_576.0];
    row(head, "MiB", (&mebibytes(ours), &mebibytes(peer)), |ours, peer| ours / peer)
}

/// One figure beside another, as a part of it.
pub(crate) fn at_most(head: Head, unit: &'static str, ours: f64, peer: f64) -> Row {
    row(head, unit, (&[ours], &[peer]), |ours, peer| ours / peer)
}

fn row(head: Head, unit: &'static str, sides: (&[f64], &[f64]), ratio: fn(f64, f64) -> f64) -> Row {
    let (ours, peer) = sides;
    // Each repetition's own pair: what slows the machine down for a minute hits both sides of it.
    let ratios = ours.iter().zip(peer).map(|(ours, peer)| ratio(*ours, *peer));
    Row {
        row: head.row,
        shape: head.shape,
        unit,
        ours: Spread::of(ours.iter().copied()),
        peer: Spread::of(peer.iter().copied()),
        ratio: Spread::of(ratios),
        target: head.target,
    }
}
