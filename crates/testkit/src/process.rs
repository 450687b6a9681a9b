//! Real processes: started, watched, and ended in every way a machine can end them.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::http;
use crate::wait::{holds_within, wait_until};

/// A child process whose output goes to a file. It does not outlive this value.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a command; what it prints is added to `log`.
    #[track_caller]
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Self {
        let open = || File::options().create(true).append(true).open(log);
        let output = open().and_then(|file| Ok((file.try_clone()?, file)));
        let (stdout, stderr) = output.unwrap_or_else(|fault| panic!("cannot write {}: {fault}", log.display()));
        let child = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).spawn();
        let child = child.unwrap_or_else(|fault| panic!("cannot start {name}: {fault}"));
        Self { name: name.to_owned(), child, log: log.to_owned() }
    }

    /// Waits until `/readyz` of the admin listener says yes; shows the log when it does not, or when the process ended.
    #[track_caller]
    pub fn wait_ready(&mut self, admin: SocketAddr, limit: Duration) {
        let mut ended = None;
        let ready = holds_within(limit, || {
            ended = self.child.try_wait().ok().flatten();
            ended.is_some() || is_ready(admin)
        });
        let ready = ready && ended.is_none();
        assert!(ready, "{} is not ready ({ended:?}); its log:\n{}", self.name, self.log());
    }

    /// All that the process has printed.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it at once, as `kill -9` does.
    pub fn kill(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end, as a supervisor does.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Asks it to read its documents again.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// Stops it where it stands: connections stay open and nobody answers.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a paused one go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let mut status = None;
        let what = format!("{} ends", self.name);
        wait_until(limit, &what, || {
            status = self.child.try_wait().ok().flatten();
            status.is_some()
        });
        status.unwrap_or_default()
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(id) = id {
            // An ended child stays a zombie until it is waited for: the id cannot be somebody else's.
            let _ = kill_process(id, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn is_ready(admin: SocketAddr) -> bool {
    http::get(admin, "/readyz").is_ok_and(|reply| reply.status == 200)
}

/// The `tollgate` binary of this checkout: `TOLLGATE_BIN` if that is set, else built for the profile of the running test.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("TOLLGATE_BIN") {
        Some(path) => path.into(),
        None => build(),
    })
}

/// No test target builds the binary of another package, and a stale one would be tested in silence.
fn build() -> PathBuf {
    let test = std::env::current_exe().unwrap_or_else(|fault| panic!("which program is this: {fault}"));
    let folder = profile_folder(&test);
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--package", "tollgate"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.env("CARGO_TARGET_DIR", folder.parent().unwrap_or(folder));
    if folder.file_name().is_some_and(|profile| profile == "release") {
        cargo.arg("--release");
    }
    let built = cargo.status().is_ok_and(|status| status.success());
    assert!(built, "cargo build --package tollgate failed");
    folder.join("tollgate")
}

/// Where the binaries of the profile lie that a program was built for: tests stand in `deps` below it.
fn profile_folder(program: &Path) -> &Path {
    let folder = program.parent().unwrap_or(program);
    if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_and_tools_find_the_binaries_of_their_profile() {
        for program in ["target/release/deps/demo-0123", "target/release/tollgate-bench"] {
            assert_eq!(profile_folder(Path::new(program)), Path::new("target/release"));
        }
    }

    const LIMIT: Duration = Duration::from_secs(10);

    fn shell(script: &str, folder: &Path) -> Process {
        Process::start("shell", Command::new("sh").args(["-c", script]), &folder.join("log"))
    }

    #[test]
    fn output_is_kept_and_the_status_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = shell("echo out; echo err >&2; exit 3", folder.path());
        assert_eq!(process.wait(LIMIT).code(), Some(3));
        assert_eq!(process.log(), "out\nerr\n");
    }

    #[test]
    fn a_process_can_be_asked_to_end_and_be_killed() {
        let folder = tempfile::tempdir().unwrap();
        let script = "trap 'echo asked; exit 0' TERM; echo up; while :; do sleep 0.02; done";
        let mut process = shell(script, folder.path());
        wait_until(LIMIT, "the shell is up", || process.log().contains("up"));
        process.terminate();
        assert!(process.wait(LIMIT).success());
        assert!(process.log().contains("asked"));
        let mut other = shell(script, folder.path());
        other.kill();
        assert!(!other.is_running());
    }

    #[test]
    fn a_paused_process_does_nothing_until_it_is_resumed() {
        let folder = tempfile::tempdir().unwrap();
        let process = shell("while :; do echo tick; sleep 0.01; done", folder.path());
        wait_until(LIMIT, "it ticks", || process.log().contains("tick"));
        process.pause();
        let state = || fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap_or_default();
        wait_until(LIMIT, "it is stopped", || state().contains(") T "));
        process.resume();
        wait_until(LIMIT, "it goes on", || !state().contains(") T "));
    }

    #[test]
    fn no_process_outlives_its_value() {
        let folder = tempfile::tempdir().unwrap();
        let id = shell("sleep 600", folder.path()).id();
        assert!(!Path::new(&format!("/proc/{id}")).exists());
    }
}
