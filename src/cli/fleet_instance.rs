//! `advisoryd fleet status`: one instance, as a row of the table.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use tokio::time::timeout;

use super::ask;
use super::output::rough;
use super::table::short;
use crate::cluster::Role;
use crate::config::Config;
use crate::job::health::freshness;
use crate::job::lists::discover;
use crate::model::{ConditionState, one_line};
use crate::startup::Opened;
use crate::store::health::condition;
use crate::store::ledger::daemon;
use crate::store::reports::report::{self, SourceReport};
use crate::store::tickets::reading;

/// Longest time for the questions to one instance.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Maximum length of what is wrong, in characters.
const MAX_WORST_CHARS: usize = 300;

/// How an instance is, from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum InstanceState {
    /// All data is fresh.
    Ok,
    /// Something fails, and the data is still fresh.
    Warning,
    /// Data is stale, or the configuration cannot be used.
    Critical,
    /// The database cannot be reached.
    Unknown,
}

impl InstanceState {
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Unknown => "unknown",
        }
    }
}

/// Whether its daemon runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DaemonState {
    Running,
    /// There was one.
    Stopped,
    /// There was none, or the database does not say.
    Unknown,
}

impl DaemonState {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "not running",
            Self::Unknown => "unknown",
        }
    }
}

/// One instance.
#[derive(Debug)]
pub(super) struct FleetInstance {
    pub(super) name: String,
    pub(super) file: PathBuf,
    pub(super) state: InstanceState,
    pub(super) daemon: DaemonState,
    /// The worst thing that is wrong with it.
    pub(super) worst: Option<String>,
    /// Age of its oldest data.
    pub(super) oldest: Option<TimeDelta>,
    /// Age of its freshest data.
    pub(super) newest: Option<TimeDelta>,
    pub(super) next_run: Option<DateTime<Utc>>,
    pub(super) database: String,
}

impl FleetInstance {
    pub(super) const HEADING: [&'static str; 5] =
        ["instance", "state", "daemon", "data age", "next run"];

    pub(super) fn named(name: String, file: PathBuf) -> Self {
        Self {
            name,
            file,
            state: InstanceState::Ok,
            daemon: DaemonState::Unknown,
            worst: None,
            oldest: None,
            newest: None,
            next_run: None,
            database: String::new(),
        }
    }

    /// Adds something that is wrong; only the worst is shown.
    pub(super) fn with(mut self, state: InstanceState, what: &str) -> Self {
        if state > self.state || self.worst.is_none() {
            self.worst = Some(what.to_owned());
            self.state = state;
        }
        self
    }

    pub(super) fn row(&self, now: DateTime<Utc>) -> [String; 5] {
        let age = match (self.newest, self.oldest) {
            (Some(newest), Some(oldest)) if newest == oldest => rough(oldest),
            (Some(newest), Some(oldest)) => format!("{} to {}", rough(newest), rough(oldest)),
            _ => "no data".to_owned(),
        };
        let next = self
            .next_run
            .filter(|_| self.daemon == DaemonState::Running);
        [
            self.name.clone(),
            self.state.name().to_owned(),
            self.daemon.name().to_owned(),
            age,
            next.map_or_else(|| "-".to_owned(), |at| format!("in {}", rough(at - now))),
        ]
    }

    /// What is wrong with it, in a line of its own: no column is wide enough for it.
    pub(super) fn problem(&self) -> Option<String> {
        let worst = short(&one_line(self.worst.as_ref()?), MAX_WORST_CHARS);
        Some(format!("  {}: {worst}", one_line(&self.name)))
    }

    /// Asks its database.
    pub(super) async fn asked(mut self, config: &Config, now: DateTime<Utc>) -> Self {
        self.database = match &config.database.url {
            Some(url) => url.to_string(),
            None => format!("private, {}", config.state.dir.display()),
        };
        if config.database.url.is_none() && !has_server(&config.state.dir) {
            return self.with(
                InstanceState::Unknown,
                "the private PostgreSQL is not running; start the daemon",
            );
        }
        match timeout(ANSWER_WITHIN, read(config)).await {
            Ok(Ok(found)) => self.judged(&found, now),
            Ok(Err(error)) => self.with(InstanceState::Unknown, &format!("{error:#}")),
            Err(_) => {
                let text = format!("no answer within {} s", ANSWER_WITHIN.as_secs());
                self.with(InstanceState::Unknown, &text)
            }
        }
    }

    fn judged(mut self, found: &Found, now: DateTime<Utc>) -> Self {
        let config = &found.config;
        let timezone = config.schedule.timezone;
        for source in found.sources.iter().filter(|source| source.configured) {
            let label = source.key.label();
            let schedule = config.schedule_of(&source.key, found.filter);
            let next = schedule.and_then(|schedule| schedule.next_after(now, timezone));
            self.next_run = match (self.next_run, next) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
            if let Some(from) = source.covered_to {
                let age = (now - from).max(TimeDelta::zero());
                self.oldest = self.oldest.max(Some(age));
                self.newest = Some(self.newest.map_or(age, |newest| newest.min(age)));
            }
            let limit = freshness::limit(config, source, found.filter);
            let age = source.data_from().map(|from| now - from);
            if let (Some(age), Some(limit)) = (age, limit)
                && age > limit
            {
                let text = format!("{label}: the data is {} old", rough(age));
                self = self.with(InstanceState::Critical, &text);
            }
            if let Some(error) = &source.last_error {
                self = self.with(InstanceState::Warning, &format!("{label}: {error}"));
            } else if source.last_success_at.is_none() {
                self = self.with(
                    InstanceState::Warning,
                    &format!("{label}: never read completely"),
                );
            }
        }
        for summary in &found.conditions {
            self = self.with(InstanceState::Warning, summary);
        }
        self.daemon = found.daemon;
        if self.daemon == DaemonState::Stopped {
            self = self.with(InstanceState::Warning, "the daemon does not run");
        }
        self
    }
}

/// What the database of an instance says.
struct Found {
    config: Config,
    sources: Vec<SourceReport>,
    filter: Option<crate::model::DateFilter>,
    conditions: Vec<String>,
    daemon: DaemonState,
}

async fn read(config: &Config) -> anyhow::Result<Found> {
    let opened = Opened::open(config, Role::Client).await?;
    ask::then_close(opened, async |opened| {
        ask::answers(config, opened).await?;
        let mut connection = ask::up_to_date(opened).await?;
        read_from(config, &mut connection).await
    })
    .await
}

async fn read_from(config: &Config, connection: &mut PgConnection) -> anyhow::Result<Found> {
    let conditions = condition::states(connection).await?;
    let raised = conditions.into_iter().filter(ConditionState::is_found);
    Ok(Found {
        config: discover::followed(connection, config).await?,
        sources: report::sources(connection).await?,
        filter: reading::get(connection).await?.filter,
        conditions: raised.map(|state| state.summary).collect(),
        daemon: match daemon::list(connection).await?.first() {
            // Those that run come first.
            Some(first) if first.running => DaemonState::Running,
            Some(_) => DaemonState::Stopped,
            None => DaemonState::Unknown,
        },
    })
}

/// Whether a private server runs, by its `postmaster.pid`. None is started to ask it.
pub(super) fn has_server(state_dir: &Path) -> bool {
    let folder = state_dir.join("postgresql");
    let has_pid = |folder: &Path| folder.join("postmaster.pid").exists();
    let inner = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    let mut folders = inner.map(|entry| entry.path());
    has_pid(&folder) || folders.any(|inner| has_pid(&inner) || has_pid(&inner.join("data")))
}
