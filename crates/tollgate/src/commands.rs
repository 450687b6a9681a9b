//! One file for each command.

pub(crate) mod certs;
pub(crate) mod check;
pub(crate) mod demo;
mod documents;
pub(crate) mod run;
pub(crate) mod spool;
