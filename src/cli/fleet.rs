//! `advisoryd fleet`: all instances of a folder of configurations, a line each.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand};
use futures_util::StreamExt as _;
use serde::Serialize;

use super::exit::EndWithStatus;
use super::fleet_instance::{FleetInstance, InstanceState};
use super::list::{Shape, print_all};
use super::output::{print_styled, table};
use super::shared::GlobalArgs;
use crate::clock::Clock;
use crate::config::Config;
use crate::model::{counted, legible};

/// Instances that are asked at the same time, unless `--parallel` says otherwise.
const PARALLEL: u8 = 8;
/// Most configurations of a folder.
const MAX_FILES: usize = 5_000;

#[derive(Debug, Args)]
pub(super) struct Fleet {
    #[command(subcommand)]
    what: FleetCommand,
}

#[derive(Debug, Subcommand)]
enum FleetCommand {
    /// Show one line for each configuration (*.toml) in a directory
    #[command(
        after_long_help = "Exit status, the highest of all instances: 0 all data is fresh; 1 something fails, or a daemon does not run; 2 data is stale, or a configuration cannot be used; 3 a database cannot be reached. (`status --check` uses 3 for a configuration that cannot be used.)\n\nEnvironment variables ADVISORYD_* are ignored: they belong to one instance."
    )]
    Status(Status),
}

#[derive(Debug, Args)]
struct Status {
    /// Directory with one configuration per instance
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Number of instances to query at the same time
    #[arg(long, value_name = "N", default_value_t = PARALLEL, value_parser = clap::value_parser!(u8).range(1..=64))]
    parallel: u8,
    #[command(flatten)]
    shape: Shape,
}

pub(super) async fn run(shared: GlobalArgs, wanted: Fleet) -> anyhow::Result<bool> {
    shared.note_at("advisoryd=error")?;
    let FleetCommand::Status(wanted) = wanted.what;
    wanted.shape.check::<InstanceLine>()?;
    let files = files(&wanted.folder)?;
    anyhow::ensure!(
        !files.is_empty(),
        "no configuration (*.toml) in {}",
        wanted.folder.display()
    );
    let asked = futures_util::stream::iter(files)
        .map(|file| async move { asked(&file).await })
        .buffered(usize::from(wanted.parallel));
    let instances: Vec<FleetInstance> = asked.collect().await;
    let now = Clock::system().now();
    let lines: Vec<InstanceLine> = instances.iter().map(InstanceLine::of).collect();
    print_all(&wanted.shape, &lines, shared.times(), |_| {
        let rows: Vec<[String; 5]> = instances.iter().map(|one| one.row(now)).collect();
        table(FleetInstance::HEADING, &rows)
    })?;
    let problems: Vec<String> = instances
        .iter()
        .filter_map(FleetInstance::problem)
        .collect();
    if !problems.is_empty() && !wanted.shape.is_for_programs() {
        let heading = counted(problems.len(), "problem");
        let problems = legible(&shared.times().in_sentence(&problems.join("\n")));
        print_styled(&format!("\n{heading}:\n{problems}"));
    }
    let worst = instances.iter().map(|one| one.state.code()).max();
    match worst.unwrap_or(0) {
        0 => Ok(true),
        code => Err(EndWithStatus(code).into()),
    }
}

/// An instance as it is printed.
#[derive(Debug, Default, Serialize)]
struct InstanceLine {
    instance: String,
    state: &'static str,
    status: u8,
    daemon: &'static str,
    worst: Option<String>,
    oldest_data_seconds: Option<i64>,
    newest_data_seconds: Option<i64>,
    next_run_at: Option<DateTime<Utc>>,
    database: String,
    file: PathBuf,
}

impl InstanceLine {
    fn of(instance: &FleetInstance) -> Self {
        let seconds = |age: TimeDelta| age.num_seconds();
        Self {
            instance: instance.name.clone(),
            state: instance.state.name(),
            status: instance.state.code(),
            daemon: instance.daemon.name(),
            worst: instance.worst.clone(),
            oldest_data_seconds: instance.oldest.map(seconds),
            newest_data_seconds: instance.newest.map(seconds),
            next_run_at: instance.next_run,
            database: instance.database.clone(),
            file: instance.file.clone(),
        }
    }
}

/// The configurations of a folder, by name.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let unreadable = || format!("cannot read the directory {}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        let is_visible =
            |name: &str| name.to_ascii_lowercase().ends_with(".toml") && !name.starts_with('.');
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(is_visible) {
            files.push(path);
        }
        anyhow::ensure!(
            files.len() <= MAX_FILES,
            "more than {MAX_FILES} configurations in {}",
            folder.display()
        );
    }
    files.sort();
    Ok(files)
}

/// Whatever is wrong with one instance is its line.
async fn asked(file: &Path) -> FleetInstance {
    let stem = file.file_stem().unwrap_or_default();
    let blank = FleetInstance::named(stem.to_string_lossy().into_owned(), file.to_owned());
    let loaded = Config::load(Some(file), Vec::new()).and_then(|config| {
        config.keep_secrets();
        config.require_something()?;
        Ok(config)
    });
    match loaded {
        Ok(config) => blank.asked(&config, Clock::system().now()).await,
        Err(error) => {
            let first = error.errors.first();
            let first = first.map_or_else(|| error.to_string(), ToString::to_string);
            blank.with(InstanceState::Critical, &first)
        }
    }
}
