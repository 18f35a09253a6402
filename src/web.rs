//! `/healthz`, `/readyz` and `/metrics` (surface §2).

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, RwLock};

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use sqlx::{PgConnection, PgPool};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::clock::Clock;
use crate::daemon::schedules::Pulse;
use crate::http::Client;
use crate::measures;
use crate::model::Standing;
use crate::store::report::{self, SourceReport};
use crate::store::{condition, database};

/// Prometheus' text format.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the endpoints look at; it fills while the daemon starts.
pub struct Health {
    clock: Clock,
    pool: OnceLock<PgPool>,
    working: RwLock<Option<(Client, Pulse)>>,
    prometheus: PrometheusHandle,
}

impl Health {
    /// Nothing works yet but the process.
    pub fn new(clock: Clock) -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        let prometheus = recorder.handle();
        // Fails only where a recorder is set already, in tests that start two daemons in one process.
        let _ = metrics::set_global_recorder(recorder);
        measures::describe();
        Self {
            clock,
            pool: OnceLock::new(),
            working: RwLock::new(None),
            prometheus,
        }
    }

    /// The database can be asked.
    pub fn database_is(&self, pool: PgPool) {
        let _ = self.pool.set(pool);
    }

    /// Schedules run, and this client serves them.
    pub fn generation_is(&self, client: Client, pulse: Pulse) {
        if let Ok(mut working) = self.working.write() {
            *working = Some((client, pulse));
        }
    }

    fn working(&self) -> Option<(Client, Pulse)> {
        self.working.read().ok().and_then(|working| working.clone())
    }
}

/// Serves until the guard is dropped; nothing without an address.
pub async fn serve(
    listen: Option<SocketAddr>,
    health: Arc<Health>,
) -> anyhow::Result<Option<DropGuard>> {
    let Some(listen) = listen else {
        return Ok(None);
    };
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .with_context(|| format!("[http] listen = \"{listen}\" cannot be used; choose another address, or \"\" for none"))?;
    let router = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(prometheus))
        .with_state(health);
    let stop = CancellationToken::new();
    let stopped = stop.clone().cancelled_owned();
    tracing::info!(address = %listener.local_addr()?, "serving /healthz, /readyz and /metrics");
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router)
            .with_graceful_shutdown(stopped)
            .await
        {
            tracing::error!(%error, "the health endpoints ended");
        }
    });
    Ok(Some(stop.drop_guard()))
}

async fn ready(State(health): State<Arc<Health>>) -> impl IntoResponse {
    let database = match health.pool.get() {
        Some(pool) => database::reachable(pool)
            .await
            .map_err(|error| error.to_string()),
        None => Err("not opened yet".to_owned()),
    };
    let schedules = health.working().is_some_and(|(_, pulse)| pulse.is_alive());
    let status = if database.is_ok() && schedules {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = serde_json::json!({
        "ready": status == StatusCode::OK,
        "database": database.err().unwrap_or_else(|| "reachable".to_owned()),
        "schedules": if schedules { "running" } else { "not running" },
    });
    (
        status,
        [(header::CONTENT_TYPE, "application/json")],
        format!("{body}\n"),
    )
}

async fn ask(
    connection: &mut PgConnection,
) -> Result<(Vec<SourceReport>, Vec<Standing>), sqlx::Error> {
    Ok((
        report::sources(connection).await?,
        condition::standings(connection).await?,
    ))
}

async fn prometheus(State(health): State<Arc<Health>>) -> impl IntoResponse {
    if let Some((client, _)) = health.working() {
        measures::upstream(&client.total_usage());
    }
    let asked = match health.pool.get() {
        Some(pool) => match pool.acquire().await {
            Ok(mut connection) => ask(&mut connection).await,
            Err(error) => Err(error),
        },
        None => Ok((Vec::new(), Vec::new())),
    };
    match asked {
        Ok((sources, standings)) => {
            measures::sources(&sources, health.clock.now());
            measures::conditions(&standings);
        }
        Err(error) => tracing::debug!(%error, "the database could not be asked for metrics"),
    }
    (
        [(header::CONTENT_TYPE, PROMETHEUS_TEXT)],
        health.prometheus.render(),
    )
}
