//! The file that has the names in clear, and the key of their fingerprints.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tollgate_disk::Disk;

use super::{Drifting, Why};

const FOLDER: &str = "drift";
const FILE: &str = "drift.json";
const KEY: &str = "fingerprint.key";
const VERSION: u64 = 1;
/// Bytes of a fingerprint: enough to tell a few thousand names apart.
const SHOWN: usize = 8;

/// What a node found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drifts {
    /// Each finding once.
    pub found: Vec<Drifting>,
    /// How often there was no room for one more.
    pub left_out: u64,
}

impl Drifts {
    /// Reads what the node found whose data folder this is; `None` if there is nothing that can be read.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn of_node(data: &Path) -> io::Result<Option<Self>> {
        let none =
            || io::Error::new(io::ErrorKind::InvalidData, format!("`{FOLDER}/{FILE}` is not a file of findings"));
        match fs::read(data.join(FOLDER).join(FILE)) {
            Ok(bytes) => Self::decode(&bytes).map(Some).ok_or_else(none),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io::Error::new(error.kind(), format!("`{FOLDER}/{FILE}`: {error}"))),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let one = |one: &Drifting| {
            let [service, key] = &one.fingerprints;
            json!({
                "why": one.why.as_str(), "service": one.service, "key": one.key, "requests": one.requests,
                "service_fingerprint": service, "key_fingerprint": key, "first": one.seen.0, "last": one.seen.1,
            })
        };
        let found: Vec<_> = self.found.iter().map(one).collect();
        format!("{:#}\n", json!({"version": VERSION, "left_out": self.left_out, "found": found})).into_bytes()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        if value.get("version")?.as_u64()? != VERSION {
            return None;
        }
        let one = |one: &Value| {
            let text = |key| Some(one.get(key)?.as_str()?.to_owned());
            let number = |key| one.get(key)?.as_u64();
            let why = [Why::Unclassified, Why::Distinct]
                .into_iter()
                .find(|why| Some(why.as_str()) == text("why").as_deref())?;
            Some(Drifting {
                why,
                service: text("service")?,
                key: text("key")?,
                fingerprints: [text("service_fingerprint")?, text("key_fingerprint")?],
                requests: number("requests")?,
                seen: (number("first")?, number("last")?),
            })
        };
        let found = value.get("found")?.as_array()?.iter().map(one).collect::<Option<_>>()?;
        Some(Self { found, left_out: value.get("left_out")?.as_u64()? })
    }
}

/// The folder of one node.
pub(super) struct Kept {
    disk: Disk,
    dir: PathBuf,
}

impl Kept {
    pub(super) fn open(disk: &Disk, dir: PathBuf) -> io::Result<(Self, Fingerprints)> {
        DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        let fingerprints = Fingerprints::open(&dir.join(KEY))?;
        Ok((Self { disk: disk.clone(), dir }, fingerprints))
    }

    pub(super) fn read(&self) -> Option<Drifts> {
        Drifts::decode(&fs::read(self.dir.join(FILE)).ok()?)
    }

    pub(super) fn write(&self, drifts: &Drifts) -> io::Result<()> {
        self.disk.replace(&self.dir.join(FILE), &drifts.encode())
    }
}

/// Names under a key that never leaves this node's folder: who sees a metric cannot try names.
pub(super) struct Fingerprints(Hmac<Sha256>);

impl Fingerprints {
    fn open(path: &Path) -> io::Result<Self> {
        if !path.exists() {
            let mut key = [0; 32];
            getrandom::fill(&mut key).map_err(io::Error::from)?;
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(&key)?;
            file.sync_all()?;
        }
        let key = fs::read(path)?;
        // A key that a crash cut short would make fingerprints that can be guessed.
        if key.len() < 32 {
            fs::remove_file(path)?;
            return Self::open(path);
        }
        Hmac::new_from_slice(&key).map(Self).map_err(io::Error::other)
    }

    /// Of a service and of one of its keys.
    pub(super) fn of(&self, service: &str, key: &str) -> [String; 2] {
        let of = |name: &str| {
            let tag = self.0.clone().chain_update(name).finalize().into_bytes();
            HEXLOWER.encode(tag.get(..SHOWN).unwrap_or_default())
        };
        [of(service), of(key)]
    }
}
