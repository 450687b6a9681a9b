//! The rules of architecture.md and style.md that a machine can check.

pub(crate) mod doors;
pub(crate) mod layers;
pub(crate) mod lints;
mod manifest;
pub(crate) mod paths;
pub(crate) mod purity;
pub(crate) mod sizes;
pub(crate) mod walls;
