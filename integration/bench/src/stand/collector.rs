//! The Collector: built once for each content of its manifest, outside the repository, and started like any other process.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};

use super::StandError;
use crate::keep::kept;

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
        let folder = cache().join(key());
        let program = program(&folder);
        if program.is_file() {
            return Ok(Self { program });
        }
        fs::create_dir_all(&folder)?;
        // Two runs at once: one builds, the other waits.
        let lock = File::create(folder.join("lock"))?;
        flock(&lock, FlockOperation::LockExclusive).map_err(std::io::Error::from)?;
        if !program.is_file() {
            build(&folder)?;
        }
        Ok(Self { program })
    }

    /// Whether it need not be built any more.
    pub(crate) fn is_built() -> bool {
        program(&cache().join(key())).is_file()
    }
}

/// Names what is built; comments and empty lines are not built.
fn key() -> String {
    let lines = MANIFEST.lines().filter(|line| !line.trim_start().starts_with('#') && !line.trim().is_empty());
    let digest = lines.fold(Sha256::new(), |digest, line| digest.chain_update(line).chain_update("\n")).finalize();
    format!("{}-{}", version(), data_encoding::HEXLOWER.encode(&digest[..8]))
}

fn version() -> &'static str {
    MANIFEST.lines().find_map(|line| line.trim().strip_prefix("version: ")).unwrap_or_default()
}

/// The folder that `XDG_CACHE_HOME` names, or the usual one.
fn cache() -> PathBuf {
    let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let usual = || std::env::home_dir().map(|home| home.join(".cache"));
    named.or_else(usual).unwrap_or_else(std::env::temp_dir).join("tollgate/peers")
}

fn program(folder: &Path) -> PathBuf {
    folder.join("otelcol-peer")
}

fn build(folder: &Path) -> Result<(), StandError> {
    let go = Command::new("go").arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !go.is_ok_and(|status| status.success()) {
        let what = "it is built with Go, and there is no `go` on the path; https://go.dev/dl has it";
        return Err(StandError::NoCollector(what.to_owned()));
    }
    crate::found::note("building the Collector; this takes some minutes, once");
    let half = folder.join("build");
    // What an interrupted run left may be half of anything.
    let _ = fs::remove_dir_all(&half);
    fs::create_dir_all(&half)?;
    fs::write(half.join("builder.yaml"), MANIFEST)?;
    let mut install = kept("go");
    run(install.args(["install", &format!("{BUILDER}@v{}", version())]).env("GOBIN", &half), folder)?;
    let mut compile = kept(half.join("builder"));
    run(compile.args(["--config", "builder.yaml"]).current_dir(&half).env("GOFLAGS", "-buildvcs=false"), folder)?;
    fs::rename(half.join("dist/otelcol-peer"), program(folder))?;
    Ok(fs::remove_dir_all(&half)?)
}

fn run(command: &mut Command, folder: &Path) -> Result<(), StandError> {
    let log = folder.join("log");
    let output = File::options().create(true).append(true).open(&log)?;
    let status = command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).status()?;
    let failed = || StandError::NoCollector(format!("the build failed, see {}", log.display()));
    status.success().then_some(()).ok_or_else(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_is_named_by_version_and_content() {
        let key = key();
        let (version, digest) = key.split_once('-').unwrap();
        assert_eq!((version.split('.').count(), digest.len()), (3, 16));
        assert!(MANIFEST.contains(&format!("collector/receiver/otlpreceiver v{version}")));
    }
}
