//! Resolves the members of a tier or a backend.
//!
//! Promises:
//! 1. "There are none" (scaled to zero), "there is no such name" and "nobody answered" are three different things.
//! 2. How long an answer may be kept comes from the answer.
//! 3. Names are fully qualified: no search list is tried, whatever the machine's configuration says.
//!
//! Not here: keeping the last good set when resolving fails (`tollgate_pipeline`).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Resolver, TokioResolver};
use thiserror::Error;

/// What a name stands for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Sorted, without duplicates; none when the service is scaled to zero.
    pub addresses: Vec<SocketAddr>,
    /// How long this holds.
    pub ttl: Duration,
}

/// Why a name cannot be resolved.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ResolveError {
    /// The name does not exist.
    #[error("there is no such name")]
    NoSuchName,
    /// The text is not a name.
    #[error("not a host name")]
    NotAName,
    /// No server gave an answer: whatever was known before still holds.
    #[error("no answer: {0}")]
    Failed(String),
}

/// A resolver; clones share its cache.
#[derive(Clone, Debug)]
pub struct Dns(TokioResolver);

/// Used where an answer without records says nothing of its own.
const EMPTY_TTL: Duration = Duration::from_secs(5);

impl Dns {
    /// Asks the servers that the machine is configured with.
    ///
    /// # Errors
    /// When that configuration cannot be read.
    pub fn system() -> Result<Self, ResolveError> {
        let (config, options) = hickory_resolver::system_conf::read_system_conf().map_err(|error| failed(&error))?;
        Self::build(config, options)
    }

    /// Asks these servers, over UDP and, where an answer does not fit, TCP.
    ///
    /// # Errors
    /// When the resolver cannot be set up.
    pub fn new(servers: &[SocketAddr]) -> Result<Self, ResolveError> {
        Self::build(ResolverConfig::from_name_servers(name_servers(servers)), ResolverOpts::default())
    }

    pub(crate) fn build(config: ResolverConfig, options: ResolverOpts) -> Result<Self, ResolveError> {
        let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default()).with_options(options);
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.use_hosts_file = ResolveHosts::Auto;
        options.timeout = Duration::from_secs(1);
        options.attempts = 2;
        // A name server that caches does so already, and a stale "there are none" costs more than a question.
        options.negative_max_ttl = Some(EMPTY_TTL);
        builder.build().map(Self).map_err(|error| failed(&error))
    }

    /// Looks up a name: `_service._proto.name` by SRV, anything else by A and AAAA with `port`.
    ///
    /// # Errors
    /// Tells a name that does not exist from one that nobody answers for.
    pub async fn lookup(&self, name: &str, port: u16) -> Result<Answer, ResolveError> {
        let mut name = Name::from_utf8(name).map_err(|_| ResolveError::NotAName)?;
        name.set_fqdn(true);
        if name.iter().next().is_some_and(|label| label.starts_with(b"_")) {
            self.services(name).await
        } else {
            let (addresses, ttl) = self.addresses(name).await?;
            Ok(answer(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect(), ttl))
        }
    }

    async fn services(&self, name: Name) -> Result<Answer, ResolveError> {
        let (targets, mut ttl) = self.records(name, RecordType::SRV).await?;
        let mut addresses = Vec::new();
        for target in targets {
            let RData::SRV(service) = target else { continue };
            let (of_target, of_target_ttl) = match self.addresses(service.target.clone()).await {
                // A member that went away between the two questions is no failure of the others.
                Err(ResolveError::NoSuchName) => continue,
                found => found?,
            };
            ttl = ttl.min(of_target_ttl);
            addresses.extend(of_target.into_iter().map(|address| SocketAddr::new(address, service.port)));
        }
        Ok(answer(addresses, ttl))
    }

    async fn addresses(&self, name: Name) -> Result<(Vec<IpAddr>, Duration), ResolveError> {
        let (four, six) = tokio::join!(self.records(name.clone(), RecordType::A), self.records(name, RecordType::AAAA));
        // One family's silence must not look like members that went away.
        let ((four, ttl), (six, other_ttl)) = (four?, six?);
        let ttl = match (four.is_empty(), six.is_empty()) {
            (false, true) => ttl,
            (true, false) => other_ttl,
            _ => ttl.min(other_ttl),
        };
        let address = |record| match record {
            RData::A(address) => Some(IpAddr::V4(address.0)),
            RData::AAAA(address) => Some(IpAddr::V6(address.0)),
            _ => None,
        };
        Ok((four.into_iter().chain(six).filter_map(address).collect(), ttl))
    }

    async fn records(&self, name: Name, kind: RecordType) -> Result<(Vec<RData>, Duration), ResolveError> {
        match self.0.lookup(name, kind).await {
            Ok(found) => Ok(records_of(&found, kind)),
            Err(error) if error.is_nx_domain() => Err(ResolveError::NoSuchName),
            Err(error) if error.is_no_records_found() => Ok((Vec::new(), EMPTY_TTL)),
            Err(error) => Err(failed(&error)),
        }
    }
}

pub(crate) fn name_servers(addresses: &[SocketAddr]) -> Vec<NameServerConfig> {
    let server = |address: &SocketAddr| {
        let mut server = NameServerConfig::udp_and_tcp(address.ip());
        server.connections.iter_mut().for_each(|connection| connection.port = address.port());
        server
    };
    addresses.iter().map(server).collect()
}

fn records_of(found: &Lookup, kind: RecordType) -> (Vec<RData>, Duration) {
    let of_kind = || found.answers().iter().filter(|record| record.record_type() == kind);
    let ttl = of_kind().map(|record| record.ttl).min().map_or(EMPTY_TTL, |ttl| Duration::from_secs(ttl.into()));
    (of_kind().map(|record| record.data.clone()).collect(), ttl)
}

fn answer(mut addresses: Vec<SocketAddr>, ttl: Duration) -> Answer {
    addresses.sort_unstable();
    addresses.dedup();
    Answer { addresses, ttl }
}

fn failed(error: &NetError) -> ResolveError {
    ResolveError::Failed(error.to_string())
}
