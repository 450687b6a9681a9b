//! How much this process may use: memory up to the cgroup's limit where there is one, else the machine's, and open files; and
//! who may look into its memory.

use std::path::Path;

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

/// The memory limit in bytes: the lowest cgroup v2 or v1 limit above this process, else the physical memory.
pub fn memory_limit() -> Option<u64> {
    limit_below(Path::new("/"))
}

/// How many files and connections may be open at once: asks for all that the machine allows, says what it got.
pub fn open_files() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // Shells and supervisors start with 1024 for the sake of programs that use `select(2)`.
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).map(|()| maximum);
    raised.unwrap_or(current).unwrap_or(u64::MAX)
}

/// From now on the kernel writes no core dump of this process, and lets no other process of its user look into its memory.
pub fn refuse_core_dumps() -> std::io::Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

fn limit_below(root: &Path) -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(root.join(path)).ok();
    let group = read("proc/self/cgroup").and_then(|text| own_group(&text)).unwrap_or_default();
    let v2 = ancestors(&group).filter_map(|group| read(&format!("sys/fs/cgroup{group}/memory.max")));
    let v1 = read("sys/fs/cgroup/memory/memory.limit_in_bytes");
    let physical = read("proc/meminfo").and_then(|text| mem_total(&text));
    v2.chain(v1).filter_map(|text| text.trim().parse().ok()).chain(physical).min()
}

/// The group of a unified hierarchy: the line `0::/path`.
fn own_group(text: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix("0::")).map(|path| path.trim_end_matches('/').to_owned())
}

fn ancestors(group: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(group), |group| group.rfind('/').map(|end| &group[..end]))
}

fn mem_total(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    #[test]
    fn a_process_that_asked_for_it_is_not_dumped() {
        refuse_core_dumps().unwrap();
        assert_eq!(rustix::process::dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }

    #[test]
    fn as_many_files_as_the_machine_allows() {
        let files = open_files();
        assert_eq!(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX), files);
        assert_eq!(open_files(), files);
    }

    #[test]
    fn the_lowest_limit_above_the_process_counts() {
        let dir = machine(&[
            ("proc/self/cgroup", "0::/pods/tollgate\n"),
            ("proc/meminfo", "MemTotal:       16384 kB\n"),
            ("sys/fs/cgroup/pods/tollgate/memory.max", "max\n"),
            ("sys/fs/cgroup/pods/memory.max", "4096\n"),
        ]);
        assert_eq!(limit_below(dir.path()), Some(4096));
    }

    #[test]
    fn without_a_group_the_machine_counts() {
        let dir = machine(&[("proc/meminfo", "MemTotal:       2 kB\n")]);
        assert_eq!(limit_below(dir.path()), Some(2048));
    }

    #[test]
    fn version_one_groups_count_too() {
        let dir =
            machine(&[("sys/fs/cgroup/memory/memory.limit_in_bytes", "1000\n"), ("proc/meminfo", "MemTotal: 2 kB\n")]);
        assert_eq!(limit_below(dir.path()), Some(1000));
    }
}
