//! Merging a feed record and the JSON details of one advisory.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Advisory, is_implausible};

/// Merges a feed record and the JSON details of one advisory. Field by field the
/// newer one wins where it has a value; JSON wins if neither is newer. The other
/// one fills missing fields: a feed without products does not remove those from
/// JSON, and old details do not hide the content of a newer record.
///
/// The result does not depend on the order in which they were received: reading
/// either of them again changes nothing. A modification time in the future of `at`, when
/// they are merged, is a mistake and wins over nothing.
#[must_use]
pub fn overlay(record: &Advisory, detail: &Advisory, at: DateTime<Utc>) -> Advisory {
    let plausible = |one: &Advisory| one.modified_at.filter(|time| !is_implausible(*time, at));
    let is_older = match (plausible(detail), plausible(record)) {
        (Some(theirs), Some(ours)) => theirs < ours,
        (None, Some(_)) => detail.modified_at.is_some(),
        (_, None) => false,
    };
    if is_older {
        return fill(record, detail).normalised();
    }
    let mut whole = fill(detail, record);
    if detail.modified_at == record.modified_at {
        // Same revision: by licence, keys may be missing in either.
        whole.is_rejected = detail.is_rejected || record.is_rejected;
    }
    whole.normalised()
}

/// `winner`, with missing fields filled from `other`.
fn fill(winner: &Advisory, other: &Advisory) -> Advisory {
    let mut fill = Fill {
        winner,
        other,
        not_understood: other.unrecognised.clone(),
        is_used: false,
    };
    // Names every field, so that a new one cannot be forgotten.
    Advisory {
        said: winner.said.clone(),
        upstream_id: fill.field(&["upstream_id"], |one| &one.upstream_id),
        title: fill.field(&["title"], |one| &one.title),
        criticality: fill.field(&["criticality"], |one| &one.criticality),
        released_at: fill.field(&["released_at"], |one| &one.released_at),
        modified_at: fill.field(&["modified_at"], |one| &one.modified_at),
        attack_vector: fill.field(&["attack_vector"], |one| &one.attack_vector),
        solution_status: fill.field(&["solution_status"], |one| &one.solution_status),
        impacts: fill.field(&["impacts"], |one| &one.impacts),
        cves: fill.field(&["cves"], |one| &one.cves),
        // Score and vector belong together.
        cvss2: fill.field(&["cvss2_score", "cvss2_vector"], |one| &one.cvss2),
        cvss3: fill.field(&["cvss3_score", "cvss3_vector"], |one| &one.cvss3),
        cvss4: fill.field(&["cvss4_score", "cvss4_vector"], |one| &one.cvss4),
        threat_score: fill.field(&["threat_score"], |one| &one.threat_score),
        is_zero_day: fill.field(&["is_zero_day"], |one| &one.is_zero_day),
        is_rejected: winner.is_rejected,
        description: fill.field(&["description"], |one| &one.description),
        solution: fill.field(&["solution"], |one| &one.solution),
        products: fill.field(&["products"], |one| &one.products),
        references: fill.field(&["references"], |one| &one.references),
        unrecognised: fill.unrecognised(),
    }
}

struct Fill<'a> {
    winner: &'a Advisory,
    other: &'a Advisory,
    /// Values of the other that could not be parsed, without those that the winner has.
    not_understood: BTreeMap<String, String>,
    /// Whether a field was filled from the other.
    is_used: bool,
}

impl Fill<'_> {
    /// The winner's value, or the other's if the winner has none. `names` are the keys
    /// under which values that could not be parsed are stored.
    fn field<T: Clone + Default + PartialEq>(
        &mut self,
        names: &[&str],
        of: impl Fn(&Advisory) -> &T,
    ) -> T {
        let ours = of(self.winner);
        if *ours == T::default() {
            let theirs = of(self.other);
            self.is_used |= *theirs != T::default();
            return theirs.clone();
        }
        for name in names {
            self.not_understood.remove(*name);
        }
        ours.clone()
    }

    /// What was repaired in the other one counts if a field was filled from it.
    fn unrecognised(self) -> BTreeMap<String, String> {
        let mut all = self.not_understood;
        if !self.is_used {
            all.remove(Advisory::REPAIRED);
        }
        all.extend(self.winner.unrecognised.clone());
        all
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use crate::model::{Advisory, Product, sample};

    fn overlay(record: &Advisory, detail: &Advisory) -> Advisory {
        super::overlay(record, detail, at(24))
    }

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
        // Old details still fill what the feed never contains.
        assert_eq!(title(1).cves, ["CVE-1"]);
        assert_eq!(title(1).modified_at, Some(at(2)));
        let blank = overlay(&record, &statement(3, None, &[]));
        assert_eq!(blank.title.as_deref(), Some("record"));
    }

    #[test]
    fn every_field_comes_from_the_winner_and_where_it_is_open_from_the_other() {
        let full = sample::full().normalised();
        let empty = Advisory {
            said: full.said.clone(),
            ..Advisory::default()
        };
        assert_eq!(overlay(&empty, &full), full);
        let filled = Advisory {
            is_rejected: false,
            ..full.clone()
        };
        assert_eq!(overlay(&full, &empty), filled, "a flag always has a value");
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
    fn a_time_in_the_future_wins_over_nothing() {
        let (now, wrong) = (2, 24 * 365);
        let title = |record, detail| {
            let record = statement(record, Some("record"), &[]);
            overlay(&record, &statement(detail, Some("detail"), &[])).title
        };
        assert_eq!(title(now, wrong).as_deref(), Some("record"));
        assert_eq!(title(wrong, now).as_deref(), Some("detail"));
        assert_eq!(title(wrong, wrong).as_deref(), Some("detail"));
        // Clocks differ by less.
        assert_eq!(title(now, 40).as_deref(), Some("detail"));
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
