//! What sealing lets through, judged from outside against prost, which shares no code with it.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up its world has failed")]

mod answered;
mod arbitrary;
mod beside;
mod blinded;
mod claims;
mod conservation;
mod detectors;
mod devices;
mod existence;
mod golden;
mod guards;
mod items;
mod markers;
mod signals;
mod sow;
mod world;
