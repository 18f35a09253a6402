//! Merging a feed record and the JSON details of one advisory.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Advisory, is_implausible, is_later};

/// Merges a feed record and the JSON details of one advisory. Field by field the
/// newer one wins where it has a value; JSON wins if neither is newer. The other
/// one fills missing fields: a feed without products does not remove those from
/// JSON, and old details do not hide the content of a newer record.
///
/// `corrected` names fields that the feed has changed since the details were received,
/// without a new modification time: of these the record wins if neither is newer.
///
/// Reading either of them again changes nothing. A modification time in the future of `at`,
/// when they are merged, is a mistake and wins over nothing.
#[must_use]
pub fn overlay(
    record: &Advisory,
    detail: &Advisory,
    corrected: &[String],
    at: DateTime<Utc>,
) -> Advisory {
    let newer = newer(record, detail, at);
    if newer == Newer::Record {
        return fill(record, detail).normalised();
    }
    let corrected = if newer == Newer::Neither {
        corrected
    } else {
        &[]
    };
    let mut whole = if corrected.is_empty() {
        fill(detail, record)
    } else {
        fill(&with_corrections(detail, record, corrected), record)
    };
    let (theirs, ours) = (detail.modified_at, record.modified_at);
    let is_same = !is_later(theirs, ours) && !is_later(ours, theirs);
    if is_same {
        // One of them may write it without a fraction.
        whole.modified_at = theirs.max(ours);
    }
    if is_same && !is_named(corrected, REJECTED) {
        // Same revision: by licence, keys may be missing in either.
        whole.is_rejected = detail.is_rejected || record.is_rejected;
    }
    whole.normalised()
}

/// Whether neither of a record and details is newer, so that details win by default.
#[must_use]
pub fn is_same_revision(record: &Advisory, detail: &Advisory, at: DateTime<Utc>) -> bool {
    newer(record, detail, at) == Newer::Neither
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Newer {
    Record,
    Detail,
    Neither,
}

fn newer(record: &Advisory, detail: &Advisory, at: DateTime<Utc>) -> Newer {
    let plausible = |one: &Advisory| one.modified_at.filter(|time| !is_implausible(*time, at));
    match (plausible(detail), plausible(record)) {
        (Some(theirs), Some(ours)) if is_later(Some(ours), Some(theirs)) => Newer::Record,
        (Some(theirs), Some(ours)) if is_later(Some(theirs), Some(ours)) => Newer::Detail,
        (None, Some(_)) if detail.modified_at.is_some() => Newer::Record,
        (Some(_), None) if record.modified_at.is_some() => Newer::Detail,
        _ => Newer::Neither,
    }
}

/// The name of the flag, which always has a value.
const REJECTED: &str = "is_rejected";

/// Passes the fields that can be corrected to the macro `$to`, after `$arguments`. The key
/// and the modification time are not among them: a change of these is another revision.
macro_rules! with_fields {
    ($to:ident $arguments:tt) => {
        $to!($arguments
            upstream_id title criticality released_at attack_vector solution_status impacts cves
            cvss2 cvss3 cvss4 threat_score is_zero_day description solution products references)
    };
}

macro_rules! differing {
    (($one:ident $other:ident) $($field:ident)*) => {{
        // A new field must be named here, or in `with_fields`.
        let Advisory {
            said: _,
            modified_at: _,
            is_rejected: _,
            unrecognised: _,
            $($field: _,)*
        } = $one;
        let mut names: Vec<String> = Vec::new();
        $(if $one.$field != $other.$field {
            names.push(stringify!($field).to_owned());
        })*
        names
    }};
}

macro_rules! with_value {
    (($one:ident $names:ident) $($field:ident)*) => {
        $(if !is_present(&$one.$field) {
            $names.retain(|name| name != stringify!($field));
        })*
    };
}

macro_rules! take {
    (($to:ident $from:ident $names:ident) $($field:ident)*) => {
        $(if is_named($names, stringify!($field)) && is_present(&$from.$field) {
            $to.$field.clone_from(&$from.$field);
        })*
    };
}

fn is_present<T: Default + PartialEq>(value: &T) -> bool {
    *value != T::default()
}

fn is_named(names: &[String], name: &str) -> bool {
    names.iter().any(|one| one == name)
}

/// The names of the fields in which two advisories differ.
#[must_use]
pub fn differing_fields(one: &Advisory, other: &Advisory) -> Vec<String> {
    let mut names = with_fields!(differing (one other));
    if one.is_rejected != other.is_rejected {
        names.push(REJECTED.to_owned());
    }
    names
}

/// The names of the fields in which `after` differs from `before` and has a value.
#[must_use]
pub fn corrected_fields(before: &Advisory, after: &Advisory) -> Vec<String> {
    let mut names = differing_fields(before, after);
    with_fields!(with_value (after names));
    if !after.is_rejected && after.criticality.is_none() {
        // It may only lack the keys that the flag is read from.
        names.retain(|name| name != REJECTED);
    }
    names
}

/// The details, with what the record has corrected.
fn with_corrections(detail: &Advisory, record: &Advisory, corrected: &[String]) -> Advisory {
    let mut whole = detail.clone();
    with_fields!(take (whole record corrected));
    if is_named(corrected, REJECTED) {
        whole.is_rejected = record.is_rejected;
    }
    let is_corrected = |key: &str| {
        let base = key.strip_suffix("_score").or(key.strip_suffix("_vector"));
        is_named(corrected, key) || base.is_some_and(|base| is_named(corrected, base))
    };
    whole.unrecognised.retain(|key, _| !is_corrected(key));
    let theirs = record.unrecognised.iter();
    let theirs = theirs.filter(|(key, _)| is_corrected(key));
    whole
        .unrecognised
        .extend(theirs.map(|(key, value)| (key.clone(), value.clone())));
    whole
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
mod tests;
