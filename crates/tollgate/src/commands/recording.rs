//! A file as the Collector's file exporter writes it: OTLP/JSON lines, or protobuf behind lengths of four bytes.
//!
//! Promises:
//! 1. What was read in one format is written in the same.
//! 2. A message that is cut short or no message is one that cannot be read; no length makes it reserve memory.
//! 3. One message at a time is in memory, unless the file is one request on several lines.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use tollgate_federation::Signal;
use tollgate_otlp::Limits;
use tollgate_otlp::json::{self, Message};

use crate::exit::Exit;

/// The longest line, or request on several lines. JSON says in four bytes what protobuf says in one.
const LONGEST: u64 = 4 * (64 << 20);

/// A recorded file.
pub(crate) struct Recording {
    path: PathBuf,
    source: Box<dyn BufRead>,
    message: Message,
    format: Format,
    at: At,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Start,
    Later,
    End,
}

/// How requests are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// One request a line, or one request on however many lines.
    Json(Message),
    /// Big-endian lengths of four bytes, each before its request.
    Protobuf,
}

/// A message cannot be read.
#[derive(Debug)]
pub(crate) struct Unreadable;

impl Recording {
    /// Opens a file.
    pub(crate) fn open(path: &Path, signal: Signal) -> Result<Self, Exit> {
        let message = match signal {
            Signal::Traces => Message::Traces,
            Signal::Metrics => Message::Metrics,
            Signal::Logs => Message::Logs,
        };
        let file = File::open(path).map_err(|error| failed(path, &error))?;
        Self::of(path, Box::new(BufReader::with_capacity(1 << 16, file)), message)
    }

    fn of(path: &Path, mut source: Box<dyn BufRead>, message: Message) -> Result<Self, Exit> {
        let is_json = begins_with_brace(&mut source).map_err(|error| failed(path, &error))?;
        let format = if is_json { Format::Json(message) } else { Format::Protobuf };
        Ok(Self { path: path.to_owned(), source, message, format, at: At::Start })
    }

    /// What the file's requests look like.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// The next request as protobuf.
    fn message(&mut self) -> io::Result<Option<Result<Vec<u8>, Unreadable>>> {
        match self.format {
            Format::Json(_) => self.line(),
            Format::Protobuf => self.framed(),
        }
    }

    fn line(&mut self) -> io::Result<Option<Result<Vec<u8>, Unreadable>>> {
        let mut text = Vec::new();
        while text.trim_ascii().is_empty() {
            text.clear();
            if self.source.by_ref().take(LONGEST).read_until(b'\n', &mut text)? == 0 {
                return Ok(None);
            }
        }
        let decoded = self.decoded(&text);
        let first = std::mem::replace(&mut self.at, At::Later) == At::Start;
        if decoded.is_err() && first {
            return self.whole(text).map(Some);
        }
        Ok(Some(decoded))
    }

    /// A first line that is no request may begin one that goes on to the end of the file.
    fn whole(&mut self, mut text: Vec<u8>) -> io::Result<Result<Vec<u8>, Unreadable>> {
        let line = text.len();
        self.source.by_ref().take(LONGEST).read_to_end(&mut text)?;
        let decoded = self.decoded(&text);
        if decoded.is_err() {
            let read = io::Cursor::new(text.split_off(line));
            let rest = std::mem::replace(&mut self.source, Box::new(io::empty()));
            self.source = Box::new(read.chain(rest));
        }
        Ok(decoded)
    }

    fn decoded(&self, text: &[u8]) -> Result<Vec<u8>, Unreadable> {
        json::decode(self.message, text, &Limits::default()).map_err(|_| Unreadable)
    }

    fn framed(&mut self) -> io::Result<Option<Result<Vec<u8>, Unreadable>>> {
        let mut length = Vec::new();
        self.source.by_ref().take(4).read_to_end(&mut length)?;
        let Ok(length) = <[u8; 4]>::try_from(length.as_slice()) else {
            return Ok((!length.is_empty()).then_some(Err(Unreadable)));
        };
        let length = u64::from(u32::from_be_bytes(length));
        let mut message = Vec::new();
        let read = self.source.by_ref().take(length).read_to_end(&mut message)?;
        Ok(Some(if read as u64 == length { Ok(message) } else { Err(Unreadable) }))
    }
}

impl Iterator for Recording {
    /// Every message as protobuf; the file itself may fail too, and ends with that.
    type Item = Result<Result<Vec<u8>, Unreadable>, Exit>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at == At::End {
            return None;
        }
        let next = self.message();
        if !matches!(next, Ok(Some(_))) {
            self.at = At::End;
        }
        next.map_err(|error| failed(&self.path, &error)).transpose()
    }
}

impl Format {
    /// A request in the format of the file.
    pub(crate) fn framed(self, request: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            Self::Json(message) => {
                let mut line = Vec::new();
                json::encode(message, request, &mut line).map_err(|fault| fault.to_string())?;
                line.push(b'\n');
                Ok(line)
            }
            Self::Protobuf => {
                let length = u32::try_from(request.len())
                    .map_err(|_| "a request is longer than its length can say".to_owned())?;
                Ok([&length.to_be_bytes(), request].concat())
            }
        }
    }
}

/// Whether JSON follows, behind blanks that are dropped. No request is so long that the first byte of its length is one.
fn begins_with_brace(source: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let buffer = source.fill_buf()?;
        let blanks = buffer.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        if blanks < buffer.len() || buffer.is_empty() {
            let is_json = buffer.get(blanks) == Some(&b'{');
            source.consume(blanks);
            return Ok(is_json);
        }
        source.consume(blanks);
    }
}

fn failed(path: &Path, error: &io::Error) -> Exit {
    Exit::Failed(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(bytes: &[u8]) -> Recording {
        Recording::of(Path::new("recorded"), Box::new(io::Cursor::new(bytes.to_vec())), Message::Traces).unwrap()
    }

    fn read(bytes: &[u8]) -> Vec<Option<Vec<u8>>> {
        recording(bytes).map(|message| message.unwrap().ok()).collect()
    }

    #[test]
    fn messages_behind_lengths_are_read_and_written_alike() {
        let bytes = [&[0, 0, 0, 2, 10, 0][..], &[0, 0, 0, 0], &[0, 0, 0, 2, 10, 0]].concat();
        assert_eq!(read(&bytes), [Some(vec![10, 0]), Some(vec![]), Some(vec![10, 0])]);
        assert_eq!(recording(&bytes).format().framed(&[10, 0]).unwrap(), [0, 0, 0, 2, 10, 0]);
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
        assert_eq!(read(&[b"\n ", &empty[..], b"\n", empty, b"\n\n"].concat()).len(), 2);
        assert_eq!(read(b"{\n \"resourceSpans\": []\n}\n"), [Some(vec![])]);
        assert_eq!(read(b"{\"resourceSpans\": [\n]}\n"), [Some(vec![])]);
        assert_eq!(read(&[&empty[..], b"\n{\n"].concat()), [Some(vec![]), None]);
        assert_eq!(read(&[b"{\n", &empty[..], b"\n", empty].concat()), [None, Some(vec![]), Some(vec![])]);
        assert_eq!(read(&[&empty[..], b"\n{\"resourceSpans\"\n", empty].concat()), [Some(vec![]), None, Some(vec![])]);
    }
}
