//! A file as the Collector's file exporter writes it: OTLP/JSON lines, or protobuf behind lengths of four bytes.
//!
//! Promises:
//! 1. What was read in one format is written in the same.
//! 2. A message that is cut short or no message is one that cannot be read; no length makes it reserve memory.

use std::fs;
use std::path::Path;

use tollgate_federation::Signal;
use tollgate_otlp::Limits;
use tollgate_otlp::json::{self, Message};

use crate::exit::Exit;

/// A recorded file.
pub(super) struct Recording {
    bytes: Vec<u8>,
    message: Message,
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    /// One request a line.
    Lines,
    /// One request, on however many lines.
    Json,
    /// Big-endian lengths of four bytes, each before its request.
    Protobuf,
}

/// A message cannot be read.
#[derive(Debug)]
pub(super) struct Unreadable;

impl Recording {
    pub(super) fn read(path: &Path, signal: Signal) -> Result<Self, Exit> {
        let bytes = fs::read(path).map_err(|error| Exit::Failed(format!("{}: {error}", path.display())))?;
        let message = match signal {
            Signal::Traces => Message::Traces,
            Signal::Metrics => Message::Metrics,
            Signal::Logs => Message::Logs,
        };
        Ok(Self::of(bytes, message))
    }

    fn of(bytes: Vec<u8>, message: Message) -> Self {
        // No request is so long that the first byte of its length is a brace or a space.
        let is_json = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        let is_one = || json::decode(message, &bytes, &Limits::default()).is_ok();
        let format = match is_json {
            false => Format::Protobuf,
            true if is_one() => Format::Json,
            true => Format::Lines,
        };
        Self { bytes, message, format }
    }

    /// Every message as protobuf.
    pub(super) fn messages(&self) -> Box<dyn Iterator<Item = Result<Vec<u8>, Unreadable>> + '_> {
        let decoded = |text: &[u8]| json::decode(self.message, text, &Limits::default()).map_err(|_| Unreadable);
        match self.format {
            Format::Json => Box::new(std::iter::once(decoded(&self.bytes))),
            Format::Lines => {
                let lines = self.bytes.split(|byte| *byte == b'\n');
                Box::new(lines.filter(|line| !line.trim_ascii().is_empty()).map(decoded))
            }
            Format::Protobuf => Box::new(Framed { rest: &self.bytes }),
        }
    }

    /// A request in the format of the file.
    pub(super) fn framed(&self, request: &[u8]) -> Result<Vec<u8>, String> {
        if self.format == Format::Protobuf {
            let length =
                u32::try_from(request.len()).map_err(|_| "a request is longer than its length can say".to_owned())?;
            return Ok([&length.to_be_bytes(), request].concat());
        }
        let mut line = Vec::new();
        json::encode(self.message, request, &mut line).map_err(|fault| fault.to_string())?;
        line.push(b'\n');
        Ok(line)
    }
}

/// Protobuf messages behind their lengths.
struct Framed<'b> {
    rest: &'b [u8],
}

impl Iterator for Framed<'_> {
    type Item = Result<Vec<u8>, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let framed = self.rest.split_first_chunk::<4>().and_then(|(length, rest)| {
            let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
            rest.split_at_checked(length)
        });
        match framed {
            Some((message, rest)) => {
                self.rest = rest;
                Some(Ok(message.to_vec()))
            }
            None => {
                self.rest = &[];
                Some(Err(Unreadable))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<Option<Vec<u8>>> {
        Recording::of(bytes.to_vec(), Message::Traces).messages().map(Result::ok).collect()
    }

    #[test]
    fn messages_behind_lengths_are_read_and_written_alike() {
        let bytes = [&[0, 0, 0, 2, 10, 0][..], &[0, 0, 0, 0], &[0, 0, 0, 2, 10, 0]].concat();
        assert_eq!(read(&bytes), [Some(vec![10, 0]), Some(vec![]), Some(vec![10, 0])]);
        let recording = Recording::of(bytes, Message::Traces);
        assert_eq!(recording.framed(&[10, 0]).unwrap(), [0, 0, 0, 2, 10, 0]);
    }

    #[test]
    fn a_message_that_is_cut_short_cannot_be_read_and_ends_the_file() {
        assert_eq!(read(&[0, 0, 0, 2, 10, 0, 255, 255, 255, 255, 1]), [Some(vec![10, 0]), None]);
        assert_eq!(read(&[0, 0]), [None]);
        assert_eq!(read(b""), []);
    }

    #[test]
    fn lines_and_one_request_on_several_lines_are_told_apart() {
        let empty = br#"{"resourceSpans":[]}"#;
        assert_eq!(read(&[&empty[..], b"\n", empty, b"\n\n"].concat()).len(), 2);
        assert_eq!(read(b"{\n \"resourceSpans\": []\n}\n").len(), 1);
        assert_eq!(read(&[&empty[..], b"\n{\n"].concat()), [Some(vec![]), None]);
    }
}
