//! Template rendering of message bodies (Jinja, by `minijinja`), with limits and escaping.

use std::borrow::Cow;
use std::fmt::Write as _;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use serde_json::Value as Json;
use url::form_urlencoded;

use super::facts::alerts;
use super::filters::{epoch, link, markdown, shorten, shorten_bytes, slack, slack_link, wiki};
use super::open::OpenError;
use super::samples::samples;
use super::scope::{Scene, Scope};
use super::unlinked::{unaddressed, unlinked};
use crate::config::{Per, scalar_text};
use crate::model::{Message, RemoteObject, chain, one_line};

/// Maximum number of steps of a template: a message of a thousand alerts needs a
/// hundred thousand; an endless loop is stopped.
const FUEL: u64 = 20_000_000;
/// Maximum size of a body: receivers reject much smaller ones.
pub(super) const MAX_BODY_BYTES: usize = 8 << 20;

/// Format of the output of a template; it determines how values are escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TemplateFormat {
    /// Values are inserted as JSON, including quotes; the result must be valid JSON.
    Json,
    /// Values are escaped for HTML.
    Html,
    /// Values are not escaped.
    Text,
    /// As JSON; the result must be an object, whose values become the fields of a form.
    Fields,
    /// As JSON; the result may be several values, one after the other.
    JsonLines,
    /// Values are percent-encoded: none of them can add a segment or a parameter to a URL.
    Path,
}

/// A template that was compiled and tested.
#[derive(Debug)]
pub(super) struct CompiledTemplate {
    templates: Environment<'static>,
    form: TemplateFormat,
}

/// The name of the only template in each environment.
const NAME: &str = "body";

impl CompiledTemplate {
    /// Compiles a template and tests it with messages of every purpose. `name` is
    /// its name in errors.
    pub(super) fn compile(name: &str, text: &str, form: TemplateFormat) -> Result<Self, OpenError> {
        Self::compile_with(name, text, form, (&Scope::default(), Per::Message))
    }

    /// The same with secrets and variables, for requests about an alert or a message.
    pub(super) fn compile_with(
        name: &str,
        text: &str,
        form: TemplateFormat,
        (scope, per): (&Scope, Per),
    ) -> Result<Self, OpenError> {
        let template = Self::untested(name, text, form)?;
        let object = RemoteObject {
            id: Some("ID-1".to_owned()),
            is_resolved: false,
        };
        for message in samples() {
            for alert in alerts(&message).iter() {
                let is_one = per == Per::Alert || form == TemplateFormat::JsonLines;
                let scene = Scene {
                    message: &message,
                    alert: is_one.then_some(alert),
                    object: Some(&object),
                };
                template
                    .render_with(scope, scene)
                    .map_err(|why| OpenError::Template {
                        template: name.to_owned(),
                        why,
                    })?;
            }
        }
        Ok(template)
    }

    fn untested(name: &str, text: &str, form: TemplateFormat) -> Result<Self, OpenError> {
        let wrong = |why| OpenError::Template {
            template: name.to_owned(),
            why,
        };
        let mut templates = Environment::new();
        // An undefined name is a typing error and must not render as an empty string.
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_auto_escape_callback(move |_| match form {
            TemplateFormat::Json | TemplateFormat::JsonLines | TemplateFormat::Fields => {
                AutoEscape::Json
            }
            TemplateFormat::Html => AutoEscape::Html,
            TemplateFormat::Text => AutoEscape::None,
            TemplateFormat::Path => AutoEscape::Custom(Cow::Borrowed("path")),
        });
        templates.set_formatter(|out, state, value| match state.auto_escape() {
            AutoEscape::Custom(_) if value.is_undefined() => {
                Err(minijinja::ErrorKind::UndefinedError.into())
            }
            AutoEscape::Custom(_) => {
                let text = encoded(&value.to_string());
                out.write_str(&text).map_err(minijinja::Error::from)
            }
            _ => minijinja::escape_formatter(out, state, value),
        });
        let mut syntax = SyntaxConfig::builder();
        syntax.trim_blocks(true).lstrip_blocks(true);
        templates.set_syntax(syntax.build().map_err(|error| wrong(because(&error)))?);
        templates.set_fuel(Some(FUEL));
        templates.add_filter("shorten", shorten);
        templates.add_filter("shorten_bytes", shorten_bytes);
        templates.add_filter("line", one_line);
        templates.add_filter("slack", slack);
        templates.add_filter("unlinked", unlinked);
        templates.add_filter("unaddressed", unaddressed);
        templates.add_filter("markdown", markdown);
        templates.add_filter("wiki", wiki);
        templates.add_filter("epoch", epoch);
        templates.add_filter("link", link);
        templates.add_filter("slack_link", slack_link);
        templates
            .add_template_owned(NAME, text.to_owned())
            .map_err(|error| wrong(because(&error)))?;
        Ok(Self { templates, form })
    }

    /// Renders the body for a message; the error has line and reason.
    pub(super) fn render(&self, message: &Message) -> Result<String, String> {
        let scene = Scene {
            message,
            alert: None,
            object: None,
        };
        self.render_with(&Scope::default(), scene)
    }

    /// The same with secrets and variables.
    pub(super) fn render_with(&self, scope: &Scope, scene: Scene<'_>) -> Result<String, String> {
        let body = self.render_in(scope.context(scene))?;
        if body.len() > MAX_BODY_BYTES {
            return Err(format!("renders more than {MAX_BODY_BYTES} bytes"));
        }
        Ok(body)
    }

    /// The same of any size, with all that the template sees.
    pub(super) fn render_in(&self, context: Value) -> Result<String, String> {
        let template = self
            .templates
            .get_template(NAME)
            .map_err(|error| because(&error))?;
        let body = template.render(context).map_err(|error| because(&error))?;
        match self.form {
            TemplateFormat::Json => serde_json::from_str::<serde::de::IgnoredAny>(&body)
                .map_err(|error| format!("does not render valid JSON: {error}"))
                .map(|_| body),
            TemplateFormat::JsonLines => lines(&body),
            TemplateFormat::Fields => form(&body),
            TemplateFormat::Html | TemplateFormat::Text | TemplateFormat::Path => Ok(body),
        }
    }
}

/// A text of the configuration, such as a header, with secrets and variables filled in.
pub(super) fn filled(name: &str, text: &str, scope: &Scope) -> Result<String, OpenError> {
    let template = CompiledTemplate::untested(name, text, TemplateFormat::Text)?;
    let json = serde_json::json!({"secrets": scope.secrets, "vars": scope.vars});
    let wrong = |error: minijinja::Error| OpenError::Template {
        template: name.to_owned(),
        why: because(&error),
    };
    let template = template.templates.get_template(NAME).map_err(wrong)?;
    template.render(Value::from(Serde(json))).map_err(wrong)
}

/// Each JSON value of the text on a line of its own.
fn lines(text: &str) -> Result<String, String> {
    let mut lines = String::with_capacity(text.len());
    for value in serde_json::Deserializer::from_str(text).into_iter::<Json>() {
        let value = value.map_err(|error| format!("does not render valid JSON: {error}"))?;
        lines.push_str(&value.to_string());
        lines.push('\n');
    }
    if lines.is_empty() {
        return Err("renders nothing".to_owned());
    }
    Ok(lines)
}

/// The values of a JSON object as a form. `null` is left out.
fn form(json: &str) -> Result<String, String> {
    let wrong = "renders no JSON object of strings, numbers and booleans, as a form needs";
    let Ok(Json::Object(fields)) = serde_json::from_str(json) else {
        return Err(wrong.to_owned());
    };
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in &fields {
        match value {
            Json::Null => {}
            value => {
                form.append_pair(name, &scalar_text(value).ok_or(wrong)?);
            }
        }
    }
    Ok(form.finish())
}

/// A value for a segment or a parameter of a URL.
pub(super) fn encoded(value: &str) -> String {
    const PLAIN: &str = "-._~:@!$'()*,;";
    let mut text = String::with_capacity(value.len());
    // `.` and `..` would be steps in the path.
    let is_step = value.chars().all(|letter| letter == '.');
    for byte in value.bytes() {
        let letter = char::from(byte);
        if is_step {
            text.push('_');
        } else if letter.is_ascii_alphanumeric() || PLAIN.contains(letter) {
            text.push(letter);
        } else {
            // A string never fails.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

fn because(error: &minijinja::Error) -> String {
    match error.line() {
        Some(line) => format!("line {line}: {}", chain(error)),
        None => chain(error),
    }
}
