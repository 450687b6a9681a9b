//! What holds for any text, any tree and any bytes.

use proptest::collection::vec;
use proptest::prelude::*;

use super::fixture::Bodies;
use crate::ottl::functions::{Call, Function, Takes};
use crate::ottl::paths::{Key, Path};
use crate::ottl::syntax::{Comparison, Expression, Literal, Operator, Test};
use crate::ottl::{Condition, Context, Event, View};

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        Just(Literal::Nil),
        any::<bool>().prop_map(Literal::Bool),
        (-i64::MAX..i64::MAX).prop_map(Literal::Int),
        (-1e9_f64..1e9).prop_map(Literal::Double),
        ".{0,8}".prop_map(Literal::Text),
        vec(any::<u8>(), 1..4).prop_map(Literal::Bytes),
    ]
}

fn number() -> impl Strategy<Value = Expression> {
    prop_oneof![
        (-100_i64..100).prop_map(|int| Expression::Literal(Literal::Int(int))),
        (-1e9_f64..1e9).prop_map(|double| Expression::Literal(Literal::Double(double))),
        path().prop_map(Expression::Path),
    ]
}

fn path() -> impl Strategy<Value = Path> {
    let places: Vec<_> = Path::all().filter(|place| place.owner != crate::ottl::paths::Owner::Event).collect();
    let keys = vec(prop_oneof![".{1,6}".prop_map(Key::Text), (-9_i64..9).prop_map(Key::Index)], 0..3);
    (prop::sample::select(places), keys).prop_map(|(place, keys)| {
        let takes_keys = matches!(place.what, crate::ottl::paths::What::Attributes(_));
        Path { place, keys: if takes_keys { keys } else { Vec::new() } }
    })
}

fn expression() -> impl Strategy<Value = Expression> {
    let leaf = prop_oneof![literal().prop_map(Expression::Literal), path().prop_map(Expression::Path)];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let operator = prop::sample::select(vec![Operator::Plus, Operator::Minus]);
        let factor = prop::sample::select(vec![Operator::Times, Operator::Over]);
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Expression::List),
            vec((".{0,4}", inner.clone()), 0..3).prop_map(Expression::Map),
            (number(), vec((operator, number()), 1..3)).prop_map(chained),
            (number(), vec((factor, number()), 1..3)).prop_map(chained),
            path().prop_map(|path| Expression::Negative(Box::new(Expression::Path(path)))),
            call(inner).prop_map(|call| Expression::Call(Box::new(call))),
        ]
    })
}

fn chained((first, rest): (Expression, Vec<(Operator, Expression)>)) -> Expression {
    Expression::Chain(Box::new(first), rest)
}

/// A call with arguments that its function takes.
fn call(argument: impl Strategy<Value = Expression> + 'static) -> impl Strategy<Value = Call> {
    let functions: Vec<_> = Function::all().collect();
    (prop::sample::select(functions), vec(argument, 2), vec(path(), 2)).prop_filter_map(
        "taken",
        |(function, any, paths)| {
            let paths = paths.into_iter().map(Expression::Path);
            let arguments =
                function.parameters.iter().zip(any).zip(paths).map(|(((_, takes), any), path)| match takes {
                    Takes::Pattern => Expression::Literal(Literal::Text("^a.*\"b\\d$".to_owned())),
                    Takes::LiteralText => Expression::Literal(Literal::Text("snake".to_owned())),
                    Takes::TextLikes => Expression::List(vec![any, path]),
                    Takes::Anything => any,
                    _ => path,
                });
            Call::new(function, arguments.collect()).ok()
        },
    )
}

fn test() -> impl Strategy<Value = Test> {
    let comparison = prop::sample::select(vec![
        Comparison::Equal,
        Comparison::NotEqual,
        Comparison::Below,
        Comparison::AtMost,
        Comparison::Above,
        Comparison::AtLeast,
    ]);
    let leaf = prop_oneof![
        4 => (comparison, expression(), expression()).prop_map(|(how, left, right)| Test::compare(how, left, right)),
        1 => any::<bool>().prop_map(Test::Always),
        1 => call(expression()).prop_filter("a condition", Call::is_condition).prop_map(Test::Call),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(Test::not),
            vec(inner.clone(), 1..4).prop_map(Test::all),
            vec(inner, 1..4).prop_map(Test::any),
        ]
    })
}

fn evaluate_everywhere(condition: &Condition, bytes: &[u8]) {
    let whole = Bodies::of_everything();
    let (whole, event) = (whole.view(), Some(Event { index: 0, body: bytes }));
    for view in [
        View { span: bytes, ..whole },
        View { resource: bytes, scope: bytes, span: bytes, event, ..whole },
        View { event: None, ..whole },
        whole,
    ] {
        let _ = condition.holds(&view);
    }
}

/// Cuts, flips and repeats what is a span.
fn broken_span() -> impl Strategy<Value = Vec<u8>> {
    let span = Bodies::of_everything().view().span.to_vec();
    (vec((any::<prop::sample::Index>(), any::<u8>()), 0..6), any::<prop::sample::Index>()).prop_map(
        move |(flips, end)| {
            let mut span = span.clone();
            for (at, byte) in flips {
                let at = at.index(span.len());
                span[at] = byte;
            }
            span.truncate(end.index(span.len() + 1));
            span
        },
    )
}

proptest! {
    #[test]
    fn a_condition_that_is_printed_reads_back_as_itself(test in test()) {
        let printed = Condition(test.clone()).to_string();
        let read = Condition::parse(&printed, Context::Span).map_err(|error| TestCaseError::fail(format!("{printed}: {error}")))?;
        prop_assert_eq!(read.0, test, "{}", printed);
    }

    #[test]
    fn no_text_upsets_the_reader(text in ".{0,200}") {
        let _ = Condition::parse(&text, Context::Span);
    }

    #[test]
    fn no_words_upset_the_reader(words in vec(prop::sample::select(WORDS.to_vec()), 0..30)) {
        for context in [Context::Span, Context::SpanEvent] {
            if let Ok(condition) = Condition::parse(&words.join(" "), context) {
                evaluate_everywhere(&condition, &[]);
            }
        }
    }

    #[test]
    fn no_bytes_upset_a_condition(test in test(), bytes in prop_oneof![vec(any::<u8>(), 0..64), broken_span()]) {
        evaluate_everywhere(&Condition(test), &bytes);
    }
}

const WORDS: [&str; 40] = [
    "name",
    "attributes",
    "[",
    "]",
    "\"text\"",
    "(",
    ")",
    "==",
    "!=",
    "<",
    ">=",
    "and",
    "or",
    "not",
    "nil",
    "true",
    "1",
    "2.5",
    "0x0a",
    "+",
    "-",
    "*",
    "/",
    ",",
    ".",
    "{",
    "}",
    ":",
    "=",
    "=>",
    "IsMatch",
    "Len",
    "IsString",
    "STATUS_CODE_OK",
    "resource",
    "span",
    "spanevent",
    "events",
    "trace_state",
    "Concat",
];
