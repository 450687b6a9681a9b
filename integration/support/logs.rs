//! Log records that carry a number, so that what a backend has can be compared with what was acknowledged.
#![expect(clippy::unwrap_used, reason = "a test stops where its surroundings fail it")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tollgate_otlp::Writer;

use crate::requests::request;

/// A request of one log record with a number and a body of this size.
pub fn log(number: u64, size: usize) -> Vec<u8> {
    let mut body = Vec::new();
    let mut record = Writer::new(&mut body);
    record.message(5, |body| body.string(1, &"x".repeat(size)));
    record.key_string(6, "id", &format!("log-{number}-"));
    request(&[body])
}

/// The numbers in all files of a file exporter's folder.
pub fn numbers(folder: &Path) -> BTreeSet<u64> {
    let mut numbers = BTreeSet::new();
    for file in fs::read_dir(folder).into_iter().flatten().flatten() {
        let text = fs::read_to_string(file.path()).unwrap_or_default();
        let found = text.split("\"log-").skip(1).filter_map(|rest| rest.split('-').next());
        numbers.extend(found.map(|number| number.parse::<u64>().unwrap()));
    }
    numbers
}
