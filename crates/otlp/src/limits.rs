//! The bounds that every walk enforces, so that no sender decides how much work or memory it costs.

/// Bounds one request. The default lets every known SDK and Collector through and stops only abuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest request, in bytes after decompression; never more than 4 GiB, because an index holds 32-bit offsets.
    pub request_bytes: usize,
    /// Most resources in a request.
    pub resources: usize,
    /// Most scopes in a request, over all resources.
    pub scopes: usize,
    /// Most items in a request, good and bad ones.
    pub items: usize,
    /// Most key-value pairs in one item, resource or scope, over all its parts and nested values.
    pub attributes_per_item: usize,
    /// Longest attribute key, in bytes.
    pub key_bytes: usize,
    /// Deepest nesting of messages inside one item, resource or scope; an attribute's value lies at depth 2 and
    /// each array or map around a value adds two or three. Never more than [`Limits::MAX_DEPTH`].
    pub depth: usize,
}

impl Limits {
    /// Where most decoders stop is 100 levels from the request down, and an item lies at level 3.
    pub const MAX_DEPTH: usize = 96;

    /// For requests joined from ones that were bounded when they came in: counts add up, the form does not change.
    pub const JOINED: Self = Self {
        request_bytes: u32::MAX as usize,
        resources: usize::MAX,
        scopes: usize::MAX,
        items: usize::MAX,
        attributes_per_item: usize::MAX,
        key_bytes: usize::MAX,
        depth: Self::MAX_DEPTH,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_bytes: 64 << 20,
            resources: 1 << 16,
            scopes: 1 << 17,
            items: 1 << 20,
            attributes_per_item: 1 << 20,
            key_bytes: 4 << 10,
            depth: 64,
        }
    }
}
