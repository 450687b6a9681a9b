//! Whatever bytes come in at the door: of what comes out every text has its answer in the table.

use std::path::Path;

use proptest::prelude::*;
use tollgate_federation::Signal;

use crate::answered;
use crate::markers::encoded;
use crate::signals::walk;
use crate::sow::{Kind, Sower};

/// What happens to the bytes of a request on its way.
#[derive(Clone, Debug)]
enum Damage {
    Flip(prop::sample::Index, u8),
    Remove(prop::sample::Index, usize),
    Repeat(prop::sample::Index, usize),
    Insert(prop::sample::Index, Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Flip(at, byte)),
        (at(), 1_usize..40).prop_map(|(at, bytes)| Damage::Remove(at, bytes)),
        (at(), 1_usize..40).prop_map(|(at, bytes)| Damage::Repeat(at, bytes)),
        (at(), prop::collection::vec(any::<u8>(), 1..12)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
    ]
}

fn suffer(payload: &mut Vec<u8>, damage: Damage) {
    match damage {
        Damage::Flip(at, byte) => {
            let at = at.index(payload.len());
            payload[at] = byte;
        }
        Damage::Remove(at, bytes) => {
            let at = at.index(payload.len());
            payload.drain(at..payload.len().min(at + bytes));
        }
        Damage::Repeat(at, bytes) => {
            let at = at.index(payload.len());
            let again = payload[at..payload.len().min(at + bytes)].to_vec();
            payload.splice(at..at, again);
        }
        Damage::Insert(at, bytes) => {
            let at = at.index(payload.len());
            payload.splice(at..at, bytes);
        }
    }
    if payload.is_empty() {
        payload.push(0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Guarantees: on any bytes that the door takes, nothing but what the table answers for comes out.
    #[test]
    fn every_text_that_comes_out_has_its_answer(seed: u64, damages in prop::collection::vec(damage(), 0..8)) {
        for signal in Signal::ALL {
            let mut sower = Sower::new(seed);
            let sown = encoded(&mut sower, signal);
            let mut payload = sower.with_unknown_fields(&sown, Kind::Request(signal));
            let sound = walk(signal, &payload).unwrap().index;
            damages.iter().cloned().for_each(|damage| suffer(&mut payload, damage));
            answered::seal(signal, &payload);
            answered::seal_by(signal, &payload, &sound);
        }
    }
}

/// Guarantees: the fuzz target's seeds are read, and it holds on them, on pieces of them and on noise.
#[test]
fn the_fuzz_target_holds_on_its_seeds_and_on_noise() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/seal");
    let files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
    assert!(files.len() >= 3);
    let mut noise = Sower::new(1);
    for seed in &files {
        answered::any_bytes(seed);
        for _ in 0..200 {
            let mut bytes = seed.clone();
            let at = usize::try_from(noise.random()).unwrap_or_default() % bytes.len();
            match noise.random() % 3 {
                0 => bytes.truncate(at),
                1 => bytes[at] = noise.random().to_le_bytes()[0],
                _ => bytes.splice(at..at, noise.random().to_le_bytes()).for_each(drop),
            }
            answered::any_bytes(&bytes);
        }
    }
    for length in 0..2_000 {
        let bytes: Vec<u8> = (0..length % 64).map(|_| noise.random().to_le_bytes()[0]).collect();
        answered::any_bytes(&bytes);
    }
}
