//! No file names a place that exists only on the machine it was written on.

use std::env;
use std::path::Path;

use crate::finding::Finding;
use crate::workspace::Workspace;

/// Folders shorter than this (`/`, `/src`) are ordinary words in text.
const SHORTEST: usize = 5;

pub(crate) fn check(workspace: &Workspace) -> Vec<Finding> {
    let folders = ["HOME", "CARGO_HOME", "RUSTUP_HOME", "CARGO_TARGET_DIR"].map(env::var);
    let mut places: Vec<String> = folders.into_iter().flatten().collect();
    places.push(workspace.root.display().to_string());
    named(workspace, &places)
}

/// The lines of all text files that name one of the places.
pub(crate) fn named(workspace: &Workspace, places: &[String]) -> Vec<Finding> {
    let places: Vec<&str> =
        places.iter().map(|place| place.trim_end_matches('/')).filter(|place| place.len() >= SHORTEST).collect();
    let mut findings = Vec::new();
    for file in &workspace.files {
        let Some(text) = workspace.text(file) else { continue };
        let lines = text.lines().enumerate();
        let guilty = lines.filter(|(_, line)| places.iter().any(|place| names(line, place)));
        findings.extend(guilty.map(|(number, _)| of_this_machine(file, number + 1)));
    }
    findings
}

fn of_this_machine(file: &Path, line: usize) -> Finding {
    Finding::at(file, line, "names a path of this machine")
}

/// Whether the place stands in the line as a path of its own, not inside a longer word.
fn names(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(start, _)| {
        let before = line.get(..start).and_then(|text| text.chars().next_back());
        let after = line.get(start + place.len()..).and_then(|text| text.chars().next());
        let word = |character: char| character.is_alphanumeric() || "-_.".contains(character);
        !before.is_some_and(|character| word(character) || character == '/') && !after.is_some_and(word)
    })
}
