//! A condition as a tree, which is also what is evaluated; it prints as a condition that reads back as itself.
//!
//! Promises:
//! 1. What is constant is folded when the tree is made, as the Collector does: a part that is not reached raises no error.

use std::fmt;

use super::compare;
use super::functions::Call;
use super::paths::Path;
use super::values::{List, Map, Value};

/// Something that holds or not.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    Always(bool),
    Not(Box<Test>),
    All(Vec<Test>),
    Any(Vec<Test>),
    Compare(Comparison, Expression, Expression),
    Call(Call),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Below,
    AtMost,
    Above,
    AtLeast,
}

/// Something that has a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    Literal(Literal),
    Path(Path),
    Call(Box<Call>),
    List(Vec<Expression>),
    Map(Vec<(String, Expression)>),
    Negative(Box<Expression>),
    /// From left to right; all operators bind alike.
    Chain(Box<Expression>, Vec<(Operator, Expression)>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Nil,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Plus,
    Minus,
    Times,
    Over,
}

impl Test {
    pub(super) fn not(test: Self) -> Self {
        match test {
            Self::Always(holds) => Self::Always(!holds),
            test => Self::Not(Box::new(test)),
        }
    }

    pub(super) fn all(tests: Vec<Self>) -> Self {
        Self::join(tests, false, Self::All)
    }

    pub(super) fn any(tests: Vec<Self>) -> Self {
        Self::join(tests, true, Self::Any)
    }

    /// `decides`: the constant that makes all others irrelevant; its opposite is irrelevant itself.
    fn join(mut tests: Vec<Self>, decides: bool, joined: fn(Vec<Self>) -> Self) -> Self {
        if tests.contains(&Self::Always(decides)) {
            return Self::Always(decides);
        }
        tests.retain(|test| !matches!(test, Self::Always(_)));
        match tests.len() {
            0 => Self::Always(!decides),
            1 => tests.pop().unwrap_or(Self::Always(!decides)),
            _ => joined(tests),
        }
    }

    pub(super) fn compare(comparison: Comparison, left: Expression, right: Expression) -> Self {
        if let (Some(left), Some(right)) = (left.constant(), right.constant())
            && let Ok(holds) = compare::holds(comparison, &left, &right)
        {
            return Self::Always(holds);
        }
        Self::Compare(comparison, left, right)
    }
}

impl Expression {
    /// The value, if it is the same for every span.
    pub(super) fn constant(&self) -> Option<Value<'_>> {
        match self {
            Self::Literal(literal) => Some(literal.value()),
            Self::List(items) => {
                items.iter().map(Self::constant).collect::<Option<_>>().map(|items| Value::List(List::Made(items)))
            }
            Self::Map(pairs) => {
                let pairs = pairs.iter().map(|(key, item)| Some((key.as_str(), item.constant()?)));
                Map::made(pairs.collect::<Option<_>>()?).ok().map(Value::Map)
            }
            _ => None,
        }
    }
}

impl Literal {
    pub(super) fn value(&self) -> Value<'_> {
        match self {
            Self::Nil => Value::Nil,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::Int(*value),
            Self::Double(value) => Value::Double(*value),
            Self::Text(text) => Value::Text(text.into()),
            Self::Bytes(bytes) => Value::Bytes(bytes),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always(holds) => write!(f, "{holds}"),
            Self::Not(test) => write!(f, "not ({test})"),
            Self::All(tests) => joined(f, tests, " and ", |f, test| write!(f, "({test})")),
            Self::Any(tests) => joined(f, tests, " or ", |f, test| write!(f, "({test})")),
            Self::Compare(comparison, left, right) => write!(f, "{left} {comparison} {right}"),
            Self::Call(call) => write!(f, "{call}"),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Below => "<",
            Self::AtMost => "<=",
            Self::Above => ">",
            Self::AtLeast => ">=",
        })
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(literal) => write!(f, "{literal}"),
            Self::Path(path) => write!(f, "{path}"),
            Self::Call(call) => write!(f, "{call}"),
            Self::Negative(operand) => write!(f, "-({operand})"),
            Self::Chain(first, rest) => {
                write!(f, "({first})")?;
                rest.iter().try_for_each(|(operator, operand)| write!(f, " {operator} ({operand})"))
            }
            Self::List(items) => {
                f.write_str("[")?;
                joined(f, items, ", ", |f, item| write!(f, "{item}"))?;
                f.write_str("]")
            }
            Self::Map(pairs) => {
                f.write_str("{")?;
                joined(f, pairs, ", ", |f, (key, item)| {
                    quoted(f, key)?;
                    write!(f, ": {item}")
                })?;
                f.write_str("}")
            }
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("nil"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Double(value) if value.fract() == 0.0 => write!(f, "{value:.1}"),
            Self::Double(value) => write!(f, "{value}"),
            Self::Text(text) => quoted(f, text),
            Self::Bytes(bytes) => {
                f.write_str("0x")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Times => "*",
            Self::Over => "/",
        })
    }
}

/// Text in quotes, with the escapes that the lexer takes.
pub(super) fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            '\0'..='\x1f' => write!(f, "\\x{:02x}", u32::from(c))?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}

/// Writes items with something between them.
pub(super) fn joined<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    between: &str,
    write: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    items.iter().enumerate().try_for_each(|(at, item)| {
        if at > 0 {
            f.write_str(between)?;
        }
        write(f, item)
    })
}
