//! The recording: one line of hexadecimal digits for each policy, four traces a digit.

use std::fs;
use std::path::PathBuf;

use crate::dice::digest;
use crate::policies::Case;
use crate::traffic::Traffic;

/// For each policy, for each trace, whether the Collector kept it.
pub(crate) struct Recorded {
    pub(crate) kept: Vec<Vec<bool>>,
}

impl Recorded {
    pub(crate) fn read(traffic: &Traffic, cases: &[Case]) -> Self {
        let text = fs::read_to_string(path()).expect("a recording");
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some(head(traffic, cases).as_str()), "the generator has changed: record anew");
        let kept: Vec<_> = lines.map(|line| bits(line, traffic.traces.len())).collect();
        assert_eq!(kept.len(), cases.len());
        Self { kept }
    }

    pub(crate) fn write(&self, traffic: &Traffic, cases: &[Case]) {
        let lines: Vec<_> = self.kept.iter().map(|kept| digits(kept)).collect();
        fs::write(path(), format!("{}\n{}\n", head(traffic, cases), lines.join("\n"))).expect("a recording is written");
    }
}

/// Which traffic and policies were decided on, and by whom.
fn head(traffic: &Traffic, cases: &[Case]) -> String {
    let traffic = digest(traffic.requests.iter().map(|request| request.payload.as_slice()));
    let texts: Vec<_> = cases.iter().map(Case::text).collect();
    let policies = digest(texts.iter().map(String::as_bytes));
    format!("Collector 0.159.0, traffic {traffic:016x}, {} policies {policies:016x}", cases.len())
}

fn path() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/decisions.txt"))
}

pub(crate) fn digits(kept: &[bool]) -> String {
    let digit = |four: &[bool]| {
        let digit = four.iter().rev().fold(0, |digit, kept| digit << 1 | u32::from(*kept));
        char::from_digit(digit, 16).unwrap_or_default()
    };
    kept.chunks(4).map(digit).collect()
}

pub(crate) fn bits(line: &str, count: usize) -> Vec<bool> {
    let digits = line.chars().map(|digit| digit.to_digit(16).expect("a hexadecimal digit"));
    let bits = digits.flat_map(|digit| (0..4).map(move |bit| digit >> bit & 1 == 1));
    bits.take(count).collect()
}
