//! Looks at what passes without changing it: never on the way of every request.

pub(crate) mod attributes;
