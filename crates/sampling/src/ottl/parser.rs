//! Reads the Collector's grammar of conditions.
//!
//! Promises:
//! 1. One pass without going back: the effort is proportional to the text, and its nesting is bounded.
//! 2. Whatever is not understood is a fault with its column; nothing is skipped.

use super::Context;
use super::error::{SyntaxError, SyntaxFault};
use super::functions::{Call, Function};
use super::lexer::{Token, Word, column, words};
use super::paths::{Key, Path};
use super::syntax::{Expression, Literal, Operator, Test};

/// The longest condition.
pub(super) const LONGEST: usize = 16 << 10;
/// Brackets of any kind around one another.
pub(super) const DEEPEST: usize = 32;

const ENUMS: [(&str, i64); 9] = [
    ("SPAN_KIND_UNSPECIFIED", 0),
    ("SPAN_KIND_INTERNAL", 1),
    ("SPAN_KIND_SERVER", 2),
    ("SPAN_KIND_CLIENT", 3),
    ("SPAN_KIND_PRODUCER", 4),
    ("SPAN_KIND_CONSUMER", 5),
    ("STATUS_CODE_UNSET", 0),
    ("STATUS_CODE_OK", 1),
    ("STATUS_CODE_ERROR", 2),
];

pub(super) fn parse(text: &str, context: Context) -> Result<Test, SyntaxError> {
    if text.len() > LONGEST {
        return Err(SyntaxError { column: 1, fault: SyntaxFault::TooLong(LONGEST) });
    }
    let mut parser = Parser { tokens: words(text)?, next: 0, depth: 0, context };
    let parsed = parser.condition().and_then(|test| parser.end().map(|()| test));
    parsed.map_err(|(at, fault)| SyntaxError { column: column(text, at), fault })
}

/// Where it stands and what it is.
type Fault = (usize, SyntaxFault);

struct Parser<'t> {
    tokens: Vec<Token<'t>>,
    next: usize,
    depth: usize,
    context: Context,
}

/// What stands in brackets may be either, and only what follows tells.
enum Parsed {
    Test(Test),
    /// With where it begins, and whether it can be calculated with.
    Value(Expression, usize),
}

impl<'t> Parser<'t> {
    fn condition(&mut self) -> Result<Test, Fault> {
        let parsed = self.alternatives()?;
        test(parsed)
    }

    fn alternatives(&mut self) -> Result<Parsed, Fault> {
        let first = self.conjunction()?;
        if *self.word() != Word::Or {
            return Ok(first);
        }
        let mut tests = vec![test(first)?];
        while self.take(&Word::Or) {
            tests.push(test(self.conjunction()?)?);
        }
        Ok(Parsed::Test(Test::any(tests)))
    }

    fn conjunction(&mut self) -> Result<Parsed, Fault> {
        let first = self.negation()?;
        if *self.word() != Word::And {
            return Ok(first);
        }
        let mut tests = vec![test(first)?];
        while self.take(&Word::And) {
            tests.push(test(self.negation()?)?);
        }
        Ok(Parsed::Test(Test::all(tests)))
    }

    fn negation(&mut self) -> Result<Parsed, Fault> {
        if self.take(&Word::Not) {
            return Ok(Parsed::Test(Test::not(test(self.comparison()?)?)));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Parsed, Fault> {
        let left = if *self.word() == Word::Open { self.bracketed()? } else { self.start()? };
        match (left, self.word().clone()) {
            (Parsed::Value(left, _), Word::Compare(comparison)) => {
                self.next += 1;
                Ok(Parsed::Test(Test::compare(comparison, left, self.value()?)))
            }
            (Parsed::Test(_), Word::Compare(_)) => Err(self.unexpected("and, or, or the end")),
            (Parsed::Value(..), Word::Plus | Word::Minus | Word::Times | Word::Over) => {
                Err(self.unexpected("a comparison"))
            }
            (left, _) => Ok(left),
        }
    }

    fn start(&mut self) -> Result<Parsed, Fault> {
        let at = self.at();
        Ok(Parsed::Value(self.value()?, at))
    }

    /// A condition in brackets, or the start of a calculation.
    fn bracketed(&mut self) -> Result<Parsed, Fault> {
        let at = self.at();
        let inner = self.nested(|parser| {
            parser.next += 1;
            let inner = parser.alternatives()?;
            parser.expect(&Word::Close, "a closing bracket").map(|()| inner)
        })?;
        match inner {
            Parsed::Value(Expression::Literal(Literal::Bool(holds)), _) => Ok(Parsed::Test(Test::Always(holds))),
            Parsed::Value(inner, _) if is_operand(&inner) => Ok(Parsed::Value(self.sum(Some(inner))?, at)),
            Parsed::Value(_, inner) => Err((inner, SyntaxFault::NotACondition)),
            Parsed::Test(test) => Ok(Parsed::Test(test)),
        }
    }

    fn value(&mut self) -> Result<Expression, Fault> {
        let literal = match self.word().clone() {
            Word::Nil => Literal::Nil,
            Word::Text(text) => Literal::Text(text),
            Word::Bytes(bytes) => Literal::Bytes(bytes),
            Word::Bool(value) => Literal::Bool(value),
            Word::Upper(name) if !self.is_call() => Literal::Int(self.constant(name)?),
            Word::OpenKey => return self.nested(Self::list),
            Word::OpenBrace => return self.nested(Self::map),
            Word::Int(_)
            | Word::Double(_)
            | Word::Lower(_)
            | Word::Upper(_)
            | Word::Open
            | Word::Plus
            | Word::Minus => {
                return self.sum(None);
            }
            _ => return Err(self.unexpected("a value")),
        };
        self.next += 1;
        Ok(Expression::Literal(literal))
    }

    fn constant(&self, name: &str) -> Result<i64, Fault> {
        let found = ENUMS.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        found.ok_or_else(|| {
            let near = tollgate_config::nearest(name, ENUMS.iter().map(|(known, _)| *known));
            self.here(SyntaxFault::Enum { name: name.to_owned(), near })
        })
    }

    /// `first`, if it stands in brackets that are read already.
    fn sum(&mut self, first: Option<Expression>) -> Result<Expression, Fault> {
        let first = self.product(first)?;
        let mut rest = Vec::new();
        while let Some(operator) = self.operator(&[Operator::Plus, Operator::Minus]) {
            rest.push((operator, self.product(None)?));
        }
        Ok(chain(first, rest))
    }

    fn product(&mut self, first: Option<Expression>) -> Result<Expression, Fault> {
        let first = first.map_or_else(|| self.operand(), Ok)?;
        let mut rest = Vec::new();
        while let Some(operator) = self.operator(&[Operator::Times, Operator::Over]) {
            rest.push((operator, self.operand()?));
        }
        Ok(chain(first, rest))
    }

    fn operator(&mut self, of: &[Operator]) -> Option<Operator> {
        let operator = match self.word() {
            Word::Plus => Operator::Plus,
            Word::Minus => Operator::Minus,
            Word::Times => Operator::Times,
            Word::Over => Operator::Over,
            _ => return None,
        };
        let found = of.contains(&operator);
        self.next += usize::from(found);
        found.then_some(operator)
    }

    fn operand(&mut self) -> Result<Expression, Fault> {
        if self.take(&Word::Minus) {
            return Ok(match self.unsigned()? {
                Expression::Literal(Literal::Int(int)) => Expression::Literal(Literal::Int(int.wrapping_neg())),
                Expression::Literal(Literal::Double(double)) => Expression::Literal(Literal::Double(-double)),
                operand => Expression::Negative(Box::new(operand)),
            });
        }
        self.take(&Word::Plus);
        self.unsigned()
    }

    fn unsigned(&mut self) -> Result<Expression, Fault> {
        let literal = match self.word().clone() {
            Word::Int(int) => Literal::Int(int),
            Word::Double(double) => Literal::Double(double),
            Word::Lower(_) => return self.path(),
            Word::Upper(_) if self.is_call() => return self.call().map(|call| Expression::Call(Box::new(call))),
            Word::Open => {
                return self.nested(|parser| {
                    parser.next += 1;
                    let inner = parser.sum(None)?;
                    parser.expect(&Word::Close, "a closing bracket").map(|()| inner)
                });
            }
            _ => return Err(self.unexpected("a number, a path or a function")),
        };
        self.next += 1;
        Ok(Expression::Literal(literal))
    }

    fn path(&mut self) -> Result<Expression, Fault> {
        let at = self.at();
        let mut names = Vec::new();
        loop {
            let Word::Lower(name) = *self.word() else { return Err(self.unexpected("a name")) };
            self.next += 1;
            names.push(name);
            let dotted = *self.word() == Word::Dot;
            self.next += usize::from(dotted);
            if !dotted {
                break;
            }
        }
        if matches!(self.word(), Word::Open | Word::Upper(_)) {
            // Editors begin with a small letter; a condition has none.
            let name = names.concat() + &self.name();
            return Err((at, Function::named(&name, self.context).err().unwrap_or(SyntaxFault::NotACondition)));
        }
        let mut keys = Vec::new();
        while *self.word() == Word::OpenKey {
            keys.push(self.nested(Self::key)?);
        }
        if *self.word() == Word::Dot && !keys.is_empty() {
            return Err(self.unexpected("a path whose keys stand last"));
        }
        Path::of(&names, keys, self.context).map(Expression::Path).map_err(|fault| (at, fault))
    }

    fn key(&mut self) -> Result<Key, Fault> {
        self.next += 1;
        let key = match self.word().clone() {
            Word::Text(text) => {
                self.next += 1;
                Key::Text(text)
            }
            _ => match self.sum(None)? {
                Expression::Literal(Literal::Int(index)) => Key::Index(index),
                computed => Key::Computed(computed),
            },
        };
        self.expect(&Word::CloseKey, "]").map(|()| key)
    }

    /// Whether a name in capitals goes on in small letters or calls something.
    fn is_call(&self) -> bool {
        matches!(self.tokens.get(self.next + 1).map(|token| &token.word), Some(Word::Lower(_) | Word::Open))
    }

    fn call(&mut self) -> Result<Call, Fault> {
        let at = self.at();
        let name = self.name();
        let function = Function::named(&name, self.context).map_err(|fault| (at, fault))?;
        let arguments = self.nested(|parser| parser.arguments(function))?;
        if *self.word() == Word::OpenKey {
            return Err(self.here(SyntaxFault::ResultKeys(function.name)));
        }
        Call::new(function, arguments).map_err(|fault| (at, fault))
    }

    /// Capitals and small letters that follow one another.
    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Word::Upper(part) | Word::Lower(part) = *self.word() {
            name.push_str(part);
            self.next += 1;
        }
        name
    }

    fn arguments(&mut self, function: &'static Function) -> Result<Vec<Expression>, Fault> {
        self.expect(&Word::Open, "an opening bracket")?;
        let mut given: Vec<Option<Expression>> = function.parameters.iter().map(|_| None).collect();
        let mut position = 0;
        while !self.take(&Word::Close) {
            if position > 0 {
                self.expect(&Word::Comma, "a comma or a closing bracket")?;
            }
            let at = self.at();
            let parameter = self.parameter(function)?.unwrap_or(position);
            let value = self.value()?;
            let count = SyntaxFault::ArgumentCount(function.name, function.parameters.len());
            let slot = given.get_mut(parameter).ok_or((at, count))?;
            if slot.replace(value).is_some() {
                return Err((at, SyntaxFault::Parameter(function.name)));
            }
            position += 1;
        }
        Ok(given.into_iter().flatten().collect())
    }

    /// The parameter that is named before its argument, if one is.
    fn parameter(&mut self, function: &'static Function) -> Result<Option<usize>, Fault> {
        let named = self.tokens.get(self.next + 1).is_some_and(|token| token.word == Word::Equal);
        let (Word::Lower(name), true) = (self.word().clone(), named) else { return Ok(None) };
        let place = function.parameters.iter().position(|(known, _)| *known == name);
        let place = place.ok_or_else(|| self.here(SyntaxFault::Parameter(function.name)))?;
        self.next += 2;
        Ok(Some(place))
    }

    fn list(&mut self) -> Result<Expression, Fault> {
        self.next += 1;
        let mut items = Vec::new();
        while !self.take(&Word::CloseKey) {
            if !items.is_empty() {
                self.expect(&Word::Comma, "a comma or ]")?;
            }
            items.push(self.value()?);
        }
        Ok(Expression::List(items))
    }

    fn map(&mut self) -> Result<Expression, Fault> {
        self.next += 1;
        let mut pairs = Vec::new();
        while !self.take(&Word::CloseBrace) {
            let Word::Text(key) = self.word().clone() else { return Err(self.unexpected("a key in quotes, or }")) };
            self.next += 1;
            self.expect(&Word::Colon, ":")?;
            pairs.push((key, self.value()?));
            self.take(&Word::Comma);
        }
        Ok(Expression::Map(pairs))
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.depth == DEEPEST {
            return Err(self.here(SyntaxFault::TooDeep(DEEPEST)));
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    fn end(&self) -> Result<(), Fault> {
        match self.word() {
            Word::End => Ok(()),
            Word::Arrow => Err(self.here(SyntaxFault::Lambda)),
            _ => Err(self.unexpected("and, or, or the end")),
        }
    }

    fn word(&self) -> &Word<'t> {
        self.tokens.get(self.next).map_or(&Word::End, |token| &token.word)
    }

    fn at(&self) -> usize {
        let token = self.tokens.get(self.next).or(self.tokens.last());
        token.map_or(0, |token| token.at)
    }

    fn take(&mut self, word: &Word<'_>) -> bool {
        let taken = self.word() == word;
        self.next += usize::from(taken);
        taken
    }

    fn expect(&mut self, word: &Word<'_>, expected: &'static str) -> Result<(), Fault> {
        if self.take(word) { Ok(()) } else { Err(self.unexpected(expected)) }
    }

    fn unexpected(&self, expected: &'static str) -> Fault {
        match self.word() {
            Word::Arrow => self.here(SyntaxFault::Lambda),
            word => self.here(SyntaxFault::Expected { expected, found: word.name() }),
        }
    }

    fn here(&self, fault: SyntaxFault) -> Fault {
        (self.at(), fault)
    }
}

fn test(parsed: Parsed) -> Result<Test, Fault> {
    match parsed {
        Parsed::Test(test) => Ok(test),
        Parsed::Value(Expression::Literal(Literal::Bool(holds)), _) => Ok(Test::Always(holds)),
        Parsed::Value(Expression::Call(call), _) if call.is_condition() => Ok(Test::Call(*call)),
        Parsed::Value(_, at) => Err((at, SyntaxFault::NotACondition)),
    }
}

fn chain(first: Expression, rest: Vec<(Operator, Expression)>) -> Expression {
    if rest.is_empty() { first } else { Expression::Chain(Box::new(first), rest) }
}

/// Whether the grammar lets it stand in the brackets of a calculation.
fn is_operand(expression: &Expression) -> bool {
    use Expression as E;
    match expression {
        E::Literal(literal) => matches!(literal, Literal::Int(_) | Literal::Double(_)),
        E::Path(_) | E::Call(_) | E::Negative(_) | E::Chain(..) => true,
        E::List(_) | E::Map(_) => false,
    }
}
