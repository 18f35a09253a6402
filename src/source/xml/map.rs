use super::alias::{FIELDS, Field, keys};
use super::codes;
use super::cvrf;
use super::lists;
use super::rules::Rules;
use super::tree::{Found, Node};
use super::values::{boolean, is_absent, number, score, spellings, time};
use crate::model::{Advisory, AttackVector, Cvss};

/// How much of a value that is not understood is kept, in characters.
const LONGEST_UNRECOGNISED: usize = 200;

/// Maps the tree of a record to the model, or says why it is no advisory.
pub(super) fn advisory(rules: &Rules, record: &Node<'_>) -> Result<Advisory, String> {
    let mut map = Map {
        rules,
        record,
        advisory: Advisory::default(),
    };
    let said = map.found(Field::Said).into_iter().map(Found::text);
    let mut known = said.filter(|text| rules.is_identifier(text.as_bytes()));
    let said = known.next().ok_or("it carries no identifier")?;
    map.advisory.said.push_str(said);
    map.plain();
    map.coded();
    map.scored();
    map.listed();
    cvrf::complete(record, &mut map.advisory);
    Ok(map.advisory.normalised())
}

struct Map<'m> {
    rules: &'m Rules,
    record: &'m Node<'m>,
    advisory: Advisory,
}

impl<'m> Map<'m> {
    fn found(&self, field: Field) -> Vec<Found<'m>> {
        self.rules.aliases.all(self.record, field)
    }

    fn text(&self, field: Field) -> Option<String> {
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
    fn read<T>(&mut self, field: Field, read: impl Fn(&str) -> Option<T>) -> Option<T> {
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

    fn unrecognised(&mut self, field: Field, text: Option<&str>) {
        if let Some(text) = text {
            let text = text.chars().take(LONGEST_UNRECOGNISED).collect();
            let field = FIELDS[field as usize].to_owned();
            self.advisory.unrecognised.insert(field, text);
        }
    }

    fn plain(&mut self) {
        let rules = self.rules;
        // `id="SA1"` is the identifier again, not a number that cannot be read.
        let number_or_name = |text: &str| match text.parse::<i64>() {
            Ok(number) => Some(Some(number)),
            Err(_) => rules.is_identifier(text.as_bytes()).then_some(None),
        };
        self.advisory.upstream_id = self.read(Field::UpstreamId, number_or_name).flatten();
        self.advisory.title = self.text(Field::Title);
        self.advisory.description = self.text(Field::Description);
        self.advisory.solution = self.text(Field::Solution);
        self.advisory.released_at = self.read(Field::ReleasedAt, time);
        self.advisory.modified_at = self.read(Field::ModifiedAt, time);
        self.advisory.is_zero_day = self.read(Field::IsZeroDay, boolean);
    }

    fn coded(&mut self) {
        let texts = spellings(&self.found(Field::Criticality));
        self.advisory.criticality = texts.iter().find_map(|text| codes::criticality(text));
        if self.advisory.criticality.is_none() {
            self.unrecognised(Field::Criticality, texts.first().copied());
        }

        let texts = spellings(&self.found(Field::AttackVector));
        let vector = texts.iter().find_map(|text| codes::attack_vector(text));
        self.advisory.attack_vector = vector;
        if vector.is_none() && !texts.is_empty() {
            self.advisory.attack_vector = Some(AttackVector::Unknown);
            self.unrecognised(Field::AttackVector, texts.first().copied());
        }

        let texts = spellings(&self.found(Field::SolutionStatus));
        let known = texts.iter().find_map(|text| codes::solution_status(text));
        let is_name = |text: &&&str| text.parse::<i64>().is_err();
        let shown = || texts.iter().find(is_name).or(texts.first()).copied();
        self.advisory.solution_status = known.or_else(shown).map(str::to_owned);

        let rejected = |text: &str| match text {
            "Rejected" | "rejected" => Some(true),
            other => boolean(other),
        };
        let by_flag = self.read(Field::IsRejected, rejected);
        let by_type = self.read(Field::Type, rejected);
        let by_code = self.advisory.criticality == Some(0);
        self.advisory.is_rejected = by_code || by_flag == Some(true) || by_type == Some(true);
    }

    fn scored(&mut self) {
        self.advisory.cvss2 = self.cvss(Field::Cvss2Score, Field::Cvss2Vector);
        self.advisory.cvss3 = self.cvss(Field::Cvss3Score, Field::Cvss3Vector);
        self.advisory.cvss4 = self.cvss(Field::Cvss4Score, Field::Cvss4Vector);
        self.versioned();
        self.advisory.threat_score = self.read(Field::ThreatScore, number);
    }

    fn cvss(&mut self, score_field: Field, vector_field: Field) -> Cvss {
        let vector = |text: &str| Some(text.to_owned());
        scored_or_absent(Cvss {
            score: self.read(score_field, score),
            vector: self.read(vector_field, vector),
        })
    }

    /// `<cvss version="3.1" score="…" vector="…"/>`, where the names did not tell.
    fn versioned(&mut self) {
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
                Some(b'4') => (&mut self.advisory.cvss4, Field::Cvss4Score),
                Some(b'3') => (&mut self.advisory.cvss3, Field::Cvss3Score),
                _ => (&mut self.advisory.cvss2, Field::Cvss2Score),
            };
            if *slot != Cvss::default() {
                continue;
            }
            *slot = scored_or_absent(Cvss {
                score: score(text),
                vector,
            });
            if slot.score.is_none() && !is_absent(text) && score(text).is_none() {
                let text = text.to_owned();
                self.unrecognised(field, Some(&text));
            }
        }
    }

    fn listed(&mut self) {
        self.advisory.impacts = lists::impacts(self.rules, self.record);
        self.advisory.products = lists::products(self.rules, self.record);
        self.advisory.references = lists::references(self.rules, self.record);
        let (cves, odd) = lists::cves(self.rules, self.record);
        self.advisory.cves = cves;
        self.unrecognised(Field::Cves, odd.as_deref());
    }
}

/// A score of 0 without a vector says that there is none (contract §9).
pub(super) fn scored_or_absent(cvss: Cvss) -> Cvss {
    if cvss.score == Some(0.0) && cvss.vector.is_none() {
        return Cvss::default();
    }
    cvss
}
