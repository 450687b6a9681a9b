//! The Collector's converters that conditions use, none of which has a side effect.
//!
//! Promises:
//! 1. Arguments that are constant are checked when the condition is read, as the Collector does.
//! 2. Expressions are compiled when the condition is read, and run in linear time.

use std::borrow::Cow;
use std::fmt;

use regex::RegexSet;
use tollgate_otlp::{SpanId, TraceId};

use super::Context;
use super::convert;
use super::duration;
use super::error::{EvaluationError, SyntaxFault};
use super::evaluate::evaluate;
use super::syntax::{Expression, Literal, joined};
use super::values::Value;
use super::view::View;
use crate::policy::pattern;

/// A function with its arguments, one for each of its parameters.
#[derive(Debug, Clone)]
pub(super) struct Call {
    function: &'static Function,
    arguments: Vec<Expression>,
    prepared: Prepared,
}

impl Call {
    /// One for each parameter.
    pub(super) fn arguments(&self) -> &[Expression] {
        &self.arguments
    }

    /// Whether it looks at the span itself, without an argument.
    pub(super) fn reads_parent(&self) -> bool {
        self.function.name == "IsRootSpan"
    }
}

/// What could be done before a span arrived.
#[derive(Debug, Clone)]
enum Prepared {
    Nothing,
    Pattern(RegexSet),
    Case(convert::Case),
}

#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) parameters: &'static [(&'static str, Takes)],
    does: Does,
}

/// What a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Anything,
    Text,
    Int,
    Double,
    Bool,
    Map,
    /// What can be written as text, and nil.
    TextLike,
    IntLike,
    DoubleLike,
    BytesLike,
    /// Known when the condition is read.
    LiteralText,
    Pattern,
    /// A list that is written out, of what can be written as text.
    TextLikes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    IsMatch,
    IsType,
    IsList,
    HasPrefix,
    HasSuffix,
    IsRootSpan,
    Len,
    SpanId,
    TraceId,
    Int,
    Double,
    String,
    ConvertCase,
    Concat,
    Duration,
}

const fn function(name: &'static str, does: Does, parameters: &'static [(&'static str, Takes)]) -> Function {
    Function { name, parameters, does }
}

static FUNCTIONS: [Function; 19] = [
    function("IsMatch", Does::IsMatch, &[("target", Takes::TextLike), ("pattern", Takes::Pattern)]),
    function("IsString", Does::IsType, &[("target", Takes::Text)]),
    function("IsInt", Does::IsType, &[("target", Takes::Int)]),
    function("IsDouble", Does::IsType, &[("target", Takes::Double)]),
    function("IsBool", Does::IsType, &[("target", Takes::Bool)]),
    function("IsMap", Does::IsType, &[("target", Takes::Map)]),
    function("IsList", Does::IsList, &[("target", Takes::Anything)]),
    function("HasPrefix", Does::HasPrefix, &[("target", Takes::Text), ("prefix", Takes::Text)]),
    function("HasSuffix", Does::HasSuffix, &[("target", Takes::Text), ("suffix", Takes::Text)]),
    function("IsRootSpan", Does::IsRootSpan, &[]),
    function("Len", Does::Len, &[("target", Takes::Anything)]),
    function("SpanID", Does::SpanId, &[("target", Takes::BytesLike)]),
    function("TraceID", Does::TraceId, &[("target", Takes::BytesLike)]),
    function("Int", Does::Int, &[("target", Takes::IntLike)]),
    function("Double", Does::Double, &[("target", Takes::DoubleLike)]),
    function("String", Does::String, &[("target", Takes::TextLike)]),
    function("ConvertCase", Does::ConvertCase, &[("target", Takes::Text), ("to_case", Takes::LiteralText)]),
    function("Concat", Does::Concat, &[("vals", Takes::TextLikes), ("delimiter", Takes::Text)]),
    function("Duration", Does::Duration, &[("duration", Takes::Text)]),
];

impl Function {
    pub(super) fn named(name: &str, context: Context) -> Result<&'static Self, SyntaxFault> {
        let Some(function) = FUNCTIONS.iter().find(|function| function.name == name) else {
            let near = tollgate_config::nearest(name, FUNCTIONS.iter().map(|function| function.name));
            return Err(SyntaxFault::Function { name: name.to_owned(), near });
        };
        if function.does == Does::IsRootSpan && context == Context::SpanEvent {
            return Err(SyntaxFault::SpanOnly);
        }
        Ok(function)
    }

    /// Whether what it returns is a condition by itself.
    pub(super) fn is_condition(&self) -> bool {
        matches!(
            self.does,
            Does::IsMatch | Does::IsType | Does::IsList | Does::HasPrefix | Does::HasSuffix | Does::IsRootSpan
        )
    }

    /// Every function, for tests.
    #[cfg(test)]
    pub(super) fn all() -> impl Iterator<Item = &'static Self> {
        FUNCTIONS.iter()
    }
}

impl Call {
    /// Checks what can be checked before a span arrives.
    pub(super) fn new(function: &'static Function, arguments: Vec<Expression>) -> Result<Self, SyntaxFault> {
        if arguments.len() != function.parameters.len() {
            return Err(SyntaxFault::ArgumentCount(function.name, function.parameters.len()));
        }
        let mut prepared = Prepared::Nothing;
        for ((_, takes), argument) in function.parameters.iter().zip(&arguments) {
            match (takes, argument) {
                (Takes::Pattern, Expression::Literal(Literal::Text(text))) => {
                    let compiled = pattern::compile(std::slice::from_ref(text));
                    prepared = Prepared::Pattern(compiled.map_err(SyntaxFault::Pattern)?);
                }
                (Takes::LiteralText, Expression::Literal(Literal::Text(text))) => {
                    prepared = Prepared::Case(convert::Case::named(text).ok_or(SyntaxFault::Case)?);
                }
                (Takes::TextLikes, Expression::List(_)) => {}
                (Takes::Pattern | Takes::LiteralText | Takes::TextLikes, _) => {
                    return Err(SyntaxFault::LiteralOnly(function.name));
                }
                _ => takes.check(argument).map_err(|error| SyntaxFault::Argument(function.name, error))?,
            }
        }
        let call = Self { function, arguments, prepared };
        call.check_duration().map_err(|error| SyntaxFault::Argument(function.name, error))?;
        Ok(call)
    }

    /// Later than the Collector would, every span would find out that this is no duration.
    fn check_duration(&self) -> Result<(), EvaluationError> {
        match (self.function.does, self.arguments.as_slice()) {
            (Does::Duration, [Expression::Literal(Literal::Text(text))]) => duration::parse(text).map(|_| ()),
            _ => Ok(()),
        }
    }

    pub(super) fn is_condition(&self) -> bool {
        self.function.is_condition()
    }

    pub(super) fn holds(&self, view: &View<'_>) -> Result<bool, EvaluationError> {
        match self.value(view)? {
            Value::Bool(holds) => Ok(holds),
            other => Err(mismatch("a boolean", &other)),
        }
    }

    pub(super) fn value<'v>(&'v self, view: &View<'v>) -> Result<Value<'v>, EvaluationError> {
        let (first, second) = match (self.function.does, self.arguments.as_slice()) {
            (Does::Concat, [Expression::List(items), delimiter]) => {
                return concat(items, &evaluate(delimiter, view)?, view);
            }
            (_, [first, rest @ ..]) => (evaluate(first, view)?, rest.first()),
            (_, []) => return view.is_root().map(Value::Bool),
        };
        match self.function.does {
            Does::HasPrefix => affix(&first, second, view, |text, prefix| text.starts_with(prefix)),
            Does::HasSuffix => affix(&first, second, view, |text, suffix| text.ends_with(suffix)),
            _ => self.of(first),
        }
    }

    /// The functions of one value.
    fn of<'v>(&self, value: Value<'v>) -> Result<Value<'v>, EvaluationError> {
        Ok(match (self.function.does, &self.prepared) {
            (Does::IsMatch, Prepared::Pattern(pattern)) => {
                Value::Bool(convert::text(value)?.is_some_and(|text| pattern.is_match(&text)))
            }
            (Does::ConvertCase, Prepared::Case(case)) => Value::Text(case.convert(&text_of(&value)?).into()),
            (Does::IsType, _) => Value::Bool(self.is_type(&value)),
            (Does::IsList, _) => Value::Bool(convert::is_list(&value)),
            (Does::Len, _) => Value::Int(i64::try_from(value.length()?).unwrap_or(i64::MAX)),
            (Does::SpanId, _) => Value::SpanId(SpanId(convert::id(&value)?)),
            (Does::TraceId, _) => Value::TraceId(TraceId(convert::id(&value)?)),
            (Does::Int, _) => convert::int(&value)?.map_or(Value::Nil, Value::Int),
            (Does::Double, _) => convert::double(&value)?.map_or(Value::Nil, Value::Double),
            (Does::String, _) => convert::text(value)?.map_or(Value::Nil, Value::Text),
            (Does::Duration, _) => Value::Duration(duration::parse(&text_of(&value)?)?),
            _ => return Err(EvaluationError::NotIndexable(self.function.name)),
        })
    }

    fn is_type(&self, value: &Value<'_>) -> bool {
        self.function.parameters.first().is_some_and(|(_, takes)| takes.is(value))
    }
}

impl Takes {
    /// The types that are taken as they are.
    fn is(self, value: &Value<'_>) -> bool {
        matches!(
            (self, value),
            (Self::Text, Value::Text(_))
                | (Self::Int, Value::Int(_))
                | (Self::Double, Value::Double(_))
                | (Self::Bool, Value::Bool(_))
                | (Self::Map, Value::Map(_))
        )
    }

    fn check(self, argument: &Expression) -> Result<(), EvaluationError> {
        let Some(value) = argument.constant() else { return Ok(()) };
        let expected = match self {
            Self::Text => "text",
            Self::Int => "an integer",
            Self::Double => "a float",
            Self::Bool => "a boolean",
            Self::Map => "a map",
            Self::TextLike => return convert::text(value).map(|_| ()),
            Self::IntLike => return convert::int(&value).map(|_| ()),
            Self::DoubleLike => return convert::double(&value).map(|_| ()),
            Self::BytesLike | Self::Anything | Self::LiteralText | Self::Pattern | Self::TextLikes => return Ok(()),
        };
        if self.is(&value) { Ok(()) } else { Err(mismatch(expected, &value)) }
    }
}

pub(super) fn mismatch(expected: &'static str, found: &Value<'_>) -> EvaluationError {
    EvaluationError::Type { expected, found: found.type_name() }
}

fn text_of<'v>(value: &Value<'v>) -> Result<Cow<'v, str>, EvaluationError> {
    match value {
        Value::Text(text) => Ok(text.clone()),
        other => Err(mismatch("text", other)),
    }
}

fn affix<'v>(
    value: &Value<'v>,
    affix: Option<&'v Expression>,
    view: &View<'v>,
    has: impl Fn(&str, &str) -> bool,
) -> Result<Value<'v>, EvaluationError> {
    let text = text_of(value)?;
    let affix = affix.map_or(Ok(Value::Nil), |affix| evaluate(affix, view))?;
    Ok(Value::Bool(has(&text, &text_of(&affix)?)))
}

fn concat<'v>(items: &'v [Expression], delimiter: &Value<'v>, view: &View<'v>) -> Result<Value<'v>, EvaluationError> {
    let delimiter = text_of(delimiter)?;
    let mut out = String::new();
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push_str(&delimiter);
        }
        match convert::text(evaluate(item, view)?)? {
            Some(text) => out.push_str(&text),
            // What Go prints for it.
            None => out.push_str("<nil>"),
        }
    }
    Ok(Value::Text(out.into()))
}

impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        self.function.name == other.function.name && self.arguments == other.arguments
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.function.name)?;
        joined(f, &self.arguments, ", ", |f, argument| write!(f, "{argument}"))?;
        f.write_str(")")
    }
}
