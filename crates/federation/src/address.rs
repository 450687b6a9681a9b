//! Where something is reached: host and port, base URL, and files that lie beside the documents.

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use tollgate_config::{Read, Value};

/// A host (name or address) and a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    host: Host,
    port: u16,
}

/// The base URL of an OTLP/HTTP receiver, without query, fragment and credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl(String);

/// A host name (RFC 1123) or an IP address; IPv6 in brackets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Host(String);

/// A file of the set's folder, written `file:ca/eu-west.pem`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SetFile(pub(crate) PathBuf);

/// Why a text is not an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither a host name nor an IP address.
    #[error("expected a host name or an ip address")]
    Host,
    /// Not a host and a port.
    #[error("expected host:port, such as tempo.example:4317")]
    HostPort,
    /// Not a base URL.
    #[error("expected a url such as https://otlp.example, without query, fragment and credentials")]
    Url,
    /// Not a file of the set's folder.
    #[error("expected file:PATH, a path below the folder of the documents")]
    SetFile,
}

impl HostPort {
    pub(crate) fn new(host: Host, port: u16) -> Self {
        Self { host, port }
    }

    /// The host; an IPv6 address stands in brackets.
    pub fn host(&self) -> &str {
        &self.host.0
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host.0, self.port)
    }
}

impl FromStr for HostPort {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (host, port) = text.rsplit_once(':').ok_or(AddressError::HostPort)?;
        let host = host.parse().map_err(|_| AddressError::HostPort)?;
        Ok(Self { host, port: port_of(port).ok_or(AddressError::HostPort)? })
    }
}

fn port_of(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok().filter(|port| *port != 0) } else { None }
}

impl Host {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Host {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let known = address.parse::<std::net::Ipv6Addr>().is_ok();
            return if known { Ok(Self(text.to_owned())) } else { Err(AddressError::Host) };
        }
        let label = |label: &str| {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            (1..=63).contains(&label.len())
                && label.bytes().all(allowed)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let labels = text.strip_suffix('.').unwrap_or(text);
        if labels.len() <= 253 && labels.split('.').all(label) {
            Ok(Self(text.to_owned()))
        } else {
            Err(AddressError::Host)
        }
    }
}

impl HttpUrl {
    /// The URL, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the transport is TLS.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for HttpUrl {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or(AddressError::Url)?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let reached = authority.parse::<HostPort>().is_ok() || authority.parse::<Host>().is_ok();
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/%".contains(&b);
        if reached && path.bytes().all(plain) {
            Ok(Self(text.trim_end_matches('/').to_owned()))
        } else {
            Err(AddressError::Url)
        }
    }
}

impl FromStr for SetFile {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let path = Path::new(text.strip_prefix("file:").ok_or(AddressError::SetFile)?);
        // A path that leaves the folder would name a different file on every machine.
        let below = path.components().all(|part| matches!(part, Component::Normal(_)));
        if below && path.components().next().is_some() { Ok(Self(path.to_owned())) } else { Err(AddressError::SetFile) }
    }
}

impl Read for HostPort {
    fn read(value: Value<'_>) -> Option<Self> {
        value.parse()
    }
}

impl Read for HttpUrl {
    fn read(value: Value<'_>) -> Option<Self> {
        value.parse()
    }
}

impl Read for Host {
    fn read(value: Value<'_>) -> Option<Self> {
        value.parse()
    }
}

impl Read for SetFile {
    fn read(value: Value<'_>) -> Option<Self> {
        value.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_a_port_are_both_needed() {
        for good in ["tempo.eu-west.svc:4317", "10.0.0.1:1", "[::1]:4317", "localhost:65535"] {
            assert_eq!(good.parse::<HostPort>().map(|address| address.to_string()), Ok(good.to_owned()));
        }
        for bad in [
            "tempo",
            "tempo:",
            "tempo:0",
            "tempo:65536",
            ":4317",
            "::1:4317",
            "a b:1",
            "tempo:+1",
            "https://a:1",
            "[x]:1",
        ] {
            assert_eq!(bad.parse::<HostPort>(), Err(AddressError::HostPort), "{bad:?}");
        }
    }

    #[test]
    fn a_url_has_no_place_for_secrets() {
        for good in ["https://otlp.example", "http://127.0.0.1:4318", "https://a.example/otlp/x"] {
            assert_eq!(good.parse::<HttpUrl>().map(|url| url.to_string()), Ok(good.to_owned()));
        }
        assert_eq!("https://a/".parse::<HttpUrl>().map(|url| url.to_string()), Ok("https://a".to_owned()));
        for bad in
            ["ftp://a", "a.example", "https://", "https://u:p@a", "https://a/?key=1", "https://a#x", "https://a/b c"]
        {
            assert_eq!(bad.parse::<HttpUrl>(), Err(AddressError::Url), "{bad:?}");
        }
    }

    #[test]
    fn a_file_lies_below_the_documents() {
        assert_eq!("file:ca/a.pem".parse(), Ok(SetFile("ca/a.pem".into())));
        for bad in ["ca/a.pem", "file:", "file:/etc/a.pem", "file:../a.pem", "file:ca/../../a.pem"] {
            assert_eq!(bad.parse::<SetFile>(), Err(AddressError::SetFile), "{bad:?}");
        }
    }
}
