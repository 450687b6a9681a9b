//! Reads an expression as Go reads it, and writes it so that it can be read in one way only.
//!
//! What flags say is written around what they matter for: nothing that is written depends on what stands before it.

use super::class;
use super::cursor::Cursor;
use super::escape::{self, Number};
use super::refused::{Fault, Refused};
use super::repetition::{self, Counts};

/// So often a part may be repeated, times how often what is around it is.
const MOST: u32 = 1_000;

/// The expression in the dialect of the `regex` crate.
pub(super) fn translate(expression: &str) -> Result<String, Refused> {
    let mut reader = Reader {
        text: Cursor::new(expression),
        out: String::with_capacity(2 * expression.len()),
        flags: Flags::default(),
        groups: Vec::new(),
        last: None,
        previous: Previous::Other,
        repeated: 1,
    };
    while let Some(next) = reader.text.peek() {
        reader.read(next)?;
    }
    match reader.groups.last() {
        Some(open) => Err(open.at.refused(Fault::OpenGroup)),
        None => Ok(reader.out),
    }
}

#[derive(Debug)]
struct Reader<'e> {
    text: Cursor<'e>,
    out: String,
    flags: Flags,
    groups: Vec<Group<'e>>,
    /// What a repetition would repeat.
    last: Option<Part>,
    previous: Previous,
    /// How often the most repeated part of the group is, of those before the last.
    repeated: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    /// `i`
    folds_case: bool,
    /// `m`
    is_by_line: bool,
    /// `s`
    takes_newline: bool,
}

/// A group that is open, and what holds again once it is closed.
#[derive(Debug)]
struct Group<'e> {
    at: Cursor<'e>,
    start: usize,
    flags: Flags,
    repeated: u32,
}

/// Something that can be repeated.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// Where it starts in what is written.
    start: usize,
    repeated: u32,
    ends: Previous,
}

/// What was read last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Previous {
    Repetition,
    Other,
}

/// What flags were said for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    Group,
    TheRest,
}

impl<'e> Reader<'e> {
    fn read(&mut self, next: char) -> Result<(), Refused> {
        let (at, previous) = (self.text, std::mem::replace(&mut self.previous, Previous::Other));
        if let Some(counts) = repetition::next(&mut self.text) {
            return self.repeat(&at, previous, counts);
        }
        match next {
            '\\' => self.backslash()?,
            '[' => {
                let mut class = String::new();
                class::brackets(&mut self.text, &mut class)?;
                self.write_folded(&class);
            }
            _ => {
                self.text.next();
                self.sign(next, &at)?;
            }
        }
        Ok(())
    }

    /// A character that may mean something else than itself.
    fn sign(&mut self, sign: char, at: &Cursor<'e>) -> Result<(), Refused> {
        let Flags { is_by_line, takes_newline, .. } = self.flags;
        match sign {
            '(' => self.open(at)?,
            ')' => self.close(at)?,
            '|' => {
                self.settle();
                self.out.push('|');
            }
            '^' => self.write(if is_by_line { "(?m:^)" } else { r"\A" }),
            '$' => self.write(if is_by_line { "(?m:$)" } else { r"\z" }),
            '.' => self.write(if takes_newline { "(?s:.)" } else { "." }),
            _ => self.character(sign.into()),
        }
        Ok(())
    }

    fn backslash(&mut self) -> Result<(), Refused> {
        for (sign, written) in [(r"\A", r"\A"), (r"\z", r"\z"), (r"\b", r"(?-u:\b)"), (r"\B", r"(?-u:\B)")] {
            if self.text.eat(sign) {
                self.write(written);
                return Ok(());
            }
        }
        if self.text.eat(r"\Q") {
            let quoted = self.text.up_to(r"\E").unwrap_or_else(|| self.text.all());
            quoted.chars().for_each(|char| self.character(char.into()));
        } else if let Some(class) = escape::class(&mut self.text)? {
            self.write_folded(&class);
        } else {
            let number = escape::character(&mut self.text)?;
            self.character(number);
        }
        Ok(())
    }

    /// What follows `(`: a group, with or without a name or flags, or flags alone, which open nothing.
    fn open(&mut self, at: &Cursor<'e>) -> Result<(), Refused> {
        let flags = self.flags;
        if self.text.eat("?") {
            if self.text.eat("P<") || self.text.eat("<") {
                let name = self.text.up_to(">").unwrap_or_default();
                if name.is_empty() || !name.chars().all(|char| char == '_' || char.is_ascii_alphanumeric()) {
                    return Err(at.refused(Fault::GroupName));
                }
            } else if self.flags()? == For::TheRest {
                return Ok(());
            }
        }
        self.settle();
        let repeated = std::mem::replace(&mut self.repeated, 1);
        self.groups.push(Group { at: *at, start: self.out.len(), flags, repeated });
        self.out.push_str("(?:");
        Ok(())
    }

    fn close(&mut self, at: &Cursor<'_>) -> Result<(), Refused> {
        self.settle();
        let group = self.groups.pop().ok_or_else(|| at.refused(Fault::NoGroup))?;
        self.out.push(')');
        self.last = Some(Part { start: group.start, repeated: self.repeated, ends: Previous::Other });
        (self.flags, self.repeated) = (group.flags, group.repeated);
        Ok(())
    }

    /// Reads flags and what ends them.
    fn flags(&mut self) -> Result<For, Refused> {
        let (mut flags, mut is_on, mut is_said) = (self.flags, true, false);
        loop {
            let at = self.text;
            match self.text.next() {
                Some('i') => flags.folds_case = is_on,
                Some('m') => flags.is_by_line = is_on,
                Some('s') => flags.takes_newline = is_on,
                // Says who of several matches is found.
                Some('U') => {}
                Some('-') if is_on => {
                    (is_on, is_said) = (false, false);
                    continue;
                }
                Some(end @ (':' | ')')) if is_on || is_said => {
                    self.flags = flags;
                    return Ok(if end == ':' { For::Group } else { For::TheRest });
                }
                _ => return Err(at.refused(Fault::GroupKind)),
            }
            is_said = true;
        }
    }

    fn repeat(&mut self, at: &Cursor<'_>, previous: Previous, counts: Counts) -> Result<(), Refused> {
        let part = self.last.as_mut().ok_or_else(|| at.refused(Fault::NothingToRepeat))?;
        if previous == Previous::Repetition {
            return Err(at.refused(Fault::RepeatedTwice));
        }
        part.repeated = counts.times(part.repeated, MOST).ok_or_else(|| at.refused(Fault::Repetitions(MOST)))?;
        if std::mem::replace(&mut part.ends, Previous::Repetition) == Previous::Repetition {
            // Flags that nobody sees any more stand between the two.
            self.out.insert_str(part.start, "(?:");
            self.out.push(')');
        }
        counts.write(&mut self.out);
        self.previous = Previous::Repetition;
        Ok(())
    }

    /// What was the last part can be repeated no more.
    fn settle(&mut self) {
        let part = self.last.take();
        self.repeated = part.map_or(self.repeated, |part| part.repeated.max(self.repeated));
    }

    fn write(&mut self, written: &str) {
        self.settle();
        self.last = Some(Part { start: self.out.len(), repeated: 1, ends: Previous::Other });
        self.out.push_str(written);
    }

    /// Writes what may have a case.
    fn write_folded(&mut self, written: &str) {
        if self.flags.folds_case { self.write(&format!("(?i:{written})")) } else { self.write(written) }
    }

    fn character(&mut self, number: Number) {
        match char::from_u32(number) {
            Some(char) => self.write_folded(&regex::escape(char.encode_utf8(&mut [0; 4]))),
            None => self.write(class::NOTHING),
        }
    }
}
