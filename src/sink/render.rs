//! Bodies made by templates (Jinja, as `minijinja` reads them).

use chrono::DateTime;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use serde_json::Value as Json;

use super::facts::facts;
use super::open::OpenError;
use crate::model::{Alert, MESSAGE_VERSION, Message, Purpose, chain, shortened};

/// Steps that a template may take: a message of a thousand alerts needs a
/// hundred thousand, a loop without end is ended.
const FUEL: u64 = 20_000_000;
/// Longest body: receivers refuse much smaller ones.
const MAX_BODY_BYTES: usize = 8 << 20;

/// What a template makes, which decides how values are escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Values become JSON by themselves, quotes included; the whole is checked to be JSON.
    Json,
    /// Values are escaped for HTML.
    Html,
    /// Values stand as they are.
    Text,
}

/// A template that was tried and worked.
#[derive(Debug)]
pub(super) struct Template {
    templates: Environment<'static>,
    form: Form,
}

/// The only name in each environment.
const NAME: &str = "body";

impl Template {
    /// Compiles a template and tries it on messages of every purpose. `name` is
    /// what mistakes call it.
    pub(super) fn compile(name: &str, text: &str, form: Form) -> Result<Self, OpenError> {
        let wrong = |why| OpenError::Template {
            template: name.to_owned(),
            why,
        };
        let mut templates = Environment::new();
        // A name that is not there is a slip of the finger, and no empty text.
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
        templates.add_filter("slack", slack);
        templates.add_filter("markdown", markdown);
        templates
            .add_template_owned(NAME, text.to_owned())
            .map_err(|error| wrong(because(&error)))?;
        let template = Self { templates, form };
        for message in samples() {
            template.render(&message).map_err(wrong)?;
        }
        Ok(template)
    }

    /// The body for a message; the error says where and why there is none.
    pub(super) fn render(&self, message: &Message) -> Result<String, String> {
        let template = self
            .templates
            .get_template(NAME)
            .map_err(|error| because(&error))?;
        let body = template
            .render(context(message))
            .map_err(|error| because(&error))?;
        if body.len() > MAX_BODY_BYTES {
            return Err(format!("makes more than {MAX_BODY_BYTES} bytes"));
        }
        if self.form == Form::Json
            && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&body)
        {
            return Err(format!("does not make JSON: {error}"));
        }
        Ok(body)
    }
}

/// The message as its JSON form has it; each alert also has `facts`.
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

/// What Slack takes for marks becomes plain text: no mention, no link.
fn slack(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// What Markdown takes for marks becomes plain text; a mention mentions nobody.
fn markdown(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' | '\r' => plain.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '#' | '|' | '<' | '>' | '~' | '!' => {
                plain.push('\\');
                plain.push(letter);
            }
            // A blank without width keeps the name from being one.
            '@' => plain.push_str("@\u{200b}"),
            _ => plain.push(letter),
        }
    }
    plain
}

/// Messages that a template must be able to make something of.
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
        cves: vec!["CVE-2026-1".into()],
        solution_status: Some("Vendor Patched".into()),
        released_at: Some(DateTime::UNIX_EPOCH),
        modified_at: Some(DateTime::UNIX_EPOCH),
        watch_list_ids: vec![4],
        ticket_status: Some("Open".into()),
        ticket_assignee: Some("somebody".into()),
        raised_severities: Vec::new(),
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
