//! Explains how a record is mapped to the model, for `advisoryd inspect`.

use std::collections::HashMap;

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use serde::Serialize;
use serde_json::Value;

use super::alias::Path;
use super::error::UnreadableRecord;

use super::json;
use super::markup::absorb;
use super::name::key;
use super::profile::Profile;
use super::record::{Parsed, parse, read_record, text};
use super::rules::ParserRules;
use super::tree::{NamedValue, XmlNode};
use crate::config::AliasField;
use crate::model::{Advisory, one_line, shortened};

/// How much of a value is shown, in characters.
const SAMPLE_CHARS: usize = 61;
/// Names that are shown of one record.
const MOST_UNMAPPED: usize = 100;
/// Names below the record that the reading of CVRF knows besides the aliases.
const CVRF_NAMES: [&str; 8] = [
    "DocumentTracking",
    "DocumentNotes",
    "DocumentReferences",
    "ProductTree",
    "Vulnerability",
    "AggregateSeverity",
    "DocumentType",
    "DocumentPublisher",
];

/// How one record is understood.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedRecord {
    /// The shape it has.
    pub profile: &'static str,
    /// Field of the model, the name it came from, a sample of what was there.
    pub fields: Vec<FieldOrigin>,
    /// Fields that nothing was found for.
    pub missing: Vec<&'static str>,
    /// Names directly below the record that mean nothing to the model, with samples.
    pub unmapped: Vec<(String, String)>,
    /// Values that were present and not understood, by field.
    pub unrecognised: Vec<(String, String)>,
}

/// Where a field's value came from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldOrigin {
    /// Field of the model.
    pub field: &'static str,
    /// Element, `@attribute` or path.
    pub name: String,
    /// The beginning of its text.
    pub sample: String,
}

/// Explains a record of a feed, as [`RecordReader`](super::RecordReader) handed it out.
pub fn explain_record(
    rules: &ParserRules,
    record: &[u8],
) -> Result<ExplainedRecord, UnreadableRecord> {
    let advisory = read_record(rules, record)?;
    let text = text(rules, record)?;
    let Parsed { mut root, .. } = parse(rules, &text)?;
    absorb(rules, &mut root);
    let profile = Profile::of(rules, record).name();
    Ok(explain(rules, &root, &names(&text), &advisory, profile))
}

/// Explains an advisory of the JSON API.
pub fn explain_json(
    rules: &ParserRules,
    value: &Value,
) -> Result<ExplainedRecord, UnreadableRecord> {
    let advisory = json::read_json(rules, value)?;
    let (tree, _) = json::tree(value, &rules.limits).map_err(UnreadableRecord::new)?;
    let mut names = HashMap::new();
    json_names(value, &mut names);
    Ok(explain(rules, &tree, &names, &advisory, "json"))
}

/// Elements and attributes of a document whose text is an identifier, whatever
/// they are called: candidates for `[feeds.aliases] said`.
pub fn carriers(rules: &ParserRules, document: &str) -> Vec<String> {
    let mut reader = Reader::from_str(document);
    let mut open: Vec<String> = Vec::new();
    let mut found = Vec::new();
    let mut add = |name: String| {
        if !found.contains(&name) {
            found.push(name);
        }
    };
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) => {
                attributes(rules, &tag, &mut add);
                open.push(tag.name().0.to_owned());
            }
            Ok(Event::Empty(tag)) => attributes(rules, &tag, &mut add),
            Ok(Event::End(_)) => {
                open.pop();
            }
            Ok(Event::Text(text)) if rules.is_identifier(text.as_bytes()) => {
                if let Some(name) = open.last() {
                    add(name.clone());
                }
            }
            Ok(Event::Eof) | Err(_) => return found,
            Ok(_) => {}
        }
    }
}

fn attributes(rules: &ParserRules, tag: &BytesStart<'_>, add: &mut impl FnMut(String)) {
    for attribute in tag.attributes().flatten() {
        if rules.is_identifier(attribute.value.as_bytes()) {
            add(format!("@{}", attribute.key.0));
        }
    }
}

/// Every name in a record, by its key.
fn names(record: &str) -> HashMap<u64, String> {
    let mut names = HashMap::new();
    let mut note = |name: &str| {
        names
            .entry(key(name.as_bytes()))
            .or_insert_with(|| name.to_owned());
    };
    let mut reader = Reader::from_str(record);
    while let Ok(event) = reader.read_event() {
        match event {
            Event::Start(tag) | Event::Empty(tag) => {
                note(tag.name().0);
                for attribute in tag.attributes().flatten() {
                    note(attribute.key.0);
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    names
}

fn json_names(value: &Value, names: &mut HashMap<u64, String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                names.insert(key(name.as_bytes()), name.clone());
                json_names(value, names);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| json_names(item, names)),
        _ => {}
    }
}

/// A record and what its names are.
#[derive(Clone, Copy)]
struct Document<'n> {
    rules: &'n ParserRules,
    tree: &'n XmlNode<'n>,
    names: &'n HashMap<u64, String>,
}

impl Document<'_> {
    fn name_of(&self, key: u64) -> String {
        self.names.get(&key).cloned().unwrap_or_default()
    }

    /// Where the value of a field came from, if the advisory has one.
    fn origin(&self, field: AliasField, values: &Value) -> Option<FieldOrigin> {
        let paths = self.rules.aliases.of(field);
        let name_of = |key| self.name_of(key);
        let is_identity = field == AliasField::Said;
        let value = parsed_value(values, field.name());
        let direct = paths.iter().find_map(|path| {
            let found = path.all(self.tree).into_iter();
            let mut texts = found.map(|found| (found, words(found)));
            let (found, text) = texts.find(|(_, text)| {
                !text.is_empty() && (!is_identity || self.rules.is_identifier(text.as_bytes()))
            })?;
            // What stands around CVEs says more than them.
            let shown = value.clone().filter(|_| field == AliasField::Cves);
            Some((named(path, found, &name_of), shown.unwrap_or(text)))
        });
        let (name, text) = direct.or_else(|| {
            let mut all = paths.iter();
            let first = all.find_map(|path| Some((path, *path.all(self.tree).first()?)));
            let name = first.map_or_else(
                || "(as CVRF has it)".to_owned(),
                |(path, found)| named(path, found, &name_of),
            );
            Some((name, value?))
        })?;
        Some(FieldOrigin {
            field: field.name(),
            name,
            sample: sample(&text),
        })
    }

    /// Attributes and elements of the record that no field is read from, with their texts.
    fn unmapped(&self) -> Vec<(String, String)> {
        let is_known = |key: u64| {
            let mut cvrf = CVRF_NAMES.iter();
            self.rules.aliases.leads(key) || cvrf.any(|name| self::key(name.as_bytes()) == key)
        };
        let attributes = self.tree.attributes.iter();
        let mut unmapped: Vec<(String, String)> = attributes
            .filter(|one| !is_known(one.key))
            .map(|one| (format!("@{}", self.name_of(one.key)), sample(&one.value)))
            .collect();
        let children = self.tree.children.iter();
        for child in children.filter(|child| !is_known(child.key)) {
            let name = self.name_of(child.key);
            if unmapped.len() == MOST_UNMAPPED {
                break;
            }
            if !unmapped.iter().any(|(other, _)| *other == name) {
                unmapped.push((name, sample(&child.whole_text())));
            }
        }
        unmapped
    }
}

fn explain(
    rules: &ParserRules,
    tree: &XmlNode<'_>,
    names: &HashMap<u64, String>,
    advisory: &Advisory,
    profile: &'static str,
) -> ExplainedRecord {
    let of = Document { rules, tree, names };
    let (mut fields, mut missing) = (Vec::new(), Vec::new());
    // What was read from deeper places counts as found too.
    let values = serde_json::to_value(advisory).unwrap_or_default();
    for field in AliasField::ALL.iter().copied() {
        // Vulnerabilities without a name have texts too.
        let has_none = field == AliasField::Cves && advisory.cves.is_empty();
        match of.origin(field, &values).filter(|_| !has_none) {
            Some(origin) => fields.push(origin),
            None => missing.push(field.name()),
        }
    }
    let unmapped = of.unmapped();
    ExplainedRecord {
        profile,
        fields,
        missing,
        unmapped,
        // What is `unmapped` is reported once.
        unrecognised: advisory
            .unrecognised
            .clone()
            .into_iter()
            .filter(|(name, _)| !name.contains('/'))
            .collect(),
    }
}

/// What the model holds in `field`, in words; nothing where it holds nothing.
fn parsed_value(values: &Value, field: &str) -> Option<String> {
    let value = match field.split_once('_') {
        Some((version, part)) if version.starts_with("cvss") => &values[version][part],
        _ => &values[field],
    };
    let words = |value: &Value| match value {
        Value::Null | Value::Bool(false) => String::new(),
        Value::String(text) => text.clone(),
        Value::Object(fields) => {
            let name = ["name", "url", "description"].iter();
            let mut names = name.filter_map(|name| fields.get(*name)?.as_str());
            names.next().unwrap_or_default().to_owned()
        }
        other => other.to_string(),
    };
    let text = match value {
        Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join(", "),
        other => words(other),
    };
    (!text.is_empty()).then_some(text)
}

fn words(found: NamedValue<'_>) -> String {
    match found {
        NamedValue::Attribute(attribute) => attribute.value.to_string(),
        NamedValue::Element(node) => {
            let text = node.whole_text();
            let attributes = node.attributes.first().map(|one| one.value.to_string());
            if text.is_empty() {
                attributes.unwrap_or_default()
            } else {
                text.into_owned()
            }
        }
    }
}

fn named(path: &Path, found: NamedValue<'_>, name_of: &impl Fn(u64) -> String) -> String {
    let mut name: String = path
        .parents
        .iter()
        .fold(String::new(), |way, parent| way + &name_of(*parent) + "/");
    if matches!(found, NamedValue::Attribute(_)) {
        name.push('@');
    }
    name + &name_of(path.last)
}

fn sample(text: &str) -> String {
    shortened(&one_line(text), SAMPLE_CHARS)
}
