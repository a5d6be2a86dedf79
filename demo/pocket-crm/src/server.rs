//! Listening, and stopping when told to.

use std::{io, net::Ipv4Addr, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

use crate::api::{self, App};

/// How long requests in flight may take after the signal; a client that hangs must not keep the server alive.
const GRACE: Duration = Duration::from_secs(5);

/// Why the server could not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The port is taken or forbidden.
    #[error("failed to listen on {0}:{1}")]
    Listen(Ipv4Addr, u16, #[source] io::Error),
    /// The signals that end the server could not be awaited.
    #[error("failed to wait for signals")]
    Signals(#[source] io::Error),
    /// Serving ended by itself.
    #[error("failed to serve")]
    Serve(#[source] io::Error),
}

/// Binds a port of an address; 0 lets the system choose one.
pub async fn listen(host: Ipv4Addr, port: u16) -> Result<TcpListener, ServeError> {
    TcpListener::bind((host, port)).await.map_err(|error| ServeError::Listen(host, port, error))
}

/// Serves until SIGTERM or SIGINT; requests in flight are answered, for five seconds at most.
pub async fn serve(listener: TcpListener, app: App) -> Result<(), ServeError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signals)?;
    let (stopping, stopped) = oneshot::channel();
    let until_told = async move {
        tokio::select! {
            _ = terminate.recv() => api::note("stopping on SIGTERM"),
            _ = interrupt.recv() => api::note("stopping on SIGINT"),
        }
        // The receiver lives as long as the serving does, and this is polled by the serving.
        let _ = stopping.send(());
    };
    let serving = axum::serve(listener, api::router(Arc::new(app))).with_graceful_shutdown(until_told);
    let overdue = async {
        match stopped.await {
            Ok(()) => tokio::time::sleep(GRACE).await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        ended = serving => ended.map_err(ServeError::Serve),
        () = overdue => {
            api::note("requests in flight did not end in time; leaving them");
            Ok(())
        }
    }
}
