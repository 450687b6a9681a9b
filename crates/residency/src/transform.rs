//! The transforms that a document can name: a keyed pseudonym and a shortened address. There is no un-keyed hash.

use std::time::Duration;

use tollgate_config::{Read, Value};

use crate::reading::only;

/// Longest prefix of an IPv4 address that still covers more than a household.
const LONGEST_V4: u8 = 24;
/// Longest prefix of an IPv6 address that can be asked for; it may be one household.
const LONGEST_V6: u8 = 48;
/// From this length on an IPv6 prefix may be one customer of a provider, and the risk is accepted by name.
const HOUSEHOLD_V6: u8 = 33;

/// A pseudonym: values of one group get equal pseudonyms, for one destination, within one epoch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Keyed {
    /// Attributes of one group are joinable with each other: `user`.
    pub group: String,
    /// The name of the root key; the node file says where it lies.
    pub key: String,
    /// How long a root key is used. Never zero.
    pub epoch: Duration,
}

/// What a transform's name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Transform {
    Keyed(Keyed),
    Truncate { v4: u8, v6: u8 },
}

impl Read for Transform {
    fn read(value: Value<'_>) -> Option<Self> {
        let mut fields = value.fields()?;
        let (hmac, truncate) = (fields.value("hmac"), fields.value("truncate"));
        let risk = fields.optional::<String>("accept_risk");
        fields.done();
        match (hmac, truncate) {
            (Some(hmac), None) => keyed(hmac).map(Self::Keyed),
            (None, Some(prefixes)) => truncated(prefixes, risk.as_deref()),
            _ => {
                value.fault("a transform is either `hmac` or `truncate`; hashing without a key is none");
                None
            }
        }
    }
}

fn keyed(value: Value<'_>) -> Option<Keyed> {
    let mut fields = value.fields()?;
    let (group, key) = (fields.required::<String>("group"), fields.required::<String>("key"));
    let epoch = fields.required::<Duration>("epoch");
    let scope = fields.required_value("scope");
    fields.done();
    only(scope?, "per_destination", "pseudonyms that several destinations could join are not supported yet")?;
    let epoch = epoch?;
    // An epoch under a second would make more keys than events; whole seconds keep the arithmetic exact.
    if epoch.as_secs() == 0 || epoch.subsec_nanos() != 0 {
        value.fault("an epoch lasts whole seconds, at least one");
        return None;
    }
    Some(Keyed { group: group?, key: key?, epoch })
}

fn truncated(value: Value<'_>, risk: Option<&str>) -> Option<Transform> {
    let mut fields = value.fields()?;
    let v4 = prefix(value, "v4", fields.required::<u8>("v4"), LONGEST_V4);
    let v6 = prefix(value, "v6", fields.required::<u8>("v6"), LONGEST_V6);
    fields.done();
    let (v4, v6) = (v4?, v6?);
    if v6 >= HOUSEHOLD_V6 && risk.is_none_or(str::is_empty) {
        value.fault(format_args!("a /{v6} may be one household: name the accepted risk as `accept_risk`"));
        return None;
    }
    Some(Transform::Truncate { v4, v6 })
}

fn prefix(value: Value<'_>, family: &str, bits: Option<u8>, longest: u8) -> Option<u8> {
    let bits = bits?;
    let prefix = (bits <= longest).then_some(bits);
    if prefix.is_none() {
        value.fault(format_args!("{family}: a prefix longer than /{longest} still tells one subscriber: /{bits}"));
    }
    prefix
}
