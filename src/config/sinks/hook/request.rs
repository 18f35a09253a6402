//! Requests of a hook: method, path and template; and the lookup of an object.

use super::super::super::section::Section;
use super::super::super::setting_error::NOT_SHOWN;
use super::super::super::tree::SettingNode;
use super::super::super::values::text;
use super::super::template::{TemplateSettings, either};
use super::json_pointer::pointer;
use crate::config::advice::Advice;

/// HTTP methods by name.
const METHODS: [(&str, Method); 5] = [
    ("GET", Method::Get),
    ("POST", Method::Post),
    ("PUT", Method::Put),
    ("PATCH", Method::Patch),
    ("DELETE", Method::Delete),
];

/// HTTP method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `GET`, without a body unless there is a template.
    Get,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`, without a body unless there is a template.
    Delete,
}

/// A request of a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookRequest {
    /// Default: `POST`.
    pub method: Method,
    /// Template of what follows the URL; if omitted, nothing does.
    pub path: Option<TemplateSettings>,
    /// Template of the body; if omitted, there is none.
    pub body: Option<TemplateSettings>,
}

/// `lookup`: finds the object of an alert, whose id is not remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// Default method: `GET`.
    pub request: HookRequest,
    /// JSON pointer of the id in the response; without a value there is no such object.
    pub pointer: String,
}

impl HookRequest {
    /// The request whose keys are those of the sink itself. It has a body.
    pub(super) fn read_main(
        section: &mut Section<'_>,
        path: Option<TemplateSettings>,
    ) -> Option<Self> {
        let method = section.value("method", Method::Post, method);
        let has_path = path.is_some() && section.has("path");
        let given = section.optional("path", |node| self::path("the path", node));
        if has_path {
            let advice = "expected `path`, or a template in `url`, not both";
            section.wrong("path", NOT_SHOWN, advice);
        }
        let (body, is_valid) = either(section, "the template");
        if body.is_none() && is_valid {
            section.missing(
                "template",
                "add one, or `template_file`, or set `preset` (see `advisoryd sinks presets`)",
            );
        }
        Some(Self {
            method,
            path: path.or(given),
            body: Some(body?),
        })
    }

    /// The request of a subtable.
    pub(super) fn read(section: &mut Section<'_>, key: &'static str) -> Option<Self> {
        section.has(key).then_some(())?;
        let mut section = section.section(key);
        let request = read_in(&mut section, key, Method::Post);
        section.close();
        request
    }
}

impl Lookup {
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        section.has("lookup").then_some(())?;
        let mut section = section.section("lookup");
        if !section.has("pointer") {
            let advice = "add the place of the id, such as `pointer = \"/result/0/id\"`";
            section.missing("pointer", advice);
        }
        let pointer = section.optional("pointer", pointer);
        let request = read_in(&mut section, "lookup", Method::Get);
        section.close();
        Some(Self {
            request: request?,
            pointer: pointer?,
        })
    }
}

fn read_in(section: &mut Section<'_>, key: &str, usual: Method) -> Option<HookRequest> {
    let method = section.value("method", usual, method);
    let path = section.optional("path", |node| path(&format!("the path of `{key}`"), node));
    let (body, is_valid) = either(section, &format!("the template of `{key}`"));
    is_valid.then_some(HookRequest { method, path, body })
}

/// A `url` with a template in its path is read as URL and `path`, so that host and
/// port can never depend on a message.
pub(super) fn split_url(section: &mut Section<'_>) -> Option<TemplateSettings> {
    let whole = section.peek("url")?;
    let (before, _) = whole.split_once("{{")?;
    let host = before.find("://").map_or(0, |at| at + 3);
    let Some(at) = before[host..].find('/') else {
        let advice = "expected templates only in the path, such as \
                      `https://api.example.org/{{ secrets.token }}/send`";
        section.replace("url", "https://host.invalid/");
        section.wrong("url", NOT_SHOWN, advice);
        return None;
    };
    let (base, path) = whole.split_at(host + at);
    section.replace("url", base);
    match TemplateSettings::new("the template in `url`", path) {
        Ok(template) => Some(template),
        Err(why) => {
            section.wrong("url", NOT_SHOWN, &why);
            None
        }
    }
}

fn method(node: &SettingNode) -> Result<Method, Advice> {
    let given = text(node)?;
    let known = METHODS.iter().find(|(name, _)| *name == given);
    known
        .map(|(_, method)| *method)
        .ok_or_else(|| Advice::one_of(&given, &METHODS.map(|(name, _)| name)))
}

fn path(name: &str, node: &SettingNode) -> Result<TemplateSettings, Advice> {
    let text = text(node)?;
    if !text.starts_with('/') {
        return Err("expected a path that starts with `/`".into());
    }
    TemplateSettings::new(name, &text).map_err(Advice::from)
}
