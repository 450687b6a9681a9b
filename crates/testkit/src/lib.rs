//! What tests need around Tollgate: fake backends, real processes, addresses of their own, the Python SDK.
//!
//! Everything here stops the test with a message when the surroundings are not as it needs them.
//!
//! Not here: what is sent and what must not arrive (`tollgate_scenario`).
#![expect(clippy::panic, clippy::expect_used, reason = "a test stops where its surroundings fail it")]

pub mod backend;
pub mod client;
mod crowd;
pub mod http;
mod loopback;
mod process;
mod python;
mod tls;
mod wait;

pub use backend::FakeBackend;
pub use client::{Client, Service};
pub use crowd::Crowd;
pub use loopback::Block;
pub use process::{Process, binary};
pub use python::Venv;
pub use tls::Identity;
pub use wait::{holds_within, wait_until};
