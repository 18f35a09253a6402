//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand};

use super::colour::When;
use super::demo;
use super::since::length_of_time;
use crate::config::{LogFormat, listen_address};
use crate::daemon::StartOptions;
use crate::simulate;

/// Options of every command are listed apart from its own.
const GLOBAL: &str = "Global options";

/// Mirror Flexera SVR advisories and tickets into PostgreSQL, with history and alerts.
#[derive(Debug, Parser)]
#[command(
    name = "advisoryd",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
#[command(
    after_long_help = "Exit status: 0 success, 1 failure (see stderr), 2 usage error, 69 a restart would not help (run only), 77 permission denied (see stderr), 78 invalid or missing configuration or token."
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(super) struct Arguments {
    /// Configuration file [default: $ADVISORYD_CONFIG, else /etc/advisoryd/config.toml]
    #[arg(long, global = true, hide_short_help = true, help_heading = GLOBAL, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// More output (-vv for debug)
    #[arg(short, long, global = true, hide_short_help = true, help_heading = GLOBAL, action = ArgAction::Count)]
    pub verbose: u8,
    /// Print only data and errors
    #[arg(short, long, global = true, hide_short_help = true, help_heading = GLOBAL, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Log format
    #[arg(long, global = true, hide_short_help = true, help_heading = GLOBAL, value_name = "auto|pretty|json|journald", value_parser = log_format)]
    pub log_format: Option<LogFormat>,
    /// Read and print times in UTC instead of the local time zone
    #[arg(long, global = true, hide_short_help = true, help_heading = GLOBAL)]
    pub utc: bool,
    /// When to use colours: auto (on a terminal), always or never [default: auto]
    #[arg(
        long,
        global = true, hide_short_help = true, help_heading = GLOBAL,
        value_name = "WHEN",
        value_enum,
        default_value_t,
        hide_possible_values = true,
        hide_default_value = true
    )]
    pub color: When,
    /// Do not start a pager for output that is longer than the terminal
    #[arg(long, global = true, hide_short_help = true, help_heading = GLOBAL)]
    pub no_pager: bool,
    /// Read from the primary, not from the read replica (`read_url`)
    #[arg(long, global = true, hide_short_help = true, help_heading = GLOBAL)]
    pub primary: bool,
    #[command(subcommand)]
    pub command: Command,
}

fn log_format(name: &str) -> Result<LogFormat, String> {
    LogFormat::from_name(name).ok_or_else(|| "expected auto, pretty, json or journald".to_owned())
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    listen_address(text).ok_or_else(|| {
        "expected an address and port such as `127.0.0.1:8080`, `localhost:8080` or `[::1]:8080`"
            .to_owned()
    })
}

/// What `run` was asked.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Also alert on existing advisories (first load, new rule)
    #[arg(long)]
    pub alert_backlog: bool,
    /// Start although a running daemon has another configuration, and replace that
    #[arg(long)]
    pub replace_configuration: bool,
}

impl RunArgs {
    /// The options of the daemon.
    pub(super) fn options(&self) -> StartOptions {
        StartOptions {
            alert_backlog: self.alert_backlog,
            replace_configuration: self.replace_configuration,
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the daemon
    Run(RunArgs),
    /// Sync once and exit (for cron, backfills and scripts)
    Sync(super::sync::Sync),
    /// Check configuration, token, sinks, rules, database, watch lists and tickets
    Check {
        /// Contact neither the database nor upstream
        #[arg(long)]
        offline: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show which settings are in effect, and where each comes from; print an example
    Config(super::config::ConfigArgs),
    /// Show whether a daemon runs, problems, data freshness and next runs
    Status(super::status::StatusArgs),
    /// List advisories that match a filter, most recently modified first
    #[command(aliases = ["advisory", "search", "list"])]
    Advisories(Box<super::advisory_question::Advisories>),
    /// List tickets, most recently modified first
    #[command(alias = "ticket")]
    Tickets(super::tickets::TicketsArgs),
    /// List products of the watch lists, and how many advisories name each
    #[command(alias = "product")]
    Products(super::products::Products),
    /// Show one advisory or ticket and its history
    Show(super::show::ShowArgs),
    /// List or follow the change log
    #[command(alias = "log")]
    Changes(super::changes::Changes),
    /// Verify that no run, version or change is missing, and that the run log matches its digests
    #[command(visible_alias = "prove")]
    Verify(super::verify::Verify),
    /// Inspect records that could not be parsed
    Quarantine(super::quarantine::Quarantine),
    /// Re-parse stored records with the current parser and aliases
    Replay(super::replay::ReplayArgs),
    /// Apply retention now (the daemon does this hourly)
    Maintain {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Erase people's data: a ticket, or the names of a person
    Erase(super::erase::Erase),
    /// List, resend and test alerts
    Alerts(super::alerts::AlertsArgs),
    /// List sinks, or show presets for them (Slack, PagerDuty, Jira, Splunk and others)
    Sinks(super::sinks::Sinks),
    /// Show alert rules, or dry-run them against stored changes
    Rules(super::rules::RulesArgs),
    /// Explain why an alert was or was not sent
    Explain(super::explain::Explain),
    /// Acknowledge or assign an advisory, undo that, or list them
    Ack(super::ack::Ack),
    /// Manage silences
    Silence(super::silence::SilenceArgs),
    /// Save everything in a signed bundle, for an air-gapped site
    Mirror(super::mirror::MirrorArgs),
    /// Import a bundle, or saved feed files
    Import(super::import::Import),
    /// Read the KEV catalogue and EPSS scores from files
    Enrich(super::enrich::Enrich),
    /// Show who uses the account's requests, or reserve some for a script
    Budget(super::budget::BudgetArgs),
    /// Save one anonymised sample of each API response
    Capture(super::capture::Capture),
    /// Show how saved feed or JSON files are parsed
    Inspect(super::inspect::Inspect),
    /// Show the state of all instances whose configurations are in a directory
    Fleet(super::fleet::Fleet),
    /// Run database migrations and exit
    Migrate,
    /// Back up, restore, move or upgrade the database
    Database(super::database::DatabaseArgs),
    /// Run a self-contained demo on this machine
    Demo(Demo),
    /// Run only the simulated upstream, for testing
    Simulate(Simulate),
    /// Print a shell completion script
    Completions {
        /// Shell
        shell: clap_complete::Shell,
    },
    /// Print the man page, or write one page per command and one of the configuration file
    Man {
        /// Write all pages (sections 1 and 5) into this directory, which must exist
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Exit after the first complete sync
    #[arg(long)]
    pub once: bool,
    /// Exit after this time, for example 2m
    #[arg(long = "for", value_name = "DURATION", value_parser = length_of_time)]
    pub duration: Option<Duration>,
    /// Port of the simulated upstream on 127.0.0.1 [default: any free one]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    pub port: u16,
}

impl From<Demo> for demo::DemoOptions {
    fn from(demo: Demo) -> Self {
        let Demo {
            once,
            duration,
            port,
        } = demo;
        Self {
            once,
            duration,
            port,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Simulate {
    /// Address to listen on, for example localhost:8080
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = listen)]
    pub listen: SocketAddr,
    /// Number of advisories
    #[arg(long, default_value_t = 1000)]
    pub advisories: usize,
    /// Number of tickets
    #[arg(long, default_value_t = 200)]
    pub tickets: usize,
    /// Number of watch lists, with IDs from 1
    #[arg(long, default_value_t = 3)]
    pub watch_lists: usize,
    /// Format of the XML feed: json-names, drf, attributes or cvrf
    #[arg(long, default_value = "json-names")]
    pub profile: simulate::SimulatedProfile,
    /// Seed of the generated data; equal seeds give equal data
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Reject 23 % of the advisories, as the vendor does, and rate few as extremely critical;
    /// `--in-proportion=false` makes more of what is rare
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true", require_equals = true, action = clap::ArgAction::Set)]
    pub in_proportion: bool,
    /// Change the data at this interval, for example 5s
    #[arg(long, value_name = "DURATION", value_parser = length_of_time)]
    pub change_every: Option<Duration>,
}
