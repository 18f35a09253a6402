//! HTTP endpoints `/healthz`, `/readyz` and `/metrics` (Prometheus).

use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::get;
use chrono::{DateTime, Utc};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use sqlx::PgPool;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::access::{self, Access};
use super::listener;
use super::schedules::Pulse;
use crate::clock::Clock;
use crate::config::{Config, Http};
use crate::http::Client;
use crate::job::details::fetch;
use crate::measures;
use crate::model::{ConditionState, chain};
use crate::store::database;
use crate::store::health::condition;
use crate::store::lists::mirror;
use crate::store::reports::report::{self, SourceReport};
use crate::store::wanted::backlog::{self, Backlog};

/// Prometheus' text format.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A scrape waits no longer for the database: Prometheus gives up after ten seconds.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(5);

/// What runs under the current configuration.
#[derive(Clone)]
pub struct Working {
    /// The client for upstream.
    pub client: Client,
    /// Shows whether the scheduler is alive.
    pub pulse: Pulse,
    /// The configuration.
    pub config: Arc<Config>,
}

/// The state behind the endpoints; it is filled while the daemon starts.
pub struct Health {
    clock: Clock,
    pool: OnceLock<PgPool>,
    working: RwLock<Option<Working>>,
    prometheus: PrometheusHandle,
    /// The sources when the database last answered a scrape.
    sources: Mutex<Vec<SourceReport>>,
}

impl Health {
    /// The state at process start: no database, no schedules.
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
            sources: Mutex::default(),
        }
    }

    /// Sets the database pool.
    pub fn set_database(&self, pool: PgPool) {
        let _ = self.pool.set(pool);
    }

    /// Sets what runs now, after a start or reload.
    pub fn set_working(&self, next: Working) {
        if let Ok(mut working) = self.working.write() {
            *working = Some(next);
        }
    }

    fn working(&self) -> Option<Working> {
        self.working.read().ok().and_then(|working| working.clone())
    }
}

/// Serves until the guard is dropped. Without an address it does nothing.
pub async fn serve(http: &Http, health: Arc<Health>) -> anyhow::Result<Option<DropGuard>> {
    let Some(listen) = http.listen else {
        return Ok(None);
    };
    let access = Arc::new(Access::new(http)?);
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .with_context(|| format!("[http] listen = \"{listen}\" cannot be used; choose another address, or \"\" for none"))?;
    let router = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(prometheus))
        .layer(middleware::from_fn_with_state(access, access::check))
        .with_state(health);
    let stop = CancellationToken::new();
    tracing::info!(address = %listener.local_addr()?, "serving /healthz, /readyz and /metrics");
    tokio::spawn(listener::serve(listener, router, stop.clone()));
    Ok(Some(stop.drop_guard()))
}

async fn ready(State(health): State<Arc<Health>>) -> impl IntoResponse {
    let database = match health.pool.get() {
        Some(pool) => database::reachable(pool)
            .await
            .map_err(|error| chain(&error)),
        None => Err("not opened yet".to_owned()),
    };
    let schedules = health
        .working()
        .is_some_and(|working| working.pulse.is_alive());
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

async fn prometheus(State(health): State<Arc<Health>>) -> impl IntoResponse {
    if let Some(working) = health.working() {
        measures::upstream(&working.client.total_usage());
    }
    let read = read_database(&health);
    let read = match tokio::time::timeout(DATABASE_TIMEOUT, read).await {
        Ok(read) => read.map_err(|error| chain(&error)),
        Err(_) => Err("no answer in time".to_owned()),
    };
    let text = [health.prometheus.render(), health.render(read)].concat();
    ([(header::CONTENT_TYPE, PROMETHEUS_TEXT)], text)
}

/// What the metrics show of the database.
struct FromDatabase {
    sources: Vec<SourceReport>,
    conditions: Vec<ConditionState>,
    mirrors: Vec<mirror::State>,
    details: Option<(Backlog, Option<DateTime<Utc>>)>,
}

async fn read_database(health: &Health) -> Result<FromDatabase, sqlx::Error> {
    let pool = health.pool.get().ok_or(sqlx::Error::PoolClosed)?;
    let now = health.clock.now();
    let mut connection = pool.acquire().await?;
    let details = match health.working() {
        None => None,
        Some(working) => {
            let wanted = working.config.feeds.details;
            let backlog = backlog::backlog(&mut connection, wanted, now).await?;
            let done_at = fetch::outlook(&working.config, &backlog, now);
            Some((backlog, done_at))
        }
    };
    Ok(FromDatabase {
        sources: report::sources(&mut connection).await?,
        conditions: condition::states(&mut connection).await?,
        mirrors: mirror::states(&mut connection).await?,
        details,
    })
}

impl Health {
    /// The metrics that are read from the database. If it does not answer, only the ages
    /// are known, which follow from what it said last.
    fn render(&self, read: Result<FromDatabase, String>) -> String {
        let now = self.clock.now();
        let recorder = PrometheusBuilder::new().build_recorder();
        let mut last = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        metrics::with_local_recorder(&recorder, || {
            measures::describe_database();
            measures::database(read.is_ok());
            match read {
                Ok(FromDatabase {
                    sources,
                    conditions,
                    mirrors,
                    details,
                }) => {
                    measures::sources(&sources);
                    measures::conditions(&conditions, &sources);
                    measures::mirrors(&mirrors, &sources);
                    if let Some((backlog, done_at)) = details {
                        measures::details(&backlog, done_at);
                    }
                    *last = sources;
                }
                Err(error) => {
                    tracing::debug!(error, "could not read metrics from the database");
                }
            }
            measures::ages(&last, now);
        });
        recorder.handle().render()
    }
}
