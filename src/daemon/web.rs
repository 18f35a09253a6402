//! HTTP endpoints `/healthz`, `/readyz` and `/metrics` (Prometheus).

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::PgPool;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::access::{self, EndpointAccess};
use super::listener;
use super::scrape::{self, FromDatabase, ScrapeCache};
use super::working::Working;
use crate::clock::Clock;
use crate::config::Http;
use crate::measures;
use crate::model::chain;
use crate::store::database::{self, Servers};

/// Prometheus' text format.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The state behind the endpoints; it is filled while the daemon starts.
pub struct EndpointState {
    clock: Clock,
    pool: OnceLock<PgPool>,
    servers: OnceLock<Servers>,
    working: RwLock<Option<Working>>,
    prometheus: PrometheusHandle,
    known: Mutex<ScrapeCache>,
}

impl EndpointState {
    /// The state at process start: no database, no schedules.
    pub fn new(clock: Clock) -> Self {
        let recorder = measures::recorder();
        let prometheus = recorder.handle();
        // Fails only where a recorder is set already, in tests that start two daemons in one process.
        let _ = metrics::set_global_recorder(recorder);
        measures::describe();
        measures::started(clock.now());
        Self {
            clock,
            pool: OnceLock::new(),
            servers: OnceLock::new(),
            working: RwLock::new(None),
            prometheus,
            known: Mutex::default(),
        }
    }

    /// Sets the database pool, and the hosts that it may use.
    pub fn set_database(&self, pool: PgPool, servers: Servers) {
        let _ = self.pool.set(pool);
        let _ = self.servers.set(servers);
    }

    /// Why the database cannot be used; where there are several hosts, the reason of each.
    async fn database(&self) -> Result<(), String> {
        let Some(pool) = self.pool.get() else {
            return Err("not opened yet".to_owned());
        };
        let Err(error) = database::reachable(pool).await else {
            return Ok(());
        };
        match self.servers.get() {
            Some(servers) if servers.are_several() => {
                servers.choose(pool).await.map_err(|none| none.to_string())
            }
            _ => Err(chain(&error)),
        }
    }

    /// Sets what runs now, after a start or reload.
    pub fn set_working(&self, mut next: Working) {
        let sinks = next.config.alerts.sinks.iter();
        measures::configured(next.fingerprint, sinks.map(|sink| sink.name.as_str()));
        if let Ok(mut working) = self.working.write() {
            if let Some(before) = &*working {
                next.used_before = before.used_before + before.client.total_usage();
            }
            *working = Some(next);
        }
    }

    fn working(&self) -> Option<Working> {
        self.working.read().ok().and_then(|working| working.clone())
    }
}

/// Serves until the guard is dropped. Without an address it does nothing.
pub async fn serve(http: &Http, health: Arc<EndpointState>) -> anyhow::Result<Option<DropGuard>> {
    let Some(listen) = http.listen else {
        return Ok(None);
    };
    let access = Arc::new(EndpointAccess::new(http)?);
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

async fn ready(State(health): State<Arc<EndpointState>>) -> impl IntoResponse {
    let working = health.working();
    let unreadable = working.as_ref().and_then(Working::unreadable);
    let database = match unreadable {
        Some(reason) => Err(reason),
        None => health.database().await,
    };
    let schedules = working.is_some_and(|working| working.pulse.is_alive());
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

async fn prometheus(State(health): State<Arc<EndpointState>>) -> impl IntoResponse {
    let working = health.working();
    if let Some(working) = &working {
        let usage = working.used_before + working.client.total_usage();
        measures::upstream(&usage, working.client.measured_clock_offset());
    }
    let now = health.clock.now();
    let pool = health.pool.get();
    let read = match scrape::read(pool, working.as_ref(), now).await {
        Ok(read) => Ok(health.with_members(read).await),
        Err(error) => Err(error),
    };
    let from_database = health.render(read, working.as_ref());
    let unfollowed = health.known().unfollowed();
    let counted = measures::without_sources(&health.prometheus.render(), &unfollowed);
    let text = [counted, from_database].concat();
    ([(header::CONTENT_TYPE, PROMETHEUS_TEXT)], text)
}

impl EndpointState {
    /// Adds the members, counted only where something has changed since the last scrape.
    async fn with_members(&self, read: FromDatabase) -> FromDatabase {
        let known = self.known().members(&read);
        let members = match (known, self.pool.get()) {
            (None, Some(pool)) => scrape::count_members(pool).await,
            (known, _) => known,
        };
        read.with_members(members)
    }

    /// The metrics that are read from the database.
    fn render(&self, read: Result<FromDatabase, String>, working: Option<&Working>) -> String {
        let now = self.clock.now();
        let recorder = measures::recorder();
        let mut known = self.known();
        metrics::with_local_recorder(&recorder, || {
            scrape::record(read, &mut known, working, now);
        });
        recorder.handle().render()
    }

    fn known(&self) -> MutexGuard<'_, ScrapeCache> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
