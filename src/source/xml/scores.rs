//! CVSS scores, by names that contain the version or by an element that says it.

use super::fields::FieldReader;
use super::name::keys;
use super::tree::XmlNode;
use super::values::{greater, is_absent, never, score, scored_or_absent, shortened};
use crate::config::AliasField;
use crate::model::Cvss;

/// Those of versions 2, 3 and 4. Where a record gives several of one version, the
/// highest; the others are kept as unrecognised.
pub(super) fn scores(fields: &mut FieldReader<'_>) -> [Cvss; 3] {
    const FIELDS: [(AliasField, AliasField); 3] = [
        (AliasField::Cvss2Score, AliasField::Cvss2Vector),
        (AliasField::Cvss3Score, AliasField::Cvss3Vector),
        (AliasField::Cvss4Score, AliasField::Cvss4Vector),
    ];
    let mut scores = FIELDS.map(|(score, vector)| named(fields, score, vector));
    let mut others: [Vec<String>; 3] = Default::default();
    let nodes: Vec<&XmlNode<'_>> = fields.record.named(keys!["cvss"]).collect();
    for node in &nodes {
        let index = version(node);
        let (found, text) = versioned(node);
        let best = &mut scores[index];
        if found == *best || found == Cvss::default() {
            if found.score.is_none() && !is_absent(&text) && score(&text).is_none() {
                others[index].push(text);
            }
        } else if found.score > best.score || *best == Cvss::default() {
            let former = std::mem::replace(best, found);
            others[index].extend(former.score.map(|score| score.to_string()));
        } else {
            others[index].push(text);
        }
    }
    for node in nodes {
        mark(node, &scores[version(node)]);
    }
    for ((field, _), others) in FIELDS.into_iter().zip(others) {
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        fields.keep(field, &others);
    }
    scores
}

fn named(fields: &mut FieldReader<'_>, score_field: AliasField, vector_field: AliasField) -> Cvss {
    let vector = |text: &str| Some(shortened(text));
    scored_or_absent(Cvss {
        score: fields.read(score_field, score, greater),
        vector: fields.read(vector_field, vector, never),
    })
}

const VECTORS: &[u64] = keys!["vector", "cvss_vector"];
const SCORES: &[u64] = keys!["score", "base_score", "value"];

/// `<cvss version="3.1" score="…" vector="…"/>`, where the names did not say.
fn versioned(node: &XmlNode<'_>) -> (Cvss, String) {
    let vector = node.peek(VECTORS);
    let text = node.peek(SCORES);
    let text = text.map_or_else(|| node.text.to_string(), std::borrow::Cow::into_owned);
    let cvss = scored_or_absent(Cvss {
        score: score(&text),
        vector: vector.map(|vector| shortened(&vector)),
    });
    (cvss, text)
}

/// Marks as read what is stored of an element: its score in the column or among the others,
/// its vector if that is in the column.
fn mark(node: &XmlNode<'_>, stored: &Cvss) {
    let (found, text) = versioned(node);
    let is_kept = score(&text).is_some() || is_absent(&text) || found == Cvss::default();
    if is_kept && node.value(SCORES).is_none() {
        node.read();
    }
    if found.vector.is_some() && found.vector == stored.vector {
        node.value(VECTORS);
    }
    let is_version = |text: &str| {
        let number = text.to_ascii_lowercase();
        let number = number.trim_start_matches(|c: char| "cvs: ".contains(c));
        number.starts_with(['2', '3', '4']) && number.parse::<f64>().is_ok()
    };
    if node
        .peek(keys!["version"])
        .is_some_and(|text| is_version(&text))
    {
        node.value(keys!["version"]);
    }
}

/// Which version an element says it is of: `3`, `v3.1`, `CVSSv3`, `CVSS:3.1`, or
/// what its vector begins with. Version 2 says nothing. Counted from 0.
fn version(node: &XmlNode<'_>) -> usize {
    let stated = node.peek(keys!["version"]);
    let vector = node.peek(VECTORS);
    let prefixed = vector.filter(|vector| vector.starts_with("CVSS:"));
    let text = stated.or(prefixed).unwrap_or_default();
    match text.bytes().find(u8::is_ascii_digit) {
        Some(b'3') => 1,
        Some(b'4') => 2,
        _ => 0,
    }
}
