//! Of a stack trace that may cross only its frames do: the lines around them repeat messages, and paths name people's folders.
//!
//! Promises:
//! 1. What is written are frames alone, `at function(file:line)`, each built anew from a function, a file's own name and numbers.
//! 2. A line that is not plainly a frame of Java, JavaScript, .NET or Python stays, and so does a frame that does not look
//!    operational.

use crate::operational;

const KEYS: [&[u8]; 2] = [b"exception.stacktrace", b"code.stacktrace"];

/// Says whether this key holds a stack trace.
pub(crate) fn is_key(key: &[u8]) -> bool {
    KEYS.contains(&key)
}

/// The frames of a stack trace, a line each; nothing if there is none.
pub(crate) fn frames(text: &str) -> String {
    let mut frames = String::new();
    for frame in text.lines().filter_map(|line| frame(line.trim())).filter(|frame| operational::looks_so(frame)) {
        let separator = if frames.is_empty() { "at " } else { "\nat " };
        frames.extend([separator, frame.as_str()]);
    }
    frames
}

fn frame(line: &str) -> Option<String> {
    let (function, place) = match line.strip_prefix("at ") {
        Some(frame) => called(frame)?,
        None => python(line)?,
    };
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_.$<>/:`".contains(&byte);
    let named = !function.is_empty() && function.bytes().all(good);
    named.then(|| format!("{function}({place})"))
}

/// `a.B.c(B.java:7)`, `c (/a/b.js:7:1)`, `A.B.C(String d) in /a/b.cs:line 7`.
fn called(frame: &str) -> Option<(&str, String)> {
    let (function, rest) = frame.split_once('(')?;
    let (inner, after) = rest.split_once(')')?;
    let place = match after.trim_start().strip_prefix("in ") {
        Some(file) => file.replace(":line ", ":"),
        None if after.is_empty() => inner.to_owned(),
        None => return None,
    };
    Some((function.trim_end(), place_of(&place)?))
}

/// `File "/a/b.py", line 7, in c`.
fn python(line: &str) -> Option<(&str, String)> {
    let (file, rest) = line.strip_prefix("File \"")?.split_once("\", line ")?;
    let (number, function) = rest.split_once(", in ")?;
    Some((function, place_of(&format!("{file}:{number}"))?))
}

/// A file without its folder, with one number or two.
fn place_of(place: &str) -> Option<String> {
    let own = place.rsplit(['/', '\\']).next()?;
    let mut parts = own.split(':');
    let file = parts.next().filter(|file| !file.is_empty())?;
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let number = |part: &str| (1..=7).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let numbers: Vec<&str> = parts.collect();
    let fits = (1..=2).contains(&numbers.len()) && numbers.iter().all(|part| number(part)) && file.bytes().all(good);
    fits.then(|| own.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn frames_stay_and_messages_paths_and_arguments_go() {
        for (text, kept) in [
            (
                "java.lang.IllegalStateException: no card for jane\n\tat shop.Cart.pay(Cart.java:42)\n\tat shop.Main.main(Main.java:7)\nCaused by: jane\n\t... 3 more",
                "at shop.Cart.pay(Cart.java:42)\nat shop.Main.main(Main.java:7)",
            ),
            ("Error: jane\n    at pay (/home/jane/cart.js:4:2)\n    at jane", "at pay(cart.js:4:2)"),
            ("   at Shop.Cart.Pay(String jane) in C:\\Users\\jane\\Cart.cs:line 4", "at Shop.Cart.Pay(Cart.cs:4)"),
            (
                "Traceback:\n  File \"/home/jane/cart.py\", line 4, in pay\n    pay(\"jane\")\nValueError: jane",
                "at pay(cart.py:4)",
            ),
            (
                "at jane doe(a.java:1)\nat (a.java:1)\nat a(jane)\nat a(b.java:x)\nat a(b.java:1) jane\nat a(b:4111111111111111)",
                "",
            ),
            ("at 203.0.113.7(a.java:1)\nat a@b.org(a.java:1)", ""),
            ("jane", ""),
            ("", ""),
        ] {
            assert_eq!(frames(text), kept, "{text}");
        }
    }

    proptest! {
        /// Guarantees: words of messages never stand in what is kept, wherever the lines are.
        #[test]
        fn messages_never_stay(message in "[ -~]{0,30}", at in 0_usize..3) {
            let mut lines = vec!["\tat a.B.c(B.java:7)", "\tat a.B.d(B.java:8)"];
            let message = format!("Caused by: {message} zqmark {message}");
            lines.insert(at, &message);
            prop_assert_eq!(frames(&lines.join("\n")), "at a.B.c(B.java:7)\nat a.B.d(B.java:8)");
        }
    }
}
