//! What the end-to-end tests share.
#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test stops where its surroundings fail it"
)]

#[path = "support/counted.rs"]
mod counted;
#[path = "support/delivered.rs"]
pub mod delivered;
#[path = "support/evidence.rs"]
pub mod evidence;
#[path = "support/fleet.rs"]
pub mod fleet;
#[path = "support/held.rs"]
pub mod held;
#[path = "support/ledger.rs"]
pub mod ledger;
#[path = "support/logs.rs"]
pub mod logs;
#[path = "support/meeting.rs"]
pub mod meeting;
#[path = "support/requests.rs"]
pub mod requests;
#[path = "support/watched.rs"]
mod watched;

pub use delivered::Delivered;
pub use fleet::Fleet;
pub use held::{Attributes, Held};
pub use ledger::{Ledger, Traffic};
pub use meeting::Meeting;
