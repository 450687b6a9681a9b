//! Why an expression is none.

/// An expression that is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("{fault}, at its column {column}")]
    Syntax {
        /// In characters, from 1.
        column: usize,
        fault: Fault,
    },
    #[error("takes more memory than a regular expression may")]
    TooLarge,
    #[error("is nested too deep")]
    TooDeep,
}

/// What is wrong there, as it is for the Collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("there is nothing before it that could be repeated")]
    NothingToRepeat,
    #[error("a repetition is repeated; if that is meant, a group goes around the first")]
    RepeatedTwice,
    #[error("repeats more than {0} times, together with what it stands around, or more often at least than at most")]
    Repetitions(u32),
    #[error("closes no group")]
    NoGroup,
    #[error("the group is not closed")]
    OpenGroup,
    #[error("a name of a group has letters, digits and underscores and ends with `>`")]
    GroupName,
    #[error(
        "no such group or flag: there are `(?:`, `(?P<name>`, `(?<name>`, and `i`, `m`, `s`, `U`; nothing looks around"
    )]
    GroupKind,
    #[error("the brackets are not closed")]
    OpenBrackets,
    #[error("the range ends before it begins")]
    Range,
    #[error("no class has this name")]
    ClassName,
    #[error("no such escape; nothing refers back")]
    Escape,
    #[error("a backslash at the end escapes nothing")]
    Backslash,
}
