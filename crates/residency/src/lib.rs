//! Residency: what may cross which border, in which form, decided before deployment and looked up on the way.
//!
//! Promises:
//! 1. No value crosses unless a rule says so: what is unknown, secret, expired or unsupported stays.
//! 2. A policy is whole or it is none, and every fault of its documents is reported.
//! 3. Pure: no clock, no files, no keys. The same documents on the same day give the same table everywhere.
//!
//! Read first: `rule.rs` (what a rule means), `table.rs` (what it compiles to), `carrier.rs` (what there is to answer).
//! Not here: applying a table to bytes (`tollgate_redaction`), who is linked with whom (`tollgate_federation`).

mod answers;
mod blinding;
mod broken;
mod carrier;
mod cases;
mod catalogue;
mod claims;
mod class;
mod closed;
mod compile;
mod day;
mod difference;
mod digest;
mod document;
mod existence;
mod explain;
mod finding;
mod flow;
mod form;
mod instrument;
mod invariant;
mod layers;
mod lookup;
mod mark;
mod matrix;
mod pattern;
mod policy;
mod prove;
mod reading;
mod risk;
mod rule;
pub mod schema;
mod sender;
mod shadow;
mod standing;
mod table;
mod tables;
mod transfer;
mod transform;

pub use broken::Broken;
pub use carrier::{Carrier, Holds};
pub use cases::{Followed, GoldenCase, NoPath, Outcome, link_between, read_cases};
pub use catalogue::Guard;
pub use claims::{Claim, Claims};
pub use class::Class;
pub use closed::Closed;
pub use day::parse_day;
pub use difference::{Change, Difference, Subject, difference};
pub use existence::Lost;
pub use explain::{Explanation, Given, Item, Reason, RuleAt};
pub use finding::{Finding, Kind, Severity};
pub use form::{Action, Form, TransformIndex};
pub use layers::Layers;
pub use lookup::KeyNumber;
pub use mark::Mark;
pub use matrix::{Crosses, MatrixRow, Whole};
pub use pattern::Piece;
pub use policy::{Policy, Unproved};
pub use sender::{Proved, Sender, SentBy};
pub use shadow::Shadow;
pub use standing::{LastDay, Standing, Term};
pub use table::{Cell, Resource, Table};
pub use tables::Tables;
pub use transform::{KeyUse, Keyed, Makes};
