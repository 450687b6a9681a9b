//! The log through its public face, one file per promise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod budgets;
mod damage;
mod faults;
mod inspection;
mod killed;
mod lanes;
mod model;
mod mounts;
mod path;
mod restart;
mod sweep;
mod world;
