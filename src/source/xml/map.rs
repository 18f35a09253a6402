use std::collections::BTreeMap;

use super::codes;
use super::cvrf;
use super::lists;
use super::name::keys;
use super::rules::Rules;
use super::tree::{Found, Node};
use super::values::{boolean, is_absent, number, score, scored_or_absent, spellings, time};
use crate::config::AliasField;
use crate::model::{Advisory, AttackVector, Cvss};

/// How much of a value that is not understood is kept, in characters.
const LONGEST_UNRECOGNISED: usize = 200;

/// Maps the tree of a record to the model, or says why it is no advisory.
pub(super) fn advisory(rules: &Rules, record: &Node<'_>) -> Result<Advisory, String> {
    let mut map = Map {
        rules,
        record,
        unrecognised: BTreeMap::new(),
    };
    let said = map.found(AliasField::Said).into_iter().map(Found::text);
    let mut known = said.filter(|text| rules.is_identifier(text.as_bytes()));
    let said = known.next().ok_or("it carries no identifier")?.to_owned();
    let criticality = map.criticality();
    let [cvss2, cvss3, cvss4] = map.scores();
    // Every field by name, so that a new one cannot be forgotten.
    let mut advisory = Advisory {
        said,
        upstream_id: map.upstream_id(),
        title: map.text(AliasField::Title),
        criticality,
        released_at: map.read(AliasField::ReleasedAt, time),
        modified_at: map.read(AliasField::ModifiedAt, time),
        attack_vector: map.attack_vector(),
        solution_status: map.solution_status(),
        impacts: lists::impacts(rules, record),
        cves: map.cves(),
        cvss2,
        cvss3,
        cvss4,
        threat_score: map.read(AliasField::ThreatScore, number),
        is_zero_day: map.read(AliasField::IsZeroDay, boolean),
        is_rejected: map.is_rejected(criticality),
        description: map.text(AliasField::Description),
        solution: map.text(AliasField::Solution),
        products: lists::products(rules, record),
        references: lists::references(rules, record),
        // What the reading of the others left.
        unrecognised: map.unrecognised,
    };
    cvrf::complete(record, &mut advisory);
    Ok(advisory.normalised())
}

struct Map<'m> {
    rules: &'m Rules,
    record: &'m Node<'m>,
    unrecognised: BTreeMap<String, String>,
}

impl<'m> Map<'m> {
    fn found(&self, field: AliasField) -> Vec<Found<'m>> {
        self.rules.aliases.all(self.record, field)
    }

    fn text(&self, field: AliasField) -> Option<String> {
        self.found(field).into_iter().find_map(|found| {
            let text = match found {
                Found::Attribute(text) => text.into(),
                Found::Element(node) => node.whole_text(),
            };
            (!text.is_empty()).then(|| text.into_owned())
        })
    }

    /// The first text that `read` understands; else the first that it does not
    /// is kept as unrecognised.
    fn read<T>(&mut self, field: AliasField, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let mut odd = None;
        for found in self.found(field) {
            let text = found.text();
            if is_absent(text) {
                continue;
            }
            if let Some(value) = read(text) {
                return Some(value);
            }
            odd.get_or_insert(text);
        }
        self.unrecognised(field, odd);
        None
    }

    fn unrecognised(&mut self, field: AliasField, text: Option<&str>) {
        if let Some(text) = text {
            let text = text.chars().take(LONGEST_UNRECOGNISED).collect();
            self.unrecognised.insert(field.name().to_owned(), text);
        }
    }

    fn upstream_id(&mut self) -> Option<i64> {
        let rules = self.rules;
        // `id="SA1"` is the identifier again, not a number that cannot be read.
        let number_or_name = |text: &str| match text.parse::<i64>() {
            Ok(number) => Some(Some(number)),
            Err(_) => rules.is_identifier(text.as_bytes()).then_some(None),
        };
        self.read(AliasField::UpstreamId, number_or_name).flatten()
    }

    fn criticality(&mut self) -> Option<i32> {
        let texts = spellings(&self.found(AliasField::Criticality));
        let code = texts.iter().find_map(|text| codes::criticality(text));
        if code.is_none() {
            self.unrecognised(AliasField::Criticality, texts.first().copied());
        }
        code
    }

    fn attack_vector(&mut self) -> Option<AttackVector> {
        let texts = spellings(&self.found(AliasField::AttackVector));
        let vector = texts.iter().find_map(|text| codes::attack_vector(text));
        if vector.is_none() && !texts.is_empty() {
            self.unrecognised(AliasField::AttackVector, texts.first().copied());
            return Some(AttackVector::Unknown);
        }
        vector
    }

    fn solution_status(&self) -> Option<String> {
        let texts = spellings(&self.found(AliasField::SolutionStatus));
        let known = texts.iter().find_map(|text| codes::solution_status(text));
        let is_name = |text: &&&str| text.parse::<i64>().is_err();
        let shown = || texts.iter().find(is_name).or(texts.first()).copied();
        known.or_else(shown).map(str::to_owned)
    }

    fn is_rejected(&mut self, criticality: Option<i32>) -> bool {
        let rejected = |text: &str| match text {
            "Rejected" | "rejected" => Some(true),
            other => boolean(other),
        };
        let by_flag = self.read(AliasField::IsRejected, rejected);
        let by_type = self.read(AliasField::Type, rejected);
        criticality == Some(0) || by_flag == Some(true) || by_type == Some(true)
    }

    fn cves(&mut self) -> Vec<String> {
        let (cves, odd) = lists::cves(self.rules, self.record);
        self.unrecognised(AliasField::Cves, odd.as_deref());
        cves
    }

    /// Those of versions 2, 3 and 4.
    fn scores(&mut self) -> [Cvss; 3] {
        let mut scores = [
            self.cvss(AliasField::Cvss2Score, AliasField::Cvss2Vector),
            self.cvss(AliasField::Cvss3Score, AliasField::Cvss3Vector),
            self.cvss(AliasField::Cvss4Score, AliasField::Cvss4Vector),
        ];
        self.versioned(&mut scores);
        scores
    }

    fn cvss(&mut self, score_field: AliasField, vector_field: AliasField) -> Cvss {
        let vector = |text: &str| Some(text.to_owned());
        scored_or_absent(Cvss {
            score: self.read(score_field, score),
            vector: self.read(vector_field, vector),
        })
    }

    /// `<cvss version="3.1" score="…" vector="…"/>`, where the names did not tell.
    fn versioned(&mut self, [cvss2, cvss3, cvss4]: &mut [Cvss; 3]) {
        for node in self.record.named(keys!["cvss"]) {
            let vector = node
                .value(keys!["vector", "cvss_vector"])
                .map(str::to_owned);
            let named = vector
                .as_deref()
                .and_then(|text| text.strip_prefix("CVSS:"));
            let version = node.value(keys!["version"]).or(named).unwrap_or("2");
            let text = node
                .value(keys!["score", "base_score", "value"])
                .unwrap_or(&node.text);
            let (slot, field) = match version.as_bytes().first() {
                Some(b'4') => (&mut *cvss4, AliasField::Cvss4Score),
                Some(b'3') => (&mut *cvss3, AliasField::Cvss3Score),
                _ => (&mut *cvss2, AliasField::Cvss2Score),
            };
            if *slot != Cvss::default() {
                continue;
            }
            *slot = scored_or_absent(Cvss {
                score: score(text),
                vector,
            });
            if slot.score.is_none() && !is_absent(text) && score(text).is_none() {
                self.unrecognised(field, Some(text));
            }
        }
    }
}
