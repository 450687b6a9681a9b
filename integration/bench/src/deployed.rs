//! The environment that `deploy/` gives our processes: the stand enters it, and hands it on to all that it starts.
//!
//! The C library reads it when a program begins, so it cannot be set later; and what stands beside us in one process with
//! the stand, such as the floor, is to have it too.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::{env, io};

const UNITS: &str = include_str!("../../../deploy/systemd/tollgate-.service.d/10-common.conf");

/// Begins this program anew in that environment, unless it is in it already.
pub(crate) fn enter() -> io::Result<()> {
    if variables().all(|(name, value)| env::var(name).is_ok_and(|given| given == value)) {
        return Ok(());
    }
    let mut again = Command::new(env::current_exe()?);
    Err(again.args(env::args_os().skip(1)).envs(variables()).exec())
}

fn variables() -> impl Iterator<Item = (&'static str, &'static str)> {
    UNITS.lines().filter_map(|line| line.strip_prefix("Environment=")?.split_once('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_units_set_something_and_it_is_read_as_they_do() {
        let found: Vec<_> = variables().collect();
        assert!(matches!(found.as_slice(), [("GLIBC_TUNABLES", value)] if value.starts_with("glibc.")), "{found:?}");
    }
}
