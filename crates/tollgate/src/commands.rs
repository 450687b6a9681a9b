//! One file for each command.

pub(crate) mod catalogue;
pub(crate) mod certs;
pub(crate) mod check;
pub(crate) mod demo;
mod documents;
pub(crate) mod drift;
mod http;
pub(crate) mod keys;
pub(crate) mod policy;
mod print;
mod recording;
pub(crate) mod run;
pub(crate) mod sampling;
pub(crate) mod spool;
pub(crate) mod subject;
pub(crate) mod trace;
mod unproved;
