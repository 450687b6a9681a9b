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
        let risk = fields.value("accept_risk").map(Value::read::<String>);
        let known = fields.done();
        if hmac.is_some() == truncate.is_some() {
            value.fault("a transform is either `hmac` or `truncate`; hashing without a key is none");
        }
        // What has another fault, or may be an unknown key, is not called missing too.
        let accepted = known.is_none() || risk.is_some_and(|risk| risk.as_deref() != Some(""));
        let (keyed, truncated) = (hmac.map(keyed), truncate.map(truncated));
        if let (Some(value), Some((_, Some(v6)))) = (truncate, truncated)
            && v6 >= HOUSEHOLD_V6
            && !accepted
        {
            value.fault(format_args!("a /{v6} may be one household: name the accepted risk as `accept_risk`"));
            return None;
        }
        match (keyed, truncated) {
            (Some(keyed), None) => keyed.map(Self::Keyed),
            (None, Some((v4, v6))) => Some(Self::Truncate { v4: v4?, v6: v6? }),
            _ => None,
        }
    }
}

fn keyed(value: Value<'_>) -> Option<Keyed> {
    let mut fields = value.fields()?;
    let (group, key) = (fields.required::<String>("group"), fields.required::<String>("key"));
    let epoch = fields.required::<Duration>("epoch");
    let scope = fields.required_value("scope");
    fields.done();
    let scope = scope.and_then(|scope| {
        only(scope, "per_destination", "pseudonyms that several destinations could join are not supported yet")
    });
    // An epoch under a second would make more keys than events; whole seconds keep the arithmetic exact.
    if epoch.is_some_and(|epoch| epoch.as_secs() == 0 || epoch.subsec_nanos() != 0) {
        value.fault("an epoch lasts whole seconds, at least one");
        return None;
    }
    scope?;
    Some(Keyed { group: group?, key: key?, epoch: epoch? })
}

fn truncated(value: Value<'_>) -> (Option<u8>, Option<u8>) {
    let Some(mut fields) = value.fields() else { return (None, None) };
    let v4 = fields.required_value("v4").and_then(|bits| prefix(bits, LONGEST_V4));
    let v6 = fields.required_value("v6").and_then(|bits| prefix(bits, LONGEST_V6));
    fields.done();
    (v4, v6)
}

fn prefix(value: Value<'_>, longest: u8) -> Option<u8> {
    let bits = value.read::<u8>()?;
    if bits > longest {
        value.fault(format_args!("a prefix longer than /{longest} still tells one subscriber: /{bits}"));
        return None;
    }
    Some(bits)
}
