//! What is no condition, and where in it that shows.

use crate::ottl::{Condition, Context};

fn refused(condition: &str, context: Context) -> String {
    match Condition::parse(condition, context) {
        Ok(read) => panic!("{condition} is read as {read}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_refusal_names_the_column() {
    for (condition, refusal) in [
        ("", "column 1: expected a value, found the end"),
        ("name", "column 1: this is no condition by itself: compare it with something"),
        ("(name)", "column 1: this is no condition by itself: compare it with something"),
        ("Len(name)", "column 1: this is no condition by itself: compare it with something"),
        ("name ==", "column 8: expected a value, found the end"),
        ("name == \"a\" name", "column 13: expected and, or, or the end, found a name"),
        ("nmae == \"a\"", "column 1: \"nmae\" is no path here, did you mean name?"),
        ("status.cod == 1", "column 1: \"status.cod\" is no path here, did you mean status.code?"),
        ("name[\"a\"] == 1", "column 1: \"name\" takes no keys"),
        ("trace_state[\"a\"][\"b\"] == 1", "column 1: trace_state takes one key, and that in quotes"),
        ("cache[\"a\"] == 1", "column 1: \"cache\" of the Collector is not supported"),
        ("spanevent.name == \"a\"", "column 1: \"spanevent.name\" is no path here"),
        ("IsMach(name, \"a\")", "column 1: \"IsMach\" is no function that is supported, did you mean IsMatch?"),
        (
            "true and isMatch(name, \"a\")",
            "column 10: \"isMatch\" is no function that is supported, did you mean IsMatch?",
        ),
        (
            "IsMatch(name, \"(\")",
            "column 1: is no regular expression of the Collector's: the group is not closed, at its column 1",
        ),
        ("IsMatch(name, name)", "column 1: IsMatch takes a literal text here"),
        ("IsMatch(name)", "column 1: IsMatch takes 2 arguments"),
        ("IsMatch(name, \"a\", 1)", "column 20: IsMatch takes 2 arguments"),
        ("IsMatch(name, patern=\"a\")", "column 15: IsMatch has no parameter of this name, or it is given twice"),
        ("HasPrefix(name, 5)", "column 1: HasPrefix does not take this argument: expected text, found an integer"),
        ("Duration(\"5 s\") == 1", "column 1: Duration does not take this argument: no duration"),
        ("ConvertCase(name, \"title\") == 1", "column 1: expected lower, upper, snake or camel"),
        ("kind == SPAN_KIND_SERVR", "column 9: \"SPAN_KIND_SERVR\" is no enum, did you mean SPAN_KIND_SERVER?"),
        ("(name == 1) == true", "column 13: expected and, or, or the end, found a comparison"),
        ("\"a\" + \"b\" == 1", "column 5: expected a comparison, found an operator"),
        ("name == 1 and not not true", "column 19: expected a value, found not"),
        ("IsMatch(name, \"\\d\")", "column 15: an escape that Go does not know; a backslash is written twice"),
        ("Any(attributes, (k, v) => true)", "column 1: \"Any\" is no function that is supported"),
    ] {
        assert_eq!(refused(condition, Context::Span), refusal, "{condition}");
    }
    assert_eq!(refused("IsRootSpan()", Context::SpanEvent), "column 1: IsRootSpan is for span conditions");
}

#[test]
fn length_and_nesting_are_bounded() {
    let deep = |levels: usize| format!("{}true{}", "(".repeat(levels), ")".repeat(levels));
    assert!(Condition::parse(&deep(32), Context::Span).is_ok());
    assert_eq!(refused(&deep(33), Context::Span), "column 33: the condition is nested deeper than 32 levels");
    assert_eq!(refused(&"(".repeat(16_384), Context::Span), "column 33: the condition is nested deeper than 32 levels");
    assert_eq!(refused(&" ".repeat(16_385), Context::Span), "column 1: the condition is longer than 16384 bytes");
    let wide = format!("name == \"a\"{}", " or name == \"a\"".repeat(1_000));
    assert!(Condition::parse(&wide, Context::Span).is_ok());
    let sum = format!("1{} == 5", "+1".repeat(8_000));
    assert!(Condition::parse(&sum, Context::Span).is_ok());
}
