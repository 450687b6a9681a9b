//! The admin listener: is it alive, is it ready, how is it doing.
//!
//! Promises:
//! 1. Nothing is cached, framed, sniffed or allowed to run scripts from elsewhere.
//! 2. Only `GET` and `HEAD` are answered, and nothing of a request but its path is looked at.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tollgate_runtime::{Shutdown, TaskGroup};

use crate::server::Bound;
use crate::server::reply::Reply;

/// What the admin listener shows.
pub trait Pages: Send + Sync + 'static {
    /// Whether the process should be left alone; `false` asks for a restart.
    fn livez(&self) -> bool;

    /// Whether traffic should be sent here.
    ///
    /// # Errors
    /// Why not.
    fn readyz(&self) -> Result<(), String>;

    /// The state of the node.
    fn status(&self) -> serde_json::Value;

    /// All metrics as OpenMetrics text.
    fn metrics(&self) -> String;
}

const CONNECTIONS: usize = 64;
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves the pages until the shutdown.
pub async fn serve(bound: Bound, pages: Arc<dyn Pages>, tasks: TaskGroup, shutdown: Shutdown) {
    bound
        .each_connection(CONNECTIONS, &shutdown, |stream, _, slot| {
            let (pages, shutdown) = (Arc::clone(&pages), shutdown.clone());
            tasks.spawn("admin connection", async move {
                let _slot = slot;
                if let Ok(stream) = TcpStream::from_std(stream) {
                    exchange(stream, &pages, &shutdown).await;
                }
            });
        })
        .await;
}

async fn exchange(stream: TcpStream, pages: &Arc<dyn Pages>, shutdown: &Shutdown) {
    let answer = |request: Request<Incoming>| {
        let pages = Arc::clone(pages);
        async move { Ok::<_, Infallible>(page(&*pages, request.method(), request.uri().path())) }
    };
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_headers(64);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service_fn(answer)));
    // Cancel safe: the connection is only polled, and polled on below.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = shutdown.started() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(PATIENCE, connection).await;
}

fn page(pages: &dyn Pages, method: &Method, path: &str) -> Response<Reply> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut refused =
            response(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "only GET and HEAD are answered here\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match path {
        "/livez" if pages.livez() => response(StatusCode::OK, "text/plain", "ok\n"),
        "/livez" => response(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "not alive\n"),
        "/readyz" => match pages.readyz() {
            Ok(()) => response(StatusCode::OK, "text/plain", "ok\n"),
            Err(reason) => response(StatusCode::SERVICE_UNAVAILABLE, "text/plain", reason + "\n"),
        },
        "/status" => response(StatusCode::OK, "application/json", pages.status().to_string()),
        "/metrics" => {
            response(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", pages.metrics())
        }
        _ => response(StatusCode::NOT_FOUND, "text/plain", "no such page\n"),
    }
}

fn response(code: StatusCode, kind: &'static str, body: impl Into<String>) -> Response<Reply> {
    let mut response = Response::new(Reply::data(body.into()));
    *response.status_mut() = code;
    let fixed = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    response.headers_mut().extend(fixed.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response
}
