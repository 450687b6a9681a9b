//! What conditions mean, and that no text and no bytes upset them.

mod fixture;
mod meaning;
mod properties;
mod refusals;
