//! Random traffic, ticks, disk faults and crashes: every span of a kept trace is kept, once where the crash was between
//! flushes, and no span of a dropped trace ever.

use proptest::collection::vec;
use proptest::prelude::*;
use tollgate_disk::{Fault, Operation};

use super::tests::{Bench, WAIT, error, span};

#[derive(Clone, Debug)]
enum Event {
    /// Spans of traces of these numbers; odd ones are kept.
    Append(Vec<u64>),
    /// So many parts of eight of the wait pass.
    Pass(u32),
    Tick,
    /// The kept log's disk refuses after so many more writes.
    Refuse(u64),
    Crash,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => vec(0_u64..20, 1..10).prop_map(Event::Append),
        3 => (1_u32..10).prop_map(Event::Pass),
        4 => Just(Event::Tick),
        1 => (0_u64..3).prop_map(Event::Refuse),
        1 => Just(Event::Crash),
    ]
}

async fn run(events: Vec<Event>) -> Result<(), TestCaseError> {
    let mut bench = Bench::new().await;
    let (mut next, mut expected) = (0, Vec::new());
    for event in events {
        match event {
            Event::Append(traces) => {
                let spans = (next..).zip(&traces).map(|(number, trace)| match trace % 2 {
                    1 => error(*trace, number),
                    _ => span(*trace, number),
                });
                let spans: Vec<_> = spans.collect();
                next += spans.len() as u64;
                expected.extend(spans.iter().filter(|span| span.is_error).map(|span| span.number));
                bench.append(&spans).await;
            }
            Event::Pass(eighths) => bench.pass(WAIT / 8 * eighths),
            Event::Tick => drop(bench.tick().await),
            Event::Refuse(passing) => {
                bench.faults.plant(Operation::Write, passing, Fault::Fail(std::io::ErrorKind::StorageFull));
                bench.faults.plant(Operation::Allocate, 0, Fault::Fail(std::io::ErrorKind::StorageFull));
            }
            Event::Crash => bench = bench.crashed().await,
        }
    }
    bench.faults.lift();
    bench.settle().await;
    prop_assert_eq!(bench.kept().await, expected);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn kept_spans_are_there_once_and_dropped_ones_never(events in vec(event(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(events))?;
    }
}
