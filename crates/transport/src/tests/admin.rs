//! The admin listener.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tollgate_runtime::{Shutdown, TaskGroup};

use crate::Bound;
use crate::admin::{Pages, Reload, serve};

#[derive(Default)]
struct Node {
    ready: AtomicBool,
}

impl Pages for Node {
    fn livez(&self) -> bool {
        true
    }

    fn readyz(&self) -> Result<(), String> {
        if self.ready.load(Ordering::Relaxed) { Ok(()) } else { Err("spool is recovering".into()) }
    }

    fn status(&self) -> serde_json::Value {
        serde_json::json!({"node": "eu-west/gateway/0"})
    }

    fn trace(&self, id: &str) -> Result<serde_json::Value, String> {
        if id == "ab" { Ok(serde_json::json!({"state": "kept"})) } else { Err("not an id".into()) }
    }

    fn breaks(&self) -> Result<serde_json::Value, String> {
        Ok(serde_json::json!({"breaks": []}))
    }

    fn metrics(&self) -> String {
        "# EOF\n".into()
    }
}

/// It refuses the first time.
#[derive(Default)]
struct Again(AtomicBool);

impl Reload for Again {
    fn reload(&self) -> Result<serde_json::Value, serde_json::Value> {
        let outcome = |what: &str| serde_json::json!({"outcome": what});
        if self.0.swap(true, Ordering::Relaxed) { Ok(outcome("adopted")) } else { Err(outcome("refused")) }
    }
}

async fn ask(address: std::net::SocketAddr, line: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn pages_say_how_the_node_is_and_are_never_cached() {
    let bound = Bound::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let (address, tasks, (stopper, shutdown)) = (bound.local_addr(), TaskGroup::new(), Shutdown::new());
    let node = Arc::new(Node::default());
    let pages = Arc::clone(&node) as Arc<dyn Pages>;
    tasks.spawn("admin", serve(bound, pages, None, tasks.clone(), shutdown));
    assert!(ask(address, "GET /livez").await.starts_with("HTTP/1.1 200"));
    let waiting = ask(address, "GET /readyz").await;
    assert!(waiting.starts_with("HTTP/1.1 503") && waiting.ends_with("spool is recovering\n"), "{waiting}");
    node.ready.store(true, Ordering::Relaxed);
    assert!(ask(address, "GET /readyz").await.starts_with("HTTP/1.1 200"));
    assert!(ask(address, "GET /status").await.ends_with(r#"{"node":"eu-west/gateway/0"}"#));
    assert!(ask(address, "GET /trace/ab").await.ends_with(r#"{"state":"kept"}"#));
    let unknown = ask(address, "GET /trace/x").await;
    assert!(unknown.starts_with("HTTP/1.1 404") && unknown.ends_with("not an id\n"), "{unknown}");
    let breaks = ask(address, "GET /breaks").await;
    assert!(breaks.starts_with("HTTP/1.1 404"), "this is a listener for metrics: {breaks}");
    let metrics = ask(address, "GET /metrics").await;
    assert!(metrics.contains("content-type: application/openmetrics-text; version=1.0.0"), "{metrics}");
    for page in ["/livez", "/readyz", "/status", "/metrics", "/nothing"] {
        let answer = ask(address, &format!("GET {page}")).await;
        for header in ["cache-control: no-store", "content-security-policy: default-src 'none'", "nosniff"] {
            assert!(answer.contains(header), "{page}: {answer}");
        }
    }
    let refused = ask(address, "POST /status").await;
    assert!(refused.starts_with("HTTP/1.1 405") && refused.contains("allow: GET, HEAD"), "{refused}");
    assert!(ask(address, "GET /../etc").await.starts_with("HTTP/1.1 404"));
    assert!(ask(address, "POST /-/reload").await.starts_with("HTTP/1.1 405"), "not served here");
    assert!(ask(address, "GET /-/reload").await.starts_with("HTTP/1.1 404"));
    stopper.stop();
    tasks.wait(Duration::from_secs(5)).await.unwrap();
}

/// Guarantees: a reload is posted, by no page of a browser, and answered with what it came to.
#[tokio::test]
async fn a_reload_is_posted_and_says_what_it_came_to() {
    let bound = Bound::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let (address, tasks, (stopper, shutdown)) = (bound.local_addr(), TaskGroup::new(), Shutdown::new());
    let (pages, again) = (Arc::new(Node::default()), Arc::new(Again::default()));
    tasks.spawn("admin", serve(bound, pages, Some(again as Arc<dyn Reload>), tasks.clone(), shutdown));
    let read = ask(address, "GET /-/reload").await;
    assert!(read.starts_with("HTTP/1.1 405") && read.contains("allow: POST"), "{read}");
    let browser = ask(address, "POST /-/reload HTTP/1.1\r\norigin: http://evil.example\r\nx-rest:").await;
    assert!(browser.starts_with("HTTP/1.1 403"), "{browser}");
    let answers = [ask(address, "POST /-/reload").await, ask(address, "POST /-/reload").await];
    assert!(answers[0].starts_with("HTTP/1.1 422") && answers[0].ends_with(r#"{"outcome":"refused"}"#), "{answers:?}");
    assert!(answers[1].starts_with("HTTP/1.1 200") && answers[1].ends_with(r#"{"outcome":"adopted"}"#), "{answers:?}");
    assert!(ask(address, "GET /livez").await.starts_with("HTTP/1.1 200"));
    assert!(ask(address, "GET /breaks").await.ends_with(r#"{"breaks":[]}"#));
    assert!(ask(address, "POST /livez").await.starts_with("HTTP/1.1 405"));
    stopper.stop();
    tasks.wait(Duration::from_secs(5)).await.unwrap();
}
