//! A test's configuration, as a structure that writes TOML. What is `None` is
//! not written, so that the program's own defaults hold.

use std::collections::BTreeMap;

use serde::Serialize;
use toml::Table;

/// Ticks that never come during a test.
pub const NEVER: &str = "0 0 0 1 1 *";
/// Ticks that nobody has to wait for.
pub const EVERY_SECOND: &str = "* * * * * *";

/// The whole file.
#[derive(Clone, Default, Serialize)]
pub struct Settings {
    pub upstream: Upstream,
    pub database: Database,
    pub state: State,
    pub http: Http,
    pub schedule: Schedule,
    pub feeds: Feeds,
    pub tickets: Tickets,
    pub discovery: Option<Discovery>,
    pub reconcile: Reconcile,
    pub retention: Retention,
    pub freshness: Freshness,
    pub enrichment: Enrichment,
    pub alerts: Alerts,
    pub watch_lists: Vec<WatchList>,
    pub extra_feeds: Vec<ExtraFeed>,
}

#[derive(Clone, Default, Serialize)]
pub struct Upstream {
    pub base_url: Option<String>,
    pub offline: Option<bool>,
    pub token_file: Option<String>,
    pub requests_per_minute: Option<u32>,
    pub requests_per_day: Option<u32>,
    pub read_timeout: Option<&'static str>,
    pub total_timeout: Option<&'static str>,
    pub max_attempts: Option<u32>,
    pub max_body: Option<&'static str>,
    pub ca_file: Option<String>,
    pub proxy: Option<String>,
    pub advisory_url: Option<&'static str>,
    pub ticket_url: Option<&'static str>,
}

#[derive(Clone, Default, Serialize)]
pub struct Database {
    pub url: Option<String>,
    pub read_url: Option<String>,
    pub password_file: Option<String>,
}

#[derive(Clone, Default, Serialize)]
pub struct State {
    /// Instead of a database: a private one.
    pub dir: Option<String>,
}

/// Nowhere, unless a test says otherwise.
#[derive(Clone, Default, Serialize)]
pub struct Http {
    pub listen: String,
    pub allow_remote: Option<bool>,
    pub hosts: Option<Vec<String>>,
    pub password_file: Option<String>,
}

#[derive(Clone, Default, Serialize)]
pub struct Schedule {
    pub timezone: Option<&'static str>,
    pub feeds: Option<&'static str>,
    pub full_feeds: Option<&'static str>,
    pub list_contents: Option<&'static str>,
    pub tickets: Option<&'static str>,
    pub full_walk: Option<String>,
}

impl Schedule {
    /// Nothing but first loads.
    pub fn never() -> Self {
        Self {
            timezone: None,
            feeds: Some(NEVER),
            full_feeds: Some(NEVER),
            list_contents: Some(NEVER),
            tickets: Some(NEVER),
            full_walk: Some(NEVER.to_owned()),
        }
    }

    /// Feeds and tickets all the time.
    pub fn every_second() -> Self {
        Self {
            timezone: None,
            feeds: Some(EVERY_SECOND),
            full_feeds: None,
            list_contents: None,
            tickets: Some(EVERY_SECOND),
            full_walk: None,
        }
    }
}

#[derive(Clone, Default, Serialize)]
pub struct Feeds {
    pub sweep: Option<bool>,
    pub details: Option<&'static str>,
    pub details_per_day: Option<u32>,
    pub first_days: Option<u32>,
    pub max_days: Option<u32>,
    pub id_pattern: Option<&'static str>,
    /// Further names, by field.
    pub aliases: BTreeMap<&'static str, [&'static str; 1]>,
}

#[derive(Clone, Default, Serialize)]
pub struct Tickets {
    pub enabled: Option<bool>,
    pub closed_statuses: Option<Vec<&'static str>>,
}

#[derive(Clone, Default, Serialize)]
pub struct Discovery {
    pub watch_lists: bool,
    pub schedule: &'static str,
}

#[derive(Clone, Default, Serialize)]
pub struct Reconcile {
    pub share: Option<f64>,
}

#[derive(Clone, Default, Serialize)]
pub struct Retention {
    pub versions: Option<&'static str>,
    pub raw: Option<&'static str>,
    pub runs: Option<&'static str>,
    pub quarantine: Option<&'static str>,
    pub evaluations: Option<&'static str>,
    pub alerts: Option<&'static str>,
}

#[derive(Clone, Default, Serialize)]
pub struct Freshness {
    pub feeds: Option<&'static str>,
}

/// Nothing, unless a test says otherwise.
#[derive(Clone, Default, Serialize)]
pub struct Enrichment {
    pub kev: Option<String>,
    pub epss: Option<String>,
    pub kev_schedule: Option<&'static str>,
    pub epss_schedule: Option<&'static str>,
    pub epss_threshold: Option<f64>,
}

#[derive(Clone, Default, Serialize)]
pub struct Alerts {
    pub rules: Vec<Rule>,
    pub sinks: Vec<Sink>,
    pub mute_times: Vec<MuteTime>,
    pub health: Health,
    pub heartbeat: Option<Heartbeat>,
}

impl Alerts {
    /// One rule on these changes, which tells the log.
    pub fn to_log(on: &'static [&'static str]) -> Self {
        Self {
            rules: vec![Rule {
                sinks: &["journal"],
                ..Rule::to_hook("all", on)
            }],
            sinks: vec![Sink {
                name: "journal".to_owned(),
                kind: "log",
                ..Sink::default()
            }],
            ..Self::default()
        }
    }
}

#[derive(Clone, Default, Serialize)]
pub struct MuteTime {
    pub name: &'static str,
    pub weekdays: &'static [&'static str],
}

#[derive(Clone, Default, Serialize)]
pub struct Health {
    pub enabled: Option<bool>,
    pub fallback: Option<&'static str>,
    pub fallback_after: Option<&'static str>,
}

#[derive(Clone, Default, Serialize)]
pub struct Heartbeat {
    pub schedule: &'static str,
}

#[derive(Clone, Default, Serialize)]
pub struct Rule {
    pub name: String,
    /// Kinds of change; every kind where there is none.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub on: &'static [&'static str],
    pub sinks: &'static [&'static str],
    pub severity: Option<&'static str>,
    pub group: Option<&'static str>,
    pub shadow: Option<bool>,
    /// All else that it asks for.
    #[serde(flatten)]
    pub clauses: Table,
}

impl Rule {
    /// Tells the sink `hook` of these changes.
    pub fn to_hook(name: &str, on: &'static [&'static str]) -> Self {
        Self {
            name: name.to_owned(),
            on,
            sinks: &["hook"],
            ..Self::default()
        }
    }
}

#[derive(Clone, Default, Serialize)]
pub struct Sink {
    pub name: String,
    pub kind: &'static str,
    pub url: Option<String>,
    pub secret_file: Option<String>,
    pub allow_private: Option<bool>,
    pub timeout: Option<&'static str>,
    /// All else that it needs.
    #[serde(flatten)]
    pub more: Table,
}

#[derive(Clone, Default, Serialize)]
pub struct WatchList {
    pub id: i64,
    pub name: Option<&'static str>,
    pub source: Option<&'static str>,
    pub follow: Option<bool>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<&'static str, &'static str>,
}

#[derive(Clone, Default, Serialize)]
pub struct ExtraFeed {
    pub name: &'static str,
    pub query: BTreeMap<&'static str, &'static str>,
}
