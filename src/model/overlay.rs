use std::collections::BTreeMap;

use super::{Advisory, Cvss};

/// What a feed's record and the JSON detail of one advisory say together. Of two
/// statements the newer wins, field by field, where it has a value; JSON where
/// neither is newer. The other fills what the winner leaves open: a feed that
/// never names products does not take away those that JSON has named, and an old
/// detail does not hide what a newer record says.
///
/// It depends on the two alone, not on the order in which they came: reading
/// either of them again changes nothing.
#[must_use]
pub fn overlay(record: &Advisory, detail: &Advisory) -> Advisory {
    let is_older = matches!(
        (detail.modified_at, record.modified_at),
        (Some(theirs), Some(ours)) if theirs < ours
    );
    if is_older {
        return fill(record, detail).normalised();
    }
    let mut whole = fill(detail, record);
    if detail.modified_at == record.modified_at {
        // One statement: keys that say so may be missing in either, by licence.
        whole.is_rejected = detail.is_rejected || record.is_rejected;
    }
    whole.normalised()
}

/// `winner`, its open fields filled from `other`.
fn fill(winner: &Advisory, other: &Advisory) -> Advisory {
    // Destructured, so that a new field cannot be forgotten.
    let Advisory {
        said,
        upstream_id,
        title,
        criticality,
        released_at,
        modified_at,
        attack_vector,
        solution_status,
        impacts,
        cves,
        cvss2,
        cvss3,
        cvss4,
        threat_score,
        is_zero_day,
        is_rejected,
        description,
        solution,
        products,
        references,
        unrecognised: _,
    } = winner.clone();
    Advisory {
        said,
        upstream_id: upstream_id.or(other.upstream_id),
        title: title.or_else(|| other.title.clone()),
        criticality: criticality.or(other.criticality),
        released_at: released_at.or(other.released_at),
        modified_at: modified_at.or(other.modified_at),
        attack_vector: attack_vector.or(other.attack_vector),
        solution_status: solution_status.or_else(|| other.solution_status.clone()),
        impacts: listed(impacts, &other.impacts),
        cves: listed(cves, &other.cves),
        cvss2: scored(cvss2, &other.cvss2),
        cvss3: scored(cvss3, &other.cvss3),
        cvss4: scored(cvss4, &other.cvss4),
        threat_score: threat_score.or(other.threat_score),
        is_zero_day: is_zero_day.or(other.is_zero_day),
        is_rejected,
        description: description.or_else(|| other.description.clone()),
        solution: solution.or_else(|| other.solution.clone()),
        products: listed(products, &other.products),
        references: listed(references, &other.references),
        unrecognised: unrecognised(winner, other),
    }
}

fn listed<T: Clone>(ours: Vec<T>, theirs: &[T]) -> Vec<T> {
    if ours.is_empty() {
        theirs.to_vec()
    } else {
        ours
    }
}

/// Score and vector belong together.
fn scored(ours: Cvss, theirs: &Cvss) -> Cvss {
    if ours == Cvss::default() {
        theirs.clone()
    } else {
        ours
    }
}

/// What the winner said and was not understood, and of the other what concerns
/// fields that the winner leaves open.
fn unrecognised(winner: &Advisory, other: &Advisory) -> BTreeMap<String, String> {
    let mut all = winner.unrecognised.clone();
    for (field, text) in &other.unrecognised {
        if !has_value(winner, field) {
            all.entry(field.clone()).or_insert_with(|| text.clone());
        }
    }
    all
}

fn has_value(advisory: &Advisory, field: &str) -> bool {
    let scored = |cvss: &Cvss| *cvss != Cvss::default();
    match field {
        "upstream_id" => advisory.upstream_id.is_some(),
        "criticality" => advisory.criticality.is_some(),
        "released_at" => advisory.released_at.is_some(),
        "modified_at" => advisory.modified_at.is_some(),
        "attack_vector" => advisory.attack_vector.is_some(),
        "cves" => !advisory.cves.is_empty(),
        "cvss2_score" | "cvss2_vector" => scored(&advisory.cvss2),
        "cvss3_score" | "cvss3_vector" => scored(&advisory.cvss3),
        "cvss4_score" | "cvss4_vector" => scored(&advisory.cvss4),
        "threat_score" => advisory.threat_score.is_some(),
        "is_zero_day" => advisory.is_zero_day.is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::overlay;
    use crate::model::{Advisory, Product};

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(hours)
    }

    fn statement(hours: i64, title: Option<&str>, cves: &[&str]) -> Advisory {
        Advisory {
            said: "SA1".to_owned(),
            modified_at: Some(at(hours)),
            title: title.map(str::to_owned),
            cves: cves.iter().map(|cve| (*cve).to_owned()).collect(),
            ..Advisory::default()
        }
    }

    #[test]
    fn the_newer_wins_where_it_has_a_value_and_json_where_neither_is() {
        let record = statement(2, Some("record"), &[]);
        let title = |hours| overlay(&record, &statement(hours, Some("detail"), &["CVE-1"]));
        assert_eq!(title(1).title.as_deref(), Some("record"));
        assert_eq!(title(2).title.as_deref(), Some("detail"));
        assert_eq!(title(3).title.as_deref(), Some("detail"));
        // An old detail still fills what the feed never says.
        assert_eq!(title(1).cves, ["CVE-1"]);
        assert_eq!(title(1).modified_at, Some(at(2)));
        let blank = overlay(&record, &statement(3, None, &[]));
        assert_eq!(blank.title.as_deref(), Some("record"));
    }

    #[test]
    fn laying_the_same_detail_over_its_own_outcome_changes_nothing() {
        let record = statement(2, Some("record"), &["CVE-2"]);
        for hours in 1..4 {
            let mut detail = statement(hours, None, &["CVE-1"]);
            detail.products = vec![Product::default()];
            let whole = overlay(&record, &detail);
            assert_eq!(overlay(&whole, &detail), whole);
        }
    }

    #[test]
    fn a_rejection_needs_only_one_of_two_that_speak_of_the_same_time() {
        let mut record = statement(2, None, &[]);
        record.is_rejected = true;
        assert!(overlay(&record, &statement(2, None, &[])).is_rejected);
        assert!(!overlay(&record, &statement(3, None, &[])).is_rejected);
        assert!(overlay(&record, &statement(1, None, &[])).is_rejected);
    }

    #[test]
    fn what_was_not_understood_is_kept_unless_the_winner_says_it_better() {
        let mut record = statement(2, None, &[]);
        for field in ["criticality", "threat_score"] {
            record.unrecognised.insert(field.into(), "purple".into());
        }
        let mut detail = statement(2, None, &[]);
        detail.criticality = Some(4);
        let whole = overlay(&record, &detail);
        assert_eq!(whole.criticality, Some(4));
        assert!(whole.unrecognised.keys().eq(["threat_score"]));
    }
}
