//! Template rendering of message bodies (Jinja, by `minijinja`), with limits and escaping.

use chrono::DateTime;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use serde_json::Value as Json;

use super::facts::facts;
use super::open::OpenError;
use crate::model::{
    Alert, ChangedField, MESSAGE_VERSION, Message, Purpose, chain, one_line, shortened,
};

/// Maximum number of steps of a template: a message of a thousand alerts needs a
/// hundred thousand; an endless loop is stopped.
const FUEL: u64 = 20_000_000;
/// Maximum size of a body: receivers reject much smaller ones.
const MAX_BODY_BYTES: usize = 8 << 20;

/// Format of the output of a template; it determines how values are escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Values are inserted as JSON, including quotes; the result must be valid JSON.
    Json,
    /// Values are escaped for HTML.
    Html,
    /// Values are not escaped.
    Text,
}

/// A template that was compiled and tested.
#[derive(Debug)]
pub(super) struct Template {
    templates: Environment<'static>,
    form: Form,
}

/// The name of the only template in each environment.
const NAME: &str = "body";

impl Template {
    /// Compiles a template and tests it with messages of every purpose. `name` is
    /// its name in errors.
    pub(super) fn compile(name: &str, text: &str, form: Form) -> Result<Self, OpenError> {
        let wrong = |why| OpenError::Template {
            template: name.to_owned(),
            why,
        };
        let mut templates = Environment::new();
        // An undefined name is a typing error and must not render as an empty string.
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_auto_escape_callback(move |_| match form {
            Form::Json => AutoEscape::Json,
            Form::Html => AutoEscape::Html,
            Form::Text => AutoEscape::None,
        });
        let mut syntax = SyntaxConfig::builder();
        syntax.trim_blocks(true).lstrip_blocks(true);
        templates.set_syntax(syntax.build().map_err(|error| wrong(because(&error)))?);
        templates.set_fuel(Some(FUEL));
        templates.add_filter("shorten", shortened);
        templates.add_filter("line", one_line);
        templates.add_filter("slack", slack);
        templates.add_filter("unlinked", unlinked);
        templates.add_filter("markdown", markdown);
        templates.add_filter("link", link);
        templates.add_filter("slack_link", slack_link);
        templates
            .add_template_owned(NAME, text.to_owned())
            .map_err(|error| wrong(because(&error)))?;
        let template = Self { templates, form };
        for message in samples() {
            template.render(&message).map_err(wrong)?;
        }
        Ok(template)
    }

    /// Renders the body for a message; the error has line and reason.
    pub(super) fn render(&self, message: &Message) -> Result<String, String> {
        let template = self
            .templates
            .get_template(NAME)
            .map_err(|error| because(&error))?;
        let body = template
            .render(context(message))
            .map_err(|error| because(&error))?;
        if body.len() > MAX_BODY_BYTES {
            return Err(format!("renders more than {MAX_BODY_BYTES} bytes"));
        }
        if self.form == Form::Json
            && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&body)
        {
            return Err(format!("does not render valid JSON: {error}"));
        }
        Ok(body)
    }
}

/// The message in its JSON form; each alert also has `facts`.
fn context(message: &Message) -> Value {
    let mut json = serde_json::to_value(message).unwrap_or_default();
    let alerts = json.get_mut("alerts").and_then(Json::as_array_mut);
    for (json, alert) in alerts.into_iter().flatten().zip(&message.alerts) {
        json["facts"] = facts(alert).into();
    }
    Value::from(Serde(json))
}

fn because(error: &minijinja::Error) -> String {
    match error.line() {
        Some(line) => format!("line {line}: {}", chain(error)),
        None => chain(error),
    }
}

/// Escapes Slack markup; nothing is linked, and mentions notify nobody.
fn slack(text: &str) -> String {
    unlinked(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// One line in which a chat finds no address to link and no name to mention: a
/// zero-width space breaks them. A reader sees the same text.
fn unlinked(text: &str) -> String {
    const BREAK: char = '\u{200b}';
    let line = one_line(text);
    let mut plain = String::with_capacity(line.len());
    let mut letters = line.chars().peekable();
    let mut is_in_word = false;
    while let Some(letter) = letters.next() {
        plain.push(letter);
        let Some(next) = letters.peek() else { break };
        // `www.example.org` is linked too; a number such as 9.8 stays as it is.
        let is_joined = match letter {
            '@' | '#' | ':' | '<' => *next != ' ',
            '.' => is_in_word && next.is_alphabetic(),
            ']' => *next == '(',
            _ => false,
        };
        if is_joined {
            plain.push(BREAK);
        }
        is_in_word = letter.is_alphanumeric();
    }
    plain
}

/// Escapes Markdown; nothing is linked, and mentions notify nobody.
fn markdown(text: &str) -> String {
    let text = unlinked(text);
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '#' | '|' | '<' | '>' | '~' | '!' => {
                plain.push('\\');
                plain.push(letter);
            }
            _ => plain.push(letter),
        }
    }
    plain
}

/// An address from the configuration's templates; nothing if it is none, so that no text
/// of a stranger becomes a link.
fn link(address: Option<&str>) -> String {
    let address = address.unwrap_or_default();
    let is_plain = |letter: char| letter.is_ascii_graphic() && !"\"<>\\^`{|}".contains(letter);
    let is_web = address.starts_with("https://") || address.starts_with("http://");
    if is_web && address.chars().all(is_plain) {
        address.to_owned()
    } else {
        String::new()
    }
}

/// As [`link`], with a label, in Slack's markup.
fn slack_link(address: Option<&str>, label: &str) -> String {
    let address = link(address).replace('&', "&amp;");
    if address.is_empty() {
        return address;
    }
    format!("<{address}|{}>", slack(label))
}

/// Sample messages that every template must be able to render.
#[expect(clippy::too_many_lines, reason = "one alert with all fields")]
fn samples() -> [Message; 3] {
    let sample = |purpose, alerts| Message {
        schema: MESSAGE_VERSION,
        id: "0b5e3a54-0000-5000-8000-000000000000".into(),
        purpose,
        at: DateTime::UNIX_EPOCH,
        rule: "sample".into(),
        title: "A \"sample\" of 1".into(),
        alerts,
    };
    let full = Alert {
        id: "0b5e3a54-0000-5000-8000-000000000001".into(),
        what: "appeared".into(),
        kind: "advisory".into(),
        key: "SA1".into(),
        version: 1,
        at: DateTime::UNIX_EPOCH,
        resolved: false,
        title: "A <sample>\nof \"two\" lines \\".into(),
        summary: "first seen".into(),
        severity: Some("highly_critical".into()),
        severity_rank: Some(4),
        cvss3_score: Some(9.8),
        attack_vector: Some("remote".into()),
        threat_score: Some(45.0),
        is_zero_day: Some(true),
        kev: Some(true),
        kev_due: chrono::NaiveDate::from_ymd_opt(2026, 3, 22),
        ransomware: Some(true),
        epss: Some(0.93),
        cves: vec!["CVE-2026-1".into()],
        more_cves: 1,
        solution_status: Some("Vendor Patched".into()),
        released_at: Some(DateTime::UNIX_EPOCH),
        modified_at: Some(DateTime::UNIX_EPOCH),
        watch_list_ids: vec![4],
        ticket_status: Some("Open".into()),
        ticket_assignee: Some("somebody".into()),
        raised_severities: Vec::new(),
        said: Some("SA1".into()),
        severity_before: Some("less_critical".into()),
        changed: vec![ChangedField {
            field: "title".into(),
            old: None,
            new: Some("A".into()),
        }],
        cvss_version: Some("4".into()),
        cvss_score: Some(9.3),
        cvss_vector: Some("CVSS:4.0/AV:N".into()),
        products: vec!["Example VPN 1".into()],
        more_products: 1,
        watch_list_names: vec!["Linux".into()],
        solution: Some("Update.".into()),
        ticket_id: Some(37),
        ticket_number: Some(1037),
        more_tickets: 1,
        advisory_url: Some("https://host.example/SA1".into()),
        ticket_url: Some("https://host.example/37".into()),
    };
    let over = Alert {
        resolved: true,
        ..Alert::default()
    };
    [
        sample(Purpose::Alert, vec![full.clone(), over.clone()]),
        sample(Purpose::Health, vec![over]),
        sample(Purpose::Heartbeat, Vec::new()),
    ]
}
