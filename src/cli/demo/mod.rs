//! `advisoryd demo`: everything on this machine, nothing to configure. A
//! simulated upstream that keeps changing, a private database and the daemon
//! against both; all of it is gone at the end.

mod directory;
mod show;

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::directory::DemoDirectory;
use self::show::DemoDisplay;
use super::output::print_line;
use crate::clock::Clock;
use crate::cluster::{Cluster, ClusterOptions, Role};
use crate::config::Config;
use crate::daemon::{self, StartOptions};
use crate::simulate::{self, LimitOptions, Simulator};
use crate::store::database::{self, SchemaState};

/// Large enough to look real, small enough to be there in seconds.
const ADVISORIES: usize = 3000;
const TICKETS: usize = 400;
const WATCH_LISTS: usize = 3;
/// How often the simulated world changes.
const CHANGE_EVERY: Duration = Duration::from_secs(3);
/// How often the screen says what is going on.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// First start of the database on a slow machine.
const READY_WITHIN: Duration = Duration::from_mins(2);

/// Said at the end.
const ENDED: &str = "The demo has ended; its database and files are removed.";

/// What the command line says.
#[derive(Debug, Clone, Default)]
pub struct DemoOptions {
    /// End after the first complete pass.
    pub once: bool,
    /// End after this time.
    pub duration: Option<Duration>,
    /// Port of the simulated upstream; 0 = any.
    pub port: u16,
}

/// Runs the demo to its end; false when `once` was asked and the pass failed.
pub async fn run(options: DemoOptions) -> anyhow::Result<bool> {
    let directory = DemoDirectory::make()?;
    let simulator = upstream(options.port).await?;
    if !options.once {
        simulator.keep_changing(CHANGE_EVERY);
    }
    directory.write_token(simulate::DEFAULT_TOKEN)?;
    let text = configuration(&simulator, &directory);
    directory.write_config(&text)?;
    print_line(&format!(
        "A simulated upstream with {ADVISORIES} advisories in {WATCH_LISTS} watch lists and {TICKETS} tickets listens on {}.",
        simulator.base_url()
    ));
    print_line("Starting a private PostgreSQL and the daemon; this takes some seconds.");

    let stop = CancellationToken::new();
    let load = Box::new(move || Config::from_text("the demo's configuration", &text));
    let mut daemon = pin!(daemon::run(
        load,
        Clock::system(),
        stop.clone(),
        StartOptions::default()
    ));
    // The terminal was closed: to the daemon alone this means to reload.
    let mut closed = signal(SignalKind::hangup())?;
    let watched = tokio::select! {
        watched = watch(&directory, &options) => watched,
        _ = closed.recv() => Ok(true),
        ended = &mut daemon => {
            // Ctrl-C, or it could not start.
            ended?;
            simulator.stop().await;
            print_line(ENDED);
            return Ok(!options.once);
        }
    };
    stop.cancel();
    let ended = daemon.await;
    simulator.stop().await;
    ended?;
    print_line(ENDED);
    watched
}

async fn upstream(port: u16) -> anyhow::Result<Simulator> {
    let options = simulate::SimulatorOptions {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        advisories: ADVISORIES,
        tickets: TICKETS,
        watch_lists: WATCH_LISTS,
        in_proportion: true,
        // The demo asks far more often than anyone would ask the vendor.
        limits: LimitOptions {
            per_minute: 0,
            ..LimitOptions::default()
        },
        ..simulate::SimulatorOptions::default()
    };
    simulate::start(options)
        .await
        .context("the simulated upstream")
}

fn configuration(simulator: &Simulator, directory: &DemoDirectory) -> String {
    let mut text = format!(
        r#"
[upstream]
base_url = "{}"
token_file = "{}"
requests_per_minute = 6000
[state]
dir = "{}"
[schedule]
feeds = "*/3 * * * * *"
tickets = "*/3 * * * * *"
[feeds]
first_days = 365
[tickets]
closed_statuses = ["Handled", "Irrelevant", "Färdig"]
[http]
listen = ""
[[alerts.sinks]]
name = "log"
kind = "log"
[[alerts.rules]]
name = "serious"
severity = "highly_critical"
sinks = ["log"]
"#,
        simulator.base_url(),
        directory.token_file().display(),
        directory.state_dir().display(),
    );
    for (id, name) in (1..).zip(["Linux servers", "Workstations", "Mail & groupware"]) {
        // Writing to a string cannot fail.
        let _ = write!(text, "[[watch_lists]]\nid = {id}\nname = \"{name}\"\n");
    }
    text
}

/// Watches the database from beside the daemon and prints what happens.
async fn watch(directory: &DemoDirectory, options: &DemoOptions) -> anyhow::Result<bool> {
    let cluster = join(directory).await?;
    let pool = database::pool(cluster.connect_options(), 2);
    let mut show = DemoDisplay::new(pool);
    let began = Instant::now();
    let mut introduced = false;
    loop {
        show.runs().await?;
        show.alerts().await?;
        if !introduced && show.all_read_once().await? {
            introduced = true;
            show.summary(&cluster.psql()).await?;
            if options.once {
                return show.all_succeeded().await;
            }
            show::commands(directory.config_file());
            print_line(
                "\nChanges occur every few seconds; Ctrl-C ends the demo and removes everything.\n",
            );
        }
        if options
            .duration
            .is_some_and(|limit| began.elapsed() >= limit)
        {
            if !introduced {
                print_line("The time is over before the first pass was complete.");
            }
            return Ok(true);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Joins the daemon's private server once its database is there.
async fn join(directory: &DemoDirectory) -> anyhow::Result<Cluster> {
    let deadline = Instant::now() + READY_WITHIN;
    directory.wait_for_database(deadline).await?;
    let cluster = Cluster::open(directory.state_dir(), ClusterOptions::new(Role::Client)).await?;
    let pool = database::pool(cluster.connect_options(), 1);
    while !matches!(
        database::schema_state(&pool).await,
        Ok(SchemaState::UpToDate)
    ) {
        anyhow::ensure!(
            Instant::now() < deadline,
            "the private database did not become ready"
        );
        tokio::time::sleep(POLL_INTERVAL / 5).await;
    }
    Ok(cluster)
}
