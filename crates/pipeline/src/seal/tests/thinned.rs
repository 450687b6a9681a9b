//! A link that the documents thin: what stays, what it says, and what is counted.

use super::*;
use crate::thin::Thin;

const THIN: &str = "thin: {sampling_percentage: 25}, instruments: {EEA: dpf}";

/// The example, its first link thinned and its policy changed.
fn thinned(policy: impl Fn(String) -> String) -> (TempDir, Bench) {
    let (dir, documents) = rig::edited(|name, text| match name {
        "regions/federation.yaml" => text.replacen("instruments: {EEA: dpf}", THIN, 1),
        "policies/residency.yaml" => policy(text),
        _ => text,
    });
    (dir, Bench::new(documents))
}

fn seal(bench: &Bench) -> Seal {
    let link = bench.link("eu-west", CENTRAL);
    let counters = &bench.counted.all.thinning;
    bench.seal(CENTRAL, Signal::Traces).thinned(Thin::new(link.thinning(), Signal::Traces, "there", counters))
}

/// The randomness of a trace: evenly spread over all.
fn randomness(number: u64) -> u64 {
    number << 50
}

/// A request of 64 traces of one span each, with these trace states.
fn request(state: impl Fn(u64) -> String) -> Vec<u8> {
    rig::envelope(|scope| {
        for number in 0..64 {
            scope.message(2, |span| {
                let mut id = [7; 16];
                id[9..].copy_from_slice(&randomness(number).to_be_bytes()[1..]);
                span.bytes(1, &id);
                span.bytes(2, &(number + 1).to_be_bytes());
                span.string(3, &state(number));
                span.string(5, "GET /cart");
            });
        }
    })
}

/// The number and trace state of each span that crossed.
fn crossed(sealed: &[u8]) -> Vec<(u64, String)> {
    let walked = walk_traces(sealed, &Limits::JOINED).unwrap();
    let read = |body| {
        let view = SpanView::parse(body).unwrap();
        (u64::from_be_bytes(view.span_id.try_into().unwrap()) - 1, view.trace_state.to_owned())
    };
    Batch::new(sealed, &walked.index).items().map(|item| read(item.body())).collect()
}

fn outcomes(bench: &Bench) -> [u64; 3] {
    ["\"offered\"", "\"dropped\"", "\"withheld\""].map(|outcome| bench.counted.items(outcome))
}

fn sent(seal: &mut Seal, record: &Record) -> Vec<(u64, String)> {
    run(seal, record, &["a"], &["a"]).into_iter().flatten().flat_map(|sealed| crossed(&sealed.bytes())).collect()
}

/// Guarantees: a quarter crosses, the one with the highest randomness, and says so; the rest is dropped, and counted by reason.
#[test]
fn a_quarter_of_all_traces_crosses_and_says_by_which_threshold() {
    let (_dir, bench) = thinned(|text| text);
    let record = bench.record(request(|_| String::new()));
    assert_eq!(
        sent(&mut seal(&bench), &record),
        (48..64).map(|number| (number, "ot=th:c".to_owned())).collect::<Vec<_>>()
    );
    assert_eq!(outcomes(&bench), [64, 48, 0]);
    let read = |name: &str, text: &str| bench.counted.read(name, text);
    assert_eq!(read("tollgate_thinning_left_out_spans_total", "reason=\"share\""), 48);
    assert!(read("tollgate_thinning_left_out_bytes_total", "reason=\"share\"") > 48 * 24);
    assert_eq!(read("tollgate_thinning_unmarked_spans_total", ""), 0);
    assert_eq!(read("tollgate_thinning_undeclared_random_spans_total", ""), 64);
    let status = bench.counted.all.thinning.status().unwrap();
    assert_eq!(
        (&status["there"]["probability"], &status["there"]["left_out_spans"]["share"]),
        (&0.25.into(), &48.into())
    );
}

/// Guarantees: who thinned more before stays and keeps its threshold; what cannot be true is erased, what cannot be read is
/// judged by the id and left alone, and both are counted.
#[test]
fn what_arrives_with_a_threshold_keeps_the_higher_one() {
    let (_dir, bench) = thinned(|text| text);
    let record = bench.record(request(|number| match number {
        63 => "ot=th:e".to_owned(),
        62 => "ot=th:8".to_owned(),
        61 => "ot=th:ff".to_owned(),
        60 => "=".to_owned(),
        59 => "ot=rv:00000000000000".to_owned(),
        1 => "ot=rv:ffffffffffffff".to_owned(),
        _ => String::new(),
    }));
    let sent = sent(&mut seal(&bench), &record);
    let state = |number| sent.iter().find(|(found, _)| *found == number).map(|(_, state)| state.as_str());
    assert_eq!([63, 62, 61, 60].map(state), [Some("ot=th:e"), Some("ot=th:c"), Some(""), Some("")]);
    assert_eq!([59, 1].map(state), [None, Some("ot=th:c;rv:ffffffffffffff")]);
    for (reason, count) in [("untrue", 1), ("unreadable", 1), ("no_room", 0)] {
        let reason = format!("reason=\"{reason}\"");
        assert_eq!(bench.counted.read("tollgate_thinning_unmarked_spans_total", &reason), count, "{reason}");
    }
}

/// Guarantees: blinded ids decide as the ids did, and a threshold comes over beside the randomness it is true of.
#[test]
fn over_a_blinded_link_the_threshold_stays_true() {
    let (_dir, bench) = thinned(|text| text.replace("corr: raw", "corr: {blind: ids}"));
    let sent = sent(&mut seal(&bench), &bench.record(request(|_| String::new())));
    let digits = sent.iter().map(|(_, state)| state.strip_prefix("ot=th:c;rv:").unwrap()[..4].to_owned());
    let expected = (48..64).map(|number| format!("{:014x}", randomness(number))[..4].to_owned());
    assert_eq!(digits.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

/// Guarantees: lanes that sweep one by one send and count what they would together.
#[test]
fn lanes_apart_send_and_count_what_they_would_together() {
    let (_dir, bench) = thinned(|text| text);
    let record = bench.record(request(|_| String::new()));
    let mut seal = seal(&bench);
    let mut apart: Vec<u64> = Vec::new();
    for lane in ["a", "b", "c"] {
        let sealed = run(&mut seal, &record, &["a", "b", "c"], &[lane]);
        apart.extend(sealed.into_iter().flatten().flat_map(|sealed| numbers(&sealed.bytes())));
    }
    apart.sort_unstable();
    assert_eq!((apart, outcomes(&bench)), ((48..64).collect(), [64, 48, 0]));
}

/// Guarantees: over a closed link what is not dropped is withheld, and nothing is counted twice.
#[test]
fn a_closed_link_withholds_what_is_left() {
    let (_dir, bench) = thinned(|text| text);
    bench.on("2027-06-01");
    assert_eq!(sent(&mut seal(&bench), &bench.record(request(|_| String::new()))), []);
    assert_eq!(outcomes(&bench), [64, 48, 16]);
}

/// Guarantees: a rate limit drops by whole traces, what it lets through says by which threshold, and a record that is read again
/// is decided again as it was.
#[test]
fn a_rate_limit_drops_traces_and_decides_a_second_time_alike() {
    let (_dir, documents) = rig::edited(|name, text| match name {
        "regions/federation.yaml" => {
            text.replacen("instruments: {EEA: dpf}", &THIN.replace("sampling_percentage: 25", "spans_per_second: 2"), 1)
        }
        _ => text,
    });
    let bench = Bench::new(documents);
    let mut seal = seal(&bench);
    let records: Vec<Record> = (0..20)
        .map(|number| Record { position: Position::new(100 + number), ..bench.record(request(|_| String::new())) })
        .collect();
    let mut all = || records.iter().map(|record| sent(&mut seal, record)).collect::<Vec<_>>();
    let first = all();
    let count: usize = first.iter().map(Vec::len).sum();
    assert!((10..=30).contains(&count), "ten seconds' worth at once, of 1280: {count}");
    assert!(first.iter().flatten().all(|(_, state)| state.starts_with("ot=th:")), "{first:?}");
    let [offered, dropped, _] = outcomes(&bench);
    assert_eq!((offered, offered - dropped), (1280, count as u64));
    assert_eq!(bench.counted.read("tollgate_thinning_left_out_spans_total", "reason=\"rate\""), dropped);
    assert_eq!(all(), first);
}
