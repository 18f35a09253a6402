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
use crate::model::counted;
use crate::simulate::{self, DEMO_LISTS, Simulator};
use crate::store::database::{self, SchemaState};

/// The CVE in the documentation, which is in the demo's KEV catalogue and has a high score.
const EXPLOITED: &str = "CVE-2026-1234";
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
    let world = simulate::SimulatorOptions::of_demo();
    let simulator = upstream(options.port, world.clone()).await?;
    if !options.once {
        simulator.keep_changing(CHANGE_EVERY);
    }
    directory.write_token(simulate::DEFAULT_TOKEN)?;
    let text = configuration(&simulator, &directory);
    directory.write_config(&text)?;
    print_line(&format!(
        "A simulated upstream with {} in {} and {} listens on {}.",
        counted(world.advisories, "advisory"),
        counted(world.watch_lists, "watch list"),
        counted(world.tickets, "ticket"),
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

async fn upstream(port: u16, world: simulate::SimulatorOptions) -> anyhow::Result<Simulator> {
    let options = simulate::SimulatorOptions {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        ..world
    };
    let simulator = simulate::start(options)
        .await
        .context("the simulated upstream")?;
    simulator.add_to_kev([EXPLOITED], false);
    simulator.set_score(EXPLOITED, 0.9);
    Ok(simulator)
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
[enrichment]
kev = "{}"
epss = "{}"
[http]
listen = ""
[[alerts.sinks]]
name = "log"
kind = "log"
[[alerts.rules]]
name = "soc"
severity = "highly_critical"
sinks = ["log"]
"#,
        simulator.base_url(),
        directory.token_file().display(),
        directory.state_dir().display(),
        simulator.kev_url(),
        simulator.epss_url(),
    );
    for (id, name) in (1..).zip(DEMO_LISTS) {
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
                print_line("The time of --for ended before the first sync was complete.");
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
