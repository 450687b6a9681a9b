//! What a span says of sampling when it arrives, as far as it can be believed.

use tollgate_otlp::TraceId;

use super::member::{KEY, RANDOMNESS, THRESHOLD, fields, only};
use super::members;
use super::threshold::{Randomness, Threshold};

/// A span's randomness, and the threshold by which it came so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived {
    randomness: Randomness,
    stated: Threshold,
    source: Source,
}

/// Where the randomness is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Somebody wrote it out.
    Explicit,
    /// The trace's id.
    Id,
}

/// Why a span that stays cannot say by which threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unmarked {
    /// Its trace state cannot be read, and is left alone.
    Unreadable,
    /// It named a threshold that cannot be true, which is erased.
    Untrue,
    /// There is no room for it.
    NoRoom,
}

/// The trace state of a span that stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    /// The new one; `None` if it stays as it is.
    pub state: Option<String>,
    /// Why it says no threshold, if it does not.
    pub unmarked: Option<Unmarked>,
}

impl Unmarked {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Unreadable, Self::Untrue, Self::NoRoom];

    /// As metrics call it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Untrue => "untrue",
            Self::NoRoom => "no_room",
        }
    }
}

impl Arrived {
    /// Reads a span's trace state. A threshold that is not true of the trace counts as none.
    #[must_use]
    pub fn read(state: &str, trace: &TraceId) -> Self {
        let members = if state.is_empty() { None } else { members(state) };
        let value = members.iter().flatten().find(|(key, _)| *key == KEY).map_or("", |(_, value)| value);
        let explicit = only(value, RANDOMNESS).and_then(Randomness::parse);
        let randomness = explicit.unwrap_or_else(|| Randomness::of(trace));
        let stated = only(value, THRESHOLD).and_then(Threshold::parse).filter(|stated| stated.keeps(randomness));
        let source = if explicit.is_some() { Source::Explicit } else { Source::Id };
        Self { randomness, stated: stated.unwrap_or(Threshold::ALWAYS), source }
    }

    /// The threshold by which it came so far: that of everything, where nobody said another.
    #[must_use]
    pub fn stated(&self) -> Threshold {
        self.stated
    }

    /// Whether it stays by a threshold.
    #[must_use]
    pub fn stays(&self, threshold: Threshold) -> bool {
        threshold.keeps(self.randomness)
    }

    /// Whether somebody says that the randomness is random: by writing it out, or by the flag of W3C Trace Context, level 2.
    #[must_use]
    pub fn is_declared(&self, flags: u32) -> bool {
        const RANDOM: u32 = 0x02;
        self.source == Source::Explicit || flags & RANDOM != 0
    }
}

/// The trace state of a span that stayed by a threshold.
#[must_use]
pub fn marked(state: &str, trace: &TraceId, threshold: Threshold) -> Marked {
    let new = super::after(state, trace, super::Kept::At(threshold));
    let written = members(new.as_deref().unwrap_or(state));
    let value = |members: &[(&str, &str)]| {
        let own = members.iter().find(|(key, _)| *key == KEY);
        own.is_some_and(|(_, value)| fields(value).any(|(key, _)| key == THRESHOLD))
    };
    let unmarked = match written {
        None => Some(Unmarked::Unreadable),
        Some(written) if value(&written) => None,
        Some(_) if members(state).is_some_and(|before| value(&before)) => Some(Unmarked::Untrue),
        Some(_) => Some(Unmarked::NoRoom),
    };
    Marked { state: new, unmarked }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its randomness is 80000000000000: half of all.
    const HALF: TraceId = TraceId([1, 1, 1, 1, 1, 1, 1, 1, 1, 0x80, 0, 0, 0, 0, 0, 0]);

    fn at(digits: &str) -> Threshold {
        Threshold::parse(digits).unwrap()
    }

    #[test]
    fn randomness_is_what_is_written_out_and_else_the_id() {
        for (state, digits, stays) in [
            ("", "8", true),
            ("", "80000000000001", false),
            ("a=b,ot=rv:c0000000000000", "c", true),
            ("ot=rv:00000000000000", "1", false),
            ("ot=rv:1;rv:2", "8", true),
            ("not a trace state", "8", true),
        ] {
            assert_eq!(Arrived::read(state, &HALF).stays(at(digits)), stays, "{state} {digits}");
        }
        let explicit = Arrived::read("ot=rv:00000000000000", &HALF);
        assert!(explicit.is_declared(0) && Arrived::read("", &HALF).is_declared(3));
        assert!(!Arrived::read("", &HALF).is_declared(1));
    }

    #[test]
    fn a_stated_threshold_counts_where_it_can_be_true() {
        for (state, stated) in [("", "0"), ("ot=th:4", "4"), ("ot=th:c", "0"), ("ot=th:4;th:4", "0"), ("ot=th:x", "0")]
        {
            assert_eq!(Arrived::read(state, &HALF).stated(), at(stated), "{state}");
        }
    }

    #[test]
    fn a_span_that_cannot_say_its_threshold_is_known_by_why() {
        let full = (0..32).map(|number| format!("k{number}=v")).collect::<Vec<_>>().join(",");
        let long = format!("ot=x:{}", "y".repeat(250));
        for (state, unmarked) in [
            ("", None),
            ("ot=th:8", None),
            (&*full, None),
            ("=", Some(Unmarked::Unreadable)),
            ("ot=th:c", Some(Unmarked::Untrue)),
            ("ot=th:zz", Some(Unmarked::Untrue)),
            (&*long, Some(Unmarked::NoRoom)),
        ] {
            assert_eq!(marked(state, &HALF, at("4")).unmarked, unmarked, "{state}");
        }
        assert_eq!(marked("ot=th:8", &HALF, at("4")).state, None, "a higher one stays");
        assert_eq!(marked("=", &HALF, at("4")).state, None, "left alone");
    }
}
