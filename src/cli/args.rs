//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand};

use super::demo;
use crate::config::LogFormat;
use crate::simulate;

/// Keeps Software Vulnerability Research advisories and tickets in PostgreSQL.
#[derive(Debug, Parser)]
#[command(
    name = "advisoryd",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
#[command(
    after_help = "Exit status: 0 all done, 1 something failed (told on stderr), 2 wrong usage, 78 the configuration is unusable."
)]
pub(super) struct Arguments {
    /// Configuration file [default: $ADVISORYD_CONFIG, else /etc/advisoryd/config.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Tell more; twice for everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Tell errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// How log lines look
    #[arg(long, global = true, value_name = "auto|pretty|json|journald", value_parser = log_format)]
    pub log_format: Option<LogFormat>,
    #[command(subcommand)]
    pub command: Command,
}

fn log_format(name: &str) -> Result<LogFormat, String> {
    LogFormat::from_name(name).ok_or_else(|| "write auto, pretty, json or journald".to_owned())
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the daemon
    Run {
        /// Tell also of what first loads bring and of what is stored when a rule is new
        #[arg(long)]
        alert_backlog: bool,
    },
    /// One pass now, for timers, backfills and scripts; one summary line per run
    Sync(super::sync::Sync),
    /// Is everything right? One line each, with what to do
    Check {
        /// Ask neither the database nor upstream
        #[arg(long)]
        offline: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// How fresh everything is, the last errors, the next runs
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List stored advisories, the last changed first
    Advisories(super::question::Advisories),
    /// List stored tickets, the last changed first
    Tickets(super::question::Tickets),
    /// One advisory or ticket, whole, with what changed between versions
    Show(super::show::Show),
    /// What happened, in order, and as it happens
    Changes(super::changes::Changes),
    /// Is anything missing, was anything altered? One line each, with what to do
    Prove(super::prove::Prove),
    /// What could not be understood: list, show, retry, drop
    Quarantine(super::quarantine::Quarantine),
    /// Read everything that is stored again, with today's parser and aliases
    Replay(super::replay::Wanted),
    /// Apply `[retention]` now, as the daemon does once an hour
    Maintain {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Alerts: what was told, to whom; try a sink; tell once more
    Alerts(super::alerts::Alerts),
    /// Rules of alerts: what they say, and what they would have sent
    Rules(super::rules::Rules),
    /// Why somebody heard of an advisory or ticket, or did not
    Explain(super::explain::Explain),
    /// What nobody wants to hear of for a while: add, list, expire
    Silence(super::silence::Silence),
    /// Store saved feed documents as if they had just been pulled
    Import(super::import::Import),
    /// Take one answer of each kind from upstream, without names and addresses
    Capture(super::capture::Capture),
    /// How saved feed documents and JSON bodies are understood
    Inspect(super::inspect::Inspect),
    /// Bring the database up to date and exit
    Migrate,
    /// Everything on this machine, nothing to configure: see it work
    Demo(Demo),
    /// The simulated upstream alone, for trying and testing
    Simulate(Simulate),
    /// Print a shell completion script
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Print the man page
    Man,
}

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// End after the first complete pass
    #[arg(long)]
    pub once: bool,
    /// End after this time, for example 2m
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub duration: Option<Duration>,
    /// Port of the simulated upstream on 127.0.0.1 [default: any free one]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    pub port: u16,
}

impl From<Demo> for demo::Options {
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
    /// Address to serve on, for example 127.0.0.1:8080
    #[arg(long)]
    pub listen: SocketAddr,
    /// How many advisories there are
    #[arg(long, default_value_t = 1000)]
    pub advisories: usize,
    /// How many tickets there are
    #[arg(long, default_value_t = 200)]
    pub tickets: usize,
    /// How many watch lists there are, with ids from 1
    #[arg(long, default_value_t = 3)]
    pub watch_lists: usize,
    /// Shape of the XML feed: json-names, drf, attributes or cvrf
    #[arg(long, default_value = "json-names")]
    pub profile: simulate::Profile,
    /// Equal seeds make equal worlds
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Change the world every so often, for example 5s
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub change_every: Option<Duration>,
}
