use proptest::prelude::*;

use super::refused::Fault;
use super::*;

fn matches(expression: &str, value: &str) -> bool {
    compile(&[expression.to_owned()]).unwrap().is_match(value)
}

#[test]
fn an_expression_matches_anywhere_unless_anchored() {
    assert!(matches("heck", "checkout"));
    assert!(!matches("^heck", "checkout"));
    assert!(matches("(?i)^CHECK.*$", "checkout"));
    assert!(!matches("^check$", "check\n"));
    assert!(matches("(?m)^check$", "a\ncheck\n"));
}

#[test]
fn perl_classes_are_ascii() {
    for (expression, ascii, other) in [
        (r"^\d$", "7", "\u{0667}"),
        (r"^[\d]$", "7", "\u{0667}"),
        (r"^\w$", "e", "é"),
        (r"^[\w-]$", "-", "é"),
        (r"^\s$", " ", "\u{a0}"),
        (r"^[^\D]$", "7", "\u{0667}"),
        (r"caf\b", "caf ", "cafe"),
    ] {
        assert!(matches(expression, ascii), "{expression}");
        assert!(!matches(expression, other), "{expression}");
    }
    assert!(matches(r"caf\b", "café"), "a word ends before a letter that is not ASCII");
    assert!(matches(r"^\W\S\D$", "ééé"));
    assert!(matches(r"(?i)^\w$", "\u{212a}"), "but what folds to one of them is one");
}

#[test]
fn brackets_have_no_set_operations() {
    assert!(matches("^[a&&b]$", "&"));
    assert!(matches("^[[]$", "["));
    assert!(matches("^[]a]$", "]"));
    assert!(matches("^[^]a]$", "b"));
    assert!(!matches("^[^]a]$", "]"));
    assert!(matches("^[[:alpha:]~~]+$", "x~y"));
    assert!(matches("^[--/]$", "."));
    assert!(matches(r"^[\w-.]+$", "a-b.c"));
    assert!(matches("^[a[b]]$", "[]"));
    assert!(matches("^[^[:^alpha:]]$", "b"));
}

#[test]
fn quoted_text_stands_for_itself() {
    assert!(matches(r"^\Qa.b\E.$", "a.bc"));
    assert!(!matches(r"^\Qa.b\E.$", "axbc"));
    assert!(matches(r"\Q.*", ".*"));
    assert!(matches(r"^\Qab\E+$", "abbb"));
}

#[test]
fn escapes_name_characters() {
    assert!(matches(r"^\<\>\_\101\x42\x{43}\0$", "<>_ABC\0"));
    assert!(!matches(r"\<", "word"));
    assert!(!matches(r"[\x{d800}-\x{dfff}]|\x{d800}", "\u{fffd}"), "no text holds a surrogate");
    assert!(matches(r"^[\x{d7ff}-\x{e000}]$", "\u{e000}"));
}

#[test]
fn braces_that_repeat_nothing_stand_for_themselves() {
    assert!(matches("^/users/{id}$", "/users/{id}"));
    assert!(matches("^a{,2}$", "a{,2}"));
    assert!(matches("^a{01}$", "a{01}"));
    assert!(matches("^a{2,3}b{1}c{1,}$", "aabcc"));
    assert!(!matches("^a{2}$", "a"));
    assert!(matches(r"^\p{Greek}\x{41}[\p{greek}]$", "λAλ"));
}

#[test]
fn flags_hold_up_to_the_end_of_their_group() {
    assert!(matches("^(?:(?i)a|b)c$", "Bc"));
    assert!(!matches("^(?:(?i)a|b)c$", "BC"));
    assert!(matches("^(?i:a)b(?s).$", "Ab\n"));
    assert!(matches("^(?i-i:a)(?)(?P<n>b)(?<n>c)(?U)d+$", "abcdd"));
    assert!(matches("^a+(?i)?$", ""), "what is repeated before flags is repeated again behind them");
}

#[test]
fn what_go_refuses_is_refused_where_it_stands() {
    for (expression, column, fault) in [
        ("(", 1, Fault::OpenGroup),
        ("aé)", 3, Fault::NoGroup),
        ("a**", 3, Fault::RepeatedTwice),
        ("a|*", 3, Fault::NothingToRepeat),
        ("a{1001}", 2, Fault::Repetitions(1_000)),
        ("(?:a{500}b){3}", 12, Fault::Repetitions(1_000)),
        ("a{2,1}", 2, Fault::Repetitions(1_000)),
        ("[a", 1, Fault::OpenBrackets),
        ("[b-a]", 2, Fault::Range),
        (r"[a-\d]", 4, Fault::Escape),
        (r"[\b]", 2, Fault::Escape),
        ("[[:letter:]]", 2, Fault::ClassName),
        (r"\p{Klingon}", 1, Fault::ClassName),
        (r"x\C", 2, Fault::Escape),
        (r"\Z", 1, Fault::Escape),
        (r"\1", 1, Fault::Escape),
        (r"\x{110000}", 1, Fault::Escape),
        (r"\é", 1, Fault::Escape),
        (r"a\", 2, Fault::Backslash),
        ("(?=a)", 3, Fault::GroupKind),
        ("(?x)a", 3, Fault::GroupKind),
        ("(?u)a", 3, Fault::GroupKind),
        ("(?R)a", 3, Fault::GroupKind),
        ("(?i-)a", 5, Fault::GroupKind),
        ("(?P<a-b>c)", 1, Fault::GroupName),
    ] {
        let refused = compile(&[expression.to_owned()]).unwrap_err();
        assert_eq!(refused, Refused::Syntax { column, fault }, "{expression}");
    }
    let deep = format!("{}a{}", "(".repeat(2_000), ")".repeat(2_000));
    assert_eq!(compile(&[deep]).unwrap_err(), Refused::TooDeep);
    assert_eq!(compile(&[r"\pL{1000}\pN{1000}".to_owned()]).unwrap_err(), Refused::TooLarge);
}

proptest! {
    /// Guarantees: what is taken is taken by the `regex` crate as well, and nothing panics.
    #[test]
    fn whatever_is_translated_compiles(expression in "(\\PC|[\\[\\]\\\\{}()0-9,pPQEdwsbBxi^&~:?<>*+|.$-]){0,20}") {
        let compiled = compile(std::slice::from_ref(&expression));
        prop_assert!(!matches!(compiled, Err(Refused::TooDeep)));
    }

    #[test]
    fn text_without_special_characters_matches_itself(text in "[a-zA-Z0-9 _/<>=!é-]{0,20}") {
        let expression = format!("^{text}$");
        prop_assert!(matches(&expression, &text));
    }
}
