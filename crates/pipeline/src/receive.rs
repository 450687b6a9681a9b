//! Where requests come in, and with which words one is turned away.

pub(crate) mod intake;
pub(crate) mod listeners;
pub(crate) mod notices;
pub(crate) mod refusal;
