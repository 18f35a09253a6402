//! Maps the tree of a record to the model.

use std::collections::BTreeMap;

use super::cves;
use super::cvrf;
use super::fields::FieldReader;
use super::identity::own;
use super::leftover;
use super::lists;
use super::rules::ParserRules;
use super::scores;
use super::tree::XmlNode;
use super::values::{boolean, greater, number, whole_number};
use crate::config::AliasField;
use crate::model::{Advisory, parse_time};

/// Maps the tree of a record to the model, or says why it is no advisory.
pub(super) fn advisory(rules: &ParserRules, record: &XmlNode<'_>) -> Result<Advisory, String> {
    let said = own(rules, record);
    let said = said.first().ok_or("it has no identifier")?;
    let mut map = FieldReader::new(rules, record);
    identifiers(&mut map, said);
    let criticality = map.criticality();
    let released_at = map.read(AliasField::ReleasedAt, parse_time, greater);
    let modified_at = map.read(AliasField::ModifiedAt, parse_time, greater);
    let [cvss2, cvss3, cvss4] = scores::scores(&mut map);
    // Every field by name, so that a new one cannot be forgotten.
    let mut advisory = Advisory {
        said: said.trim().to_owned(),
        upstream_id: upstream_id(&mut map),
        title: map.line(AliasField::Title),
        criticality,
        released_at,
        modified_at,
        attack_vector: map.attack_vector(),
        solution_status: map.solution_status(),
        impacts: lists::impacts(rules, record),
        cves: cves::cves(&mut map, released_at.max(modified_at)),
        cvss2,
        cvss3,
        cvss4,
        threat_score: map.read(AliasField::ThreatScore, number, greater),
        is_zero_day: map.read(AliasField::IsZeroDay, boolean, greater),
        is_rejected: map.is_rejected(criticality),
        description: map.text(AliasField::Description),
        solution: map.text(AliasField::Solution),
        products: Vec::new(),
        references: lists::references(rules, record),
        unrecognised: BTreeMap::new(),
    };
    let (products, more) = lists::products(rules, record);
    advisory.products = products;
    if more > 0 {
        let text = format!("{more} more than are kept");
        map.keep(AliasField::Products, &[&text]);
    }
    // What the reading of the others left.
    advisory.unrecognised = map.unrecognised;
    cvrf::complete(record, &mut advisory);
    leftover::collect(record, &mut advisory.unrecognised);
    Ok(advisory.normalised())
}

/// Marks the identifier as read wherever it stands, and keeps others.
fn identifiers(fields: &mut FieldReader<'_>, said: &str) {
    let rules = fields.rules;
    let mut others = Vec::new();
    for found in rules.aliases.all(fields.record, AliasField::Said) {
        let text = found.text();
        if text == said {
            found.read();
        } else if rules.is_identifier(text.as_bytes()) {
            found.read();
            others.push(text);
        }
    }
    fields.keep(AliasField::Said, &others);
}

fn upstream_id(fields: &mut FieldReader<'_>) -> Option<i64> {
    let rules = fields.rules;
    // `id="SA1"` is the identifier again, not a number that cannot be read.
    let number_or_name = |text: &str| match whole_number::<i64>(text) {
        Some(number) => Some(Some(number)),
        None => rules.is_identifier(text.as_bytes()).then_some(None),
    };
    let is_number = |one: &Option<i64>, other: &Option<i64>| one.is_some() && other.is_none();
    let found = fields.read(AliasField::UpstreamId, number_or_name, is_number);
    found.flatten()
}
