//! Backends: where a tier's data ends.
//!
//! Promises:
//! 1. Each backend has a regime and a legal entity: its region's, unless it names both.
//! 2. Plain text and every secret are said aloud: `tls: off`, `secret:NAME`.

use std::path::PathBuf;
use std::time::Duration;

use tollgate_config::{At, ByteSize, Fields, Read, Value};

use crate::address::{HostPort, HttpUrl, SetFile};
use crate::name::Name;
use crate::node::TierId;
use crate::origin::Regime;
use crate::place::BackendId;
use crate::signal::Signals;

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
    regime: Regime,
    entity: String,
    at: At,
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
    pub(crate) regime: Option<Regime>,
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
            regime: home.regime.clone()?,
            entity: home.entity.clone()?,
            at,
        })
    }

    pub(crate) fn read(home: &Home, name: Name, value: Value<'_>) -> Option<Self> {
        let mut fields = value.fields()?;
        let target = read_target(&mut fields);
        let signals = fields.required("signals");
        let place = read_place(&mut fields, home);
        let headers = fields.value("headers").map_or_else(|| Some(Vec::new()), read_headers);
        let tls = fields.value("tls").map_or(Some(BackendTls::System), Value::read);
        let compression = fields.value("compression").map_or(Some(Compression::Gzip), Value::read);
        let timeout = fields.value("timeout").map_or(Some(TIMEOUT), read_timeout);
        let mut sound = true;
        if let (Some(target), Some(tls)) = (&target, &tls) {
            sound = check_transport(value, &mut fields, target, tls);
        }
        fields.done();
        let (regime, entity) = place?;
        let (target, headers, compression) = (target?, headers?, compression?);
        let tls = if matches!(target, BackendTarget::File { .. }) { BackendTls::Off } else { tls? };
        let (signals, timeout) = (signals?, timeout?);
        let id = BackendId::new(home.tier.clone(), name);
        let at = value.at();
        sound.then_some(Self { id, target, signals, headers, tls, compression, timeout, regime, entity, at })
    }
}

fn read_target(fields: &mut Fields<'_>) -> Option<BackendTarget> {
    let mapping = fields.mapping();
    match (fields.value("otlp_grpc"), fields.value("otlp_http"), fields.value("file")) {
        (Some(value), None, None) => value.read().map(BackendTarget::OtlpGrpc),
        (None, Some(value), None) => value.read().map(BackendTarget::OtlpHttp),
        (None, None, Some(value)) => read_file(value),
        _ => {
            mapping.fault("a backend is one of otlp_grpc, otlp_http and file");
            None
        }
    }
}

fn read_file(value: Value<'_>) -> Option<BackendTarget> {
    let mut fields = value.fields()?;
    let rotate = fields.value("rotate").map_or(Some(ROTATE), Value::read);
    let keep = fields.value("keep").map_or(Some(KEEP), Value::read);
    fields.done();
    if rotate == Some(ByteSize(0)) {
        value.fault("rotate is greater than zero");
        return None;
    }
    Some(BackendTarget::File { rotate: rotate?, keep: keep? })
}

/// Regime and entity: both or neither are the region's, since another regime is another legal fact.
fn read_place(fields: &mut Fields<'_>, home: &Home) -> Option<(Regime, String)> {
    let mapping = fields.mapping();
    let regime = fields.value("regime").map_or_else(|| home.regime.clone(), Value::read);
    let named = fields.value("entity");
    let entity = named.map_or_else(|| home.entity.clone(), Value::read);
    let abroad = regime.is_some() && home.regime.is_some() && regime != home.regime;
    if abroad && named.is_none() {
        mapping.fault("a backend in another regime names its legal entity: missing key \"entity\"");
        return None;
    }
    Some((regime?, entity?))
}

/// Whether what is said of the transport agrees with the target.
fn check_transport(value: Value<'_>, fields: &mut Fields<'_>, target: &BackendTarget, tls: &BackendTls) -> bool {
    match target {
        BackendTarget::OtlpGrpc(_) => true,
        BackendTarget::OtlpHttp(url) if url.is_https() == (*tls != BackendTls::Off) => true,
        BackendTarget::OtlpHttp(url) if url.is_https() => {
            value.fault("the url says https and tls is off");
            false
        }
        BackendTarget::OtlpHttp(_) => {
            value.fault("plain text is said aloud: an http url needs `tls: off`");
            false
        }
        BackendTarget::File { .. } => {
            let idle = ["headers", "tls", "compression", "timeout"].into_iter().filter_map(|key| fields.value(key));
            idle.map(|value| value.fault("means nothing for a file")).count() == 0
        }
    }
}

fn read_timeout(value: Value<'_>) -> Option<Duration> {
    let timeout: Duration = value.read()?;
    if timeout.is_zero() {
        value.fault("must be longer than zero");
        return None;
    }
    Some(timeout)
}

fn read_headers(value: Value<'_>) -> Option<Vec<(String, HeaderValue)>> {
    let mut headers = Vec::new();
    let entries = value.entries()?;
    let expected = entries.len();
    for (key, value) in entries {
        if !is_token(&key.value) {
            value.faults().report(&key.at, "not the name of a header (RFC 9110 section 5.6.2)");
            continue;
        }
        headers.extend(HeaderValue::read(value).map(|read| (key.value, read)));
    }
    (headers.len() == expected).then_some(headers)
}

fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

impl Read for HeaderValue {
    fn read(value: Value<'_>) -> Option<Self> {
        let text: String = value.read()?;
        if let Some(name) = text.strip_prefix("secret:") {
            return name.parse().map(Self::Secret).map_err(|error| value.fault(error)).ok();
        }
        if !text.bytes().all(|b| (b' '..=b'~').contains(&b)) {
            value.fault("a header consists of printable ascii characters");
            return None;
        }
        Some(Self::Literal(text))
    }
}

impl Read for BackendTls {
    fn read(value: Value<'_>) -> Option<Self> {
        if value.is_scalar() {
            return value.choice(&[("off", Self::Off), ("system", Self::System)]);
        }
        let mut fields = value.fields()?;
        let ca: Option<SetFile> = fields.required("ca");
        fields.done();
        ca.map(|file| Self::Ca(file.0))
    }
}

impl Read for Compression {
    fn read(value: Value<'_>) -> Option<Self> {
        value.choice(&[("none", Self::None), ("gzip", Self::Gzip), ("zstd", Self::Zstd)])
    }
}
