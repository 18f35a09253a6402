//! Configuration: file and environment (surface §2), validated completely when it is
//! loaded. A configuration that loads is one that advisoryd can start with.

mod advice;
mod alerts;
mod alias_field;
mod cron;
mod database;
mod database_hosts;
mod database_url;
mod discovery;
mod effective;
mod enrichment;
mod environment;
mod exposed;
mod feeds;
mod fingerprint;
mod followed;
mod freshness;
mod health;
mod http;
mod instance;
mod libpq;
mod lists;
mod log;
mod mute;
mod occurrence;
mod places;
mod quotes;
mod reconcile;
mod recorded;
mod regular_file;
mod retention;
mod rule_times;
mod rule_warnings;
mod rules;
mod schedule;
mod secret;
mod secret_file;
mod section;
mod setting_error;
mod setting_source;
mod sinks;
mod source;
mod splay;
#[cfg(test)]
mod tests;
mod token;
mod tree;
mod upstream;
mod values;

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use alerts::AlertSettings;
pub use alias_field::AliasField;
pub use cron::CronExpression;
pub use database::{DatabaseError, DatabaseSettings, StateSettings};
pub use database_hosts::DatabaseUrl;
pub use discovery::DiscoverySettings;
pub use enrichment::{EnrichmentSettings, FileLocation};
pub use feeds::Feeds;
pub use freshness::{Allowed, Freshness};
pub use health::{HealthSettings, Heartbeat};
pub use http::{Http, HttpPasswordError};
pub use libpq::LibpqEnvironment;
pub use lists::{ExtraFeed, ListSource, WatchList};
pub use log::{LogFormat, LogSettings, Otlp, OtlpHeadersError};
pub use mute::{MuteTime, end_of_mute};
pub use reconcile::Reconcile;
pub use regular_file::open_regular;
pub use retention::Retention;
pub use rule_warnings::ListNames;
pub use rules::rule_of_filter;
pub use schedule::{Schedule, TicketSettings};
pub use secret::SecretUrl;
pub use secret_file::{Secret, SecretError, SecretFile, SecretPlace};
pub use setting_error::{ConfigError, SettingError, shown_path};
pub use setting_source::{EffectiveSetting, SettingSource};
pub use sinks::{
    Address, AlertmanagerSettings, Auth, ClientCert, CommandSettings, EmailSettings, Framing,
    HookRequest, HookSettings, Login, Lookup, Method, Oauth2, Oauth2Login, Per, PostTarget, Preset,
    SinkKind, SinkSettings, SmtpTls, SuccessTest, SyslogFormat, SyslogSettings, SyslogTransport,
    TemplateSettings, WebhookSettings, header_line, is_public, is_secret_header, may_be_public,
    parse_url, presets, scalar_text,
};
pub use token::{ApiToken, TokenError, TokenSources};
pub use upstream::{BackoffSettings, Upstream};
pub use values::{is_loopback, listen_address};

use crate::model::DetailsMode;
use environment::Environment;
pub use instance::DEFAULT_PATH;
use instance::InstanceDefaults;
use places::by_place;
use section::Section;
use tree::SettingNode;

/// Maximum size of the configuration file, in bytes: many times the size of one with a thousand lists.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// The whole configuration (surface §2).
#[derive(Debug, Clone)]
pub struct Config {
    /// `[upstream]`
    pub upstream: Upstream,
    /// `[database]`
    pub database: DatabaseSettings,
    /// `[state]`
    pub state: StateSettings,
    /// `[schedule]`
    pub schedule: Schedule,
    /// `[feeds]`
    pub feeds: Feeds,
    /// `[discovery]`
    pub discovery: DiscoverySettings,
    /// `[[watch_lists]]` to follow, with unique IDs.
    pub watch_lists: Vec<WatchList>,
    /// IDs of `[[watch_lists]]` with `follow = false`.
    pub unfollowed: Vec<i64>,
    /// `[[extra_feeds]]`, with unique names.
    pub extra_feeds: Vec<ExtraFeed>,
    /// `[tickets]`
    pub tickets: TicketSettings,
    /// `[enrichment]`
    pub enrichment: EnrichmentSettings,
    /// `[freshness]`
    pub freshness: Freshness,
    /// `[reconcile]`
    pub reconcile: Reconcile,
    /// `[retention]`
    pub retention: Retention,
    /// `[alerts]`
    pub alerts: AlertSettings,
    /// `[http]`
    pub http: Http,
    /// `[log]`
    pub log: LogSettings,
    /// The file that was read; `None` if none was named and the default file does not exist.
    pub file: Option<PathBuf>,
    /// Warnings for variables that look like settings but are unknown.
    pub ignored_variables: Vec<String>,
}

/// Why the file cannot be read, and what to do if this user may not.
fn unreadable(error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "; run advisoryd with sudo, or make the file readable: chmod 0644"
        }
        _ => "",
    };
    format!("cannot read the file: {error}{advice}")
}

impl Config {
    /// Loads the file (`path` is the value of `--config`) and applies the
    /// environment variables, which override it.
    ///
    /// # Errors
    /// [`ConfigError`] with every error in the configuration.
    pub fn load(
        path: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut environment = Environment::sort(variables);
        let (path, named) = match (path, environment.config.as_deref()) {
            (Some(path), _) | (None, Some(path)) => (path.to_owned(), true),
            (None, None) => (PathBuf::from(DEFAULT_PATH), false),
        };
        environment.instance = InstanceDefaults::of(&path);
        environment.installation = splay::installation(&path);
        environment.folder = std::path::absolute(&path)
            .ok()
            .and_then(|path| path.parent().map(Path::to_owned));
        let origin: Arc<str> = Arc::from(shown_path(&path));
        let text = match read_file(&path) {
            Ok(text) => Some(text),
            Err(error) if !named && error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                return Err(one(SettingError::whole(origin, unreadable(&error))));
            }
        };
        let root = match &text {
            Some(text) => SettingNode::parse(&origin, text).map_err(one)?,
            None => SettingNode::empty(&origin),
        };
        // An editor that finds the disk full leaves an empty file behind.
        if text.is_some() && !root.has_values() {
            return Err(one(SettingError::whole(origin, NO_SETTING)));
        }
        let mut config = Self::read(root, environment)?;
        config.file = text.map(|_| path);
        Ok(config)
    }

    /// Reads a configuration from its text only, without the environment;
    /// `origin` is its name in errors.
    ///
    /// # Errors
    /// [`ConfigError`] with every error in the configuration.
    pub fn from_text(origin: &str, text: &str) -> Result<Self, ConfigError> {
        let root = SettingNode::parse(&Arc::from(origin), text).map_err(one)?;
        Self::read(root, Environment::default())
    }

    /// The settings of a file that was loaded before.
    fn parsed(path: &Path) -> Result<SettingNode, ConfigError> {
        let origin: Arc<str> = Arc::from(shown_path(path));
        let text = read_file(path)
            .map_err(|error| one(SettingError::whole(Arc::clone(&origin), unreadable(&error))))?;
        SettingNode::parse(&origin, &text).map_err(one)
    }

    /// Whether advisory details are requested: because of `[feeds] details`, or because
    /// the revision scan is on or a watch list may come from the JSON API, which both
    /// need them.
    pub(crate) fn fetches_details(&self) -> bool {
        let is_json = |list: &WatchList| list.source != ListSource::Feed;
        let Feeds { details, sweep, .. } = self.feeds;
        details != DetailsMode::Never || sweep || self.watch_lists.iter().any(is_json)
    }

    fn read(mut root: SettingNode, env: Environment) -> Result<Self, ConfigError> {
        root.overlay(&env.settings);
        let mut errors = Vec::new();
        let mut root = Section::root(root, &mut errors);
        let upstream = Upstream::read(root.section("upstream"), &env);
        let is_offline = upstream.as_ref().is_some_and(|upstream| upstream.offline);
        let database = DatabaseSettings::read(root.section("database"), &env);
        let state = StateSettings::read(root.section("state"), &env);
        let schedule = Schedule::read(root.section("schedule"), &env);
        let feeds = Feeds::read(root.section("feeds"));
        let discovery = DiscoverySettings::read(root.section("discovery"));
        let (watch_lists, unfollowed) = lists::watch_lists(&mut root);
        let extra_feeds = lists::extra_feeds(&mut root);
        let tickets = TicketSettings::read(root.section("tickets"));
        let enrichment = EnrichmentSettings::read(root.section("enrichment"), &env, is_offline);
        let freshness = Freshness::read(root.section("freshness"));
        let reconcile = Reconcile::read(root.section("reconcile"));
        let retention = Retention::read(root.section("retention"));
        let alerts = AlertSettings::read(root.section("alerts"), &env);
        let http = Http::read(root.section("http"), &env);
        let log = LogSettings::read(root.section("log"), &env);
        root.close();
        let alerts = match &schedule {
            Some(schedule) => alerts.with(schedule.timezone, &tickets.closed_statuses),
            None => alerts,
        };
        let feeds = feeds.map(|feeds| Feeds {
            sweep: feeds.sweep && !is_offline, // it needs requests
            ..feeds
        });
        let (Some(upstream), Some(schedule), Some(feeds), Some(discovery), Some(enrichment), true) = (
            upstream,
            schedule,
            feeds,
            discovery,
            enrichment,
            errors.is_empty(),
        ) else {
            return Err(by_place(errors));
        };
        Ok(Self {
            upstream,
            database,
            state,
            schedule,
            feeds,
            discovery,
            watch_lists,
            unfollowed,
            extra_feeds,
            tickets,
            enrichment,
            freshness,
            reconcile,
            retention,
            alerts,
            http,
            log,
            file: None,
            ignored_variables: env.ignored,
        })
    }

    /// Refuses a configuration that is missing: no file, and no variable that says what
    /// to read or where to store it. It was probably meant to be another file.
    ///
    /// # Errors
    /// [`ConfigError`] with the file that was looked for.
    pub(crate) fn require_something(&self) -> Result<(), ConfigError> {
        let sources = &self.upstream.token_sources;
        let is_named = self.file.is_some()
            || self.database.url.is_some()
            || self.discovery.watch_lists
            || !self.watch_lists.is_empty()
            || !self.extra_feeds.is_empty()
            || sources.file.is_some()
            || sources.variable.is_some();
        if is_named {
            return Ok(());
        }
        Err(Self::missing_file())
    }

    /// The error if there is no configuration at all.
    pub(crate) fn missing_file() -> ConfigError {
        one(SettingError::whole(
            DEFAULT_PATH,
            "the file does not exist, and no other was named; create it, or use --config FILE",
        ))
    }

    /// Whether advisories are synced: some are named, or discovered.
    pub fn follows_advisories(&self) -> bool {
        let lists = !self.watch_lists.is_empty() || self.discovery.watch_lists;
        !self.upstream.offline && (lists || !self.extra_feeds.is_empty())
    }

    /// Settings that are valid but probably unintended, one sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.ignored_variables.clone();
        let none = self.watch_lists.is_empty() && !self.discovery.watch_lists;
        if none && self.extra_feeds.is_empty() {
            warnings.push(
                "no watch lists are configured: no advisories will be synced; add `[[watch_lists]]`, or set `[discovery] watch_lists = true`"
                    .into(),
            );
            if !self.tickets.enabled {
                warnings.push("tickets are disabled as well: there is nothing to sync".into());
            }
        }
        if self.upstream.base_url.scheme() == "http" && !is_loopback(&self.upstream.base_url) {
            let url = &self.upstream.base_url;
            warnings.push(format!("the token is sent unencrypted to {url}"));
        }
        warnings.extend(lists::same_names(&self.watch_lists));
        warnings.extend(self.database.warning());
        warnings.extend(self.alerts.sinks.iter().flat_map(SinkSettings::warnings));
        warnings.extend(rule_warnings::warnings(&self.alerts.rules));
        warnings.extend(rule_times::unknown_facts(
            &self.alerts.rules,
            &self.enrichment,
            self.upstream.offline,
        ));
        warnings
    }
}

/// All defaults would mean: of the vendor, and nothing followed.
const NO_SETTING: &str = "the file contains no setting; restore its content, or remove the file if everything is set by environment variables";

/// The environment variables of this process that are part of the configuration.
/// Names or values that are not Unicode are ignored.
pub(crate) fn process_environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

fn one(error: SettingError) -> ConfigError {
    ConfigError {
        errors: vec![error],
    }
}

fn read_file(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let mut file = open_regular(path)?.take(MAX_FILE_BYTES + 1);
    let length = file.read_to_string(&mut text)?;
    if u64::try_from(length).is_ok_and(|length| length > MAX_FILE_BYTES) {
        return Err(io::Error::other(format!(
            "larger than {MAX_FILE_BYTES} bytes"
        )));
    }
    Ok(text)
}
