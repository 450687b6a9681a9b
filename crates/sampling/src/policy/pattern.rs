//! The Collector's expressions, which are Go's, in the dialect of the `regex` crate.
//!
//! Promises:
//! 1. What Go's `regexp` refuses is refused when the policy is read, with the column and the reason.
//! 2. What is taken matches the same texts as there. Only whether an expression matches is asked, never what: so neither
//!    groups nor greed are carried over.
//! 3. What takes more memory than an expression may, or is nested deeper than can be compiled, is refused though Go takes it.
//!
//! Tables of characters are of one version of Unicode or another on both sides: those of the newest scripts may differ.

mod class;
mod cursor;
mod escape;
mod names;
mod refused;
mod repetition;
mod translate;

use regex::{Error, RegexSet};

pub(crate) use refused::Refused;

/// Compiles expressions of which any may match anywhere in a value.
pub(crate) fn compile(expressions: &[String]) -> Result<RegexSet, Refused> {
    let translated: Vec<String> =
        expressions.iter().map(|expression| translate::translate(expression)).collect::<Result<_, _>>()?;
    RegexSet::new(translated).map_err(|error| match error {
        Error::CompiledTooBig(_) => Refused::TooLarge,
        // What was translated is well-formed; what is left is how deep it is nested.
        _ => Refused::TooDeep,
    })
}

#[cfg(test)]
mod tests;
