//! Floors: the least that a node could do, on a thread of this process.
//!
//! Messages have four bytes of length instead of HTTP/2 and gRPC, one after the other on each connection, over the same TLS.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::ServerName;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};
use tollgate_runtime::TaskGroup;

use super::StandError;
use super::cores::Cores;

pub(crate) mod keeping;
pub(crate) mod sealing;

/// What the load has opened.
pub(crate) type Connection = server::TlsStream<TcpStream>;

/// What is done with the messages of one connection until it ends.
pub(crate) trait Serve: Send + Sync + 'static {
    fn serve(&self, from: Connection) -> impl Future<Output = Result<(), StandError>> + Send;
}

/// Starts a thread on the measured core and returns its id; it ends with the process.
pub(crate) fn start<S: Serve>(
    cores: Cores,
    listen: SocketAddr,
    server: Arc<ServerConfig>,
    serve: S,
) -> Result<i32, StandError> {
    let (ready, started) = sync_channel(1);
    let run = move || {
        let id = rustix::thread::gettid().as_raw_nonzero().get();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let outcome = runtime.and_then(|runtime| {
            runtime.block_on(async {
                let listener = TcpListener::bind(listen).await?;
                let _ = ready.send(id);
                accept(listener, TlsAcceptor::from(server), Arc::new(serve)).await
            })
        });
        if let Err(fault) = outcome {
            crate::found::note(&format!("the floor has ended: {fault}"));
        }
    };
    cores.on_measured(|| std::thread::Builder::new().name("floor".to_owned()).spawn(run))?;
    started.recv().map_err(|_| StandError::Ended("the floor says why".to_owned()))
}

async fn accept<S: Serve>(listener: TcpListener, acceptor: TlsAcceptor, serve: Arc<S>) -> io::Result<()> {
    let tasks = TaskGroup::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (acceptor, serve) = (acceptor.clone(), Arc::clone(&serve));
        tasks.spawn("connection", async move {
            if let Ok(connection) = acceptor.accept(stream).await {
                // The load hangs up when its time is over.
                let _ = serve.serve(connection).await;
            }
        });
    }
}

/// The next hop.
pub(crate) struct Onward {
    pub(crate) sink: SocketAddr,
    pub(crate) client: Arc<ClientConfig>,
}

impl Onward {
    async fn open(&self) -> Result<client::TlsStream<TcpStream>, StandError> {
        let stream = TcpStream::connect(self.sink).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::IpAddress(self.sink.ip().into());
        Ok(TlsConnector::from(Arc::clone(&self.client)).connect(name, stream).await?)
    }
}
