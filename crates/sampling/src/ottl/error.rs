//! Why a condition is none, and why one could not be evaluated on a span.

use tollgate_otlp::Fault;

use crate::policy::pattern;

/// A text is no condition that can be evaluated; the column says where in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {fault}")]
pub(crate) struct SyntaxError {
    /// In characters, from 1.
    pub(crate) column: usize,
    pub(crate) fault: SyntaxFault,
}

/// What is wrong there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SyntaxFault {
    #[error("the condition is longer than {0} bytes")]
    TooLong(usize),
    #[error("the condition is nested deeper than {0} levels")]
    TooDeep(usize),
    #[error("a character that no condition has outside of quotes")]
    Character,
    #[error("text without a closing quote")]
    Unterminated,
    #[error("an escape that Go does not know; a backslash is written twice")]
    Escape,
    #[error("a number that does not fit")]
    Number,
    #[error("bytes are written with two hexadecimal digits each")]
    Bytes,
    #[error("expected {expected}, found {found}")]
    Expected { expected: &'static str, found: &'static str },
    #[error("this is no condition by itself: compare it with something")]
    NotACondition,
    #[error("{path:?} is no path here{}", or_near(.near))]
    Path { path: String, near: Option<&'static str> },
    #[error("{0:?} of the Collector is not supported")]
    UnsupportedPath(&'static str),
    #[error("{0:?} takes no keys")]
    Keys(&'static str),
    #[error("trace_state takes one key, and that in quotes")]
    TraceStateKey,
    #[error("{name:?} is no function that is supported{}", or_near(.near))]
    Function { name: String, near: Option<&'static str> },
    #[error("IsRootSpan is for span conditions")]
    SpanOnly,
    #[error("what {0} returns has no keys")]
    ResultKeys(&'static str),
    #[error("{0} takes {1} arguments")]
    ArgumentCount(&'static str, usize),
    #[error("{0} has no parameter of this name, or it is given twice")]
    Parameter(&'static str),
    #[error("{0} does not take this argument: {1}")]
    Argument(&'static str, EvaluationError),
    #[error("{0} takes a literal text here")]
    LiteralOnly(&'static str),
    #[error("expected lower, upper, snake or camel")]
    Case,
    #[error("is no regular expression of the Collector's: {0}")]
    Pattern(pattern::Refused),
    #[error("{name:?} is no enum{}", or_near(.near))]
    Enum { name: String, near: Option<&'static str> },
    #[error("functions of functions (`=>`) are not supported")]
    Lambda,
}

fn or_near(near: &Option<&'static str>) -> String {
    near.map_or_else(String::new, |near| format!(", did you mean {near}?"))
}

/// A condition has no answer for this span. No variant holds a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EvaluationError {
    #[error("expected {expected}, found {found}")]
    Type { expected: &'static str, found: &'static str },
    #[error("{0} has no length")]
    NoLength(&'static str),
    #[error("{0} has no keys")]
    NotIndexable(&'static str),
    #[error("a key of another type than the value takes")]
    KeyType,
    #[error("an index outside of the list")]
    OutOfBounds,
    #[error("{0} cannot be calculated with {1}")]
    Arithmetic(&'static str, &'static str),
    #[error("division by zero")]
    DivisionByZero,
    #[error("no number")]
    NotANumber,
    #[error("no duration")]
    NotADuration,
    #[error("no id: {0} bytes or twice as many hexadecimal digits")]
    NotAnId(usize),
    #[error("a map cannot hold {0}")]
    NotStorable(&'static str),
    #[error("there is no event")]
    NoEvent,
    #[error("nested too deep")]
    TooDeep,
    #[error("comparing takes more steps than a span may cost")]
    TooMuch,
    #[error("unreadable bytes: {0}")]
    Unreadable(Fault),
}

impl From<Fault> for EvaluationError {
    fn from(fault: Fault) -> Self {
        Self::Unreadable(fault)
    }
}
