//! Anonymisation: replaces people, machines and secrets in responses and keeps the
//! structure: names of keys and elements, numbers, times, identifiers.
//!
//! The account's data (tickets, watch lists) is replaced unless it is known to be
//! harmless. The vendor's texts stay, except anything that looks like an address or
//! has a key such as `owner`.

use std::collections::BTreeSet;

use regex::Regex;

use super::names::{ReplacedKind, Replacements};
use super::patterns::Patterns;
use super::response::{BodyFormat, CapturedResponse, DataOwner};
use crate::model::parse_time;
use crate::source::path::ValuePath;
use crate::source::{json_text, xml};

/// Shorter names may be ordinary words: they are replaced as whole values, but not
/// searched for in other texts.
const MIN_SEARCHED_CHARS: usize = 4;
/// Maximum length of a name, in characters.
const MAX_NAME_CHARS: usize = 60;
/// Parts of key names whose values are people or machines.
const PERSONAL: [&str; 24] = [
    "user",
    "owner",
    "assign",
    "mail",
    "phone",
    "host",
    "contact",
    "customer",
    "account",
    "author",
    "creator",
    "created_by",
    "modified_by",
    "updated_by",
    "approved_by",
    "person",
    "group",
    "token",
    "secret",
    "password",
    "session",
    "address",
    "company",
    "organi",
];
/// Objects of the account that have a name.
const OF_THE_ACCOUNT: [&str; 5] = [
    "asset_list",
    "assetlist",
    "watch_list",
    "ticket",
    "custom_info",
];
/// Headers whose values describe upstream and contain no personal data.
const HARMLESS_HEADERS: [&str; 24] = [
    "accept-ranges",
    "age",
    "allow",
    "cache-control",
    "connection",
    "content-encoding",
    "content-language",
    "content-length",
    "content-type",
    "cross-origin-opener-policy",
    "date",
    "expires",
    "keep-alive",
    "last-modified",
    "link",
    "location",
    "pragma",
    "referrer-policy",
    "retry-after",
    "strict-transport-security",
    "transfer-encoding",
    "vary",
    "www-authenticate",
    "x-content-type-options",
];

/// Replaces values consistently.
pub struct Anonymiser {
    names: Replacements,
    patterns: Patterns,
    /// Names that are replaced in every text.
    searched: BTreeSet<String>,
    harmless: Regex,
    fixed: Vec<String>,
}

impl Anonymiser {
    /// With the values that must never be written.
    pub fn new(upstream: &url::Url, token: &str) -> anyhow::Result<Self> {
        let fixed = Replacements::fixed(upstream, token);
        Ok(Self {
            names: Replacements::new(upstream, token),
            patterns: Patterns::new(&fixed, &[])?,
            searched: BTreeSet::new(),
            // Numbers, identifiers, CVSS vectors, colours, empty strings.
            harmless: Regex::new(
                r"^(?:-?[0-9]+(?:\.[0-9]+)?|[sS][aA][0-9]{1,7}|CVE-[0-9]{4}-[0-9]{4,9}|(?:CVSS:[0-9.]+/)?[A-Za-z]{1,3}:[A-Za-z]{1,3}(?:/[A-Za-z]{1,3}:[A-Za-z]{1,3})*|#[0-9A-Fa-f]{3,8}|[Tt]rue|[Ff]alse|[Yy]es|[Nn]o|[Nn]ull|\(?[Nn]one\)?)$",
            )?,
            fixed,
        })
    }

    /// Collects the names in a response, so that they are found in the others, too.
    pub fn learn(&mut self, response: &CapturedResponse) {
        let _ = self.body(response);
    }

    /// Call it when all names are collected.
    pub fn search(&mut self) -> anyhow::Result<()> {
        let searched: Vec<String> = self.searched.iter().cloned().collect();
        self.patterns = Patterns::new(&self.fixed, &searched)?;
        Ok(())
    }

    /// The anonymised body of a response; `None` if it is neither XML nor JSON, which
    /// cannot be anonymised safely.
    pub fn body(&mut self, response: &CapturedResponse) -> Option<String> {
        let text = response.text.as_deref()?;
        let owner = response.owner;
        let mut change = |path: ValuePath<'_>, value: &str| self.value(owner, path, value);
        let body = match response.form() {
            BodyFormat::Json => json_text::rewrite(text, &mut change),
            BodyFormat::Xml => xml::rewrite(text, &mut change),
            BodyFormat::Other => return None,
        };
        // Parts of a text may have come together, as around a comment.
        Some(self.patterns.replace_fixed(&body, &mut self.names))
    }

    /// An anonymised text.
    pub fn text(&mut self, text: &str) -> String {
        self.patterns
            .replace(text, &mut self.names)
            .unwrap_or_else(|| text.to_owned())
    }

    /// The anonymised name of a header: upstream chooses it, too.
    pub fn header_name(&mut self, name: &str) -> String {
        self.patterns.replace_fixed(name, &mut self.names)
    }

    /// The anonymised value of a header.
    pub fn header(&mut self, name: &str, value: &str) -> String {
        if HARMLESS_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            return self.text(value);
        }
        self.names.name(ReplacedKind::Secret, value)
    }

    fn value(&mut self, owner: DataOwner, path: ValuePath<'_>, value: &str) -> Option<String> {
        let is_namespace = path.attribute.is_some_and(|name| name.starts_with("xmlns"));
        if path.is_key || is_namespace {
            return self.key(path, value);
        }
        let inner = value.trim();
        let personal = is_personal(path) || owner == DataOwner::WatchLists && path.name() == "name";
        let own = match owner {
            DataOwner::Account | DataOwner::WatchLists => true,
            DataOwner::Choices => path.names.iter().any(|name| name == "choices"),
            DataOwner::Vendor => path.names.iter().any(|name| name == "custom_info"),
        };
        let stays = !own && !personal || self.is_harmless(inner);
        if stays || self.patterns.is_address(inner) {
            return self.patterns.replace(value, &mut self.names);
        }
        if inner.contains("://") && !inner.contains(char::is_whitespace) {
            return Some(self.url(inner));
        }
        let characters = inner.chars().count();
        if personal && characters >= MIN_SEARCHED_CHARS {
            self.searched.insert(inner.to_owned());
        }
        let is_name = characters <= MAX_NAME_CHARS && !inner.contains('\n');
        let what = if is_name {
            ReplacedKind::Name
        } else {
            ReplacedKind::Text
        };
        Some(self.names.name(what, inner))
    }

    /// Keys are structure and stay, except addresses. A namespace is always an
    /// address.
    fn key(&mut self, path: ValuePath<'_>, value: &str) -> Option<String> {
        let is_address = path.is_key && value.contains(['@', '.', ':']);
        let known = self
            .fixed
            .iter()
            .any(|text| value.to_lowercase().contains(text));
        (is_address || known)
            .then(|| self.patterns.replace(value, &mut self.names))
            .flatten()
    }

    /// An address in the account's data: upstream's own keeps its path, others are
    /// replaced whole.
    fn url(&mut self, value: &str) -> String {
        let replaced = self.text(value);
        let ours = self
            .fixed
            .iter()
            .any(|text| value.to_lowercase().contains(text));
        if ours {
            return replaced;
        }
        let end = replaced
            .find("://")
            .and_then(|at| Some(at + 3 + replaced[at + 3..].find(['/', '?', '#'])?));
        end.map_or(replaced.clone(), |end| format!("{}/", &replaced[..end]))
    }

    fn is_harmless(&self, value: &str) -> bool {
        value.is_empty() || self.harmless.is_match(value) || parse_time(value).is_some()
    }
}

/// Whether the key of a value suggests people, machines or objects of the account.
fn is_personal(path: ValuePath<'_>) -> bool {
    let name = path.name().to_lowercase();
    let parent = path.parent().to_lowercase();
    let has = |text: &str, words: &[&str]| words.iter().any(|word| text.contains(word));
    // CVSS keys contain `user`, too.
    if name.contains("interaction") {
        return false;
    }
    let is_label = matches!(
        name.as_str(),
        "name" | "title" | "label" | "display_name" | "full_name" | "username" | "description"
    );
    has(&name, &PERSONAL)
        || name == "ip"
        || name.ends_with("_ip")
        || name.ends_with("_name") && has(&name, &OF_THE_ACCOUNT)
        || is_label && (has(&parent, &OF_THE_ACCOUNT) || has(&parent, &PERSONAL))
}
