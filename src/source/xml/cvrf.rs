//! CVRF 1.1 and 1.2: what such documents say beyond plain names.

use std::borrow::Cow;
use std::collections::HashSet;

use super::codes;
use super::lists::{bounded, numbered, reference};
use super::name::{key, keys};
use super::scores::prefix;
use super::tree::XmlNode;
use super::values::{cpes, score, scored_or_absent, shortened};
use crate::model::{Advisory, Cvss, Product};

/// An impact longer than this is prose, not the name of one.
const LONGEST_IMPACT_CHARS: usize = 64;

/// Adds what only CVRF 1.1 and 1.2 documents have and plain names do not lead
/// to; other records stay as they are. What is there already wins.
pub(super) fn complete(record: &XmlNode<'_>, advisory: &mut Advisory) {
    if record.named(keys!["DocumentTracking"]).next().is_none() {
        return;
    }
    let vulnerabilities: Vec<&XmlNode<'_>> = record.named(keys!["Vulnerability"]).collect();
    if advisory.description.is_none() {
        advisory.description = notes(record, keys!["DocumentNotes"]).or_else(|| {
            let all = vulnerabilities
                .iter()
                .filter_map(|one| notes(one, keys!["Notes"]));
            joined(all)
        });
    }
    if advisory.solution.is_none() {
        advisory.solution = remediations(&vulnerabilities);
    }
    if advisory.impacts.is_empty() {
        advisory.impacts = impacts(&vulnerabilities);
    }
    if advisory.products.is_empty() {
        for tree in record.named(keys!["ProductTree"]) {
            products(tree, &mut advisory.products);
        }
        let (products, more) = bounded(std::mem::take(&mut advisory.products));
        advisory.products = products;
        if more > 0 {
            let text = format!("{more} more than are kept");
            advisory.unrecognised.insert("products".to_owned(), text);
        }
    }
    scores(&vulnerabilities, advisory);
    if advisory.references.is_empty() {
        let lists = record.named(keys!["DocumentReferences"]);
        let more = vulnerabilities
            .iter()
            .flat_map(|one| one.named(keys!["References"]));
        let all = lists
            .chain(more)
            .flat_map(|list| list.named(keys!["Reference"]));
        let mut references = Vec::new();
        all.for_each(|node| reference(node, &mut references));
        advisory.references = numbered(references);
    }
}

/// Texts, each once, with a blank line between.
fn joined(texts: impl Iterator<Item = String>) -> Option<String> {
    let texts: Vec<String> = texts.collect();
    let mut known: HashSet<&str> = HashSet::with_capacity(texts.len());
    let once = texts.iter().map(String::as_str);
    let once: Vec<&str> = once
        .filter(|text| !text.is_empty() && known.insert(text))
        .collect();
    (!once.is_empty()).then(|| once.join("\n\n"))
}

/// What a document says about itself, not its legal part. Several notes stand
/// under their titles; a single one needs none.
fn notes(node: &XmlNode<'_>, names: &'static [u64]) -> Option<String> {
    let notes = node.named(names).flat_map(|list| list.named(keys!["Note"]));
    let is_legal =
        |note: &&XmlNode<'_>| note.peek(keys!["Type"]).as_deref() == Some("Legal Disclaimer");
    let prose = notes.filter(|note| !is_legal(note));
    let texts = prose.map(|note| (note, note.whole_text()));
    let texts: Vec<_> = texts.filter(|(_, text)| !text.is_empty()).collect();
    if let [(_, alone)] = &texts[..] {
        return Some(alone.to_string());
    }
    let titled = texts
        .iter()
        .map(|(note, text)| match note.value(keys!["Title"]) {
            Some(title) => format!("{title}\n\n{text}"),
            None => text.to_string(),
        });
    joined(titled)
}

fn remediations(vulnerabilities: &[&XmlNode<'_>]) -> Option<String> {
    let lists = vulnerabilities
        .iter()
        .flat_map(|one| one.named(keys!["Remediations"]));
    let all = lists.flat_map(|list| list.named(keys!["Remediation"]));
    let texts = all.map(|remediation| {
        let parts = remediation.named(keys!["Description", "URL"]);
        let parts: Vec<_> = parts.map(XmlNode::whole_text).collect();
        let parts: Vec<&str> = parts
            .iter()
            .map(|part| &**part)
            .filter(|part| !part.is_empty())
            .collect();
        parts.join("\n")
    });
    joined(texts)
}

fn impacts(vulnerabilities: &[&XmlNode<'_>]) -> Vec<String> {
    let lists = vulnerabilities
        .iter()
        .flat_map(|one| one.named(keys!["Threats"]));
    let all = lists.flat_map(|list| list.named(keys!["Threat"]));
    let impacts = all.filter(|threat| threat.peek(keys!["Type"]).as_deref() == Some("Impact"));
    let is_name = |text: &str| text.chars().count() <= LONGEST_IMPACT_CHARS;
    impacts
        .filter(|threat| {
            threat
                .peek(keys!["Description"])
                .is_some_and(|text| is_name(&text))
        })
        .filter_map(|threat| {
            threat.value(keys!["Type"]);
            threat.value(keys!["Description"])
        })
        .map(|text| codes::impact(&text).map_or_else(|| text.to_string(), str::to_owned))
        .collect()
}

/// Every product of the tree, also those made by relationships.
fn products(node: &XmlNode<'_>, into: &mut Vec<Product>) {
    let full = key(b"FullProductName");
    for child in &node.children {
        if child.key == full && !child.text.is_empty() {
            let mut names = Vec::new();
            cpes(child, 0, &mut names);
            into.push(Product {
                product_id: child.value(keys!["ProductID"]).map(Cow::into_owned),
                name: child.read().to_owned(),
                is_os: None,
                cpes: names,
            });
        }
        // As deep as the tree itself may be.
        products(child, into);
    }
}

const SCORES: &[u64] = keys!["BaseScore", "BaseScoreV2", "BaseScoreV3", "BaseScoreV4"];
const VECTORS: &[u64] = keys!["Vector", "VectorV2", "VectorV3", "VectorV4"];

/// The highest score of each version over all vulnerabilities. Others stay left over.
fn scores(vulnerabilities: &[&XmlNode<'_>], advisory: &mut Advisory) {
    let lists = vulnerabilities
        .iter()
        .flat_map(|one| one.named(keys!["CVSSScoreSets"]));
    let sets: Vec<&XmlNode<'_>> = lists.flat_map(|list| &list.children).collect();
    for set in &sets {
        let Some(slot) = slot(set, advisory) else {
            continue;
        };
        let (found, text) = scored(set);
        let better = found.score > slot.score || (slot.vector.is_none() && slot.score.is_none());
        if better {
            *slot = found;
        }
        if let Some(text) = text.filter(|text| score(text).is_none()) {
            let field = format!("cvss{}_score", version(set).unwrap_or_default());
            advisory
                .unrecognised
                .entry(field)
                .or_insert_with(|| shortened(&text));
        }
    }
    for set in sets {
        let Some(stored) = slot(set, advisory) else {
            continue;
        };
        let (found, text) = scored(set);
        // A score of 0 without a vector is none.
        if found.score == stored.score || text.as_deref().and_then(score) == Some(0.0) {
            set.value(SCORES);
        }
        if found.vector == stored.vector {
            set.value(VECTORS);
        }
    }
}

fn slot<'a>(set: &XmlNode<'_>, advisory: &'a mut Advisory) -> Option<&'a mut Cvss> {
    match version(set)? {
        2 => Some(&mut advisory.cvss2),
        3 => Some(&mut advisory.cvss3),
        4 => Some(&mut advisory.cvss4),
        _ => None,
    }
}

/// The score of a set, and its text.
fn scored<'n>(set: &'n XmlNode<'_>) -> (Cvss, Option<Cow<'n, str>>) {
    let text = set.peek(SCORES);
    let found = scored_or_absent(Cvss {
        score: text.as_deref().and_then(score),
        vector: set.peek(VECTORS).map(|vector| shortened(&vector)),
    });
    (found, text)
}

/// The version of a set, by its name and its vector. None where they contradict each other.
fn version(set: &XmlNode<'_>) -> Option<usize> {
    let named = match set.key {
        name if name == key(b"ScoreSet") => None,
        name if name == key(b"ScoreSetV2") => Some(2),
        name if name == key(b"ScoreSetV3") => Some(3),
        name if name == key(b"ScoreSetV4") => Some(4),
        _ => return None,
    };
    match set.peek(VECTORS).and_then(|vector| prefix(&vector)) {
        None => named.or(Some(2)),
        Some(stated) => Some(stated).filter(|one| named.is_none_or(|named| named == *one)),
    }
}
