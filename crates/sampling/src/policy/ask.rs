//! What policies read of spans, and where in the document they say so: for whoever knows which of it arrives.

use tollgate_config::At;

/// One thing that a policy reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Where it stands.
    pub at: At,
    /// The carriers that are looked at, by the names of `tollgate_residency`; the policy needs one of them.
    pub carriers: Vec<&'static str>,
    /// The key of an attribute, or of a member of the trace state; the whole of a carrier without one.
    pub key: Option<Box<str>>,
}

/// What attribute policies look at.
pub(crate) const ATTRIBUTES: &[&str] = &["span.attributes", "resource.attributes"];
