//! Row (e), the collector of a cluster with 1, 4, 16 and 64 gateways to send to: its cost a span is to stay the same.

use std::time::Duration;

use super::contest::{Arena, Turns};
use super::flow::Flow;
use super::layout::{COLLECTOR, Durability, Run, Sampling};
use super::load::{Out, Pressure};
use super::rows::{Head, multiple};
use super::shape::Shape;
use super::{Stand, StandError, agent};
use crate::Options;
use crate::row::{Row, Target};

const ONE: (u8, &str) = (1, "");
const MORE: [(u8, &str); 3] = [(4, "destinations 4 / 1"), (16, "destinations 16 / 1"), (64, "destinations 64 / 1")];

fn more(options: &Options) -> &'static [(u8, &'static str)] {
    if options.quick { &MORE[2..] } else { &MORE }
}

pub(crate) fn planned(options: &Options) -> Duration {
    Turns::usual(options).planned(1 + more(options).len())
}

/// Beside itself with one gateway.
pub(crate) fn rows(stand: &Stand<'_>) -> Result<Vec<Row>, StandError> {
    let counts: Vec<u8> = [ONE].iter().chain(more(stand.options)).map(|(count, _)| *count).collect();
    let name = |count: u8| format!("{count}-destinations");
    let (shape, flow) = (Shape::usual(1000), Flow::default());
    let templates = stand.templates(shape);
    let (clock, pressure) = (&stand.clock, Pressure::FULL);
    let arena = Arena { templates: &templates, flow: &flow, clock, out: Out::WithoutHealthChecks, pressure };
    let sampling = Sampling::usual(10);
    let layouts = counts.iter().map(|count| stand.layout(*count, sampling)).collect::<Result<Vec<_>, _>>()?;
    let figures = stand.runtime.block_on(async {
        let (mut stations, mut all_sinks) = (Vec::new(), Vec::new());
        for (count, layout) in counts.iter().zip(&layouts) {
            all_sinks.extend(agent::sinks(layout, *count, &flow).await?);
            // With `fsync` the disk would be most of the figure, and the same in all.
            let run = Run { node: COLLECTOR, durability: Durability::Os, name: &name(*count), workers: 1 };
            stations.push(stand.site(layout).tollgate(&run)?);
        }
        arena.contest(&stations, stand.turns()).await
    })?;
    let rows = more(stand.options).iter().filter_map(|(count, row)| {
        let head = Head { row, shape: stand.shape(shape), target: Target::AtMost(1.2) };
        multiple(head, &figures, &name(*count), &name(ONE.0))
    });
    Ok(rows.collect())
}
