//! The value of an expression for one span.

use super::compare;
use super::error::EvaluationError;
use super::functions::mismatch;
use super::paths::{Key, Path, What};
use super::syntax::{Expression, Operator, Test};
use super::values::{List, Map, Value};
use super::view::View;

/// What is decided by an earlier part is not looked at, so it raises no error.
pub(super) fn holds(test: &Test, view: &View<'_>) -> Result<bool, EvaluationError> {
    match test {
        Test::Always(holds) => Ok(*holds),
        Test::Not(test) => holds(test, view).map(|holds| !holds),
        Test::All(tests) => first(tests, view, false),
        Test::Any(tests) => first(tests, view, true),
        Test::Call(call) => call.holds(view),
        Test::Compare(comparison, left, right) => {
            compare::holds(*comparison, &evaluate(left, view)?, &evaluate(right, view)?)
        }
    }
}

/// `decides`, if a test holds so.
fn first(tests: &[Test], view: &View<'_>, decides: bool) -> Result<bool, EvaluationError> {
    for test in tests {
        if holds(test, view)? == decides {
            return Ok(decides);
        }
    }
    Ok(!decides)
}

pub(super) fn evaluate<'v>(expression: &'v Expression, view: &View<'v>) -> Result<Value<'v>, EvaluationError> {
    match expression {
        Expression::Literal(literal) => Ok(literal.value()),
        Expression::Path(path) => at(path, view),
        Expression::Call(call) => call.value(view),
        Expression::List(items) => {
            let items = items.iter().map(|item| evaluate(item, view)).collect::<Result<_, _>>()?;
            Ok(Value::List(List::Made(items)))
        }
        Expression::Map(pairs) => {
            let pairs = pairs.iter().map(|(key, item)| Ok((key.as_str(), evaluate(item, view)?)));
            Map::made(pairs.collect::<Result<_, EvaluationError>>()?).map(Value::Map)
        }
        Expression::Negative(operand) => match evaluate(operand, view)? {
            Value::Int(int) => Ok(Value::Int(int.wrapping_neg())),
            Value::Double(double) => Ok(Value::Double(-double)),
            other => Err(mismatch("a number", &other)),
        },
        Expression::Chain(first, rest) => {
            let first = evaluate(first, view)?;
            rest.iter().try_fold(first, |left, (operator, right)| calculate(left, *operator, evaluate(right, view)?))
        }
    }
}

fn at<'v>(path: &'v Path, view: &View<'v>) -> Result<Value<'v>, EvaluationError> {
    let mut value = view.at(path)?;
    let keys = if matches!(path.place.what, What::Attributes(_)) { path.keys.as_slice() } else { &[] };
    for key in keys {
        // Behind what is not there no key is looked at.
        let Some(next) = follow(&value, key, view)? else { return Ok(Value::Nil) };
        value = next;
    }
    Ok(value)
}

/// What stands under a key; `None` if a map does not have it.
fn follow<'v>(value: &Value<'v>, key: &'v Key, view: &View<'v>) -> Result<Option<Value<'v>>, EvaluationError> {
    let computed;
    let (text, index) = match key {
        Key::Text(text) => (Some(text.as_str()), None),
        Key::Index(index) => (None, Some(*index)),
        Key::Computed(expression) => {
            computed = evaluate(expression, view)?;
            match &computed {
                Value::Text(text) => (Some(&**text), None),
                Value::Int(index) => (None, Some(*index)),
                _ => (None, None),
            }
        }
    };
    match (value, text, index) {
        (Value::Map(map), Some(text), _) => map.get(text),
        (Value::List(list), _, Some(index)) => list.item(index).map(Some),
        (Value::Map(_) | Value::List(_), _, _) => Err(EvaluationError::KeyType),
        (other, _, _) => Err(EvaluationError::NotIndexable(other.type_name())),
    }
}

fn calculate<'v>(left: Value<'v>, operator: Operator, right: Value<'v>) -> Result<Value<'v>, EvaluationError> {
    match (&left, operator, &right) {
        (Value::Int(left), operator, Value::Int(right)) => ints(*left, operator, *right).map(Value::Int),
        (Value::Int(left), operator, Value::Double(right)) => doubles(*left as f64, operator, *right),
        (Value::Double(left), operator, Value::Int(right)) => doubles(*left, operator, *right as f64),
        (Value::Double(left), operator, Value::Double(right)) => doubles(*left, operator, *right),
        (Value::Time(time), Operator::Plus, Value::Duration(duration))
        | (Value::Duration(duration), Operator::Plus, Value::Time(time)) => {
            Ok(Value::Time(time.saturating_add(i128::from(*duration))))
        }
        (Value::Time(time), Operator::Minus, Value::Duration(duration)) => {
            Ok(Value::Time(time.saturating_add(i128::from(duration.wrapping_neg()))))
        }
        (Value::Time(left), Operator::Minus, Value::Time(right)) => Ok(Value::Duration(between(*left, *right))),
        (Value::Duration(left), Operator::Plus, Value::Duration(right)) => {
            Ok(Value::Duration(left.wrapping_add(*right)))
        }
        (Value::Duration(left), Operator::Minus, Value::Duration(right)) => {
            Ok(Value::Duration(left.wrapping_sub(*right)))
        }
        _ => Err(EvaluationError::Arithmetic(left.type_name(), right.type_name())),
    }
}

/// The longest duration stands for all that are longer.
fn between(left: i128, right: i128) -> i64 {
    let nanos = left.saturating_sub(right);
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

fn ints(left: i64, operator: Operator, right: i64) -> Result<i64, EvaluationError> {
    match operator {
        Operator::Plus => Ok(left.wrapping_add(right)),
        Operator::Minus => Ok(left.wrapping_sub(right)),
        Operator::Times => Ok(left.wrapping_mul(right)),
        Operator::Over if right == 0 => Err(EvaluationError::DivisionByZero),
        Operator::Over => Ok(left.wrapping_div(right)),
    }
}

fn doubles(left: f64, operator: Operator, right: f64) -> Result<Value<'static>, EvaluationError> {
    match operator {
        Operator::Plus => Ok(Value::Double(left + right)),
        Operator::Minus => Ok(Value::Double(left - right)),
        Operator::Times => Ok(Value::Double(left * right)),
        Operator::Over if right == 0.0 => Err(EvaluationError::DivisionByZero),
        Operator::Over => Ok(Value::Double(left / right)),
    }
}
