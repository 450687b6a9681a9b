//! Compares this crate with generated code (prost) on random requests: the two share nothing but the specification.
#![expect(clippy::disallowed_methods, reason = "prost is the oracle here")]
#![expect(clippy::unwrap_used, reason = "helpers of tests: a failure to read is a failed test")]

mod generate;
mod index;
mod select;
mod view;
mod walk;
mod writer;
