use super::codes;
use super::lists::{numbered, reference};
use super::name::{key, keys};
use super::tree::Node;
use super::values::scored_or_absent;
use super::values::{cpes, score};
use crate::model::{Advisory, Cvss, Product};

/// An impact longer than this is prose, not the name of one.
const LONGEST_IMPACT_CHARS: usize = 64;

/// Adds what only CVRF 1.1 and 1.2 documents have and plain names do not lead
/// to; other records stay as they are. What is there already wins.
pub(super) fn complete(record: &Node<'_>, advisory: &mut Advisory) {
    if record.named(keys!["DocumentTracking"]).next().is_none() {
        return;
    }
    let vulnerabilities: Vec<&Node<'_>> = record.named(keys!["Vulnerability"]).collect();
    if advisory.description.is_none() {
        advisory.description = notes(record, keys!["DocumentNotes"]).or_else(|| {
            let all = vulnerabilities
                .iter()
                .filter_map(|one| notes(one, keys!["Notes"]));
            joined(all.collect())
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
        advisory.references = numbered(all.filter_map(reference).collect());
    }
}

/// Texts, each once, with a blank line between.
fn joined(texts: Vec<String>) -> Option<String> {
    let mut once: Vec<String> = Vec::new();
    for text in texts {
        if !text.is_empty() && !once.contains(&text) {
            once.push(text);
        }
    }
    (!once.is_empty()).then(|| once.join("\n\n"))
}

/// What a document says about itself, not its legal part. Several notes stand
/// under their titles; a single one needs none.
fn notes(node: &Node<'_>, names: &'static [u64]) -> Option<String> {
    let notes = node.named(names).flat_map(|list| list.named(keys!["Note"]));
    let prose = notes.filter(|note| note.value(keys!["Type"]) != Some("Legal Disclaimer"));
    let texts: Vec<&Node<'_>> = prose.filter(|note| !note.text.is_empty()).collect();
    if let [alone] = texts[..] {
        return Some(alone.text.to_string());
    }
    let titled = texts.iter().map(|note| match note.value(keys!["Title"]) {
        Some(title) => format!("{title}\n\n{}", note.text),
        None => note.text.to_string(),
    });
    joined(titled.collect())
}

fn remediations(vulnerabilities: &[&Node<'_>]) -> Option<String> {
    let lists = vulnerabilities
        .iter()
        .flat_map(|one| one.named(keys!["Remediations"]));
    let all = lists.flat_map(|list| list.named(keys!["Remediation"]));
    let texts = all.map(|remediation| {
        let parts = keys!["Description", "URL"].iter();
        let parts = parts.map(|name| remediation.value(&[*name]));
        let parts: Vec<&str> = parts.flatten().collect();
        parts.join("\n")
    });
    joined(texts.collect())
}

fn impacts(vulnerabilities: &[&Node<'_>]) -> Vec<String> {
    let lists = vulnerabilities
        .iter()
        .flat_map(|one| one.named(keys!["Threats"]));
    let all = lists.flat_map(|list| list.named(keys!["Threat"]));
    let impacts = all.filter(|threat| threat.value(keys!["Type"]) == Some("Impact"));
    impacts
        .filter_map(|threat| threat.value(keys!["Description"]))
        .filter(|text| text.chars().count() <= LONGEST_IMPACT_CHARS)
        .map(|text| codes::impact(text).unwrap_or(text).to_owned())
        .collect()
}

/// Every product of the tree, also those made by relationships.
fn products(node: &Node<'_>, into: &mut Vec<Product>) {
    let full = key(b"FullProductName");
    for child in &node.children {
        if child.key == full && !child.text.is_empty() {
            let mut names = Vec::new();
            cpes(child, 0, &mut names);
            into.push(Product {
                product_id: child.value(keys!["ProductID"]).map(str::to_owned),
                name: child.text.to_string(),
                is_os: None,
                cpes: names,
            });
        }
        // As deep as the tree itself may be.
        products(child, into);
    }
}

/// The highest score of each version over all vulnerabilities.
fn scores(vulnerabilities: &[&Node<'_>], advisory: &mut Advisory) {
    let lists = vulnerabilities
        .iter()
        .flat_map(|one| one.named(keys!["CVSSScoreSets"]));
    for set in lists.flat_map(|list| &list.children) {
        let slot = match set.key {
            name if name == key(b"ScoreSet") || name == key(b"ScoreSetV2") => &mut advisory.cvss2,
            name if name == key(b"ScoreSetV3") => &mut advisory.cvss3,
            name if name == key(b"ScoreSetV4") => &mut advisory.cvss4,
            _ => continue,
        };
        let names = keys!["BaseScore", "BaseScoreV2", "BaseScoreV3", "BaseScoreV4"];
        let vectors = keys!["Vector", "VectorV2", "VectorV3", "VectorV4"];
        let text = set.value(names);
        let found = scored_or_absent(Cvss {
            score: text.and_then(score),
            vector: set.value(vectors).map(str::to_owned),
        });
        if let (Some(text), None) = (text, text.and_then(score)) {
            let field = format!("cvss{}_score", version(set.key));
            advisory.unrecognised.insert(field, text.to_owned());
        }
        let better = found.score > slot.score || (slot.vector.is_none() && slot.score.is_none());
        if better {
            *slot = found;
        }
    }
}

fn version(set: u64) -> u8 {
    match set {
        name if name == key(b"ScoreSetV3") => 3,
        name if name == key(b"ScoreSetV4") => 4,
        _ => 2,
    }
}
