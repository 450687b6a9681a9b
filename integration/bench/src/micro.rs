//! Rows of single steps, one thread each, beside what one would write with prost and beside the floor under both.
//!
//! Promises:
//! 1. Both sides do the same work on the same bytes with the same allocator; tests of each file compare what comes out.
//! 2. What wobbles least is said too: instructions a span, counted by callgrind where it is installed.
#![expect(clippy::unwrap_used, reason = "what cannot be set up cannot be measured")]
#![expect(clippy::cast_possible_truncation, reason = "what is counted here is small")]

mod codec;
mod instructions;
mod policy;
mod requests;
mod sampling;
mod seal;
mod spool;
mod tls;

use std::time::Duration;

use crate::Options;
use crate::found::Found;
use crate::measure::{Pair, Time};
use crate::row::{NANOS_A_SPAN, Row, Target};
use crate::stand::shape::Body;
use requests::{Requests, Shape};

pub(crate) use instructions::{Once, collected, has_valgrind};

/// A comparison of two things that need the CPU and nothing else.
struct Micro {
    row: &'static str,
    shape: Shape,
    /// What stands in the table beside the number and size of the spans.
    about: &'static str,
    unit: &'static str,
    target: Target,
    pair: fn(Shape) -> Pair<'static>,
}

const SPAN: Micro = Micro {
    row: "",
    shape: Shape::USUAL,
    about: "10 attributes",
    unit: NANOS_A_SPAN,
    target: Target::Shown,
    pair: codec::walk,
};

const TINY: Micro = Micro { shape: Shape::of(Body::Tiny), about: "3 attributes", ..SPAN };
const FAT: Micro = Micro { shape: Shape::of(Body::Fat), about: "50 attributes", ..SPAN };
const LONG: Micro = Micro { shape: Shape::of(Body::Long), about: "14 attributes", ..SPAN };
const SMALL: Micro = Micro { shape: Shape::usual(100), ..SPAN };

const WALK: Target = Target::AtLeast(5.0);
const SPLIT: Target = Target::AtLeast(10.0);
const SEAL: Target = Target::AtLeast(5.5);
const FLAT: Target = Target::AtMost(1.2);

const ROWS: [Micro; 28] = [
    Micro { row: "walk", target: WALK, pair: codec::walk, ..SPAN },
    Micro { row: "walk/small", target: WALK, pair: codec::walk, ..SMALL },
    Micro { row: "walk/tiny", pair: codec::walk, ..TINY },
    Micro { row: "walk/fat", pair: codec::walk, ..FAT },
    Micro { row: "walk/long", pair: codec::walk, ..LONG },
    Micro { row: "walk/floor", pair: codec::walk_and_floor, ..SPAN },
    Micro { row: "walk/tls", pair: |shape| tls::beside(codec::walk(shape), shape), ..SPAN },
    Micro { row: "split", target: SPLIT, pair: codec::split_record, ..SPAN },
    Micro { row: "split/small", target: SPLIT, pair: codec::split_record, ..SMALL },
    Micro { row: "split/tiny", pair: codec::split_record, ..TINY },
    Micro { row: "split/fat", pair: codec::split_record, ..FAT },
    Micro { row: "split/long", pair: codec::split_record, ..LONG },
    Micro { row: "split/walked", pair: codec::walk_and_split, ..SPAN },
    Micro { row: "split/floor", pair: codec::split_and_floor, ..SPAN },
    Micro { row: "split/tls", pair: |shape| tls::beside(codec::split_record(shape), shape), ..SPAN },
    Micro { row: "seal", target: SEAL, pair: seal::seal, ..SPAN },
    Micro { row: "seal/small", target: SEAL, pair: seal::seal, ..SMALL },
    Micro { row: "seal/long", pair: seal::seal, ..LONG },
    Micro { row: "seal/walked", pair: seal::walk_and_seal, ..SPAN },
    Micro { row: "seal/floor", pair: seal::seal_and_floor, ..SPAN },
    Micro { row: "seal/tls", pair: |shape| tls::beside(seal::seal(shape), shape), ..SPAN },
    Micro { row: "seal/rules", about: "1000 rules and 5000 keys, 10 and 50", target: FLAT, pair: seal::rules, ..SPAN },
    Micro {
        row: "seal/attributes",
        shape: Shape::Attributes(100),
        about: "100 attributes, 10 attributes",
        unit: "ns/attribute",
        target: FLAT,
        pair: seal::attributes,
    },
    Micro { row: "seal/memo", shape: Shape::Attributes(10), about: "2000 users, 8000", pair: seal::memo, ..SPAN },
    Micro { row: "tls", about: "AWS-LC alone", pair: tls::cryptography, ..SPAN },
    Micro { row: "observe", pair: sampling::observe, ..SPAN },
    Micro { row: "sweep", about: "a tenth kept", pair: sampling::sweep, ..SPAN },
    Micro { row: "sweep/small", about: "a tenth kept", pair: sampling::sweep, ..SMALL },
];

impl Micro {
    fn measure(&self, options: &Options) -> Row {
        let measured = (self.pair)(self.shape).measure(options.repetitions(), Time::Cpu);
        measured.row(self.row, self.described(), self.unit, self.target)
    }

    fn described(&self) -> String {
        Requests::of(self.shape).describe(self.about)
    }
}

/// Measures the rows that are wanted.
pub(crate) fn measure(options: &Options, found: &mut Found) {
    found.rows.extend(ROWS.iter().filter(|row| options.wants(row.row)).map(|row| row.measure(options)));
    found.rows.extend(spool::rows(options));
    instructions::rows(options, found);
}

/// What is going to be measured, and how long it takes.
pub(crate) fn planned(options: &Options) -> Vec<(&'static str, Duration)> {
    let steps = ROWS.iter().filter(|row| options.wants(row.row)).count();
    let steps = Pair::planned(options.repetitions()) * u32::try_from(steps).unwrap_or(u32::MAX);
    let planned =
        [("steps", steps), ("log", spool::planned(options)), ("instructions", instructions::planned(options))];
    planned.into_iter().filter(|(_, planned)| !planned.is_zero()).collect()
}
