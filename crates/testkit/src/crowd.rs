//! Requests that begin and never end: many at once, over few connections, as a broken network or an attacker leaves them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::thread::JoinHandle;

use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};
use tower::ServiceExt;

use crate::client::Service;

/// Unfinished OTLP/gRPC requests; they break off when this value goes.
#[derive(Debug)]
pub struct Crowd {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    begun: AtomicUsize,
    answers: Mutex<BTreeMap<i32, usize>>,
}

impl Crowd {
    /// Begins `streams` requests over each of `connections`: all of `beginning` is sent for each, and then nothing more.
    pub fn start(server: SocketAddr, connections: usize, streams: usize, beginning: impl Into<Bytes>) -> Self {
        let (shared, beginning) = (Arc::new(Shared::default()), beginning.into());
        let (stop, mut stopped) = watch::channel(false);
        let state = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let mut requests = JoinSet::new();
                let channels = (0..connections).map(|_| connect(server));
                for channel in channels.flat_map(|channel| std::iter::repeat_n(channel, streams)) {
                    requests.spawn(ask(channel, beginning.clone(), Arc::clone(&state)));
                }
                // A dropped sender is as good as a stop.
                let _ = stopped.wait_for(|stopped| *stopped).await;
            });
        });
        Self { shared, stop, thread: Some(thread) }
    }

    /// How many requests have sent their beginning.
    pub fn begun(&self) -> usize {
        self.shared.begun.load(Ordering::Relaxed)
    }

    /// How many requests were answered, by the gRPC status.
    pub fn answers(&self) -> BTreeMap<i32, usize> {
        self.shared.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed; a second one here would hide it.
            let _ = thread.join();
        }
    }
}

fn connect(server: SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{server}")).expect("an address is a URI").connect_lazy()
}

async fn ask(channel: Channel, beginning: Bytes, shared: Arc<Shared>) {
    let body = Unfinished { beginning: Some(beginning), shared: Arc::clone(&shared) };
    let request = Request::post(Service::Traces.path().as_str()).header("content-type", "application/grpc");
    let request = request.body(tonic::body::Body::new(body)).expect("a request");
    let code = match channel.oneshot(request).await {
        Ok(response) => Status::from_header_map(response.headers()).map_or(0, |status| status.code().into()),
        Err(_) => tonic::Code::Unknown.into(),
    };
    *shared.answers.lock().unwrap_or_else(PoisonError::into_inner).entry(code).or_default() += 1;
}

/// A body that begins and never ends.
#[derive(Debug)]
struct Unfinished {
    beginning: Option<Bytes>,
    shared: Arc<Shared>,
}

impl Body for Unfinished {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(beginning) = self.beginning.take() else { return Poll::Pending };
        self.shared.begun.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(beginning))))
    }
}
