//! Risks that somebody accepted by name.
//!
//! Promises:
//! 1. What rests on an accepted risk is absent once the risk's last day has passed; nothing opens in its place.

use time::Date;
use tollgate_config::{At, Value};

use crate::day::{When, day};
use crate::reading::if_there;

/// A risk that was accepted: its name in the register, who answers for it, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Risk {
    pub(crate) id: String,
    /// Missing where only the name was said; `check` reports that.
    pub(crate) owner: Option<String>,
    pub(crate) expires: Option<Date>,
    pub(crate) at: At,
}

impl Risk {
    /// The keys of a risk that is more than a name.
    pub(crate) const KEYS: [&str; 3] = ["id", "owner", "expires"];

    /// Reads a name, or a mapping with owner and expiry.
    pub(crate) fn read(value: Value<'_>) -> Option<Self> {
        if value.is_scalar() {
            let id = named(value)?;
            return Some(Self { id, owner: None, expires: None, at: value.at() });
        }
        let mut fields = value.fields()?;
        let id = fields.required_value("id").and_then(named);
        let owner = fields.required_value("owner").and_then(named);
        let expires = if_there(fields.required_value("expires"), day);
        fields.done()?;
        Some(Self { id: id?, owner: Some(owner?), expires: Some(expires??), at: value.at() })
    }

    pub(crate) fn has_lapsed(&self, when: When) -> bool {
        self.expires.is_some_and(|last| when.is_after(last))
    }
}

fn named(value: Value<'_>) -> Option<String> {
    let name: String = value.read()?;
    if name.trim().is_empty() {
        value.fault("an accepted risk has a name and an owner: write `{id: RISK-77, owner: DPO, expires: 2027-06-30}`");
        return None;
    }
    Some(name)
}
