//! The Collector: built once for each content of its manifest, outside the repository, and started like any other process.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};

use super::StandError;

const MANIFEST: &str = include_str!("../../../peers/builder.yaml");
const BUILDER: &str = "go.opentelemetry.io/collector/cmd/builder";

/// The Collector's program.
#[derive(Clone, Debug)]
pub(crate) struct Collector {
    pub(crate) program: PathBuf,
}

impl Collector {
    /// Finds the program that an earlier run built, or builds it: some minutes, and modules from the Go module proxy.
    pub(crate) fn ready() -> Result<Self, StandError> {
        let version = version().ok_or_else(|| StandError::NoCollector("its manifest names no version".to_owned()))?;
        let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(MANIFEST)[..8]);
        let folder = cache().join("peers").join(format!("{version}-{digest}"));
        let program = folder.join("otelcol-peer");
        if program.is_file() {
            return Ok(Self { program });
        }
        fs::create_dir_all(&folder)?;
        // Two runs at once: one builds, the other waits.
        let lock = File::create(folder.join("lock"))?;
        flock(&lock, FlockOperation::LockExclusive).map_err(std::io::Error::from)?;
        if !program.is_file() {
            build(&folder, version)?;
        }
        Ok(Self { program })
    }
}

fn version() -> Option<&'static str> {
    MANIFEST.lines().find_map(|line| line.trim().strip_prefix("version: "))
}

/// The folder that `XDG_CACHE_HOME` names, or the usual one.
fn cache() -> PathBuf {
    let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let usual = || std::env::home_dir().map(|home| home.join(".cache"));
    named.or_else(usual).unwrap_or_else(std::env::temp_dir).join("tollgate")
}

fn build(folder: &Path, version: &str) -> Result<(), StandError> {
    let go = Command::new("go").arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !go.is_ok_and(|status| status.success()) {
        return Err(StandError::NoCollector("`go` is missing, so it cannot be built".to_owned()));
    }
    super::note("building the Collector; this takes some minutes, once");
    let half = folder.join("build");
    // What an interrupted run left may be half of anything.
    let _ = fs::remove_dir_all(&half);
    fs::create_dir_all(&half)?;
    fs::write(half.join("builder.yaml"), MANIFEST)?;
    let mut install = Command::new("go");
    run(install.args(["install", &format!("{BUILDER}@v{version}")]).env("GOBIN", &half), folder)?;
    let mut compile = Command::new(half.join("builder"));
    run(compile.args(["--config", "builder.yaml"]).current_dir(&half).env("GOFLAGS", "-buildvcs=false"), folder)?;
    fs::rename(half.join("dist/otelcol-peer"), folder.join("otelcol-peer"))?;
    Ok(fs::remove_dir_all(&half)?)
}

fn run(command: &mut Command, folder: &Path) -> Result<(), StandError> {
    let log = folder.join("log");
    let output = File::options().create(true).append(true).open(&log)?;
    let status = command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).status()?;
    let failed = || StandError::NoCollector(format!("the build failed, see {}", log.display()));
    status.success().then_some(()).ok_or_else(failed)
}
