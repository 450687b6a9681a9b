//! Metrics and logs over a link: sealed where rules open them, withheld where none does, and never lost between lanes.

use tollgate_otlp::messages;

use super::*;
use crate::load::Load;

const NODES: [&str; 3] = ["a", "b", "c"];

/// The example with rules that open metrics and logs from the EEA to the US, over links that carry them.
fn opened() -> (TempDir, Arc<Documents>) {
    rig::edited(|name, text| match name {
        "policies/residency.yaml" => {
            let open = |text: String, signal: &str| {
                let closed = format!("reaching: US, signal: {signal}, deny: [all]");
                text.replacen(&closed, &format!("reaching: US, signal: {signal}, allow: {{op: raw, corr: raw}}"), 1)
            };
            open(open(text, "logs"), "metrics")
        }
        "regions/federation.yaml" => text.replace("signals: [traces]", "signals: [traces, metrics, logs]"),
        _ => text,
    })
}

/// A request with so many resources; of the two items of each one is in a trace, if the signal has any.
fn request(signal: Signal, resources: u64) -> Vec<u8> {
    let mut request = Vec::new();
    for number in 0..resources {
        Writer::new(&mut request).message(1, |group| write_group(signal, group, number));
    }
    request
}

fn write_group(signal: Signal, group: &mut Writer<'_>, number: u64) {
    group.message(1, |resource| resource.key_string(1, "service.name", &format!("shop-{number}")));
    group.message(2, |scope| {
        scope.message(2, |item| write(signal, item, 2 * number));
        scope.message(2, |item| {
            write(signal, item, 2 * number + 1);
            if signal == Signal::Logs {
                item.bytes(9, &rig::trace_id(number));
            }
        });
    });
}

fn write(signal: Signal, item: &mut Writer<'_>, number: u64) {
    match signal {
        Signal::Logs => item.fixed64(11, number),
        _ => item.string(1, &format!("m{number}")),
    }
}

fn numbers(signal: Signal, sealed: Option<&Sealed>) -> Vec<u64> {
    let Some(bytes) = sealed.map(Sealed::bytes) else { return Vec::new() };
    let walked = walk(signal, &bytes, &Limits::JOINED).unwrap();
    let number = |body: &[u8]| match signal {
        Signal::Logs => {
            let found = tollgate_otlp::wire::Fields::new(body).flatten().find(|field| field.number == 11).unwrap();
            let tollgate_otlp::wire::Wire::Fixed64(number) = found.value else { return u64::MAX };
            number
        }
        _ => std::str::from_utf8(messages(body, 1).next().unwrap()).unwrap()[1..].parse().unwrap(),
    };
    Batch::new(&bytes, &walked.index).items().map(|item| number(item.body())).collect()
}

fn record_of(bench: &Bench, signal: Signal, resources: u64) -> Record {
    let (payload, mut index) = (request(signal, resources), Vec::new());
    walk(signal, &payload, &Limits::default()).unwrap().index.encode(&mut index);
    Record { payload: payload.into(), index: index.into(), ..bench.record(spans([1])) }
}

/// Guarantees: where no rule opens them all are withheld, and the cursor passes; each lane counts its own part.
#[test]
fn signals_that_no_rule_opens_are_withheld() {
    let bench = Bench::new(rig::documents());
    let mut seal = bench.seal(CENTRAL, Signal::Logs);
    let record = record_of(&bench, Signal::Logs, 1);
    assert_eq!(run(&mut seal, &record, &["a", "b"], &["a", "b"]), [None, None]);
    assert_eq!(bench.counts(), [2, 2]);
    run(&mut seal, &record, &["a", "b"], &["a"]);
    run(&mut seal, &record, &["a", "b"], &["b"]);
    assert_eq!(bench.counts(), [4, 4]);
}

/// Guarantees: items without a trace are routed by their resource; lanes that sweep apart seal together what one convoy
/// seals, each item once.
#[test]
fn lanes_share_what_has_no_trace_by_its_resource() {
    let (_dir, documents) = opened();
    for signal in [Signal::Metrics, Signal::Logs] {
        let bench = Bench::new(Arc::clone(&documents));
        let mut seal = bench.seal(CENTRAL, signal);
        let record = record_of(&bench, signal, 30);
        let numbers = |sealed: &[Option<Sealed>]| -> Vec<_> {
            sealed.iter().map(|sealed| numbers(signal, sealed.as_ref())).collect()
        };
        let together = numbers(&run(&mut seal, &record, &NODES, &NODES));
        assert_eq!(bench.counts(), [60, 0]);
        assert!(together.iter().all(|part| part.len() > 5), "{together:?}");
        let mut all = together.concat();
        all.sort_unstable();
        assert_eq!(all, (0..60).collect::<Vec<_>>());
        let apart: Vec<_> = NODES.iter().flat_map(|node| numbers(&run(&mut seal, &record, &NODES, &[node]))).collect();
        assert_eq!(apart, together);
        assert_eq!(bench.counts(), [120, 0]);
        if signal == Signal::Metrics {
            let pairs = together.iter().all(|part| part.chunks(2).all(|pair| pair[0] + 1 == pair[1]));
            assert!(pairs, "metrics of one resource stay together: {together:?}");
        }
    }
}

/// Scenario: the owner of a parcel is away, or the parcel is too large. Guarantees: every sealed item goes somewhere, once.
#[test]
fn what_is_sealed_is_taken_apart_by_resource_and_in_the_middle() {
    let (_dir, documents) = opened();
    for signal in [Signal::Metrics, Signal::Logs] {
        let bench = Bench::new(Arc::clone(&documents));
        let mut seal = bench.seal(CENTRAL, signal);
        let sealed = run(&mut seal, &record_of(&bench, signal, 5), &["a"], &["a"]).remove(0).unwrap();
        let parts = sealed.clone().split(signal, 2, &mut |key| Some(usize::from(key.last().unwrap() % 2 == 0)));
        let mut items: Vec<_> = parts.unwrap().iter().flat_map(|part| numbers(signal, part.as_ref())).collect();
        items.sort_unstable();
        assert_eq!(items, (0..10).collect::<Vec<_>>());
        let (first, second) = sealed.halve(signal).unwrap();
        let halves = [&first, &second].map(|half| numbers(signal, Some(half)));
        assert_eq!(halves, [vec![0, 1, 2, 3, 4], vec![5, 6, 7, 8, 9]]);
    }
}

/// Guarantees: a record that arrived before metrics were opened, or that goes when they are closed again, stays.
#[test]
fn metrics_cross_only_if_they_might_then_and_now() {
    let (_dir, open) = opened();
    for (then, now, crossing) in
        [(&open, &open, vec![0, 1]), (&rig::documents(), &open, vec![]), (&open, &rig::documents(), vec![])]
    {
        let arrived = record_of(&Bench::new(Arc::clone(then)), Signal::Metrics, 1);
        let bench = Bench::in_folder(Bench::new(Arc::clone(then)).dir, Arc::clone(now));
        let mut seal = bench.seal(CENTRAL, Signal::Metrics);
        let sealed = run(&mut seal, &arrived, &["a"], &["a"]).remove(0);
        assert_eq!(numbers(Signal::Metrics, sealed.as_ref()), crossing);
    }
}
