//! Compares two values as the Collector does.
//!
//! Promises:
//! 1. Values of types that cannot be compared are unlike: only `!=` holds. No comparison of types is an error.
//! 2. Integers and floats compare as floats; nil is like nothing but nil and empty bytes.
//! 3. Steps are proportional to what is compared, however keys repeat in it.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::error::EvaluationError;
use super::syntax::Comparison;
use super::values::{List, Map, Value};

/// Values nested in values that are gone into.
const DEPTH: usize = 100;
/// Values that one comparison looks at: more than any span has in one attribute.
const STEPS: usize = 1 << 21;

pub(super) fn holds(comparison: Comparison, left: &Value<'_>, right: &Value<'_>) -> Result<bool, EvaluationError> {
    let (left, right) = (nil_if_empty(left), nil_if_empty(right));
    let ordering = match (left, right) {
        (Value::Nil, Value::Nil) => Some(Ordering::Equal),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::Bytes(left), Value::Bytes(right)) => Some(left.cmp(right)),
        (Value::Time(left), Value::Time(right)) => Some(left.cmp(right)),
        (Value::Duration(left), Value::Duration(right)) => Some(left.cmp(right)),
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(right)),
        (Value::Int(left), Value::Double(right)) => (*left as f64).partial_cmp(right),
        (Value::Double(left), Value::Int(right)) => left.partial_cmp(&(*right as f64)),
        (Value::Double(left), Value::Double(right)) => left.partial_cmp(right),
        _ => return unordered(comparison, left, right),
    };
    Ok(ordering.map_or(comparison == Comparison::NotEqual, |ordering| comparison.allows(ordering)))
}

impl Comparison {
    fn allows(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Below => ordering.is_lt(),
            Self::AtMost => ordering.is_le(),
            Self::Above => ordering.is_gt(),
            Self::AtLeast => ordering.is_ge(),
        }
    }
}

/// In Go the empty bytes of an attribute are a nil slice.
fn nil_if_empty<'a, 'v>(value: &'a Value<'v>) -> &'a Value<'v> {
    if matches!(value, Value::Bytes([])) { &Value::Nil } else { value }
}

/// What knows only whether it is alike.
fn unordered(comparison: Comparison, left: &Value<'_>, right: &Value<'_>) -> Result<bool, EvaluationError> {
    let is_alike = match comparison {
        Comparison::Equal | Comparison::NotEqual => Alike { steps: STEPS, depth: DEPTH }.values(left, right)?,
        _ => return Ok(false),
    };
    Ok(is_alike == (comparison == Comparison::Equal))
}

/// Looks whether two values are alike in every part, types included.
struct Alike {
    steps: usize,
    depth: usize,
}

impl Alike {
    fn values(&mut self, left: &Value<'_>, right: &Value<'_>) -> Result<bool, EvaluationError> {
        self.steps = self.steps.checked_sub(1).ok_or(EvaluationError::TooMuch)?;
        match (left, right) {
            (Value::Map(left), Value::Map(right)) => self.deeper(|alike| alike.maps(left, right)),
            (Value::List(left), Value::List(right)) => self.deeper(|alike| alike.lists(left, right)),
            (left, right) => Ok(left == right),
        }
    }

    fn deeper(
        &mut self,
        look: impl FnOnce(&mut Self) -> Result<bool, EvaluationError>,
    ) -> Result<bool, EvaluationError> {
        self.depth = self.depth.checked_sub(1).ok_or(EvaluationError::TooDeep)?;
        let is_alike = look(self);
        self.depth += 1;
        is_alike
    }

    fn maps(&mut self, left: &Map<'_>, right: &Map<'_>) -> Result<bool, EvaluationError> {
        let mut first = HashMap::new();
        let mut length = 0_usize;
        for pair in right.pairs() {
            self.steps = self.steps.checked_sub(1).ok_or(EvaluationError::TooMuch)?;
            let (key, value) = pair?;
            first.entry(key).or_insert(value);
            length += 1;
        }
        if left.length()? != length {
            return Ok(false);
        }
        for pair in left.pairs() {
            let (key, value) = pair?;
            match first.get(key) {
                Some(other) if self.values(&value, other)? => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    fn lists(&mut self, left: &List<'_>, right: &List<'_>) -> Result<bool, EvaluationError> {
        // A list that is written out holds maps of another type than those of an attribute are turned into.
        let mixed = matches!((left, right), (List::Made(_), List::Wire(_)) | (List::Wire(_), List::Made(_)));
        let (mut lefts, mut rights) = (left.iter(), right.iter());
        loop {
            match (lefts.next(), rights.next()) {
                (None, None) => return Ok(true),
                (Some(left), Some(right)) => {
                    let (left, right) = (left?, right?);
                    if mixed && matches!(left, Value::Map(_)) || !self.values(&left, &right)? {
                        return Ok(false);
                    }
                }
                _ => return Ok(false),
            }
        }
    }
}
