//! What the demo and the tests share: a development authority, checkout traffic, a search for planted values, and the
//! example federation laid out for one machine.
//!
//! Not here: starting processes (`tollgate demo`), fake backends (`tollgate_testkit`).

pub mod canary;
pub mod certs;
mod example;
pub mod scaffold;
pub mod traffic;
