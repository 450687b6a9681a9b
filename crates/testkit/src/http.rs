//! The smallest HTTP client: one request, one connection, the reply read to its end.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10);

/// What the server answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The value of the first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as text, with a replacement for what is not UTF-8.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Asks for a path.
///
/// # Errors
/// When there is no connection within ten seconds or no reply that HTTP knows.
pub fn get(server: SocketAddr, path: &str) -> io::Result<Reply> {
    exchange(server, format!("GET {path} HTTP/1.0\r\nHost: {server}\r\n\r\n").as_bytes())
}

/// Posts a body; `headers` are further lines such as `("content-encoding", "gzip")`.
///
/// # Errors
/// When there is no connection within ten seconds or no reply that HTTP knows.
pub fn post(
    server: SocketAddr,
    path: &str,
    content_type: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Reply> {
    let length = body.len();
    let mut head = format!(
        "POST {path} HTTP/1.0\r\nHost: {server}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n"
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    exchange(server, &[head.as_bytes(), body].concat())
}

/// HTTP/1.0: the reply ends where the connection ends, so there are no chunks to read.
fn exchange(server: SocketAddr, request: &[u8]) -> io::Result<Reply> {
    let mut stream = TcpStream::connect_timeout(&server, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    // A server that refuses early may close before it has read all: its reply counts, not our failed write.
    let written = stream.write_all(request);
    let mut reply = Vec::new();
    let read = stream.read_to_end(&mut reply);
    parse(&reply).ok_or_else(|| match written.and(read.map(|_| ())) {
        Err(fault) => fault,
        Ok(()) => io::Error::new(io::ErrorKind::InvalidData, "not an HTTP reply"),
    })
}

fn parse(reply: &[u8]) -> Option<Reply> {
    let end = reply.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, body) = reply.split_at(end + 4);
    let mut lines = std::str::from_utf8(head).ok()?.lines();
    let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    Some(Reply { status, headers, body: body.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_taken_apart() {
        let reply = parse(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\n\r\nbody\r\n\r\nmore").unwrap();
        assert_eq!((reply.status, reply.header("retry-after")), (429, Some("5")));
        assert_eq!(reply.text(), "body\r\n\r\nmore");
    }

    #[test]
    fn half_a_reply_is_none() {
        assert!(parse(b"HTTP/1.1 200 OK\r\nDate").is_none());
        assert!(parse(b"SSH-2.0-server\r\n\r\n").is_none());
    }
}
