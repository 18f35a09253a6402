//! The envelope: what stands around and beside the records of a document.

use std::borrow::Cow;
use std::collections::BTreeMap;

use quick_xml::escape::unescape;

use super::attributes::Attributes;
use super::error::FeedError;
use super::name::key;
use super::partial::{NamedPart, Partial, ValuePosition, is_about, is_known, link};
use super::printable::printable;
use super::reported::{Says, error_in, fault_of, is_error, quoted};
use super::rules::ParserRules;
use super::saying::{is_message, is_total};
use super::token::{Next, TokenKind, next};
use super::tree::XmlNode;

/// How many element names are remembered for messages.
const MOST_NAMES: usize = 32;
/// A longer name is cut in messages.
const LONGEST_NAME_BYTES: usize = 64;
/// Text in place of records that is kept to be quoted.
const LONGEST_TEXT_BYTES: usize = 1024;
/// Root elements that are known to wrap records: DRF's, common ones and CVRF's.
const ROOTS: [&str; 14] = [
    "root",
    "advisories",
    "advisory_list",
    "advisorylist",
    "feed",
    "xml_feed",
    "response",
    "results",
    "list",
    "vulnerabilities",
    "cvrfdocs",
    "cvrf",
    "documents",
    "items",
];
/// Names of the watch list that a document is of.
const LISTS: [&str; 6] = [
    "asset_list_id",
    "watch_list_id",
    "list_id",
    "asset_list",
    "watch_list",
    "list",
];
/// Elements for a watch list, with its id in them.
const LIST_OBJECTS: [&str; 2] = ["asset_list", "watch_list"];
/// What DRF puts around the records of a collection (contract §4).
const ENVELOPE: [&str; 4] = ["count", "next", "previous", "results"];
/// Names by which an envelope claims how many records there are.
const CLAIMS: [&str; 19] = [
    "count",
    "result_count",
    "results_count",
    "record_count",
    "records_count",
    "advisory_count",
    "item_count",
    "items_count",
    "hit_count",
    "number_of_advisories",
    "number_of_records",
    "number_of_results",
    "total_advisories",
    "total",
    "total_count",
    "total_results",
    "total_records",
    "total_items",
    "num_found",
];
/// Names by which it claims that too, where the value is a number.
const CLAIMS_BY_NUMBER: [&str; 5] = ["records", "advisories", "items", "hits", "rows"];
/// Values by which it claims nothing.
const UNKNOWN: [&str; 5] = ["", "none", "null", "n/a", "-1"];

/// What stands around the records.
#[derive(Default)]
pub(super) struct DocumentEnvelope {
    pub root: Option<String>,
    pub claimed: Option<u64>,
    pub next: Option<String>,
    /// Another link to the next page.
    pub other_next: Option<String>,
    /// What is said about parts that it does not hold.
    pub partial: Partial,
    /// Names of the elements around and beside records.
    pub names: Vec<String>,
    /// Names of elements beside records that are neither record nor envelope.
    pub ignored: Vec<String>,
    /// Whether an identifier stands outside of records.
    pub has_identifiers: bool,
    /// The first element or `@attribute` outside of records whose value is an identifier.
    pub carrier: Option<String>,
    /// The unknown name under which an element that records were taken from has an identifier
    /// of its own.
    pub unknown_identifier: Option<String>,
    /// Whether anything is said beside records in an element that is not the root.
    pub has_content: bool,
    /// Something that an empty feed would not have.
    is_unexpected: bool,
    /// What the root's attributes say.
    root_says: Says,
    /// The first error that attributes around records report.
    pub fault: Option<String>,
    /// Text directly in the elements around records.
    text: Vec<u8>,
    /// Names and values around and beside records of which nothing is known.
    pub unknown: BTreeMap<String, String>,
    /// The watch lists that it says it is of, with the words.
    pub lists: Vec<(i64, String)>,
}

impl DocumentEnvelope {
    /// An element around records begins, `depth` elements below the document.
    pub fn wrapper(&mut self, rules: &ParserRules, name: &[u8], attributes: &[u8], depth: usize) {
        if depth == 0 {
            self.root = Some(shown(name));
            self.root_says = error_in(attributes);
        } else {
            remember(&mut self.names, name);
            self.is_unexpected |= !is_one_of(name, &ENVELOPE) && !is_one_of(name, &ROOTS);
        }
        if self.fault.is_none()
            && let Some(words) = fault_of(attributes)
        {
            self.fault = Some(format!("`{}`: {words}", shown(name)));
        }
        for raw in Attributes::new(attributes) {
            let value = String::from_utf8_lossy(raw.value.unwrap_or_default());
            if rules.is_identifier(value.as_bytes()) {
                self.has_identifiers = true;
                let carrier = || format!("@{}", shown(raw.name));
                self.carrier.get_or_insert_with(carrier);
            }
            let value = unescape(&value).unwrap_or(Cow::Borrowed(&value));
            if key(raw.name) == key(b"id") && is_one_of(name, &LIST_OBJECTS) {
                self.list(name, value.trim(), ValuePosition::Attribute);
            }
            self.take(raw.name, value.trim(), ValuePosition::Attribute);
        }
    }

    /// Text directly in an element around records.
    pub fn text(&mut self, text: &[u8]) {
        self.is_unexpected |= !text.trim_ascii().is_empty();
        let room = LONGEST_TEXT_BYTES - self.text.len().min(LONGEST_TEXT_BYTES);
        self.text.extend_from_slice(&text[..text.len().min(room)]);
    }

    /// A comment or processing instruction outside of records.
    pub fn comment(&mut self, markup: &[u8]) {
        if let Some(text) = markup.strip_prefix(b"<!--")
            && let Ok(text) = std::str::from_utf8(text.strip_suffix(b"-->").unwrap_or(text))
        {
            self.partial.comment(text);
        }
    }

    /// A sound element beside records that holds no identifier; `depth` elements
    /// stand around it. It `is_sibling` where records are expected.
    pub fn beside(&mut self, element: &[u8], node: &XmlNode<'_>, depth: usize, is_sibling: bool) {
        let name = node.name.as_bytes();
        if let Some(target) = link(node) {
            self.lead_to(target);
            return;
        }
        if is_about(node) {
            self.about(node);
        }
        if is_one_of(name, &LIST_OBJECTS) {
            self.list_object(node);
        }
        if !node.children.is_empty() && is_message(&node.name) {
            self.take(name, &node.whole_text(), ValuePosition::Element);
        }
        if node.children.is_empty() && self.value(name, &node.text) {
            return;
        }
        remember_all(&mut self.names, element);
        if is_one_of(name, &ROOTS) && is_void(node) {
            return;
        }
        self.is_unexpected = true;
        self.has_content |= depth > 1 && !node.whole_text().is_empty();
        if is_sibling {
            remember(&mut self.ignored, name);
        }
    }

    /// Takes a link to the next page.
    fn lead_to(&mut self, target: String) {
        match &self.next {
            Some(known) if *known != target => self.other_next = Some(target),
            _ => self.next = Some(target),
        }
    }

    /// Takes what stands in an element that is about the document.
    fn about(&mut self, node: &XmlNode<'_>) {
        for attribute in &node.attributes {
            self.take(
                attribute.name.as_bytes(),
                &attribute.value,
                ValuePosition::Attribute,
            );
        }
        for child in &node.children {
            if let Some(target) = link(child) {
                self.lead_to(target);
            } else if child.children.is_empty() {
                self.take(child.name.as_bytes(), &child.text, ValuePosition::Element);
            }
            if is_about(child) {
                self.about(child);
            }
        }
    }

    /// Takes the value of an element that is known to be envelope; false when it
    /// is not.
    fn value(&mut self, name: &[u8], text: &str) -> bool {
        self.take(name, text, ValuePosition::Element)
            || is_one_of(name, &ENVELOPE) && (text.is_empty() || key(name) == key(b"previous"))
    }

    /// Takes what a value says about how much there is, and where; false when it says
    /// nothing about that.
    fn take(&mut self, name: &[u8], text: &str, form: ValuePosition) -> bool {
        if self.claim(name, text, form) {
            return true;
        }
        self.list(name, text, form);
        match self.partial.value(name, text, form) {
            NamedPart::Nothing => {
                self.not_known(name, text, form);
                false
            }
            NamedPart::Taken => true,
            NamedPart::Next(url) => {
                self.lead_to(url);
                true
            }
        }
    }

    /// Takes which watch list it says it is of.
    fn list(&mut self, name: &[u8], text: &str, form: ValuePosition) {
        if is_one_of(name, &LISTS)
            && let Ok(id) = text.trim().parse()
            && self.lists.len() < MOST_NAMES
        {
            self.lists.push((id, form.quote(name, text)));
        }
    }

    /// The same of an element for a watch list.
    fn list_object(&mut self, node: &XmlNode<'_>) {
        let attributes = node.attributes.iter();
        let attributes = attributes.filter(|one| one.key == key(b"id"));
        let children = node.children.iter().filter(|one| one.key == key(b"id"));
        let ids = attributes.map(|one| &*one.value);
        let ids: Vec<&str> = ids.chain(children.map(|one| &*one.text)).collect();
        for id in ids {
            self.list(node.name.as_bytes(), id, ValuePosition::Element);
        }
    }

    /// Keeps a name of which nothing is known, with its first value.
    pub(super) fn not_known(&mut self, name: &[u8], text: &str, form: ValuePosition) {
        let name = shown(name);
        let is_namespace = name.starts_with("xmlns") || name.starts_with("xsi:");
        let is_known = is_known(&name) || is_one_of(name.as_bytes(), &ENVELOPE);
        if text.is_empty() || is_namespace || is_known || self.unknown.len() >= MOST_NAMES {
            return;
        }
        let mark = if matches!(form, ValuePosition::Attribute) {
            "@"
        } else {
            ""
        };
        let path = format!("envelope/{mark}{name}");
        self.unknown.entry(path).or_insert_with(|| quoted(text));
    }

    /// Takes how many records the envelope claims; false when it does not. The largest
    /// number counts: an outer element may count all, and an inner one those of a page.
    fn claim(&mut self, name: &[u8], text: &str, form: ValuePosition) -> bool {
        let number = text.trim().parse();
        let is_number =
            || is_one_of(name, &CLAIMS_BY_NUMBER) || is_total(&String::from_utf8_lossy(name));
        let is_claim = is_one_of(name, &CLAIMS) || number.is_ok() && is_number();
        match number {
            Ok(claimed) if is_claim => {
                self.claimed = self.claimed.max(Some(claimed));
                self.is_unexpected |= claimed != 0;
            }
            Err(_) if is_claim && !UNKNOWN.contains(&text.to_ascii_lowercase().as_str()) => {
                self.is_unexpected = true;
                self.partial.no_number(form.quote(name, text));
            }
            Ok(_) | Err(_) => {}
        }
        is_claim
    }

    /// Says what a document without records is, unless it is an empty feed.
    pub fn check_empty(&self, known_root: Option<&str>) -> Result<(), FeedError> {
        let root = self.root.as_deref().unwrap_or_default();
        let text = quoted(&String::from_utf8_lossy(&self.text));
        if let Says::Error(words) = &self.root_says {
            return Err(FeedError::Reported {
                text: format!("`{root}`: {words}"),
            });
        }
        if is_error(root.as_bytes()) {
            return Err(FeedError::Reported {
                text: format!("`{root}`: {text}"),
            });
        }
        // A gateway or proxy answers with wrappers of its own: once the root of this feed is
        // known, only that one is an empty feed.
        let is_known = match known_root {
            Some(known) => key(known.as_bytes()) == key(root.as_bytes()),
            None => is_one_of(root.as_bytes(), &ROOTS),
        };
        let says_nothing = !self.is_unexpected && self.root_says == Says::Nothing;
        if is_known && says_nothing && self.next.is_none() {
            return Ok(());
        }
        let says = if text.is_empty() {
            String::new()
        } else {
            format!(", and it says `{text}`")
        };
        let why = match &self.carrier {
            Some(name) => format!(
                "in `{root}`, identifiers are in `{name}`, which is not a known name; add `{name}` to `said` in [feeds.aliases]{says}"
            ),
            None => format!("no element in `{root}` contains an identifier{says}"),
        };
        Err(FeedError::NotRecognised {
            why,
            identifier: self.carrier.clone(),
            names: self.names.clone(),
        })
    }
}

/// Whether an element holds nothing but other known wrappers.
fn is_void(node: &XmlNode<'_>) -> bool {
    let known = |child: &XmlNode<'_>| {
        let name = child.name.as_bytes();
        (is_one_of(name, &ROOTS) || is_one_of(name, &ENVELOPE)) && is_void(child)
    };
    node.text.is_empty() && node.attributes.is_empty() && node.children.iter().all(known)
}

fn is_one_of(name: &[u8], names: &[&str]) -> bool {
    let name = key(name);
    names.iter().any(|known| key(known.as_bytes()) == name)
}

/// A name from outside, fit for messages and logs.
pub(super) fn shown(name: &[u8]) -> String {
    printable(&name[..name.len().min(LONGEST_NAME_BYTES)])
}

fn remember(names: &mut Vec<String>, name: &[u8]) {
    if names.len() < MOST_NAMES {
        let name = shown(name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
}

/// Remembers the names of all elements in `element`.
fn remember_all(names: &mut Vec<String>, element: &[u8]) {
    let mut at = 0;
    while names.len() < MOST_NAMES
        && let Next::Token(token) = next(element, at)
    {
        if matches!(token.kind, TokenKind::Start | TokenKind::Empty) {
            remember(names, token.name(element));
        }
        at = token.end;
    }
}
