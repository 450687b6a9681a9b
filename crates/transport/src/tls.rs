//! Who may speak for whom: mutual TLS 1.3 between tiers, ordinary TLS for services and backends, all reloadable.

mod config;
mod files;
mod identity;
mod provider;
mod reload;
mod verify;

#[cfg(test)]
pub(crate) use config::ClockTime;
pub(crate) use config::Proof;
pub use config::{BackendTrust, ServerTls, TierFiles, TierTls};
pub use files::TlsError;
pub(crate) use identity::Claim;
pub use identity::{Expected, IdentityFault};
pub use provider::provider;
pub(crate) use reload::Generations;
