//! What `tollgate policy` and the proof of `tollgate check` promise to auditors and to CI, through the command itself.
#![allow(clippy::unwrap_used, reason = "a test stops where its surroundings fail it")]

mod narrowed;
mod sealed;
mod told;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tollgate_testkit::binary;

const TOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A copy of the example's documents that a test can change.
struct Copy(tempfile::TempDir);

impl Copy {
    fn of(set: &Path) -> Self {
        let copy = tempfile::tempdir().unwrap();
        for folder in ["regions", "policies", "policies/cases"] {
            fs::create_dir_all(copy.path().join(folder)).unwrap();
            for file in fs::read_dir(set.join(folder)).unwrap().map(Result::unwrap).filter(|file| file.path().is_file())
            {
                fs::copy(file.path(), copy.path().join(folder).join(file.file_name())).unwrap();
            }
        }
        Self(copy)
    }

    fn example() -> Self {
        Self::of(Path::new(TOP))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    #[track_caller]
    fn edit(self, file: &str, from: &str, to: &str) -> Self {
        let path = self.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        let changed = text.replacen(from, to, 1);
        assert_ne!(text, changed, "{from} is not in {file}");
        fs::write(path, changed).unwrap();
        self
    }

    fn write(&self, file: &str, text: &str) -> PathBuf {
        let path = self.path().join(file);
        fs::write(&path, text).unwrap();
        path
    }
}

fn tollgate(words: &[&str], set: &Path) -> Output {
    Command::new(binary()).args(words).arg("--set").arg(set).output().unwrap()
}

#[track_caller]
fn ended(output: &Output, code: i32) -> String {
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}\n{wrong}");
    said
}

#[track_caller]
fn json(output: &Output, code: i32) -> Value {
    serde_json::from_str(&ended(output, code)).unwrap()
}

fn central_eea() -> PathBuf {
    Path::new(TOP).join("deploy/central-eea")
}

const RECORDED: &str = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"checkout"}}]},"scopeSpans":[{"spans":[{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708","name":"GET /users/c4nary","kind":2,"startTimeUnixNano":"1","endTimeUnixNano":"2","attributes":[{"key":"user.id","value":{"stringValue":"c4nary"}},{"key":"http.route","value":{"stringValue":"/users/{id}"}},{"key":"odd","value":{"stringValue":"c4nary"}}],"status":{"code":2,"message":"c4nary"}}]}]}]}"#;
