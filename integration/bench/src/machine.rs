//! Where and when a run took place: what figures mean nothing without.

use std::fs;
use std::process::Command;

use time::macros::format_description;
use time::{OffsetDateTime, UtcDateTime};
use tollgate_runtime::Clock;

/// What is said above the table.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) date: String,
    /// Of the folder that this program was started in.
    pub(crate) commit: String,
    pub(crate) processor: String,
    pub(crate) kernel: String,
    /// How busy the machine was before anything was measured.
    pub(crate) pressure: String,
}

impl Machine {
    /// Looks around, before there is anything of our own to see.
    pub(crate) fn look() -> Self {
        Self { date: date(), commit: commit(), processor: processor(), kernel: kernel(), pressure: pressure() }
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn date() -> String {
    let now = OffsetDateTime::from_unix_timestamp_nanos(i128::from(Clock::system().now().nanos()));
    let format = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    now.ok().and_then(|now| UtcDateTime::from(now).format(format).ok()).unwrap_or_else(unknown)
}

/// With `-dirty` where the tree is not that of the commit.
fn commit() -> String {
    let git = Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]).output();
    let said = git.ok().filter(|output| output.status.success());
    said.map_or_else(unknown, |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn processor() -> String {
    let all = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = all.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{cores} cores of {}, {} GiB of memory", name.unwrap_or("an unknown processor"), gibibytes())
}

fn gibibytes() -> u64 {
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total =
        memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok());
    total.map_or(0, |kibibytes: u64| kibibytes.div_ceil(1 << 20))
}

fn kernel() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").map_or_else(|_| unknown(), |text| text.trim().to_owned())
}

/// How much of the last minute some task waited for a core (`/proc/pressure/cpu`).
fn pressure() -> String {
    let pressure = fs::read_to_string("/proc/pressure/cpu").unwrap_or_default();
    let some = pressure.lines().find_map(|line| line.strip_prefix("some "));
    let minute = some.and_then(|some| some.split(' ').find_map(|part| part.strip_prefix("avg60=")));
    minute.map_or_else(unknown, |minute| format!("{minute} %"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_says_where_and_when_it_took_place() {
        let machine = Machine::look();
        assert!(machine.date.starts_with("20") && machine.date.ends_with(" UTC"), "{}", machine.date);
        assert!(machine.processor.contains(" cores of "), "{}", machine.processor);
        assert_ne!(machine.kernel, unknown());
    }
}
