//! The repository as the rules see it: packages with their dependencies, Rust sources, all files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::source::Source;

/// What a dependency is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Normal,
    Build,
    Tests,
}

pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) used: Use,
}

pub(crate) struct Package {
    pub(crate) name: String,
    /// Its folder, relative to the workspace.
    pub(crate) folder: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
}

/// Everything a rule may look at, read once.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) packages: Vec<Package>,
    pub(crate) sources: Vec<Source>,
    /// Every file but build output and git's own, relative to the workspace.
    pub(crate) files: Vec<PathBuf>,
}

impl Workspace {
    /// The folder this command was built from.
    pub(crate) fn root() -> PathBuf {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        manifest.ancestors().nth(2).unwrap_or(manifest).to_owned()
    }

    pub(crate) fn load(root: &Path) -> Result<Self, String> {
        let packages = packages(root)?;
        let mut files = Vec::new();
        walk(root, Path::new(""), &mut files).map_err(|fault| format!("cannot list {}: {fault}", root.display()))?;
        files.sort();
        let rust = files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs"));
        let sources = rust.map(|file| Source::read(root, file)).collect::<Result<_, _>>()?;
        Ok(Self { root: root.to_owned(), packages, sources, files })
    }

    /// The text of a file, or nothing where it is missing or not text.
    pub(crate) fn text(&self, file: impl AsRef<Path>) -> Option<String> {
        fs::read_to_string(self.root.join(file)).ok()
    }

    /// The sources of one package.
    pub(crate) fn sources_of<'a>(&'a self, package: &'a Package) -> impl Iterator<Item = &'a Source> {
        self.sources.iter().filter(|source| source.path.starts_with(&package.folder))
    }
}

/// Asks cargo, so that inheritance and renames are understood as cargo understands them.
fn packages(root: &Path) -> Result<Vec<Package>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root)
        .output()
        .map_err(|fault| format!("cannot run cargo metadata: {fault}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let metadata: Value =
        serde_json::from_slice(&output.stdout).map_err(|fault| format!("cargo metadata is not JSON: {fault}"))?;
    let top = metadata["workspace_root"].as_str().unwrap_or_default();
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(packages.iter().map(|package| read_package(Path::new(top), package)).collect())
}

fn read_package(top: &Path, package: &Value) -> Package {
    let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
    let folder = manifest.parent().unwrap_or(manifest);
    let dependencies = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    Package {
        name: text(&package["name"]),
        folder: folder.strip_prefix(top).unwrap_or(folder).to_owned(),
        dependencies: dependencies.iter().map(read_dependency).collect(),
    }
}

fn read_dependency(dependency: &Value) -> Dependency {
    let used = match dependency["kind"].as_str() {
        Some("dev") => Use::Tests,
        Some("build") => Use::Build,
        _ => Use::Normal,
    };
    Dependency { name: text(&dependency["name"]), used }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        let kind = entry.file_type()?;
        let skipped = ["target", ".git", "__pycache__"].iter().any(|name| entry.file_name() == *name);
        if kind.is_dir() && !skipped {
            walk(root, &path, files)?;
        } else if kind.is_file() {
            files.push(path);
        }
    }
    Ok(())
}
