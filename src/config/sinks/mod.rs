//! `[[alerts.sinks]]`: the receivers of alerts (webhook, Alertmanager, email,
//! hooks and their presets, syslog, command, log).

mod alertmanager;
mod command;
mod destination;
mod email;
mod hook;
mod preset;
mod reach;
mod syslog;
mod target;
mod template;
mod webhook;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use nix::unistd::geteuid;

pub use alertmanager::AlertmanagerSettings;
pub use command::CommandSettings;
pub use email::{EmailSettings, Login, SmtpTls};
pub use hook::{
    Framing, HookRequest, HookSettings, Lookup, Method, Oauth2, Oauth2Login, Per, SuccessTest,
    scalar_text,
};
pub use preset::{Preset, presets};
pub use reach::{is_public, may_be_public};
pub use syslog::{SyslogFormat, SyslogSettings, SyslogTransport};
pub use target::{Address, Auth, ClientCert, PostTarget, header_line, is_secret_header, parse_url};
pub use template::TemplateSettings;
pub use webhook::WebhookSettings;

use super::environment::Environment;
use super::secret_file::{SecretFile, SecretPlace};
use super::section::Section;
use super::setting_error::{close_to, quoted};
use super::tree::SettingNode;
use super::values::{boolean, duration, number, text};
use crate::config::advice::Advice;

/// More sinks than any site needs.
const MAX_SINKS: usize = 100;
/// Maximum length of a name, in characters: names become metric labels, table columns and command arguments.
const MAX_NAME_CHARS: usize = 64;
/// Responses from other machines need longer than this.
const MIN_TIMEOUT: Duration = Duration::from_millis(100);
/// A slower receiver would delay deliveries to others.
const MAX_TIMEOUT: Duration = Duration::from_mins(1);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15);

/// Values of `kind`.
const KINDS: [&str; 7] = [
    "webhook",
    "alertmanager",
    "email",
    "hook",
    "syslog",
    "command",
    "log",
];
/// Allowed rates, in requests per minute: a slower one would outlast the lease of a delivery.
const RATES: RangeInclusive<u32> = 6..=6000;

/// One entry of `[[alerts.sinks]]`: a receiver of alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkSettings {
    /// Name used by rules and commands; unique.
    pub name: String,
    /// Where it is configured.
    pub place: SecretPlace,
    /// Timeout of one delivery attempt. Default: 15 s.
    pub timeout: Duration,
    /// How many messages (hooks: requests) are sent per minute at most; if omitted,
    /// there is no limit.
    pub requests_per_minute: Option<u32>,
    /// Whether a message is only sent after all earlier ones are delivered or given up.
    pub is_ordered: bool,
    /// Kind of sink, with its settings.
    pub kind: SinkKind,
}

/// Kind of sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkKind {
    /// Standard Webhooks: signed JSON.
    Webhook(WebhookSettings),
    /// Prometheus Alertmanager.
    Alertmanager(AlertmanagerSettings),
    /// Email over SMTP.
    Email(EmailSettings),
    /// HTTP requests rendered from templates: chats, paging, ticket systems, SIEM.
    Hook(Box<HookSettings>),
    /// Syslog (RFC 5424).
    Syslog(SyslogSettings),
    /// A local program.
    Command(CommandSettings),
    /// The log of advisoryd.
    Log,
}

impl SinkSettings {
    /// A program that has all rights of root, and objects that could be created twice.
    pub(super) fn warnings(&self) -> Vec<String> {
        let name = quoted(&self.name);
        match &self.kind {
            SinkKind::Command(CommandSettings { user: None, .. }) if geteuid().is_root() => {
                vec![format!(
                    "sink `{name}`: its program runs as root and can read the token and all other secrets; set `user`, or run advisoryd as a user of its own"
                )]
            }
            SinkKind::Hook(hook) if hook.may_create_twice() => vec![format!(
                "sink `{name}`: `remember` is set without `lookup`: if the response to a creation is lost, the next attempt creates a second object, unless the receiver recognises the header `Idempotency-Key`; set `lookup`"
            )],
            _ => Vec::new(),
        }
    }
}

impl SinkKind {
    /// The files with secrets that it needs.
    pub(super) fn secret_files(&self) -> Vec<&SecretFile> {
        match self {
            Self::Webhook(webhook) => {
                let mut files = webhook.target.secret_files();
                files.push(&webhook.secret);
                files
            }
            Self::Alertmanager(alertmanager) => alertmanager.target.secret_files(),
            Self::Hook(hook) => hook.secret_files(),
            Self::Syslog(syslog) => syslog.secret_files(),
            Self::Email(email) => email.login.iter().map(|login| &login.password).collect(),
            Self::Command(_) | Self::Log => Vec::new(),
        }
    }

    /// The value of `kind` in the configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Alertmanager(_) => "alertmanager",
            Self::Email(_) => "email",
            Self::Hook(hook) => hook.kind,
            Self::Syslog(_) => "syslog",
            Self::Command(_) => "command",
            Self::Log => "log",
        }
    }
}

/// Reads `[[alerts.sinks]]`.
/// The sinks, and the names of all of them, also of those with errors: a rule that names
/// one is not wrong.
pub(super) fn sinks(
    section: &mut Section<'_>,
    env: &Environment,
) -> (Vec<SinkSettings>, BTreeSet<String>) {
    let mut seen = BTreeSet::new();
    let mut sinks = section.each("sinks", |section| sink(section, env, &mut seen));
    if sinks.len() > MAX_SINKS {
        let advice = format!("expected at most {MAX_SINKS}");
        section.wrong("sinks", &format!("{} entries", sinks.len()), &advice);
        sinks.truncate(MAX_SINKS);
    }
    (sinks, seen)
}

fn sink(
    mut section: Section<'_>,
    env: &Environment,
    seen: &mut BTreeSet<String>,
) -> Option<SinkSettings> {
    let place = SecretPlace::of(&section.begin());
    let has_name = section.has("name");
    let name = section.optional("name", name);
    if let Some(name) = &name {
        section.call(format!("sink `{name}`"));
        if !seen.insert(name.clone()) {
            section.wrong("name", name, "expected a unique name");
        }
    } else if !has_name {
        section.missing("name", "add one, such as `name = \"soc\"`");
    }
    let limits = MIN_TIMEOUT..=MAX_TIMEOUT;
    let timeout = section.value("timeout", DEFAULT_TIMEOUT, duration(limits));
    if !section.has("kind") {
        section.missing("kind", &format!("set it to {}", kinds()));
    }
    let Some(word) = section.optional("kind", kind) else {
        // Without a valid kind, the allowed keys are not known.
        section.rest();
        section.close();
        return None;
    };
    let kind = match word {
        "webhook" => WebhookSettings::read(&mut section, env).map(SinkKind::Webhook),
        "alertmanager" => AlertmanagerSettings::read(&mut section, env).map(SinkKind::Alertmanager),
        "email" => EmailSettings::read(&mut section, env).map(SinkKind::Email),
        "command" => CommandSettings::read(&mut section).map(SinkKind::Command),
        "syslog" => SyslogSettings::read(&mut section, env).map(SinkKind::Syslog),
        "log" => Some(SinkKind::Log),
        hook => {
            HookSettings::read(&mut section, env, hook).map(|hook| SinkKind::Hook(Box::new(hook)))
        }
    };
    let requests_per_minute = section.optional("requests_per_minute", number(RATES));
    let is_ordered = section.value("ordered", false, boolean);
    section.close();
    Some(SinkSettings {
        name: name?,
        place,
        timeout,
        requests_per_minute,
        is_ordered,
        kind: kind?,
    })
}

fn kinds() -> String {
    format!(
        "one of {}, or the name of a preset (see `advisoryd sinks presets`)",
        KINDS.join(", ")
    )
}

fn kind(node: &SettingNode) -> Result<&'static str, Advice> {
    let word = text(node)?;
    let all = || KINDS.into_iter().chain(presets().map(|preset| preset.name));
    all()
        .find(|kind| *kind == word)
        .ok_or_else(|| match close_to(&word, all()) {
            Some(kind) => Advice::choice(format!("expected {}; did you mean `{kind}`?", kinds())),
            None => Advice::choice(format!("expected {}", kinds())),
        })
}

fn name(node: &SettingNode) -> Result<String, Advice> {
    let name = text(node)?;
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    if name.len() > MAX_NAME_CHARS || !name.chars().all(fits) {
        return Err(
            format!("expected at most {MAX_NAME_CHARS} letters, digits, `-`, `_` and `.`").into(),
        );
    }
    Ok(name)
}
