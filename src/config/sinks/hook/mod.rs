//! Hook sink settings: HTTP requests whose path, headers and body are rendered from
//! templates (chats, paging, ticket systems, SIEM).

mod json_pointer;
mod oauth2;
mod request;

use std::collections::BTreeMap;

use reqwest::header::HeaderValue;

pub use json_pointer::{SuccessTest, scalar_text};
pub use oauth2::{Oauth2, Oauth2Login};
pub use request::{HookRequest, Lookup, Method};

use super::super::environment::Environment;
use super::super::secret_file::{SecretFile, secret_file};
use super::super::section::Section;
use super::super::setting_error::NOT_SHOWN;
use super::super::tree::SettingNode;
use super::super::values::{number, text};
use super::preset::Preset;
use super::target::{MAX_VALUE_CHARS, PostTarget};
use crate::config::advice::Advice;

/// Maximum number of secrets, and of variables, of a sink.
const MAX_NAMES: usize = 32;
/// Upper limit of `max_bytes`: larger bodies are not rendered.
const MAX_BYTES: usize = 8 << 20;
/// Maximum length of a variable, in characters.
const MAX_VARIABLE_CHARS: usize = 1000;

/// `kind = "hook"`, or the name of a preset: HTTP requests rendered from templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookSettings {
    /// The value of `kind`.
    pub kind: &'static str,
    /// URL and HTTP settings.
    pub target: PostTarget,
    /// Secrets that templates can use, by name.
    pub secrets: BTreeMap<String, SecretFile>,
    /// Values of this site that templates can use, by name.
    pub vars: BTreeMap<String, String>,
    /// One request for each message, or for each alert. Default: message.
    pub per: Per,
    /// How the body is built from the template. Default: by the media type.
    pub framing: Framing,
    /// Media type. Default: by the framing.
    pub content_type: String,
    /// Whether bodies are compressed by gzip.
    pub is_compressed: bool,
    /// Maximum size of a body of several alerts before compression; what is larger is divided.
    pub max_bytes: Option<usize>,
    /// OAuth 2.0 client credentials; if omitted, none.
    pub oauth2: Option<Oauth2>,
    /// Test of the response; if omitted, the status alone decides.
    pub success: Option<SuccessTest>,
    /// The request of an alert or message.
    pub create: HookRequest,
    /// The request of a further alert about an object that was created.
    pub update: Option<HookRequest>,
    /// The request that reopens a resolved object before `update`.
    pub reopen: Option<HookRequest>,
    /// The request of an alert that is resolved.
    pub resolve: Option<HookRequest>,
    /// JSON pointer of the id of the created object in the response; if omitted, none is
    /// remembered.
    pub remember: Option<String>,
    /// Finds an object that was created, if its id is not remembered.
    pub lookup: Option<Lookup>,
}

/// What one request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// All alerts of a message.
    Message,
    /// One alert.
    Alert,
}

/// How a body is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// The template renders JSON.
    Json,
    /// The template renders JSON for each alert; one value per line.
    Ndjson,
    /// The template renders a JSON object; its values become the fields of a form.
    Form,
    /// The template renders text, without escaping.
    Text,
}

impl Framing {
    /// The media type if none is configured.
    fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Form => "application/x-www-form-urlencoded",
            Self::Text => "text/plain; charset=utf-8",
        }
    }

    fn of(content_type: &str) -> Self {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        match essence {
            "application/x-ndjson" => Self::Ndjson,
            "application/x-www-form-urlencoded" => Self::Form,
            json if json.ends_with("json") => Self::Json,
            _ => Self::Text,
        }
    }
}

impl HookSettings {
    /// `kind` is the value of the key: `hook`, or the name of a preset.
    pub(super) fn read(
        section: &mut Section<'_>,
        env: &Environment,
        kind: &'static str,
    ) -> Option<Self> {
        let preset = Preset::apply(section, kind);
        let path = request::split_url(section);
        let target = PostTarget::read(section, env);
        let secrets = secrets(section, env);
        let vars = vars(section);
        if let Some(preset) = preset {
            preset.require(section, &secrets, &vars);
        }
        let (framing, content_type) = framing(section);
        let per = section.value("per", Per::Message, per);
        let is_compressed = section.value("compress", false, compress);
        let max_bytes = section.optional("max_bytes", number(1..=MAX_BYTES));
        let create = HookRequest::read_main(section, path);
        let allows_private = target.as_ref().is_some_and(|target| target.allow_private);
        let hook = Self {
            kind,
            secrets,
            vars,
            per,
            framing,
            content_type,
            is_compressed,
            max_bytes,
            oauth2: Oauth2::read(section, env, allows_private),
            success: SuccessTest::read(section),
            update: HookRequest::read(section, "update"),
            reopen: HookRequest::read(section, "reopen"),
            resolve: HookRequest::read(section, "resolve"),
            remember: section.optional("remember", json_pointer::pointer),
            lookup: Lookup::read(section),
            create: create?,
            target: target?,
        };
        hook.check(section);
        Some(hook)
    }

    /// Whether a response that is lost leads to a second object outside.
    pub(super) fn may_create_twice(&self) -> bool {
        self.remember.is_some() && self.lookup.is_none()
    }

    /// The files with secrets that it needs.
    pub(super) fn secret_files(&self) -> Vec<&SecretFile> {
        let mut files = self.target.secret_files();
        files.extend(self.secrets.values());
        files.extend(self.oauth2.iter().map(|oauth2| &oauth2.secret));
        files
    }

    /// Settings that contradict each other.
    fn check(&self, section: &mut Section<'_>) {
        let Self {
            per,
            target,
            oauth2,
            update,
            reopen,
            resolve,
            remember,
            lookup,
            max_bytes,
            ..
        } = self;
        if *per == Per::Message {
            for (key, is_set) in [
                ("remember", remember.is_some()),
                ("update", update.is_some()),
                ("reopen", reopen.is_some()),
                ("resolve", resolve.is_some()),
            ] {
                if is_set {
                    section.unusable(key, "needs `per = \"alert\"`: an object is for one alert");
                }
            }
        }
        if *per == Per::Alert && max_bytes.is_some() {
            section.unusable(
                "max_bytes",
                "needs `per = \"message\"`: it divides messages",
            );
        }
        if remember.is_none() {
            for (key, is_set) in [
                ("update", update.is_some()),
                ("reopen", reopen.is_some()),
                ("lookup", lookup.is_some()),
            ] {
                if is_set {
                    section.unusable(key, "needs `remember`, the place of the object's id");
                }
            }
        }
        if oauth2.is_some() && target.auth.is_some() {
            let why = "contradicts `bearer_file` or `username`; remove one of them";
            section.unusable("oauth2", why);
        }
    }
}

fn per(node: &SettingNode) -> Result<Per, Advice> {
    match text(node)?.as_str() {
        "message" => Ok(Per::Message),
        "alert" => Ok(Per::Alert),
        other => Err(Advice::one_of(other, &["message", "alert"])),
    }
}

fn compress(node: &SettingNode) -> Result<bool, Advice> {
    match text(node)?.as_str() {
        "none" => Ok(false),
        "gzip" => Ok(true),
        other => Err(Advice::one_of(other, &["gzip", "none"])),
    }
}

fn framing(section: &mut Section<'_>) -> (Framing, String) {
    let framing = section.optional("framing", |node| match text(node)?.as_str() {
        "json" => Ok(Framing::Json),
        "ndjson" => Ok(Framing::Ndjson),
        "form" => Ok(Framing::Form),
        "text" => Ok(Framing::Text),
        other => Err(Advice::one_of(other, &["json", "ndjson", "form", "text"])),
    });
    let media = section.optional("content_type", content_type);
    let framing = framing
        .or_else(|| media.as_deref().map(Framing::of))
        .unwrap_or(Framing::Json);
    let media = media.unwrap_or_else(|| framing.content_type().to_owned());
    (framing, media)
}

fn content_type(node: &SettingNode) -> Result<String, Advice> {
    let text = text(node)?;
    let is_type = text.contains('/') && text.len() <= MAX_VALUE_CHARS;
    match HeaderValue::from_str(&text) {
        Ok(_) if is_type => Ok(text.to_ascii_lowercase()),
        _ => Err("expected a media type such as `application/json` or `text/plain`".into()),
    }
}

/// Names that templates can write as `secrets.name`.
fn check_name(name: &str) -> Result<(), String> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let is_name = !name.starts_with(|first: char| first.is_ascii_digit());
    if is_name && name.chars().all(fits) {
        return Ok(());
    }
    Err("expected a name of letters, digits and `_`, not starting with a digit".into())
}

fn secrets(section: &mut Section<'_>, env: &Environment) -> BTreeMap<String, SecretFile> {
    named(section.section("secrets"), |name, node| {
        check_name(name)?;
        secret_file(env)(node)
    })
}

fn vars(section: &mut Section<'_>) -> BTreeMap<String, String> {
    named(section.section("vars"), |name, node| {
        check_name(name)?;
        let value = text(node)?;
        if value.chars().count() > MAX_VARIABLE_CHARS {
            return Err(format!("expected at most {MAX_VARIABLE_CHARS} characters").into());
        }
        Ok(value)
    })
}

/// A table with user-defined names. An invalid value is not shown: it may be a secret.
fn named<T>(
    mut section: Section<'_>,
    read: impl Fn(&str, &SettingNode) -> Result<T, Advice>,
) -> BTreeMap<String, T> {
    let mut all = BTreeMap::new();
    for (name, node) in section.rest() {
        match read(&name, &node) {
            Ok(value) => {
                all.insert(name, value);
            }
            Err(advice) => section.wrong_at(&node.origin, &name, NOT_SHOWN, &advice),
        }
    }
    if all.len() > MAX_NAMES {
        let advice = format!("expected at most {MAX_NAMES}");
        section.wrong("", &format!("{} entries", all.len()), &advice);
    }
    section.close();
    all
}
