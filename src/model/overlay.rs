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

/// Passes the fields that are merged, compared and corrected alike to the macro `$to`, after
/// `$arguments`. Two fields are not among them since a change of these is another revision:
/// the key and the modification time.
macro_rules! with_fields {
    ($to:ident $arguments:tt) => {
        $to!($arguments
            upstream_id title criticality released_at attack_vector solution_status impacts cves
            cvss2 cvss3 cvss4 threat_score is_zero_day description solution products references)
    };
}

macro_rules! differing {
    (($one:ident $other:ident) $($field:ident)*) => {{
        // Never called: a new field does not compile until it is in `with_fields`, or is
        // named here and in `filled`. A pattern would check the same, but in a macro the
        // compiler does not name the missing field.
        let _ = |said, modified_at, is_rejected, unrecognised, $($field),*| Advisory {
            said,
            modified_at,
            is_rejected,
            unrecognised,
            $($field),*
        };
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

macro_rules! filled {
    (($fill:ident) $($field:ident)*) => {
        Advisory {
            said: $fill.winner.said.clone(),
            modified_at: $fill.field("modified_at", |one| &one.modified_at),
            is_rejected: $fill.winner.is_rejected,
            $($field: $fill.field(stringify!($field), |one| &one.$field),)*
            unrecognised: $fill.unrecognised(),
        }
    };
}

fn is_present<T: Default + PartialEq>(value: &T) -> bool {
    *value != T::default()
}

/// Whether a value that could not be parsed, stored under `key`, belongs to the field `name`.
/// Score and vector have a key each, and belong to one field.
fn is_of(key: &str, name: &str) -> bool {
    let base = key.strip_suffix("_score").or(key.strip_suffix("_vector"));
    key == name || base == Some(name)
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
    let is_corrected = |key: &str| corrected.iter().any(|name| is_of(key, name));
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
    with_fields!(filled(fill))
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
    /// The winner's value of a field, or the other's if the winner has none.
    fn field<T: Clone + Default + PartialEq>(
        &mut self,
        name: &str,
        of: impl Fn(&Advisory) -> &T,
    ) -> T {
        let ours = of(self.winner);
        if *ours == T::default() {
            let theirs = of(self.other);
            self.is_used |= *theirs != T::default();
            return theirs.clone();
        }
        self.not_understood.retain(|key, _| !is_of(key, name));
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
