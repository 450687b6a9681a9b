//! OTLP/JSON: every rule of the mapping as a pair of texts and messages, and all of them at once against prost.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod decode;
mod encode;
mod limits;
mod oracle;
mod property;
mod requests;
