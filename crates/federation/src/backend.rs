//! Backends: where a tier's data ends.
//!
//! Promises:
//! 1. Each backend has a regime and a legal entity: its region's, unless it names both.
//! 2. Plain text and every secret are said aloud: `tls: off`, `secret:NAME`.

mod read;

use std::path::PathBuf;
use std::time::Duration;

use tollgate_config::{At, ByteSize, Located};

use crate::address::{HostPort, HttpUrl};
use crate::name::Name;
use crate::node::TierId;
use crate::origin::Regime;
use crate::place::BackendId;
use crate::signal::Signals;

pub(crate) use read::BackendDraft;

/// The name of the file exporter that every tier has for signals without a backend.
pub(crate) const EMBEDDED: &str = "embedded";
/// The Collector's default for OTLP exporters.
const TIMEOUT: Duration = Duration::from_secs(5);
const ROTATE: ByteSize = ByteSize(64 << 20);
const KEEP: u32 = 8;

/// Where a tier's data ends.
#[derive(Debug, Clone)]
pub struct Backend {
    id: BackendId,
    target: BackendTarget,
    signals: Signals,
    headers: Vec<(String, HeaderValue)>,
    tls: BackendTls,
    compression: Compression,
    timeout: Duration,
    traces: Traces,
    regime: Regime,
    entity: String,
    at: At,
}

/// Which traces a backend gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traces {
    /// All that its tier has: at a gateway those of its region, at a central tier those that it keeps.
    All,
    /// At a gateway, those that it keeps itself by the sampling policy.
    Kept,
}

/// What a backend speaks, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackendTarget {
    /// OTLP/gRPC.
    OtlpGrpc(HostPort),
    /// OTLP/HTTP; `/v1/traces` and the like are added to the URL.
    OtlpHttp(HttpUrl),
    /// Lines of OTLP/JSON in files of the process's own data folder.
    File {
        /// A file is closed when it has this size.
        rotate: ByteSize,
        /// How many closed files stay.
        keep: u32,
    },
}

/// The value of a request header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderValue {
    /// The value itself.
    Literal(String),
    /// The name of a secret; the node file says where it lies.
    Secret(Name),
}

/// How a backend proves itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackendTls {
    /// Plain text, said aloud in the documents.
    Off,
    /// A certificate under the machine's roots.
    System,
    /// A certificate under this CA, a file below the folder of the documents.
    Ca(PathBuf),
}

/// How request bodies are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, as the Collector does by default.
    Gzip,
    /// zstd.
    Zstd,
}

/// What a backend inherits from its region.
pub(crate) struct Home {
    pub(crate) tier: TierId,
    pub(crate) regime: Option<Located<Regime>>,
    pub(crate) entity: Option<String>,
}

impl Backend {
    /// Its identity.
    pub fn id(&self) -> &BackendId {
        &self.id
    }

    /// What it speaks, and where.
    pub fn target(&self) -> &BackendTarget {
        &self.target
    }

    /// What it takes.
    pub fn signals(&self) -> Signals {
        self.signals
    }

    /// Headers of every request, by name.
    pub fn headers(&self) -> &[(String, HeaderValue)] {
        &self.headers
    }

    /// How it proves itself.
    pub fn tls(&self) -> &BackendTls {
        &self.tls
    }

    /// How requests are compressed.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// How long one request may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Which traces it gets.
    pub fn traces(&self) -> Traces {
        self.traces
    }

    /// The regime it lies in.
    pub fn regime(&self) -> &Regime {
        &self.regime
    }

    /// The legal entity that runs it.
    pub fn entity(&self) -> &str {
        &self.entity
    }

    /// Where it stands in the documents.
    pub fn at(&self) -> &At {
        &self.at
    }

    /// The file exporter for signals that have no backend.
    pub(crate) fn embedded(home: &Home, signals: Signals, at: At) -> Option<Self> {
        Some(Self {
            id: BackendId::new(home.tier.clone(), EMBEDDED.parse().ok()?),
            target: BackendTarget::File { rotate: ROTATE, keep: KEEP },
            signals,
            headers: Vec::new(),
            tls: BackendTls::Off,
            compression: Compression::None,
            timeout: TIMEOUT,
            traces: Traces::All,
            regime: home.regime.clone()?.value,
            entity: home.entity.clone()?,
            at,
        })
    }
}
