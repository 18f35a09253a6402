//! Lines of syslog (RFC 5424): header, structured data and text of one alert.

use chrono::SecondsFormat;

use super::super::facts::facts;
use super::cef::cef;
use crate::config::{self, SyslogFormat};
use crate::model::{Alert, Message, OWN_RULE, one_line, shortened};

/// Maximum length of a MSGID.
const MAX_MSGID_CHARS: usize = 32;
/// Room for the text that structured data must leave, in bytes.
const MIN_TEXT_BYTES: usize = 120;
/// Limits of the values in structured data, in characters, from the usual one to the
/// one that always fits.
const VALUE_CHARS: [usize; 4] = [400, 100, 40, 12];
/// Values that are never shortened: ids, numbers and a few words.
const FIXED: [&str; 10] = [
    "id",
    "message",
    "kind",
    "purpose",
    "severity",
    "severity_before",
    "resolved",
    "cvss",
    "zero_day",
    "ticket",
];
/// Facilities are numbered in steps of eight severities.
const SEVERITIES: u8 = 8;

/// How alerts become lines.
#[derive(Debug)]
pub(super) struct Lines {
    format: SyslogFormat,
    facility: u8,
    app_name: String,
    hostname: String,
    sd_id: String,
    max_bytes: usize,
}

impl Lines {
    pub(super) fn of(settings: &config::SyslogSettings) -> Self {
        let hostname = settings.hostname.clone().or_else(|| {
            let name = nix::unistd::gethostname().ok()?.into_string().ok()?;
            let is_plain = name.chars().all(|letter| letter.is_ascii_graphic());
            (is_plain && !name.is_empty()).then_some(name)
        });
        Self {
            format: settings.format,
            facility: settings.facility,
            app_name: settings.app_name.clone(),
            hostname: hostname.unwrap_or_else(|| "-".to_owned()),
            sd_id: format!("advisory@{}", settings.enterprise),
            max_bytes: settings.max_bytes as usize,
        }
    }

    /// The line of an alert, at most `max_bytes` long. It is the same in every attempt.
    pub(super) fn of_alert(&self, message: &Message, alert: &Alert) -> String {
        let header = self.header(alert);
        let (data, text) = match self.format {
            SyslogFormat::Cef => ("-".to_owned(), cef(message, alert)),
            SyslogFormat::Rfc5424 => {
                let room = self.max_bytes.saturating_sub(header.len() + MIN_TEXT_BYTES);
                let all = VALUE_CHARS.map(|most| self.data(message, alert, most));
                let fitting = all.into_iter().find(|data| data.len() <= room);
                (fitting.unwrap_or_else(|| "-".to_owned()), text(alert))
            }
        };
        let mut line = format!("{header} {data} {text}");
        line.truncate(line.floor_char_boundary(self.max_bytes));
        line
    }

    fn header(&self, alert: &Alert) -> String {
        let priority = self.facility * SEVERITIES + severity(alert);
        let at = alert.at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let id: String = alert
            .what
            .chars()
            .filter(char::is_ascii_graphic)
            .take(MAX_MSGID_CHARS)
            .collect();
        let id = if id.is_empty() { "-" } else { &id };
        let Self {
            hostname, app_name, ..
        } = self;
        format!("<{priority}>1 {at} {hostname} {app_name} - {id}")
    }

    fn data(&self, message: &Message, alert: &Alert, most_chars: usize) -> String {
        let score = alert.cvss_score.or(alert.cvss3_score);
        let number = alert.ticket_number.or(alert.ticket_id);
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let fields = [
            ("id", alert.id.clone()),
            ("key", alert.key.clone()),
            ("kind", alert.kind.clone()),
            ("rule", message.rule.clone()),
            ("purpose", message.purpose.name().to_owned()),
            ("message", message.id.clone()),
            ("severity", text(&alert.severity)),
            ("severity_before", text(&alert.severity_before)),
            ("resolved", alert.resolved.to_string()),
            (
                "cvss",
                score.map(|score| format!("{score:.1}")).unwrap_or_default(),
            ),
            ("cvss_vector", text(&alert.cvss_vector)),
            (
                "zero_day",
                alert
                    .is_zero_day
                    .map(|is| is.to_string())
                    .unwrap_or_default(),
            ),
            ("cves", alert.cves.join(",")),
            ("watch_lists", alert.watch_list_names.join(",")),
            (
                "ticket",
                number.map(|number| number.to_string()).unwrap_or_default(),
            ),
            ("url", text(&alert.advisory_url)),
            ("ticket_url", text(&alert.ticket_url)),
        ];
        let mut data = format!("[{}", self.sd_id);
        for (name, value) in fields {
            let is_left_out = name == "message" && most_chars == VALUE_CHARS[3];
            if value.is_empty() || is_left_out {
                continue;
            }
            let value = if FIXED.contains(&name) {
                one_line(&value)
            } else {
                shortened(&one_line(&value), most_chars)
            };
            data.push(' ');
            data.push_str(name);
            data.push_str("=\"");
            for letter in value.chars() {
                if matches!(letter, '"' | '\\' | ']') {
                    data.push('\\');
                }
                data.push(letter);
            }
            data.push('"');
        }
        data.push(']');
        data
    }
}

/// 2 (critical) for extremely critical advisories, to 6 (informational).
fn severity(alert: &Alert) -> u8 {
    match alert.severity_rank {
        _ if alert.resolved => 5,
        Some(5) => 2,
        Some(4) => 3,
        Some(3) => 4,
        Some(2) => 5,
        None if alert.kind == OWN_RULE => 4,
        _ => 6,
    }
}

fn text(alert: &Alert) -> String {
    let over = if alert.resolved { "resolved: " } else { "" };
    let mut parts = vec![format!(
        "{}: {}: {over}{}",
        alert.called(),
        alert.title,
        alert.summary
    )];
    parts.extend(facts(alert));
    parts.extend(
        alert
            .solution
            .iter()
            .map(|text| format!("solution: {text}")),
    );
    one_line(&parts.join(" | "))
}
