//! The Collector's expressions (Go's RE2 dialect) in the dialect of the `regex` crate.
//!
//! Promises:
//! 1. `\d`, `\w`, `\s` and `\b` mean ASCII, as they do there, also inside brackets and negated.
//! 2. What only the `regex` crate gives a meaning (`[`, `&&`, `~~` inside brackets) or refuses (`{` that repeats nothing, as
//!    in `/users/{id}`) stands for itself, as it does there.
//! 3. What neither can say is refused when the policy is read, never when a span arrives.

use regex::RegexSet;

/// Compiles expressions of which any may match anywhere in a value.
pub(crate) fn compile(expressions: &[String]) -> Result<RegexSet, regex::Error> {
    RegexSet::new(expressions.iter().map(|expression| translate(expression)))
}

fn translate(expression: &str) -> String {
    let mut out = String::with_capacity(expression.len() + 8);
    let mut rest = expression;
    let mut brackets = Brackets::Outside;
    while let Some(next) = rest.chars().next() {
        let taken = match next {
            '\\' => escape(rest, brackets, &mut out),
            '[' if brackets == Brackets::Outside => {
                let opening = opening(rest);
                out.push_str(opening);
                brackets = Brackets::Inside;
                opening.len()
            }
            '[' if rest.starts_with("[:") => {
                let name = rest.find(":]").map_or(1, |end| end + 2);
                out.push_str(rest.get(..name).unwrap_or("["));
                name
            }
            '[' | '&' | '~' if brackets == Brackets::Inside => {
                out.extend(['\\', next]);
                1
            }
            '{' if brackets == Brackets::Outside && !repeats(rest) => {
                out.push_str("\\{");
                1
            }
            ']' => {
                brackets = Brackets::Outside;
                out.push(']');
                1
            }
            _ => {
                out.push(next);
                next.len_utf8()
            }
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Brackets {
    Outside,
    Inside,
}

/// `[`, `[^`, and the `]` that stands for itself right behind them.
fn opening(rest: &str) -> &str {
    let head = if rest.starts_with("[^") { 2 } else { 1 };
    let literal = rest.get(head..).is_some_and(|rest| rest.starts_with(']'));
    rest.get(..head + usize::from(literal)).unwrap_or_default()
}

/// Whether `{` begins `{n}`, `{n,}` or `{n,m}`.
fn repeats(rest: &str) -> bool {
    let Some((counts, _)) = rest.get(1..).and_then(|rest| rest.split_once('}')) else { return false };
    let (least, most) = counts.split_once(',').unwrap_or((counts, ""));
    !least.is_empty() && least.chars().chain(most.chars()).all(|digit| digit.is_ascii_digit())
}

/// Writes what the escape at the start of `rest` means, and returns how many bytes it takes.
fn escape(rest: &str, brackets: Brackets, out: &mut String) -> usize {
    let Some(letter) = rest.chars().nth(1) else {
        out.push('\\');
        return 1;
    };
    let ascii = match (letter, brackets) {
        ('Q', Brackets::Outside) => return quoted(rest, out),
        ('p' | 'P' | 'x', _) if rest.get(2..).is_some_and(|rest| rest.starts_with('{')) => return braced(rest, out),
        ('d', Brackets::Outside) => "[0-9]",
        ('w', Brackets::Outside) => "[0-9A-Za-z_]",
        ('s', Brackets::Outside) => r"[\t\n\f\r ]",
        ('b', Brackets::Outside) => r"(?-u:\b)",
        ('B', Brackets::Outside) => r"(?-u:\B)",
        ('d', Brackets::Inside) => "0-9",
        ('w', Brackets::Inside) => "0-9A-Za-z_",
        ('s', Brackets::Inside) => r"\t\n\f\r ",
        ('D', _) => "[^0-9]",
        ('W', _) => "[^0-9A-Za-z_]",
        ('S', _) => r"[^\t\n\f\r ]",
        _ => "",
    };
    if ascii.is_empty() {
        out.extend(['\\', letter]);
    } else {
        out.push_str(ascii);
    }
    1 + letter.len_utf8()
}

/// `\p{...}`, `\x{...}`: the same in both dialects.
fn braced(rest: &str, out: &mut String) -> usize {
    let end = rest.find('}').map_or(rest.len(), |end| end + 1);
    out.push_str(rest.get(..end).unwrap_or_default());
    end
}

/// `\Q...\E`: everything between stands for itself.
fn quoted(rest: &str, out: &mut String) -> usize {
    let text = rest.get(2..).unwrap_or_default();
    let end = text.find("\\E");
    out.push_str(&regex::escape(text.get(..end.unwrap_or(text.len())).unwrap_or_default()));
    end.map_or(rest.len(), |end| end + 4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(expression: &str, value: &str) -> bool {
        compile(&[expression.to_owned()]).unwrap().is_match(value)
    }

    #[test]
    fn an_expression_matches_anywhere_unless_anchored() {
        assert!(matches("heck", "checkout"));
        assert!(!matches("^heck", "checkout"));
        assert!(matches("(?i)^CHECK.*$", "checkout"));
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
    }

    #[test]
    fn brackets_have_no_set_operations() {
        assert!(matches("^[a&&b]$", "&"));
        assert!(matches("^[[]$", "["));
        assert!(matches("^[]a]$", "]"));
        assert!(matches("^[^]a]$", "b"));
        assert!(!matches("^[^]a]$", "]"));
        assert!(matches("^[[:alpha:]~~]+$", "x~y"));
    }

    #[test]
    fn quoted_text_stands_for_itself() {
        assert!(matches(r"^\Qa.b\E.$", "a.bc"));
        assert!(!matches(r"^\Qa.b\E.$", "axbc"));
        assert!(matches(r"\Q.*", ".*"));
    }

    #[test]
    fn braces_that_repeat_nothing_stand_for_themselves() {
        assert!(matches("^/users/{id}$", "/users/{id}"));
        assert!(matches("^a{,2}$", "a{,2}"));
        assert!(matches("^a{2,3}b{1}c{1,}$", "aabcc"));
        assert!(!matches("^a{2}$", "a"));
        assert!(matches(r"^\p{Greek}\x{41}[\p{Greek}]$", "λAλ"));
    }

    #[test]
    fn expressions_that_do_not_compile_are_refused() {
        for expression in ["(", "a**(", r"\", "[a", r"\C", "(?=a)"] {
            assert!(compile(&[expression.to_owned()]).is_err(), "{expression}");
        }
    }

    proptest! {
        #[test]
        fn no_expression_makes_the_translation_panic(expression in "(\\PC|[\\[\\]\\\\{}0-9,pQEdwsbB^&~:]){0,20}") {
            let _ = compile(&[expression]);
        }

        #[test]
        fn text_without_special_characters_is_left_alone(expression in "[a-zA-Z0-9 _./()|*+?^$-]{0,20}") {
            prop_assert_eq!(translate(&expression), expression);
        }
    }
}
