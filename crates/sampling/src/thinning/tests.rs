use proptest::prelude::*;
use tollgate_otlp::TraceId;

use super::*;
use crate::tracestate::{Marked, marked};

/// Ids that are random, and the same in every run.
fn ids(seed: u64) -> impl Iterator<Item = TraceId> {
    let mut state = u128::from(seed) | 1;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645).wrapping_add(0x9e37_79b9);
        let mixed = state ^ (state >> 61);
        TraceId(mixed.wrapping_mul(0xda94_2042_e4dd_58b5_94d0_49bb_1331_11eb).to_be_bytes())
    })
}

fn share(share: f64) -> Thinner {
    Thinner::new(Terms { share: Some(share), ..Terms::default() })
}

fn spans(rate: f64) -> Thinner {
    Thinner::new(Terms { spans: Some(rate), ..Terms::default() })
}

fn cut(thinner: &mut Thinner, position: u64, arrival: f64, batch: &[Arrived]) -> Cut {
    thinner.cut(position, Duration::from_secs_f64(arrival), batch.iter().map(|arrived| (*arrived, 100)))
}

/// The trace state with which a span stays; none if it does not.
fn stays(thinner: &mut Thinner, state: &str, id: &TraceId) -> Option<String> {
    let arrived = Arrived::read(state, id);
    match cut(thinner, 0, 0.0, &[arrived]).fate(&arrived) {
        Fate::Stays(threshold) => {
            let Marked { state: new, unmarked } = marked(state, id, threshold);
            assert_eq!(unmarked, None);
            Some(new.unwrap_or_else(|| state.to_owned()))
        }
        Fate::Share | Fate::Rate => None,
    }
}

/// For how many traces one with this state stands.
fn count(state: &str) -> f64 {
    let digits = state.strip_prefix("ot=th:").unwrap();
    Threshold::parse(digits).unwrap().adjusted_count()
}

proptest! {
    /// Guarantees: of two collectors the one with the larger share keeps every trace that the other keeps, in whatever order a
    /// trace passes both; the threshold that is left is that of the smaller share.
    #[test]
    fn shares_are_nested_and_the_smaller_one_is_told(low in 0.001_f64..1.0, more in 0.0_f64..0.9, id: [u8; 16], rv in "(ot=rv:[0-9a-f]{14})?") {
        let high = (low + more).min(0.9999);
        let id = TraceId(id);
        let alone = [low.min(0.9999), high].map(|size| stays(&mut share(size), &rv, &id));
        prop_assert!(alone[0].is_none() || alone[1].is_some());
        for (first, second) in [(low.min(0.9999), high), (high, low.min(0.9999))] {
            let both = stays(&mut share(first), &rv, &id).and_then(|state| stays(&mut share(second), &state, &id));
            prop_assert_eq!(&both, &alone[0]);
        }
    }
}

#[test]
fn the_smallest_share_a_document_can_say_keeps_the_highest_randomness() {
    let mut thinner = share(2.0_f64.powi(-56));
    let state = |digits: &str| Arrived::read(&format!("ot=rv:{digits}"), &TraceId([1; 16]));
    let (highest, next) = (state("ffffffffffffff"), state("fffffffffffffe"));
    let cut = cut(&mut thinner, 0, 0.0, &[highest]);
    assert!(matches!(cut.fate(&highest), Fate::Stays(_)));
    assert_eq!(cut.fate(&next), Fate::Share);
}

/// Guarantees: counts by threshold are those of all traces, whatever a trace passed before: within five standard deviations, by
/// a fixed seed.
#[test]
fn adjusted_counts_are_unbiased() {
    const TRACES: u32 = 200_000;
    for shares in [vec![0.1], vec![0.5, 0.1], vec![0.1, 0.5], vec![0.3, 0.3], vec![0.01]] {
        let mut thinners: Vec<Thinner> = shares.iter().map(|size| share(*size)).collect();
        let counts = ids(7).take(TRACES as usize).filter_map(|id| {
            let through = |state: String, thinner: &mut Thinner| stays(thinner, &state, &id);
            thinners.iter_mut().try_fold(String::new(), through).map(|state| count(&state))
        });
        let (sum, smallest) = (counts.sum::<f64>(), shares.iter().copied().fold(1.0, f64::min));
        let deviation = (f64::from(TRACES) * (1.0 - smallest) / smallest).sqrt();
        assert!((sum - f64::from(TRACES)).abs() < 5.0 * deviation, "{shares:?}: {sum}");
    }
}

#[test]
fn at_the_whole_share_nothing_is_touched() {
    let mut thinner = share(1.0);
    let cut = cut(&mut thinner, 0, 0.0, &[]);
    assert!(cut.is_nothing() && (cut.probability() - 1.0).abs() < 1e-12);
}

/// Sends batches of single-span traces for some seconds; what stayed, and what it stands for, in each second.
fn drive(thinner: &mut Thinner, from: u64, seconds: u64, spans_a_second: usize) -> Vec<(f64, f64)> {
    const BATCHES: usize = 20;
    let mut ids = ids(from + 3);
    let second = |second: u64| {
        let (mut kept, mut counted) = (0.0, 0.0);
        for batch in 0..BATCHES {
            let arrived: Vec<_> =
                ids.by_ref().take(spans_a_second / BATCHES).map(|id| Arrived::read("", &id)).collect();
            let arrival = (from + second) as f64 + batch as f64 / BATCHES as f64;
            let position = (from + second) * BATCHES as u64 + batch as u64;
            let cut = cut(thinner, position, arrival, &arrived);
            for one in arrived.iter().filter(|one| matches!(cut.fate(one), Fate::Stays(_))) {
                assert!(one.stays(Threshold::ALWAYS));
                kept += 1.0;
                counted += 1.0 / cut.probability();
            }
        }
        (kept, counted)
    };
    (0..seconds).map(second).collect()
}

/// Guarantees: below the limit all stays; above it what stays is the limit on average, and counts for all that arrived; after
/// a rise to ten times the limit no more passes than the reserve and the limit; and once there is less again, all stays again.
#[test]
fn a_rate_limit_holds_on_average_and_counts_stay_true() {
    let mut thinner = spans(1_000.0);
    let below = drive(&mut thinner, 0, 60, 900);
    assert!(below.iter().all(|(kept, _)| *kept == 900.0), "{below:?}");
    let above = drive(&mut thinner, 60, 240, 10_000);
    let sum = |of: &[(f64, f64)]| of.iter().fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let (kept, _) = sum(&above);
    assert!(kept < 1_000.0 * 240.0 + 10_000.0 + 5.0 * 500.0, "{kept}");
    let (steady, counted) = sum(&above[60..]);
    assert!((steady / 180_000.0 - 1.0).abs() < 0.02, "{steady}");
    assert!((counted / 1_800_000.0 - 1.0).abs() < 0.02, "{counted}");
    let after = drive(&mut thinner, 300, 120, 900);
    assert!(after[60..].iter().all(|(kept, _)| *kept == 900.0), "{after:?}");
}

#[test]
fn the_share_of_a_steady_rate_rarely_changes() {
    let mut thinner = spans(1_000.0);
    drive(&mut thinner, 0, 60, 5_000);
    let mut shares: Vec<Cut> = Vec::new();
    for second in 60..120 {
        drive(&mut thinner, second, 1, 5_000);
        let arrived = Arrived::read("", &TraceId([9; 16]));
        shares.push(cut(&mut thinner, second * 20 + 19, second as f64 + 0.95, &[arrived]));
    }
    shares.dedup();
    assert!(shares.len() <= 10, "{shares:?}");
}

#[test]
fn what_was_thinned_before_the_limit_is_not_thinned_twice_over() {
    let mut thinner = spans(1_000.0);
    let before = Threshold::written(0.1).unwrap();
    let arrived: Vec<_> = ids(5)
        .filter(|id| Arrived::read("", id).stays(before))
        .take(100)
        .map(|id| Arrived::read(&format!("ot=th:{}", before.digits()), &id))
        .collect();
    for batch in 0..1_000 {
        let cut = cut(&mut thinner, batch, batch as f64 * 0.11, &arrived);
        assert!(arrived.iter().all(|one| matches!(cut.fate(one), Fate::Stays(_))), "900 a second are not too many");
    }
}

/// Guarantees: whoever reads the same positions again decides as before, whatever came meanwhile.
#[test]
fn a_second_reading_decides_as_the_first() {
    let mut thinner = spans(100.0);
    let batches: Vec<Vec<Arrived>> =
        (0..200).map(|seed| ids(seed).take(50).map(|id| Arrived::read("", &id)).collect()).collect();
    let read = |thinner: &mut Thinner| -> Vec<Cut> {
        let each = batches.iter().enumerate();
        each.map(|(number, batch)| cut(thinner, number as u64, number as f64 * 0.1, batch)).collect()
    };
    let first = read(&mut thinner);
    assert!(first.iter().any(|cut| !cut.is_nothing()));
    assert_eq!(read(&mut thinner), first);
}

#[test]
fn bytes_are_limited_too_and_clocks_that_jump_do_no_harm() {
    let mut thinner = Thinner::new(Terms { spans: Some(1e9), bytes: Some(1_000.0), share: None });
    let batch: Vec<_> = ids(1).take(50).map(|id| Arrived::read("", &id)).collect();
    let mut kept = 0;
    for number in 0..1_000_u64 {
        let clock = if number == 500 { 1.0 } else { number as f64 };
        let cut = cut(&mut thinner, number, clock, &batch);
        kept += batch.iter().filter(|one| matches!(cut.fate(one), Fate::Stays(_))).count();
    }
    // Ten spans of a hundred bytes a second; the step back and forth brings what passed meanwhile once more.
    assert!((8_000..18_000).contains(&kept), "{kept}");
}
