//! The endpoint itself: takes connections, and carries each to its end. One that is slow or gone holds up nobody else.

use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Mutex, OnceCell, Semaphore};
use tokio::task::JoinSet;

use super::added::Added;
use super::audit::Audit;
use super::exchange::{Exchange, Tunnel};
use super::hangup::Hangup;
use super::policy::Policy;
use super::upstream::Upstream;

/// The most clients that are connected at once. One beyond them waits until another goes.
pub const MOST_CLIENTS: usize = 256;

/// The most bodies that are held in memory at once.
pub const MOST_BODIES: usize = 8;

/// A Docker endpoint of ours.
#[derive(Debug)]
pub struct Gateway;

impl Gateway {
    /// Serves until it is dropped; then every connection ends with it.
    ///
    /// # Errors
    /// Where the socket takes no connections any more.
    pub async fn serve<A: Audit>(listener: &UnixListener, upstream: PathBuf, policy: Arc<Policy>, audit: A) -> io::Result<()> {
        let (audit, cgroups) = (Arc::new(audit), Arc::new(OnceCell::new()));
        let added = Arc::new(Added::default());
        let bodies = Arc::new(Semaphore::new(MOST_BODIES));
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept(), if connections.len() < MOST_CLIENTS => match accepted {
                    Ok((stream, _)) => {
                        let exchange = Arc::new(Exchange {
                            policy: Arc::clone(&policy),
                            audit: Arc::clone(&audit),
                            engine: upstream.clone(),
                            cgroups: Arc::clone(&cgroups),
                            upstream: Mutex::new(Upstream::new(upstream.clone(), Arc::clone(&added))),
                            tunnel: Mutex::new(None),
                            bodies: Arc::clone(&bodies),
                        });
                        connections.spawn(connection(stream, exchange));
                    }
                    Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                    // Out of descriptors, for example: one that ends gives some back.
                    Err(error) => {
                        if connections.join_next().await.is_none() {
                            return Err(error);
                        }
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

/// One client, to its end. What breaks here breaks this client's connection, which is how it learns of it.
async fn connection<A: Audit>(stream: UnixStream, exchange: Arc<Exchange<A>>) {
    let Ok(hangup) = Hangup::of(&stream) else { return };
    let service = {
        let exchange = Arc::clone(&exchange);
        service_fn(move |request| {
            let exchange = Arc::clone(&exchange);
            async move { Ok::<_, Infallible>(exchange.answer(request).await) }
        })
    };
    // A client may close its sending half and still wait for the answer; one that closed both is gone.
    let serving = http1::Builder::new().half_close(true).preserve_header_case(true).serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        served = serving.with_upgrades() => if served.is_err() { return },
        () = hangup.wait() => return,
    }
    let tunnel = exchange.tunnel.lock().await.take();
    if let Some(tunnel) = tunnel {
        // An error is one side's end, and with this return the other's.
        drop(carry(tunnel, &hangup).await);
    }
}

/// Bytes both ways, untouched; the end of one direction is passed on and leaves the other open.
async fn carry((client, engine): Tunnel, hangup: &Hangup) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (mut from_client, mut to_client) = tokio::io::split(TokioIo::new(client.await?));
    let (mut from_engine, mut to_engine) = tokio::io::split(TokioIo::new(engine.await?));
    let up = async {
        tokio::io::copy(&mut from_client, &mut to_engine).await?;
        to_engine.shutdown().await
    };
    let down = async {
        let copied = async {
            tokio::io::copy(&mut from_engine, &mut to_client).await?;
            to_client.shutdown().await
        };
        // A client that is gone reads nothing more; what it sent before still goes up.
        tokio::select! {
            copied = copied => copied,
            () = hangup.wait() => Ok(()),
        }
    };
    tokio::try_join!(up, down)?;
    Ok(())
}
