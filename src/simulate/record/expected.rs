//! The advisory that should be stored for a generated record, for tests.

use std::collections::BTreeMap;

use crate::model::{Advisory, AttackVector, Cvss, Product, Reference};
use crate::simulate::options::SimulatedProfile;
use crate::simulate::words;

use super::advisory::SimulatedAdvisory;
use super::scores::Score;

impl SimulatedAdvisory {
    /// What ought to be stored for this advisory, normalised: line feeds only,
    /// blank texts and scores of 0 without a vector absent, and only what the
    /// profile has a place for.
    pub fn expected(&self, profile: SimulatedProfile) -> Advisory {
        let whole = self.whole();
        match profile {
            SimulatedProfile::Cvrf => without_place_in_cvrf(whole).normalised(),
            SimulatedProfile::JsonNames | SimulatedProfile::Drf | SimulatedProfile::Attributes => {
                whole.normalised()
            }
        }
    }

    fn whole(&self) -> Advisory {
        Advisory {
            said: self.said(),
            upstream_id: i64::try_from(self.entry.id()).ok(),
            title: text(&self.title),
            criticality: Some(i32::from(self.criticality)),
            released_at: Some(self.entry.released_at),
            modified_at: Some(self.entry.modified_at),
            attack_vector: Some(attack_vector(self.reach)),
            solution_status: text(words::SOLUTION_STATUS[usize::from(self.solution_status)]),
            impacts: self.impact_names().map(str::to_owned).collect(),
            cves: self.cves().map(str::to_owned).collect(),
            cvss2: cvss(&self.scores.v2),
            cvss3: cvss(&self.scores.v3),
            cvss4: cvss(&self.scores.v4),
            threat_score: self
                .scores
                .threat_tenths
                .map(|tenths| f64::from(tenths) / 10.0),
            is_zero_day: Some(self.is_zero_day),
            is_rejected: self.kind == Some(1) || self.criticality == 0,
            description: text(&self.description),
            solution: text(&self.solution),
            products: self.expected_products(),
            references: self.expected_references(),
            unrecognised: BTreeMap::new(),
        }
    }

    fn expected_products(&self) -> Vec<Product> {
        let products = self.products.iter().map(|item| Product {
            product_id: Some(item.id.clone()),
            name: item.name.clone(),
            is_os: Some(item.is_os),
            cpes: item.cpes.clone(),
        });
        products.collect()
    }

    fn expected_references(&self) -> Vec<Reference> {
        let references = self.references.iter().map(|link| Reference {
            ordinal: link.ordinal,
            url: text(&link.url),
            description: text(&link.description),
        });
        references.collect()
    }
}

/// CVRF does not number references: a reader counts them in their own order.
/// It knows no attack vector, solution status or impact of a document, no
/// threat score, no version 4 and none of upstream's numbers, one CPE name a
/// product, and of withdrawal only what the severity says. Its references have no
/// numbers of their own: they are counted in the order of their addresses.
fn without_place_in_cvrf(mut advisory: Advisory) -> Advisory {
    advisory.upstream_id = None;
    advisory.attack_vector = None;
    advisory.solution_status = None;
    advisory.impacts.clear();
    advisory.cvss4 = Cvss::default();
    advisory.threat_score = None;
    advisory.is_zero_day = None;
    advisory.is_rejected = advisory.criticality == Some(0);
    for product in &mut advisory.products {
        product.is_os = None;
        product.cpes.truncate(1);
    }
    let by_address = |link: &Reference| (link.url.clone(), link.description.clone());
    advisory.references.sort_by_key(by_address);
    for (ordinal, link) in (1..).zip(&mut advisory.references) {
        link.ordinal = ordinal;
    }
    advisory
        .references
        .sort_by_key(|reference| (reference.url.clone(), reference.description.clone()));
    for (ordinal, reference) in (1..).zip(&mut advisory.references) {
        reference.ordinal = ordinal;
    }
    advisory
}

/// What a reader makes of a text: line feeds only, blank is absent.
fn text(text: &str) -> Option<String> {
    let text = text.replace("\r\n", "\n");
    (!text.is_empty()).then_some(text)
}

fn attack_vector(code: u8) -> AttackVector {
    match code {
        0 => AttackVector::None,
        1 => AttackVector::Remote,
        2 => AttackVector::LocalNetwork,
        3 => AttackVector::Local,
        _ => AttackVector::Unknown,
    }
}

fn cvss(score: &Score) -> Cvss {
    match score {
        Score::Scored { vector, .. } => Cvss {
            score: Some(score.base()),
            vector: Some(vector.clone()),
        },
        Score::Absent(_) => Cvss::default(),
    }
}
