//! Decisions of the real Collector on random policies and random traffic, recorded, and ours beside them.
//!
//! The recording holds one bit for each policy and trace; policies and traffic are made again from their seed, and their
//! digests tell when the generator has changed. To record anew (a minute, and some more where the Collector is not built
//! yet): `TOLLGATE_RECORD=1 cargo test --package tollgate-integration --test decisions`. With `cargo xtask check --full` the
//! Collector decides again, and must decide what is recorded.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test stops where its surroundings fail it, and chance is cut to size"
)]

#[path = "decisions/conditions.rs"]
mod conditions;
#[path = "decisions/dice.rs"]
mod dice;
#[path = "decisions/expressions.rs"]
mod expressions;
#[path = "decisions/known.rs"]
mod known;
#[path = "decisions/live.rs"]
mod live;
#[path = "decisions/ours.rs"]
mod ours;
#[path = "decisions/policies.rs"]
mod policies;
#[path = "decisions/recorded.rs"]
mod recorded;
#[path = "decisions/spelled.rs"]
mod spelled;
#[path = "decisions/traffic.rs"]
mod traffic;

use policies::Case;
use recorded::Recorded;
use traffic::Traffic;

const SEED: u64 = 1;

/// The policies in the order of the recording.
fn cases(seed: u64) -> Vec<Case> {
    [random(seed), vec![conditions::failing_by_default()], known::cases()].concat()
}

fn random(seed: u64) -> Vec<Case> {
    [policies::random(seed), conditions::random(seed)].concat()
}

/// Where our sets differ from theirs, and where they do not although they should.
fn differences(cases: &[Case], traffic: &Traffic, theirs: &[Vec<bool>]) -> Vec<String> {
    let compared = cases.iter().zip(theirs).filter_map(|(case, theirs)| {
        let ours = ours::kept(case, traffic).unwrap_or_else(|faults| panic!("{}\n{faults}", case.text()));
        case.difference(&ours, theirs)
    });
    compared.collect()
}

#[test]
fn the_same_traces_are_kept_as_by_the_collector() {
    let (traffic, cases) = (Traffic::random(SEED), cases(SEED));
    let recorded = Recorded::read(&traffic, &cases);
    let differences = differences(&cases, &traffic, &recorded.kept);
    assert!(differences.is_empty(), "{} of {} differ:\n{}", differences.len(), cases.len(), differences.join("\n"));
}

/// Each difference is a rule of its own and no accident: what we keep is what its rule says.
#[test]
fn what_we_do_otherwise_follows_a_rule() {
    let traffic = Traffic::random(SEED);
    for known in known::differences() {
        let spans = |trace: &[u8; 16]| {
            let seen = traffic.seen.iter().filter(|seen| seen.span.trace_id == trace);
            seen.collect::<Vec<_>>()
        };
        let wanted: Vec<_> = traffic.traces.iter().map(|trace| (known.wanted)(&spans(trace))).collect();
        assert_eq!(ours::kept(&known.case(), &traffic), Ok(wanted), "{}", known.why);
    }
}

/// Recordings stay true, and other policies and traffic are decided alike.
#[test]
fn the_collector_decides_as_it_is_recorded_and_as_we_do_on_what_is_not() {
    if std::env::var_os("TOLLGATE_RECORD").is_some() {
        let (traffic, cases) = (Traffic::random(SEED), cases(SEED));
        return Recorded { kept: live::kept(&cases, &traffic) }.write(&traffic, &cases);
    }
    if std::env::var_os("TOLLGATE_FULL").is_none() {
        return;
    }
    let (traffic, recorded) = (Traffic::random(SEED), cases(SEED));
    assert_eq!(Recorded::read(&traffic, &recorded).kept, live::kept(&recorded, &traffic));
    for seed in seeds() {
        let (traffic, cases) = (Traffic::random(seed), random(seed));
        let differences = differences(&cases, &traffic, &live::kept(&cases, &traffic));
        assert!(differences.is_empty(), "seed {seed}, {} differ:\n{}", differences.len(), differences.join("\n"));
    }
}

/// Seeds of what is not recorded; `TOLLGATE_SEED` names another one.
fn seeds() -> Vec<u64> {
    let named = std::env::var("TOLLGATE_SEED").ok().and_then(|seed| seed.parse().ok());
    named.map_or_else(|| vec![2, 3], |seed| vec![seed])
}
