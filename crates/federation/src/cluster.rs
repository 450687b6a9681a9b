//! A cluster: what its collectors listen on, stamp, drop and gather.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use regex::Regex;
use tollgate_config::{At, Fields, Read, Value};

use crate::address::SetFile;
use crate::listener::Listener;
use crate::name::Name;
use crate::node::TierId;
use crate::signal::Signal;
use crate::thinning::Thinning;

/// A cluster of a region, with one collector tier.
#[derive(Debug, Clone)]
pub struct Cluster {
    id: TierId,
    name: Name,
    listen: Listen,
    stamp: Stamp,
    drop: Vec<DropRule>,
    thin: Option<Thinning>,
    batch: Batch,
}

/// Where services send to; at least one address is there.
#[derive(Debug, Clone)]
pub struct Listen {
    /// OTLP/gRPC.
    pub otlp_grpc: Option<SocketAddr>,
    /// OTLP/HTTP.
    pub otlp_http: Option<SocketAddr>,
    /// Whether services speak TLS.
    pub tls: Tls,
    /// Where the documents say so.
    pub at: At,
}

/// The TLS of a listener for services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// Plain text, said aloud in the documents.
    Off,
    /// A certificate and its key, below the folder of the documents.
    Files {
        /// The certificate chain, PEM.
        cert: PathBuf,
        /// The private key, PEM.
        key: PathBuf,
    },
}

/// What collectors write into every resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// `deployment.environment.name`.
    pub environment: String,
    /// `k8s.cluster.name`.
    pub cluster: String,
    /// The region's name.
    pub region: Name,
    /// Where more is found.
    pub from: Vec<StampSource>,
}

/// Where resource attributes are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StampSource {
    /// `OTEL_RESOURCE_ATTRIBUTES` of the collector's environment.
    Env,
    /// The Kubernetes downward API.
    K8s,
}

/// Items that are dropped at the collector.
#[derive(Debug, Clone)]
pub struct DropRule {
    /// The signal.
    pub signal: Signal,
    /// The attribute's key.
    pub attribute: String,
    /// What its value matches.
    pub matches: Regex,
}

/// How parcels are gathered; keys and defaults are those of the Collector's batch processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// A parcel is sent when it has this many items.
    pub send_batch_size: u32,
    /// A parcel is sent when it is this old.
    pub timeout: Duration,
}

impl Default for Batch {
    fn default() -> Self {
        Self { send_batch_size: 8192, timeout: Duration::from_millis(200) }
    }
}

impl Listen {
    /// The listeners that have an address.
    pub fn listeners(&self) -> impl Iterator<Item = Listener> + use<> {
        let grpc = self.otlp_grpc.map(|_| Listener::OtlpGrpc);
        grpc.into_iter().chain(self.otlp_http.map(|_| Listener::OtlpHttp))
    }
}

impl Cluster {
    /// The tier of its collectors.
    pub fn id(&self) -> &TierId {
        &self.id
    }

    /// Its name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Where its services send to.
    pub fn listen(&self) -> &Listen {
        &self.listen
    }

    /// What is written into every resource.
    pub fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// What is dropped.
    pub fn drop_rules(&self) -> &[DropRule] {
        &self.drop
    }

    /// What share and rate of traces its collectors let through; all of them where nothing is said.
    pub fn thinning(&self) -> Option<Thinning> {
        self.thin
    }

    /// How parcels are gathered.
    pub fn batch(&self) -> Batch {
        self.batch
    }

    /// Reads a cluster; one without a name is read for its other faults.
    pub(crate) fn read(region: &Name, name: Option<Name>, value: Value<'_>) -> Option<Self> {
        let mut fields = value.fields()?;
        let listen = fields.required("listen");
        let stamp = fields.required_value("stamp").and_then(|value| read_stamp(region, name.as_ref(), value));
        let drop = optional_or_default(&mut fields, "drop");
        let thin = fields.value("thin").map_or(Some(None), |value| value.read().map(Some));
        let batch = optional_or_default(&mut fields, "batch");
        fields.done();
        let name = name?;
        let id = TierId::collectors(region.clone(), name.clone());
        Some(Self { id, name, listen: listen?, stamp: stamp?, drop: drop?, thin: thin?, batch: batch? })
    }
}

/// A key that may be missing but not wrong.
fn optional_or_default<T: Read + Default>(fields: &mut Fields<'_>, key: &'static str) -> Option<T> {
    fields.value(key).map_or_else(|| Some(T::default()), T::read)
}

fn read_stamp(region: &Name, cluster: Option<&Name>, value: Value<'_>) -> Option<Stamp> {
    let mut fields = value.fields()?;
    let environment = fields.required("environment");
    let named = fields.value("cluster").map_or_else(|| cluster.map(Name::to_string), Value::read);
    let from = optional_or_default(&mut fields, "from");
    fields.done();
    Some(Stamp { environment: environment?, cluster: named?, region: region.clone(), from: from? })
}

impl Read for StampSource {
    fn read(value: Value<'_>) -> Option<Self> {
        value.choice(&[("env", Self::Env), ("k8s", Self::K8s), ("k8snode", Self::K8s)])
    }
}

impl Read for Listen {
    fn read(value: Value<'_>) -> Option<Self> {
        let mut fields = value.fields()?;
        let (grpc, http) = (fields.value("otlp_grpc"), fields.value("otlp_http"));
        if grpc.is_none() && http.is_none() {
            value.fault("a listener needs otlp_grpc or otlp_http");
        }
        let (otlp_grpc, otlp_http) = (grpc.and_then(Value::read), http.and_then(Value::read));
        let tls = fields.required("tls");
        fields.done();
        if otlp_grpc.is_none() && otlp_http.is_none() {
            return None;
        }
        Some(Self { otlp_grpc, otlp_http, tls: tls?, at: value.at() })
    }
}

impl Read for Tls {
    fn read(value: Value<'_>) -> Option<Self> {
        if value.is_scalar() {
            return value.choice(&[("off", Self::Off)]);
        }
        let mut fields = value.fields()?;
        let (cert, key): (Option<SetFile>, Option<SetFile>) = (fields.required("cert"), fields.required("key"));
        fields.done();
        Some(Self::Files { cert: cert?.0, key: key?.0 })
    }
}

impl Read for DropRule {
    fn read(value: Value<'_>) -> Option<Self> {
        let mut fields = value.fields()?;
        let signal = fields.required("signal");
        let attribute: Option<String> = fields.required("attribute");
        let matches = fields.required_value("matches").and_then(read_regex);
        fields.done();
        if signal == Some(Signal::Metrics) {
            value.fault("metrics have no attributes of their own: a rule drops traces or logs");
        }
        Some(Self { signal: signal?, attribute: attribute?, matches: matches? })
    }
}

fn read_regex(value: Value<'_>) -> Option<Regex> {
    let text: String = value.read()?;
    // The library's own message spans several lines and repeats the expression.
    Regex::new(&text).map_err(|_| value.fault("not a regular expression")).ok()
}

impl Read for Batch {
    fn read(value: Value<'_>) -> Option<Self> {
        let mut fields = value.fields()?;
        let default = Self::default();
        let size = fields.value("send_batch_size").map_or(Some(default.send_batch_size), Value::read);
        let timeout = fields.value("timeout").map_or(Some(default.timeout), Value::read);
        fields.done();
        if size == Some(0) || timeout == Some(Duration::ZERO) {
            value.fault("send_batch_size and timeout are greater than zero");
            return None;
        }
        Some(Self { send_batch_size: size?, timeout: timeout? })
    }
}
