//! Route and send: the consumers of the logs, each with its lanes, its hop to the next tier and its door.
//!
//! A [`consumer`] sweeps the log in order. For each lane of its [`roster`] it puts what a [`crate::step`] makes of a record into
//! the lane's [`window`], from where a [`delivery`] gets it through a door, to whom the [`hop`] says. Doors are built in [`doors`].

pub(crate) mod backends;
pub(crate) mod consumer;
pub(crate) mod delivery;
pub(crate) mod doors;
pub(crate) mod file_door;
pub(crate) mod file_exporter;
pub(crate) mod hop;
pub(crate) mod members;
pub(crate) mod quarantine;
pub(crate) mod roster;
pub(crate) mod window;
