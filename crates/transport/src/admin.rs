//! The admin listener: is it alive, is it ready, how is it doing; and a reload for who asks for it.
//!
//! Promises:
//! 1. Nothing is cached, framed, sniffed or allowed to run scripts from elsewhere.
//! 2. `GET` and `HEAD` change nothing, and nothing of such a request but its path is looked at.
//! 3. `POST` is for `/-/reload` alone, where that is served, and not for a page in somebody's browser.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
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

    /// Why a trace was kept or dropped, by its id as the request has it.
    ///
    /// # Errors
    /// Why there is no answer.
    fn trace(&self, id: &str) -> Result<serde_json::Value, String>;

    /// Which services' spans do not join their traces.
    ///
    /// # Errors
    /// Why there is no answer.
    fn breaks(&self) -> Result<serde_json::Value, String>;

    /// All metrics as OpenMetrics text.
    fn metrics(&self) -> String;
}

/// What reads the documents again.
pub trait Reload: Send + Sync + 'static {
    /// Reads them, and says what came into force. It may take seconds.
    ///
    /// # Errors
    /// What was refused, and why.
    fn reload(&self) -> Result<serde_json::Value, serde_json::Value>;
}

/// A listener's pages, and its reload if it has one.
#[derive(Clone)]
struct Served {
    pages: Arc<dyn Pages>,
    reload: Option<Arc<dyn Reload>>,
}

const JSON: &str = "application/json";
const RELOAD: &str = "/-/reload";
const BREAKS: &str = "/breaks";
const CONNECTIONS: usize = 64;
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves the pages until the shutdown, and the reload if there is one.
pub async fn serve(
    bound: Bound,
    pages: Arc<dyn Pages>,
    reload: Option<Arc<dyn Reload>>,
    tasks: TaskGroup,
    shutdown: Shutdown,
) {
    let served = Served { pages, reload };
    bound
        .each_connection(CONNECTIONS, &shutdown, |stream, _, slot| {
            let (served, shutdown) = (served.clone(), shutdown.clone());
            tasks.spawn("admin connection", async move {
                let _slot = slot;
                if let Ok(stream) = TcpStream::from_std(stream) {
                    exchange(stream, &served, &shutdown).await;
                }
            });
        })
        .await;
}

async fn exchange(stream: TcpStream, served: &Served, shutdown: &Shutdown) {
    let answer = |request: Request<Incoming>| {
        let served = served.clone();
        async move { Ok::<_, Infallible>(served.answer(&request).await) }
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

impl Served {
    async fn answer(&self, request: &Request<Incoming>) -> Response<Reply> {
        match (&self.reload, request.method(), request.uri().path()) {
            (Some(_), method, RELOAD) if *method != Method::POST => not_allowed("only POST is answered here\n", "POST"),
            // Browsers say where a page comes from that posts; no tool of an operator does.
            (Some(_), _, RELOAD) if request.headers().contains_key(ORIGIN) => {
                response(StatusCode::FORBIDDEN, "text/plain", "not for pages of a browser\n")
            }
            (Some(reload), _, RELOAD) => again(Arc::clone(reload)).await,
            // Services are values from payloads, and metrics are often open to more readers.
            (None, _, BREAKS) => response(StatusCode::NOT_FOUND, "text/plain", "only the admin listener tells this\n"),
            (_, &(Method::GET | Method::HEAD), path) => page(&*self.pages, path),
            _ => not_allowed("only GET and HEAD are answered here\n", "GET, HEAD"),
        }
    }
}

async fn again(reload: Arc<dyn Reload>) -> Response<Reply> {
    match tokio::task::spawn_blocking(move || reload.reload()).await {
        Ok(Ok(outcome)) => response(StatusCode::OK, JSON, outcome.to_string()),
        Ok(Err(refused)) => response(StatusCode::UNPROCESSABLE_ENTITY, JSON, refused.to_string()),
        Err(_) => response(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", "the reload did not end\n"),
    }
}

fn not_allowed(why: &'static str, allow: &'static str) -> Response<Reply> {
    let mut refused = response(StatusCode::METHOD_NOT_ALLOWED, "text/plain", why);
    refused.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    refused
}

fn page(pages: &dyn Pages, path: &str) -> Response<Reply> {
    match path {
        "/livez" if pages.livez() => response(StatusCode::OK, "text/plain", "ok\n"),
        "/livez" => response(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "not alive\n"),
        "/readyz" => match pages.readyz() {
            Ok(()) => response(StatusCode::OK, "text/plain", "ok\n"),
            Err(reason) => response(StatusCode::SERVICE_UNAVAILABLE, "text/plain", reason + "\n"),
        },
        "/status" => response(StatusCode::OK, JSON, pages.status().to_string()),
        "/metrics" => {
            response(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", pages.metrics())
        }
        BREAKS => answer(pages.breaks()),
        _ => match path.strip_prefix("/trace/") {
            Some(id) => answer(pages.trace(id)),
            None => response(StatusCode::NOT_FOUND, "text/plain", "no such page\n"),
        },
    }
}

fn answer(answer: Result<serde_json::Value, String>) -> Response<Reply> {
    match answer {
        Ok(answer) => response(StatusCode::OK, JSON, answer.to_string()),
        Err(why) => response(StatusCode::NOT_FOUND, "text/plain", why + "\n"),
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
