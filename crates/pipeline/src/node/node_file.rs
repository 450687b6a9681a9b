//! The node file: what one process has on its own machine. It lies outside the documents and outside their digest.
//!
//! Promises:
//! 1. It never names a destination: nothing in it can decide what crosses a border.
//! 2. `${env:NAME}` is expanded here and nowhere else.
//! 3. Every fault is reported at once, with line, column and path.
//!
//! Not here: the documents (`tollgate_federation`), what variables hold (`variables.rs`), reading keys (`tollgate_keys`) and
//! secrets (`secrets.rs`).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tollgate_config::{At, ByteSize, Faults, Fields, Read, Value};
use tollgate_keys::KeyFolder;

use crate::node::variables::Expanded;

/// What one process has on its own machine.
#[derive(Debug)]
pub struct NodeFile {
    pub(crate) data: PathBuf,
    pub(crate) listen: Listen,
    pub(crate) identity: Option<Identity>,
    pub(crate) memory: Option<ByteSize>,
    pub(crate) disk: ByteSize,
    /// Where the file says how much disk; nowhere if it leaves that to us.
    pub(crate) disk_at: Option<At>,
    pub(crate) workers: Option<u16>,
    pub(crate) secrets: BTreeMap<String, Source>,
    pub(crate) keys: Vec<KeyFolder>,
    pub(crate) durability: Durability,
    pub(crate) dns: Vec<SocketAddr>,
    pub(crate) shapes: Recording,
}

/// Whether a collector records the shapes of what services send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Recording {
    #[default]
    Off,
    On,
}

/// Addresses to listen on; the documents' own or the defaults where one is not given.
#[derive(Debug, Default)]
pub(crate) struct Listen {
    pub(crate) otlp_grpc: Option<SocketAddr>,
    pub(crate) otlp_http: Option<SocketAddr>,
    pub(crate) tier: Option<SocketAddr>,
    pub(crate) admin: Option<SocketAddr>,
    pub(crate) metrics: Option<SocketAddr>,
    /// All that the file gives.
    pub(crate) given: Vec<Given>,
}

/// An address of the node file, and where it is said.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) listener: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) at: At,
}

/// The certificate that proves which node this process is.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

/// Where a named secret lies.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    File(PathBuf),
    Env(String),
}

/// When a receiver says `Ok`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// After the bytes are on the disk.
    Fsync,
    /// After the kernel has them: a power cut may lose what was acknowledged.
    Os,
}

/// The least that requests may take in memory: one of the largest while it is inflated, and others beside it.
pub(crate) const SMALLEST_MEMORY: ByteSize = ByteSize(64 << 20);
/// The disk a process may use when its node file does not say.
const DEFAULT_DISK: ByteSize = ByteSize(8 << 30);

/// A node file cannot be read or is not valid.
#[derive(Debug, thiserror::Error)]
pub enum NodeFileError {
    /// The file cannot be read.
    #[error("cannot read the node file {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file has faults; one a line.
    #[error("{0}")]
    Invalid(Faults),
}

impl NodeFile {
    /// Reads a node file; relative paths in it start at `base`.
    ///
    /// # Errors
    /// When the file cannot be read, or with all of its faults.
    pub fn load(path: &Path, base: &Path) -> Result<Self, NodeFileError> {
        let unreadable = |source| NodeFileError::Unreadable { path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(&path.display().to_string(), &text, base).map_err(NodeFileError::Invalid)
    }

    /// What stands in for a node file where none is given: everything below `data`.
    pub fn defaults(data: PathBuf) -> Self {
        Self {
            data,
            listen: Listen::default(),
            identity: None,
            memory: None,
            disk: DEFAULT_DISK,
            disk_at: None,
            workers: None,
            secrets: BTreeMap::new(),
            keys: Vec::new(),
            durability: Durability::Fsync,
            dns: Vec::new(),
            shapes: Recording::Off,
        }
    }

    fn parse(name: &str, text: &str, base: &Path) -> Result<Self, Faults> {
        let expanded = Expanded::new(text, |name| std::env::var(name).ok());
        let (document, found) = tollgate_config::parse(name, &expanded.text);
        let node = if found.is_empty() { read(document.root(&found), base) } else { None };
        let faults = expanded.faults(document.root(&found), &found);
        match node {
            Some(node) if faults.is_empty() => Ok(node),
            _ => Err(faults),
        }
    }

    /// The keys that lie on this machine.
    pub fn keys(&self) -> &[KeyFolder] {
        &self.keys
    }

    /// The folder of this process's state.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Returns where every set of documents that was in force here is kept, a folder each.
    #[must_use]
    pub fn archive(&self) -> PathBuf {
        self.data.join("documents")
    }
}

fn read(root: Value<'_>, base: &Path) -> Option<NodeFile> {
    let mut fields = root.fields()?;
    let data = fields.required::<PathBuf>("data");
    let listen = fields.value("listen").and_then(read_listen);
    let identity = fields.value("identity").and_then(|value| read_identity(value, base));
    let (memory, disk) = fields.value("budgets").map_or((None, None), read_budgets);
    let (disk, disk_at) = disk.map_or((DEFAULT_DISK, None), |(disk, at)| (disk, Some(at)));
    let workers = fields.optional("workers");
    let secrets = read_sources(&mut fields, base);
    let keys = read_keys(&mut fields, base);
    let durability = fields.optional("durability");
    let dns = fields.optional("dns");
    let shapes = fields.value("shapes").and_then(read_recording).unwrap_or_default();
    fields.done();
    Some(NodeFile {
        data: base.join(data?),
        listen: listen.unwrap_or_default(),
        identity,
        memory,
        disk,
        disk_at,
        workers,
        secrets,
        keys,
        durability: durability.unwrap_or(Durability::Fsync),
        dns: dns.unwrap_or_default(),
        shapes,
    })
}

fn read_recording(value: Value<'_>) -> Option<Recording> {
    match value.read::<String>()?.as_str() {
        "record" => Some(Recording::On),
        "off" => Some(Recording::Off),
        _ => {
            value.fault("expected record or off");
            None
        }
    }
}

fn read_listen(value: Value<'_>) -> Option<Listen> {
    let mut fields = value.fields()?;
    let mut given: Vec<Given> = Vec::new();
    let mut address = |listener| {
        let value = fields.value(listener)?;
        let address = value.read::<SocketAddr>()?;
        // Port 0 is another port each time.
        if address.port() != 0 && given.iter().any(|other| other.address == address) {
            value.fault(format_args!("another listener has {address} already"));
        }
        given.push(Given { listener, address, at: value.at() });
        Some(address)
    };
    let listen = Listen {
        otlp_grpc: address("otlp_grpc"),
        otlp_http: address("otlp_http"),
        tier: address("tier"),
        admin: address("admin"),
        metrics: address("metrics"),
        given,
    };
    fields.done();
    Some(listen)
}

fn read_identity(value: Value<'_>, base: &Path) -> Option<Identity> {
    let mut fields = value.fields()?;
    let (cert, key) = (fields.required::<PathBuf>("cert"), fields.required::<PathBuf>("key"));
    fields.done();
    Some(Identity { cert: base.join(cert?), key: base.join(key?) })
}

fn read_budgets(value: Value<'_>) -> (Option<ByteSize>, Option<(ByteSize, At)>) {
    let Some(mut fields) = value.fields() else { return (None, None) };
    let memory = fields.value("memory").and_then(|value| {
        let memory = value.read::<ByteSize>()?;
        if memory < SMALLEST_MEMORY {
            value.fault(format_args!("is at least {SMALLEST_MEMORY}: the largest request has to fit in"));
        }
        Some(memory)
    });
    let disk = fields.value("disk").and_then(|value| Some((value.read()?, value.at())));
    fields.done();
    (memory, disk)
}

fn read_keys(fields: &mut Fields<'_>, base: &Path) -> Vec<KeyFolder> {
    let entries = fields.value("keys").and_then(Value::entries).unwrap_or_default();
    let folder = |value: Value<'_>| {
        let mut fields = value.fields()?;
        let (dir, file, env) = (fields.optional::<PathBuf>("dir"), fields.value("file"), fields.value("env"));
        fields.done();
        if dir.is_none() || file.is_some() || env.is_some() {
            value.fault("a key is a folder with a root for each epoch, said as `dir`; `tollgate keys new` makes it");
            return None;
        }
        dir.map(|dir| base.join(dir))
    };
    entries.into_iter().filter_map(|(name, value)| Some(KeyFolder::new(name.value, folder(value)?))).collect()
}

fn read_sources(fields: &mut Fields<'_>, base: &Path) -> BTreeMap<String, Source> {
    let entries = fields.value("secrets").and_then(Value::entries).unwrap_or_default();
    entries.into_iter().filter_map(|(name, value)| Some((name.value, read_source(value, base)?))).collect()
}

fn read_source(value: Value<'_>, base: &Path) -> Option<Source> {
    let mut fields = value.fields()?;
    let (file, env) = (fields.optional::<PathBuf>("file"), fields.optional::<String>("env"));
    fields.done();
    match (file, env) {
        (Some(file), None) => Some(Source::File(base.join(file))),
        (None, Some(env)) => Some(Source::Env(env)),
        _ => {
            value.fault("says either `file` or `env`");
            None
        }
    }
}

impl Read for Durability {
    fn read(value: Value<'_>) -> Option<Self> {
        match value.as_text() {
            Some("fsync") => Some(Self::Fsync),
            Some("os") => Some(Self::Os),
            _ => {
                value.fault("is `fsync` or `os`");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<NodeFile, String> {
        NodeFile::parse("node.yaml", text, Path::new("/set")).map_err(|faults| faults.to_string())
    }

    #[test]
    fn paths_start_at_the_set() {
        let node = parse("data: data/x\nidentity: {cert: a.pem, key: a.key}\nkeys: {user: {dir: k}}\n").unwrap();
        assert_eq!(node.data, Path::new("/set/data/x"));
        assert_eq!(node.identity.unwrap().key, Path::new("/set/a.key"));
        assert_eq!(node.keys, [KeyFolder::new("user", "/set/k")]);
        let faults = parse("data: d\nkeys: {user: {file: k}}\n").unwrap_err();
        assert!(faults.starts_with("node.yaml:2:14: keys.user: a key is a folder"), "{faults}");
    }

    #[test]
    fn every_fault_is_reported_at_once() {
        let text = "data: d\nlisten: {tier: nowhere}\nsecrets: {s: {}}\ndurability: maybe\nupstream: 1.2.3.4:1\n";
        let faults = parse(text).unwrap_err();
        for fault in ["node.yaml:2:", "node.yaml:3:", "node.yaml:4:", "node.yaml:5:"] {
            assert!(faults.contains(fault), "{fault} is missing in\n{faults}");
        }
    }

    #[test]
    fn what_cannot_work_is_a_fault_with_its_place() {
        let text = "data: d\nlisten: {admin: 127.0.0.1:1, metrics: 127.0.0.1:1}\nbudgets: {memory: 1MiB}\n";
        let faults = parse(text).unwrap_err();
        assert_eq!(
            faults,
            "node.yaml:2:39: listen.metrics: another listener has 127.0.0.1:1 already\n\
             node.yaml:3:19: budgets.memory: is at least 64MiB: the largest request has to fit in"
        );
        parse("data: d\nlisten: {admin: 127.0.0.1:0, metrics: 127.0.0.1:0}\nbudgets: {memory: 64MiB}\n").unwrap();
    }

    #[test]
    fn a_variable_that_is_not_set_is_a_fault_in_every_field_and_the_only_one_there() {
        let text = "data: ${env:TOLLGATE_NOT_SET}\nlisten: {tier: ${env:TOLLGATE_NOT_SET}}\n\
                    keys: {user: {dir: ${env:TOLLGATE_NOT_SET}}}\nbudgets: {memory: ${env:TOLLGATE_NOT_SET}, disk: 1}\n";
        let faults = parse(text).unwrap_err();
        let what = "the environment variable TOLLGATE_NOT_SET is not set, or not to text";
        let places = ["1:7: data", "2:16: listen.tier", "3:20: keys.user.dir", "4:19: budgets.memory"];
        let expected = places.map(|place| format!("node.yaml:{place}: {what}"));
        assert_eq!(faults.lines().take(4).collect::<Vec<_>>(), expected);
        assert!(faults.lines().count() == 5 && faults.contains("node.yaml:4:50: budgets.disk: "), "{faults}");
    }
}
