//! CVSS scores, by names that contain the version or by an element that says it.

use super::fields::FieldReader;
use super::name::keys;
use super::tree::XmlNode;
use super::values::{greater, is_absent, never, score, scored_or_absent, shortened};
use crate::config::AliasField;
use crate::model::Cvss;

const FIELDS: [(AliasField, AliasField); 3] = [
    (AliasField::Cvss2Score, AliasField::Cvss2Vector),
    (AliasField::Cvss3Score, AliasField::Cvss3Vector),
    (AliasField::Cvss4Score, AliasField::Cvss4Vector),
];

/// Those of versions 2, 3 and 4. Where a record gives several of one version, the
/// highest; the others are kept as unrecognised. So is what contradicts itself about its
/// version; an element of an unknown version stays left over.
pub(super) fn scores(fields: &mut FieldReader<'_>) -> [Cvss; 3] {
    let mut scores: [Cvss; 3] = Default::default();
    // `cvss_score` says no version, its vector may: those that say one come first.
    for index in [1, 2, 0] {
        named(fields, index, &mut scores);
    }
    let mut others: [Vec<String>; 3] = Default::default();
    let nodes = fields.record.named(keys!["cvss"]);
    let nodes = nodes.filter_map(|node| Some((version(node)?, node)));
    let nodes: Vec<(usize, &XmlNode<'_>)> = nodes.collect();
    for (index, node) in nodes.iter().copied() {
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
    for (index, node) in nodes {
        mark(node, &scores[index]);
    }
    for ((field, _), others) in FIELDS.into_iter().zip(others) {
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        fields.keep(field, &others);
    }
    scores
}

/// Takes the score and vector under the names of one version. The vector decides where these
/// say none.
fn named(fields: &mut FieldReader<'_>, index: usize, scores: &mut [Cvss; 3]) {
    let (score_field, vector_field) = FIELDS[index];
    let vector = |text: &str| Some(shortened(text));
    let found = scored_or_absent(Cvss {
        score: fields.read(score_field, score, greater),
        vector: fields.read(vector_field, vector, never),
    });
    let stated = found.vector.as_deref().and_then(prefix);
    let index = match stated.map(|version| version.checked_sub(2)) {
        None => Some(index),
        Some(Some(stated)) if stated == index || index == 0 && !says_version_2(fields) => {
            Some(stated)
        }
        Some(_) => None,
    };
    let better = index.map(|index| &mut scores[index]);
    let other = match better {
        Some(best) if *best == Cvss::default() || found.score > best.score => {
            std::mem::replace(best, found)
        }
        Some(best) if *best == found => return,
        _ => found,
    };
    let score = other.score.map(|score| score.to_string());
    fields.keep(score_field, score.as_deref().as_slice());
    fields.keep(vector_field, other.vector.as_deref().as_slice());
}

/// Whether a record has names for version 2 in particular.
fn says_version_2(fields: &FieldReader<'_>) -> bool {
    let record = fields.record;
    let elements = record.children.iter().map(|child| &child.name);
    let mut names = elements.chain(record.attributes.iter().map(|one| &one.name));
    names.any(|name| name.to_ascii_lowercase().contains("cvss2"))
}

/// The version that a vector begins with: `CVSS:3.1/AV:N`. 0 where it begins with an
/// unknown one. Vectors of version 2 commonly say none.
pub(super) fn prefix(vector: &str) -> Option<usize> {
    const NAME: &str = "cvss";
    let name = vector.get(..NAME.len())?;
    name.eq_ignore_ascii_case(NAME).then(|| {
        let behind = &vector[NAME.len()..];
        let (version, _) = behind.split_once('/').unwrap_or((behind, ""));
        number(version).unwrap_or_default()
    })
}

/// A version of CVSS as a number: `3`, `v3.1`, `CVSSv3`, `CVSS:3.1`.
fn number(text: &str) -> Option<usize> {
    let text = text.trim().to_ascii_lowercase();
    let number = text.trim_start_matches(|c: char| "cvs: ".contains(c));
    let major = number.split(['.', '#', '(']).next()?;
    let major: usize = major.trim().parse().ok()?;
    (2..=4).contains(&major).then_some(major)
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
    if node
        .peek(keys!["version"])
        .is_some_and(|text| number(&text).is_some())
    {
        node.value(keys!["version"]);
    }
}

/// Which version an element says it is of, itself or by its vector, counted from 0. `None`
/// where it says none, an unknown one, or two.
fn version(node: &XmlNode<'_>) -> Option<usize> {
    // Only vectors of version 2 have this part.
    const PART_OF_2: &str = "Au:";
    let vector = node.peek(VECTORS);
    let by_vector = vector.and_then(|vector| {
        let is_2 = vector.contains(PART_OF_2);
        prefix(&vector).or_else(|| is_2.then_some(2))
    });
    let stated = node.peek(keys!["version"]);
    let stated = stated.map(|text| number(&text).unwrap_or_default());
    let version = match (stated, by_vector) {
        (Some(one), Some(other)) => (one == other).then_some(one),
        (one, other) => one.or(other),
    };
    version?.checked_sub(2)
}
