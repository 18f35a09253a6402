//! HTTP listener with limits: number of connections, time for a request's header.
//!
//! Any local user can connect. Connections that send nothing must not use up the
//! process's file descriptors, which runs and the database need as well.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tracing::warn;

/// Maximum number of open connections. One more closes the connection that has been
/// idle longest, so that idle ones cannot keep out a new request.
pub const MAX_CONNECTIONS: usize = 64;
/// Maximum time for the header of a request, and between two requests.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum lifetime of a connection: a client that does not read its response is not
/// idle by any other measure. Scrapers connect again.
const MAX_LIFETIME: Duration = Duration::from_mins(5);
/// Maximum size of a request's header, in bytes.
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// Pause after an error of `accept`, for instance if there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// An open connection.
#[derive(Default)]
struct Connection {
    close: CancellationToken,
    /// Number of requests being answered.
    requests: AtomicUsize,
}

/// The open connections, oldest first.
#[derive(Default)]
struct Connections(Mutex<VecDeque<Arc<Connection>>>);

/// Serves `router` until `stop`.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let connections = Arc::new(Connections::default());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                if let Some(connection) = connections.open(&stop) {
                    let router = router.clone();
                    let connections = Arc::clone(&connections);
                    tokio::spawn(async move {
                        answer(stream, router, &connection).await;
                        connections.remove(&connection);
                    });
                }
            }
            Err(error) => {
                warn!(%error, "[http] a connection cannot be accepted: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Answers the requests of one connection until it ends or is closed.
async fn answer(stream: TcpStream, router: Router, connection: &Arc<Connection>) {
    let counted = service_fn(|request: Request<Incoming>| {
        let (router, connection) = (router.clone(), Arc::clone(connection));
        async move {
            connection.requests.fetch_add(1, Ordering::Relaxed);
            let response = router.oneshot(request.map(Body::new)).await;
            connection.requests.fetch_sub(1, Ordering::Relaxed);
            response
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), counted);
    // Errors of a connection concern its client alone.
    tokio::select! {
        _ = tokio::time::timeout(MAX_LIFETIME, served) => {}
        () = connection.close.cancelled() => {}
    }
}

impl Connections {
    /// Registers a connection; `None` if there are too many and none is idle.
    fn open(&self, stop: &CancellationToken) -> Option<Arc<Connection>> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= MAX_CONNECTIONS {
            let is_idle = |one: &Arc<Connection>| one.requests.load(Ordering::Relaxed) == 0;
            let oldest = open.iter().position(is_idle)?;
            if let Some(closed) = open.remove(oldest) {
                closed.close.cancel();
            }
        }
        let connection = Arc::new(Connection {
            close: stop.child_token(),
            ..Connection::default()
        });
        open.push_back(Arc::clone(&connection));
        Some(connection)
    }

    fn remove(&self, connection: &Arc<Connection>) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|one| !Arc::ptr_eq(one, connection));
    }
}
