//! Asks systemd whether it understands the unit templates.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::check::{Outcome, Suite};
use crate::workspace::Workspace;

const UNITS: &str = "deploy/systemd";

/// What a unit's `ExecStart` names; verification wants it to exist.
const PROGRAM: &str = "usr/bin/tollgate";

/// Units of systemd itself that ours refer to.
const SURROUNDINGS: [(&str, &str); 6] = [
    ("usr/lib/systemd/system/network-online.target", "[Unit]\n"),
    ("usr/lib/systemd/system/sysinit.target", "[Unit]\n"),
    ("usr/lib/systemd/system/basic.target", "[Unit]\n"),
    ("usr/lib/systemd/system/shutdown.target", "[Unit]\n"),
    ("usr/lib/systemd/system/timers.target", "[Unit]\n"),
    ("usr/lib/systemd/system/time-sync.target", "[Unit]\n"),
];

pub(crate) fn verify(workspace: &Workspace, _: Suite) -> Outcome {
    if Command::new("systemd-analyze").arg("--version").stdout(Stdio::null()).status().is_err() {
        return Outcome::Skipped("systemd-analyze is not installed".to_owned());
    }
    let root = workspace.root.join("target/xtask/deploy");
    let files: Vec<&PathBuf> = workspace.files.iter().filter(|file| file.starts_with(UNITS)).collect();
    let units = stage(workspace, &root, &files).and_then(|units| Ok((units.len(), analyze(&root, &units)?)));
    match units {
        Ok((0, _)) => Outcome::Failed(vec![format!("{UNITS}: no unit to verify")]),
        Ok((_, complaints)) if complaints.is_empty() => Outcome::Passed,
        Ok((_, complaints)) => Outcome::Failed(complaints),
        Err(fault) => Outcome::Failed(vec![format!("systemd-analyze: {fault}")]),
    }
}

fn is_unit(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "service" || extension == "timer")
}

/// Lays out a root folder in which units, drop-ins and the program stand where a package would put them; names an
/// instance of each template.
fn stage(workspace: &Workspace, root: &Path, files: &[&PathBuf]) -> io::Result<Vec<String>> {
    let target = root.join("etc/systemd/system");
    // What an earlier run staged may be gone from the repository.
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    put(root, PROGRAM, "#!/bin/sh\n")?;
    fs::set_permissions(root.join(PROGRAM), fs::Permissions::from_mode(0o755))?;
    for (name, text) in SURROUNDINGS {
        put(root, name, text)?;
    }
    let mut instances = Vec::new();
    for file in files {
        let Ok(name) = file.strip_prefix(UNITS) else { continue };
        put(&target, name, workspace.text(file).unwrap_or_default())?;
        if is_unit(name) {
            instances.push(name.display().to_string().replace("@.", "@eu-west-a-0."));
        }
    }
    Ok(instances)
}

fn put(folder: &Path, name: impl AsRef<Path>, text: impl AsRef<[u8]>) -> io::Result<()> {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap_or(folder))?;
    fs::write(path, text)
}

/// What systemd says about our own units; what it says about the machine's is not ours to judge.
fn analyze(root: &Path, instances: &[String]) -> io::Result<Vec<String>> {
    let mut command = Command::new("systemd-analyze");
    command.arg("verify").arg("--man=no").arg(format!("--root={}", root.display())).args(instances);
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let mut complaints: Vec<String> =
        said.lines().filter(|line| line.contains("tollgate")).map(str::to_owned).collect();
    complaints.sort();
    complaints.dedup();
    if complaints.is_empty() && !output.status.success() {
        complaints.push(format!("{}: {said}", output.status));
    }
    Ok(complaints)
}
