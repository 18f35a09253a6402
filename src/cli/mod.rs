//! The commands (surface §1). Data goes to stdout, everything else to stderr.

mod ack;
mod ack_list;
mod advisories;
mod advisory_counts;
mod advisory_options;
mod advisory_question;
mod advisory_rows;
mod alert_deliveries;
mod alert_id;
mod alert_page;
mod alerts;
mod alerts_dismiss;
mod alerts_list;
mod args;
mod ask;
mod budget;
mod capture;
mod change_lines;
mod changes;
mod check;
mod check_advice;
mod check_asked;
mod check_database;
mod check_names;
mod check_rules;
mod check_upstream;
mod chosen_list;
mod colour;
mod config;
mod confirm;
mod database;
mod dead_letters;
mod demo;
mod difference;
mod drawn;
mod enrich;
mod erase;
mod examples;
mod exit;
mod explain;
mod finding;
mod fleet;
mod fleet_instance;
mod help;
mod hyperlink;
mod import;
mod import_bundle;
mod import_unread;
mod input;
mod inspect;
mod level;
mod list;
mod login;
mod maintain;
mod man;
mod memory;
mod mirror;
mod note;
pub(crate) mod output;
mod pager;
mod product_words;
mod products;
mod progress;
mod quarantine;
mod replay;
mod report;
mod rules;
mod rules_list;
mod rules_test;
mod share_budget;
mod shared;
mod show;
mod show_page;
mod silence;
mod silence_list;
mod simulate;
mod since;
mod sinks;
mod sinks_list;
mod state_file;
mod status;
mod status_check;
mod status_daemon;
mod status_details;
mod status_discovery;
mod status_enrichment;
mod status_errors;
mod status_mirror;
mod status_page;
mod status_pause;
mod status_psql;
mod status_source;
mod stop;
mod sync;
mod sync_alerts;
mod sync_contents;
mod sync_details;
mod sync_enrich;
mod sync_feeds;
mod sync_report;
mod sync_tickets;
mod table;
mod tickets;
mod times;
mod usage_errors;
mod verify;
mod wrap;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

use self::args::{Arguments, Command};
use self::colour::When;
use self::exit::{EndWithStatus, FAILED, exit_status};
use self::shared::GlobalArgs;
use self::usage_errors::{with_better_tips, wrong_usage};
use crate::clock::Clock;
use crate::config::ConfigError;
use crate::daemon::StartOptions;
use crate::model::chain;
use crate::startup::Opened;

/// Reads the command line, does what it says, and reports the outcome. Wrong usage
/// ends with 2, which clap sees to.
pub fn main() -> ExitCode {
    memory::give_back_freed();
    // The token may be in the environment: no process of the same user, such as a
    // command sink, may read it or the memory. A kernel that refuses is no reason to
    // stop.
    let _ = nix::sys::prctl::set_dumpable(false);
    let arguments = match parse() {
        Ok(arguments) => arguments,
        Err(error) => return wrong_usage(&error),
    };
    let is_daemon = matches!(arguments.command, Command::Run { .. });
    let done = start(arguments);
    output::finish();
    if let Some(error) = output::unwritten() {
        output::print_error(&format!("cannot write to stdout: {error}"));
        return ExitCode::from(FAILED);
    }
    match done {
        Ok(status) => ExitCode::from(status),
        Err(error) if error.is::<EndWithStatus>() => ExitCode::from(exit_status(&error, is_daemon)),
        Err(error) => {
            output::print_error(&error_line(&error));
            ExitCode::from(exit_status(&error, is_daemon))
        }
    }
}

/// The command line.
fn parse() -> Result<Arguments, clap::Error> {
    let colour = When::early(std::env::args_os()).of_parser();
    let mut command = help::command().color(colour);
    if let Some(width) = table::width() {
        command = help::within(command, width);
    }
    let matches = command.try_get_matches().map_err(with_better_tips)?;
    Arguments::from_arg_matches(&matches)
}

/// An error in one line; an unusable configuration in one line per error.
fn error_line(error: &anyhow::Error) -> String {
    match error.downcast_ref::<ConfigError>() {
        Some(mistakes) => mistakes.to_string(),
        None => chain(&**error),
    }
}

/// The exit status of a command that did its work.
fn start(arguments: Arguments) -> anyhow::Result<u8> {
    let Arguments {
        config,
        verbose,
        quiet,
        log_format,
        utc,
        color,
        no_pager,
        primary,
        command,
    } = arguments;
    color.begin();
    if quiet {
        output::be_quiet();
    }
    if !no_pager && has_page(&command) {
        pager::begin();
    }
    let shared = GlobalArgs {
        config,
        verbose,
        quiet,
        log_format,
        utc,
        primary,
    };
    if let Command::Status(wanted) = &command
        && let Some(wanted) = wanted.check()
    {
        return block_on(status_check::run(shared, wanted));
    }
    Ok(if work(shared, command)? { 0 } else { FAILED })
}

/// Whether a command prints what people read at leisure.
fn has_page(command: &Command) -> bool {
    match command {
        Command::Changes(wanted) => !wanted.is_endless(),
        Command::Status(_)
        | Command::Advisories(_)
        | Command::Tickets(_)
        | Command::Products(_)
        | Command::Sinks(_)
        | Command::Config(_)
        | Command::Show(_)
        | Command::Quarantine(_)
        | Command::Alerts(_)
        | Command::Rules(_)
        | Command::Explain(_)
        | Command::Silence(_)
        | Command::Inspect(_) => true,
        _ => false,
    }
}

/// False when the command did its work and found failures, which it has reported.
fn work(shared: GlobalArgs, command: Command) -> anyhow::Result<bool> {
    match command {
        Command::Completions { shell } => {
            // Not to stdout at once: it panics when its reader goes away.
            let mut script = Vec::new();
            let mut command = Arguments::command();
            clap_complete::generate(shell, &mut command, "advisoryd", &mut script);
            output::print_data(String::from_utf8_lossy(&script).trim_end());
            Ok(true)
        }
        Command::Man { out } => {
            man::run(out.as_deref())?;
            Ok(true)
        }
        Command::Sinks(wanted) => block_on(sinks::run(shared, wanted)),
        Command::Run(wanted) => block_on(run(shared, wanted.options())),
        Command::Sync(wanted) => block_on(sync::run(shared, wanted)),
        Command::Config(wanted) => config::run(&shared, wanted),
        Command::Check { offline, json } => block_on(check::run(shared, offline, json)),
        Command::Status(wanted) => block_on(status::run(shared, &wanted)),
        Command::Advisories(wanted) => block_on(advisories::run(shared, *wanted)),
        Command::Tickets(wanted) => block_on(tickets::run(shared, wanted)),
        Command::Products(wanted) => block_on(products::run(shared, wanted)),
        Command::Show(wanted) => block_on(show::run(shared, wanted)),
        Command::Changes(wanted) => block_on(changes::run(shared, wanted)),
        Command::Verify(wanted) => block_on(verify::run(shared, wanted)),
        Command::Quarantine(wanted) => block_on(quarantine::run(shared, wanted)),
        Command::Replay(wanted) => block_on(replay::run(shared, wanted)),
        Command::Maintain { json } => block_on(maintain::run(shared, json)),
        Command::Alerts(wanted) => block_on(alerts::run(shared, wanted)),
        Command::Rules(wanted) => block_on(rules::run(shared, wanted)),
        Command::Explain(wanted) => block_on(explain::run(shared, wanted)),
        Command::Erase(wanted) => block_on(erase::run(shared, wanted)),
        Command::Ack(wanted) => block_on(ack::run(shared, wanted)),
        Command::Silence(wanted) => block_on(silence::run(shared, wanted)),
        Command::Fleet(wanted) => {
            // Its errors name what was given: the secrets must be known.
            let _ = shared.load();
            block_on(fleet::run(shared, wanted))
        }
        Command::Import(wanted) => block_on(import::run(shared, wanted)),
        Command::Mirror(wanted) => block_on(mirror::run(shared, wanted)),
        Command::Enrich(wanted) => block_on(enrich::run(shared, wanted)),
        Command::Budget(wanted) => block_on(budget::run(shared, wanted)),
        Command::Capture(wanted) => block_on(capture::run(shared, wanted)),
        Command::Inspect(wanted) => block_on(inspect::run(shared, wanted)),
        Command::Migrate => block_on(migrate(shared)),
        Command::Database(wanted) => block_on(database::run(shared, wanted)),
        Command::Demo(wanted) => {
            shared.note_at("advisoryd=warn")?;
            block_on(crate::cli::demo::run(wanted.into()))
        }
        Command::Simulate(wanted) => {
            shared.note_at("advisoryd=warn")?;
            block_on(simulate::run(wanted))
        }
    }
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let done = work.await;
            #[cfg(feature = "otlp")]
            crate::traces::stop().await;
            done
        })
}

async fn run(shared: GlobalArgs, start_options: StartOptions) -> anyhow::Result<bool> {
    if let Some(otlp) = shared.load_and_log()?.log.otlp {
        otlp.headers()?;
        #[cfg(feature = "otlp")]
        crate::traces::start()?;
    }
    let load = Box::new(move || shared.load());
    let stop = tokio_util::sync::CancellationToken::new();
    crate::daemon::run(load, Clock::system(), stop, start_options).await?;
    Ok(true)
}

async fn migrate(shared: GlobalArgs) -> anyhow::Result<bool> {
    let config = shared.load_and_note()?;
    let migrate = async |opened: &Opened| ask::migrate(&config, opened).await;
    ask::with_new_database(&config, migrate).await?;
    output::print_done("the database is up to date");
    Ok(true)
}
