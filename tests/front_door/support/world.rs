//! One test's world: the simulated upstream, a database, a configuration, and
//! the program between them, either as jobs in this process or as the binary.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use advisoryd::clock::Clock;
use advisoryd::config::Config;
use advisoryd::job::alerts::pass::{self, Passed};
use advisoryd::job::context::Context;
use advisoryd::job::details::fetch::{self, Fetched};
use advisoryd::job::enrichment::pull::{self as enrichment, PullOutcome};
use advisoryd::job::feeds::feed::LookBack;
use advisoryd::job::feeds::feed::feeds;
use advisoryd::job::feeds::pull;
use advisoryd::job::run::{Ran, RunReport};
use advisoryd::job::tickets::sync::{self, TicketSync};
use advisoryd::model::Catalogue;
use advisoryd::simulate::{self, LimitOptions, Simulator, SimulatorOptions};
use advisoryd::startup;
use serde_json::Value;
use sqlx::PgPool;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::database::{TestDatabase, database};
use super::manager::Daemon;
use super::pooler::PgBouncer;
use super::process::binary;
use super::receiver::Receiver;
use super::run_dir::state_dir;
use super::servers::serve;
use super::settings::{Feeds, NEVER, Settings, Sink, Upstream, WatchList};
use super::wait::PATIENCE;
use super::web::free_port;

/// How long upstream may be silent: longer than any test holds it.
pub const READ_TIMEOUT: Duration = Duration::from_mins(1);

/// Signs what goes to the sink `hook`.
pub const HOOK_SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// The mode of the pooler between the program and its database; none if it is not set.
const POOLER: &str = "ADVISORYD_TEST_POOLER";

/// A small world with one watch list, whose ticks nobody waits for.
pub struct World {
    pub simulator: Simulator,
    pub database: TestDatabase,
    /// The pooler that the program goes through, if it does.
    pub pooler: Option<PgBouncer>,
    /// The configuration, but for what [`World::toml`] knows better.
    pub settings: Settings,
    /// Where the watch lists' advisories come from.
    pub source: &'static str,
    /// Other watch lists than all of the simulator's.
    pub lists: Option<Vec<i64>>,
    /// Cancelled by tests that stop jobs.
    pub stop: CancellationToken,
    /// Added to this machine's clock, in seconds.
    pub clock_offset: std::sync::Arc<std::sync::atomic::AtomicI64>,
    dir: TempDir,
}

/// What a command said.
#[derive(Debug)]
pub struct CommandResult {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// As a person reads it: what went to standard error marked, and of a line of
/// the log its level and message.
impl Display for CommandResult {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.stdout)?;
        for line in self.stderr.lines() {
            match serde_json::from_str::<Value>(line) {
                Ok(Value::Object(event)) => {
                    let text = |name: &str| event[name].as_str().unwrap_or_default();
                    writeln!(formatter, "{}: {}", text("level"), text("message"))?;
                }
                _ => writeln!(formatter, "stderr: {line}")?,
            }
        }
        Ok(())
    }
}

impl CommandResult {
    /// What it said as one document.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// What a person reads of it beside its data.
    pub fn without_data(mut self) -> Self {
        self.stdout.clear();
        self
    }

    /// What it said as one document a line.
    pub fn json_lines(&self) -> Vec<Value> {
        let line =
            |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.stdout.lines().map(line).collect()
    }
}

impl From<Output> for CommandResult {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code().expect("it was not killed"),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }
}

/// Few and quick, and no limit on requests.
pub fn small() -> SimulatorOptions {
    SimulatorOptions {
        advisories: 60,
        tickets: 25,
        watch_lists: 1,
        limits: LimitOptions {
            per_minute: 0,
            ..LimitOptions::default()
        },
        ..SimulatorOptions::default()
    }
}

/// Few surprises: where a test is not about them, there are neither details nor
/// a sweep, so that requests and runs are those of the feeds.
fn plain() -> Settings {
    Settings {
        upstream: Upstream {
            requests_per_minute: Some(60_000),
            read_timeout: Some("1m"),
            max_attempts: Some(2),
            ..Upstream::default()
        },
        feeds: Feeds {
            sweep: Some(false),
            details: Some("never"),
            ..Feeds::default()
        },
        ..Settings::default()
    }
}

impl World {
    /// A world with a [`small`] upstream.
    pub async fn new() -> Self {
        Self::with(small()).await
    }

    /// A world with this upstream.
    pub async fn with(options: SimulatorOptions) -> Self {
        let simulator = serve(simulate::start(options))
            .await
            .expect("the simulator");
        let database = database().await;
        // `make test-pooler`: the program goes through a pooler, the test itself does not.
        let pooler = match std::env::var(POOLER) {
            Ok(mode) => Some(PgBouncer::to(&database, &mode).await),
            Err(_) => None,
        };
        Self {
            simulator,
            database,
            pooler,
            settings: plain(),
            source: "feed",
            lists: None,
            stop: CancellationToken::new(),
            clock_offset: std::sync::Arc::default(),
            dir: state_dir(),
        }
    }

    /// The test's own view of the database.
    pub fn pool(&self) -> &PgPool {
        &self.database.pool
    }

    /// The configuration as a person would write it: upstream, database and
    /// lists are this world's where the test names no others.
    pub fn toml(&self) -> String {
        let mut settings = self.settings.clone();
        let upstream = &mut settings.upstream;
        upstream.token_file = Some(self.token_file().display().to_string());
        let base_url = || self.simulator.base_url();
        upstream.base_url.get_or_insert_with(base_url);
        if settings.state.dir.is_none() {
            let pooler = self.pooler.as_ref();
            // Not if the test has put something else before the database.
            let pooler = pooler.filter(|pooler| pooler.direct == self.database.url);
            let url = pooler.map_or(&self.database.url, |pooler| &pooler.url);
            let url = || url.clone();
            settings.database.url.get_or_insert_with(url);
        }
        // Only where a test is about it: the default time passes once a day, during tests too.
        settings.schedule.full_feeds.get_or_insert(NEVER);
        settings.schedule.list_contents.get_or_insert(NEVER);
        settings.enrichment.kev_schedule.get_or_insert(NEVER);
        settings.enrichment.epss_schedule.get_or_insert(NEVER);
        let all = || self.simulator.watch_lists();
        let lists = self.lists.clone().unwrap_or_else(all);
        let lists = lists.into_iter().map(|id| WatchList {
            id,
            source: Some(self.source),
            ..WatchList::default()
        });
        settings.watch_lists.splice(0..0, lists);
        toml::to_string(&settings).expect("a configuration")
    }

    /// The token's file, written when first asked for.
    pub fn token_file(&self) -> PathBuf {
        let path = self.dir.path().join("token");
        if !path.exists() {
            std::fs::write(&path, simulate::DEFAULT_TOKEN).expect("the token's file");
            let private = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(&path, private).expect("its mode");
        }
        path
    }

    /// The configuration's file, written anew.
    pub fn config_file(&self) -> PathBuf {
        let path = self.dir.path().join("config.toml");
        std::fs::write(&path, self.toml()).expect("the configuration's file");
        path
    }

    /// Lets the daemon serve its health; returns the port.
    pub fn serve_health(&mut self) -> u16 {
        let port = free_port();
        self.settings.http.listen = format!("127.0.0.1:{port}");
        port
    }

    /// The folder of this world's files.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Adds a webhook sink called `hook`, and its secret's file.
    pub fn add_hook(&mut self, receiver: &Receiver) {
        self.add_webhook("hook", receiver);
    }

    /// Adds a webhook sink, all with the same secret.
    pub fn add_webhook(&mut self, name: &str, receiver: &Receiver) {
        self.add_sink(name, &receiver.url, "20s");
    }

    /// Adds a webhook sink, and its secret's file.
    pub fn add_sink(&mut self, name: &str, url: &str, timeout: &'static str) {
        let secret = self.dir.path().join("hook-secret");
        std::fs::write(&secret, HOOK_SECRET).expect("the secret's file");
        self.settings.alerts.sinks.push(Sink {
            name: name.to_owned(),
            kind: "webhook",
            url: Some(url.to_owned()),
            secret_file: Some(secret.display().to_string()),
            allow_private: Some(true),
            timeout: Some(timeout),
            ..Sink::default()
        });
    }

    /// Evaluates and delivers once, as `sync` does at its end.
    pub async fn alert(&self) -> Passed {
        self.alert_with(false).await
    }

    /// The same, where `backlog` says that first loads are news too.
    pub async fn alert_with(&self, backlog: bool) -> Passed {
        let context = self.context().await;
        let sinks = startup::open_sinks(&context.config).expect("the sinks");
        pass::pass(&context, &sinks, backlog)
            .await
            .expect("a pass that is written down")
    }

    /// The built binary with this world's configuration.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = binary();
        command
            .arg("--config")
            .arg(self.config_file())
            .args(arguments);
        command
    }

    /// The daemon, ready.
    pub async fn run(&self) -> Daemon {
        Daemon::start(&mut self.command(&["run"])).await
    }

    /// What a command says and how it ends.
    pub fn cli(&self, arguments: &[&str]) -> CommandResult {
        let output = self.command(arguments).output();
        output.expect("the command").into()
    }

    /// What jobs are handed.
    pub async fn context(&self) -> Context {
        self.context_on(self.database.pool.clone()).await
    }

    /// The same on another database.
    pub async fn context_on(&self, pool: PgPool) -> Context {
        let config = Config::from_text("the test's configuration", &self.toml())
            .unwrap_or_else(|error| panic!("{error}"));
        let token = config.upstream.token().expect("the token");
        let offset = std::sync::Arc::clone(&self.clock_offset);
        let clock = Clock::from_fn(move || {
            let seconds = offset.load(std::sync::atomic::Ordering::Relaxed);
            Clock::system().now() + chrono::TimeDelta::seconds(seconds)
        });
        startup::configure(&config, &pool, clock.now())
            .await
            .expect("the configuration is written down");
        startup::context(config, token, pool, clock, self.stop.clone())
            .await
            .expect("a context")
    }

    /// Pulls every feed once, as a tick would.
    pub async fn pull(&self) -> Vec<RunReport> {
        self.pull_back(LookBack::Missing).await
    }

    /// Pulls every feed once.
    pub async fn pull_back(&self, look_back: LookBack) -> Vec<RunReport> {
        pull_all(&self.context().await, look_back).await
    }

    /// Waits until a request is held at a gate of the simulator's.
    pub async fn reached(&self, gate: &str) {
        let reached = tokio::time::timeout(PATIENCE, self.simulator.reached(gate));
        reached.await.expect("somebody comes to the gate");
    }

    /// Lets upstream and this machine be this much later from now on.
    pub fn later(&self, by: chrono::TimeDelta) {
        let seconds = by.num_seconds();
        let before = self
            .clock_offset
            .fetch_add(seconds, std::sync::atomic::Ordering::Relaxed);
        self.simulator
            .set_clock(chrono::TimeDelta::seconds(before + seconds));
    }

    /// Sets this machine's clock, and not upstream's.
    pub fn set_our_clock(&self, offset: chrono::TimeDelta) {
        let seconds = offset.num_seconds();
        self.clock_offset
            .store(seconds, std::sync::atomic::Ordering::Relaxed);
    }

    /// This machine's time.
    pub fn now(&self) -> chrono::DateTime<chrono::Utc> {
        let seconds = self.clock_offset.load(std::sync::atomic::Ordering::Relaxed);
        Clock::system().now() + chrono::TimeDelta::seconds(seconds)
    }

    /// Pulls the one feed of a world with one list.
    pub async fn pull_one(&self) -> RunReport {
        let mut reports = self.pull().await;
        assert_eq!(reports.len(), 1, "this world has one feed");
        reports.remove(0)
    }

    /// Reads the KEV catalogue and EPSS scores once, as ticks would. Ticks are a day apart.
    pub async fn enrich(&self) -> Vec<PullOutcome> {
        self.later(chrono::TimeDelta::minutes(2));
        let context = self.context().await;
        let mut pulled = Vec::new();
        for catalogue in Catalogue::ALL {
            let one = enrichment::pull(&context, catalogue).await;
            pulled.push(one.expect("an attempt that is written down"));
        }
        pulled
    }

    /// Fetches the details that are due, batch by batch; one report per run.
    pub async fn fetch_details(&self) -> Vec<RunReport> {
        let context = self.context().await;
        let mut reports = Vec::new();
        while let Fetched::Ended(report) = fetch::fetch(&context).await.expect("a run") {
            let is_ok = report.outcome.name() == "ok";
            reports.push(report);
            if !is_ok {
                break;
            }
        }
        reports
    }

    /// Syncs the tickets once; one report per run.
    pub async fn sync_tickets(&self, ask: TicketSync) -> Vec<RunReport> {
        let context = self.context().await;
        let ran = sync::sync(&context, ask)
            .await
            .expect("a run that is written down");
        ran.into_iter()
            .map(|ran| match ran {
                Ran::Ended(report) => report,
                Ran::Busy(holder) => panic!("held by {holder}"),
            })
            .collect()
    }

    /// A number that a query gives.
    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql)
            .fetch_one(self.pool())
            .await
            .expect(sql)
    }

    /// What a question about texts answers.
    pub async fn texts(&self, sql: &'static str) -> Vec<String> {
        sqlx::query_scalar(sql)
            .fetch_all(self.pool())
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"))
    }

    /// Every stored advisory's identifier and version.
    pub async fn versions(&self) -> BTreeMap<String, i32> {
        sqlx::query_as::<_, (String, i32)>("select said, version from advisoryd_v1.advisories")
            .fetch_all(self.pool())
            .await
            .expect("the advisories")
            .into_iter()
            .collect()
    }
}

/// Pulls every feed of the configuration once.
pub async fn pull_all(context: &Context, look_back: LookBack) -> Vec<RunReport> {
    let mut reports = Vec::new();
    for (feed, _) in feeds(&context.config) {
        match pull::pull(context, &feed, look_back).await {
            Ok(Ran::Ended(report)) => reports.push(report),
            other => panic!("{other:?}"),
        }
    }
    reports
}
