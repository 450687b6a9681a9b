//! Speaks HTTP as the simplest client could: one request after the other on one connection.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tollgate_federation::Signal;

const TIMEOUT: Duration = Duration::from_secs(10);

/// The longest page that is read.
const LONGEST: usize = 256 << 20;

/// A connection to one address.
pub(super) struct Client {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

impl Client {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, stream: None }
    }

    /// Sends one request; the status of the answer, 200 if it was acknowledged.
    pub(super) fn export(&mut self, signal: Signal, body: &[u8]) -> io::Result<u16> {
        let head = format!(
            "POST /v1/{signal} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-protobuf\r\nContent-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        Ok(self.exchange(&[head.as_bytes(), body])?.0)
    }

    /// Fetches a page.
    pub(super) fn get(&mut self, path: &str) -> io::Result<(u16, String)> {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        self.exchange(&[head.as_bytes()])
    }

    fn exchange(&mut self, request: &[&[u8]]) -> io::Result<(u16, String)> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => BufReader::new(connect(self.address)?),
        };
        for part in request {
            stream.get_mut().write_all(part)?;
        }
        let answer = read_answer(&mut stream)?;
        self.stream = Some(stream); // only a connection whose answer was read whole is used again
        Ok(answer)
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn read_answer(stream: &mut impl BufRead) -> io::Result<(u16, String)> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(invalid)?;
    let mut length = 0;
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok().filter(|length| *length <= LONGEST).ok_or_else(invalid)?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}
