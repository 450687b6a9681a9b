//! Whatever bytes come in at the door: of what sealing lets out, every text, key and id has its answer in the table.
//!
//! For cargo-fuzz and a nightly compiler. What is checked lies beside the other tests of sealing, which run it on the seeds
//! of `corpus/seal` and on noise with the usual one.
#![no_main]

#[path = "../../crates/redaction/tests/seal/answered.rs"]
mod answered;
#[path = "../../crates/redaction/tests/seal/signals.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod signals;
#[path = "../../crates/redaction/tests/seal/world.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod world;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| answered::any_bytes(bytes));
