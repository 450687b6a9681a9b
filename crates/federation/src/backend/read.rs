//! How a backend is read.
//!
//! Promises:
//! 1. Regime and entity are known whatever else is wrong, so that links to it can be judged.

use std::time::Duration;

use tollgate_config::{At, ByteSize, Fields, Located, Read, Value};

use super::{Backend, BackendTarget, BackendTls, Compression, HeaderValue, Home, KEEP, ROTATE, TIMEOUT, Traces};
use crate::address::SetFile;
use crate::name::Name;
use crate::node::Role;
use crate::origin::Regime;
use crate::place::BackendId;
use crate::signal::{Signal, Signals};

/// What could be read of a backend.
#[derive(Debug)]
pub(crate) struct BackendDraft {
    pub(crate) id: BackendId,
    pub(crate) at: At,
    pub(crate) regime: Option<Located<Regime>>,
    pub(crate) entity: Option<String>,
    pub(crate) backend: Option<Backend>,
}

impl BackendDraft {
    /// Reads a backend; one without a name is read for its other faults.
    pub(crate) fn read(home: &Home, name: Option<Name>, value: Value<'_>) -> Option<Self> {
        let id = name.map(|name| BackendId::new(home.tier.clone(), name));
        let Some(mut fields) = value.fields() else {
            return Some(Self { id: id?, at: value.at(), regime: None, entity: None, backend: None });
        };
        let (regime, entity) = read_place(&mut fields, home);
        let place = regime.as_ref().map(|regime| regime.value.clone()).zip(entity.clone());
        let backend = read_backend(fields, (home.tier.role(), id.clone()), place);
        Some(Self { id: id?, at: value.at(), regime, entity, backend })
    }
}

fn read_backend(
    mut fields: Fields<'_>,
    (role, id): (Role, Option<BackendId>),
    place: Option<(Regime, String)>,
) -> Option<Backend> {
    let mapping = fields.mapping();
    let target = read_target(&mut fields);
    let signals = fields.required("signals");
    let headers = fields.value("headers").map_or_else(|| Some(Vec::new()), read_headers);
    let tls = fields.value("tls").map_or(Some(BackendTls::System), Value::read);
    let compression = fields.value("compression").map_or(Some(Compression::Gzip), Value::read);
    let timeout = fields.value("timeout").map_or(Some(TIMEOUT), read_timeout);
    let traces = read_traces(&mut fields, role, signals);
    let agreed = agreed(&mut fields, target.as_ref(), tls.as_ref());
    fields.done();
    agreed?;
    let target = target?;
    let tls = if matches!(target, BackendTarget::File { .. }) { BackendTls::Off } else { tls? };
    let (regime, entity) = place?;
    Some(Backend {
        id: id?,
        target,
        signals: signals?,
        headers: headers?,
        tls,
        compression: compression?,
        timeout: timeout?,
        traces: traces?,
        regime,
        entity,
        at: mapping.at(),
    })
}

fn read_target(fields: &mut Fields<'_>) -> Option<BackendTarget> {
    let grpc = fields.value("otlp_grpc").map(|value| value.read().map(BackendTarget::OtlpGrpc));
    let http = fields.value("otlp_http").map(|value| value.read().map(BackendTarget::OtlpHttp));
    let file = fields.value("file").map(read_file);
    let mut said = [grpc, http, file].into_iter().flatten();
    match (said.next(), said.next()) {
        (Some(target), None) => target,
        _ => {
            fields.mapping().fault("a backend is one of otlp_grpc, otlp_http and file");
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
fn read_place(fields: &mut Fields<'_>, home: &Home) -> (Option<Located<Regime>>, Option<String>) {
    let regime: Option<Located<Regime>> = fields.value("regime").map_or_else(|| home.regime.clone(), Value::read);
    let named = fields.value("entity");
    let abroad = match (&regime, &home.regime) {
        (Some(theirs), Some(ours)) => theirs.value != ours.value,
        _ => false,
    };
    if abroad && named.is_none() {
        fields.mapping().fault("a backend in another regime names its legal entity: missing key \"entity\"");
        return (regime, None);
    }
    (regime, named.map_or_else(|| home.entity.clone(), Value::read))
}

/// Whether what is said of the transport agrees with the target; `None` if a fault was reported.
fn agreed(fields: &mut Fields<'_>, target: Option<&BackendTarget>, tls: Option<&BackendTls>) -> Option<()> {
    if fields.value("file").is_some() && fields.value("otlp_grpc").or(fields.value("otlp_http")).is_none() {
        return nothing_but_file(fields);
    }
    let mapping = fields.mapping();
    match (target?, tls?) {
        (BackendTarget::OtlpHttp(url), BackendTls::Off) if url.is_https() => {
            mapping.fault("the url says https and tls is off");
            None
        }
        (BackendTarget::OtlpHttp(url), BackendTls::System | BackendTls::Ca(_)) if !url.is_https() => {
            mapping.fault("plain text is said aloud: an http url needs `tls: off`");
            None
        }
        _ => Some(()),
    }
}

fn nothing_but_file(fields: &mut Fields<'_>) -> Option<()> {
    let idle = ["headers", "tls", "compression", "timeout"].into_iter().filter_map(|key| fields.value(key));
    let idle: Vec<Value<'_>> = idle.collect();
    idle.iter().for_each(|value| value.fault("means nothing for a file"));
    idle.is_empty().then_some(())
}

/// Where a gateway samples for a backend of its own; at a central tier all is sampled that goes out.
fn read_traces(fields: &mut Fields<'_>, role: Role, signals: Option<Signals>) -> Option<Traces> {
    let Some(value) = fields.value("sampled") else { return Some(Traces::All) };
    let traces = if value.read()? { Traces::Kept } else { Traces::All };
    if role == Role::Central {
        value.fault("is for a gateway's own backends: what a central tier sends is sampled anyway");
        return None;
    }
    if traces == Traces::Kept && signals.is_some_and(|signals| !signals.contains(Signal::Traces)) {
        value.fault("only traces are sampled, and this backend takes none");
        return None;
    }
    Some(traces)
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
        let read = HeaderValue::read(value);
        if is_token(&key.value) {
            headers.extend(read.map(|read| (key.value, read)));
        } else {
            value.faults().report(&key.at, "not the name of a header (RFC 9110 section 5.6.2)");
        }
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
