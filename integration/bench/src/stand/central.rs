//! Row (c), a central node: mTLS in, tail sampling with four policies, about one trace in ten kept, TLS out.
//!
//! Both sides read the same `tail_sampling` block. Ours has the bytes on disk before it answers, and the spans of waiting
//! traces stay there; the Collector keeps them in memory and answers when it has them. The floor has them on disk too, and
//! does nothing else.
//!
//! The traces are those that a central tier is there for: each crosses eight services, which send their spans in several
//! requests. With one span of each service a trace is as far apart as it can be, which costs the Collector most: it keeps what
//! it gets by resource and trace. As close together as can be, whole in one resource, traces ask for no such tier; they have
//! a row of their own, and it is to reach the same.

use std::time::Duration;

use super::contest::{Arena, Turns};
use super::floor::keeping::Keeping;
use super::floor::{self, Onward};
use super::flow::Flow;
use super::layout::{CENTRAL, Durability, Layout, Run, Sampling};
use super::load::{self, Out, Pressure};
use super::rows::{Head, multiple, times_less};
use super::shape::{Body, Shape, Traces};
use super::sink::{Framing, Sink};
use super::station::{Peer, Site, Station};
use super::{Stand, StandError};
use crate::Options;
use crate::row::{Row, Target};

const TAIL_SAMPLING: &str = include_str!("../../../peers/central.yaml");
const FSYNC: &str = "central-fsync";
const PEER: &str = "tail-sampling";
const FLOOR: &str = "central-floor";

/// One row, and how long its traces wait.
#[derive(Clone, Copy)]
struct Case {
    row: &'static str,
    body: Body,
    traces: Traces,
    /// In seconds.
    wait: u32,
    target: Target,
}

impl Case {
    const fn has_floor(&self) -> bool {
        matches!((self.body, self.traces), (Body::Usual, Traces::Spread))
    }
}

/// The usual spans wait as long as is usual, others and those of a quick run as short as a row can be.
fn cases(options: &Options) -> Vec<Case> {
    let target = Target::AtLeast(15.0);
    let (row, traces) = ("central fsync / tail sampling", Traces::Spread);
    let usual = Case { row, body: Body::Usual, traces, wait: 10, target };
    if options.quick {
        return vec![Case { wait: 2, ..usual }];
    }
    let whole = "central fsync / tail sampling, whole traces";
    let whole = Case { row: whole, traces: Traces::Whole, ..usual };
    let shown = Case { wait: 2, target: Target::Shown, ..usual };
    let tiny = Case { row: "central fsync / tail sampling, tiny spans", body: Body::Tiny, ..shown };
    let fat = Case { row: "central fsync / tail sampling, fat spans", body: Body::Fat, ..shown };
    vec![usual, whole, tiny, fat]
}

pub(crate) fn planned(options: &Options) -> Duration {
    let beside = |case: &Case| turns(options, case).planned(2);
    cases(options).iter().map(beside).sum::<Duration>() + Turns::usual(options).planned(1)
}

/// Beside the Collector's tail sampling.
pub(crate) fn rows(stand: &Stand<'_>) -> Result<Vec<Row>, StandError> {
    stand.collector()?;
    let mut rows = Vec::new();
    for case in cases(stand.options) {
        rows.extend(measure(stand, &case)?);
    }
    Ok(rows)
}

/// Warmed up as long as a turn takes: the log has all the files by then that it needs in one, as under a load that lasts. After
/// two quiet minutes a node gives them back, and pays for the first write to each again.
fn turns(options: &Options, case: &Case) -> Turns {
    let usual = Turns::usual(options);
    Turns { wait: Duration::from_secs(case.wait.into()), warm_up: usual.window, ..usual }
}

fn measure(stand: &Stand<'_>, case: &Case) -> Result<Vec<Row>, StandError> {
    let Case { row, body, traces, wait, target } = *case;
    let (shape, flow) = (Shape { body, traces, ..Shape::usual(1000) }, Flow::default());
    let layout = stand.layout(1, Sampling::usual(wait))?;
    let templates = stand.templates(shape);
    let (clock, pressure) = (&stand.clock, Pressure::FULL);
    let arena = Arena { templates: &templates, flow: &flow, clock, out: Out::Sampled, pressure };
    let figures = stand.runtime.block_on(async {
        let _sink = listen(&layout, &flow).await?;
        let by_length = layout.identity("home").lenient_server()?;
        let _by_length = Sink::listen(layout.home_by_length(), by_length, Framing::Length, flow.clone()).await?;
        let site = stand.site(&layout);
        let fsync = Run { node: CENTRAL, durability: Durability::Fsync, name: FSYNC, workers: 1 };
        let mut stations = vec![site.tollgate(&fsync)?, collector(stand, site, PEER)?];
        if case.has_floor() {
            stations.push(at_least(stand, site)?);
        }
        arena.contest(&stations, turns(stand.options, case)).await
    })?;
    let kept = figures.iter().map(|figures| format!("{:.1} %", figures.out * 100.0)).collect::<Vec<_>>().join(", ");
    let shape = format!("{}, {traces}, wait {wait} s, kept {kept}", stand.shape(shape));
    let head = |row, target| Head { row, shape: shape.clone(), target };
    let beside = times_less(head(row, target), &figures, FSYNC, PEER);
    let floor = multiple(head("central fsync / floor", Target::Shown), &figures, FSYNC, FLOOR);
    Ok([beside, floor].into_iter().flatten().collect())
}

fn at_least(stand: &Stand<'_>, site: Site<'_>) -> Result<Station, StandError> {
    let layout = site.layout;
    let (listen, identity) = (layout.doors(CENTRAL).entrance, layout.identity(CENTRAL));
    let onward = Onward { sink: layout.home_by_length(), client: identity.client()? };
    let keeping = Keeping::new(&layout.path("floor"), onward)?;
    let thread = floor::start(stand.cores, listen, identity.server()?, keeping)?;
    let target = load::Target { framing: Framing::Length, ..site.target(CENTRAL, listen)? };
    Ok(Station::thread(FLOOR, thread, target))
}

/// The backend of the central tier.
pub(crate) async fn listen(layout: &Layout, flow: &Flow) -> Result<Sink, StandError> {
    Sink::listen(layout.home(), layout.identity("home").lenient_server()?, Framing::Grpc, flow.clone()).await
}

/// The Collector in the place of a central node.
pub(crate) fn collector(stand: &Stand<'_>, site: Site<'_>, name: &str) -> Result<Station, StandError> {
    let extra = vec![site.layout.path("sampling-of-the-collector.yaml")];
    let peer = Peer { name, config: TAIL_SAMPLING, extra, sinks: vec![site.layout.home()], node: CENTRAL };
    site.collector(stand.collector()?, &peer)
}
