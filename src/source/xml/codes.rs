//! Codes and names of contract §7: criticality, attack vector, solution status, impact.

use super::name::{key, keys};
use super::values::whole_number;
use crate::model::{AttackVector, Severity};

const SOLUTION_STATUSES: [(u8, &str); 5] = [
    (0, "None"),
    (1, "No Fix"),
    (2, "Vendor Patched"),
    (3, "Vendor Workaround"),
    (4, "Partial Fix"),
];

const IMPACTS: [(u8, &str); 12] = [
    (1, "System access"),
    (2, "DoS"),
    (3, "Privilege escalation"),
    (4, "Exposure of sensitive information"),
    (5, "Exposure of system information"),
    (6, "Brute force"),
    (7, "Manipulation of data"),
    (8, "Spoofing"),
    (9, "Cross Site Scripting"),
    (10, "Security Bypass"),
    (11, "Hijacking"),
    (12, "Unknown"),
];

/// The vendor's code for a severity given as code or name, perhaps as `2.0` or
/// `Highly critical (4 of 5)`; other numbers stay as they are.
pub(super) fn criticality(text: &str) -> Option<i32> {
    let (text, _) = text.split_once('(').unwrap_or((text, ""));
    let text = text.trim();
    let whole = text.strip_suffix(".0").unwrap_or(text);
    let by_name = || Severity::from_name(text).map(Severity::criticality);
    whole_number(whole).or_else(by_name)
}

/// Whether a text that was read as a criticality says nothing else, but for `4 of 5`.
pub(super) fn says_only_criticality(text: &str) -> bool {
    let (code, more) = text.split_once('(').unwrap_or((text, ""));
    let code = code.trim();
    let more = more.trim_end_matches(')').trim();
    let is_rank = |more: &str| {
        let parts = more.split_once(" of ");
        parts.is_some_and(|(one, all)| {
            whole_number::<u8>(one).is_some() && whole_number::<u8>(all).is_some()
        })
    };
    let is_code = words(code).is_some() || code.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = code.parse::<f64>().is_ok();
    (is_code || is_number) && (more.is_empty() || is_rank(more))
}

/// Whether a text gives a criticality by the vendor's name for it.
pub(super) fn is_criticality_in_words(text: &str) -> bool {
    let (name, _) = text.split_once('(').unwrap_or((text, ""));
    Severity::from_name(name.trim()).is_some()
}

/// How severe a code is: greater is worse, and a code nobody knows the least.
pub(super) fn rank(code: i32) -> i16 {
    Severity::from_criticality(code).map_or(-1, Severity::rank)
}

/// Whether a name is one by which the vendor gives the criticality: they all mean
/// the same.
pub(super) fn names_criticality(name: &str) -> bool {
    const NAMES: &[u64] = keys![
        "criticality",
        "criticality_description",
        "criticality_code",
        "criticality_id"
    ];
    NAMES.contains(&key(name.as_bytes()))
}

/// From where it can be exploited, given as code or name.
pub(super) fn attack_vector(text: &str) -> Option<AttackVector> {
    match words(text)?.as_str() {
        "0" | "none" => Some(AttackVector::None),
        "1" | "fromremote" | "remote" | "network" => Some(AttackVector::Remote),
        "2" | "fromlocalnetwork" | "localnetwork" | "adjacentnetwork" => {
            Some(AttackVector::LocalNetwork)
        }
        "3" | "localsystem" | "fromlocalsystem" | "local" => Some(AttackVector::Local),
        _ => None,
    }
}

/// How far away an attacker may be: greater is worse.
pub(super) fn remoteness(vector: AttackVector) -> u8 {
    match vector {
        AttackVector::Unknown => 0,
        AttackVector::None => 1,
        AttackVector::Local => 2,
        AttackVector::LocalNetwork => 3,
        AttackVector::Remote => 4,
    }
}

/// The name of a solution status given as code or name.
pub(super) fn solution_status(text: &str) -> Option<&'static str> {
    by_number_or_name(&SOLUTION_STATUSES, text)
}

/// The name of an impact given as code or name.
pub(super) fn impact(text: &str) -> Option<&'static str> {
    by_number_or_name(&IMPACTS, text)
}

fn by_number_or_name(table: &[(u8, &'static str)], text: &str) -> Option<&'static str> {
    if let Some(code) = whole_number::<i64>(text) {
        let known = table.iter().find(|(known, _)| i64::from(*known) == code);
        return known.map(|(_, name)| *name);
    }
    let wanted = words(text)?;
    let same = |name: &str| words(name).as_ref() == Some(&wanted);
    let known = table.iter().find(|(_, name)| same(name));
    known.map(|(_, name)| *name)
}

/// Letters and digits of a text that consists of words, without what may stand between
/// these. A sign changes what a text means: `-1` is not `1`.
fn words(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches('.');
    let is_between =
        |character: char| character.is_whitespace() || matches!(character, '_' | '-' | '/');
    let is_word = |character: char| character.is_ascii_alphanumeric();
    let is_whole = text.starts_with(is_word)
        && text.ends_with(is_word)
        && text.chars().all(|one| is_word(one) || is_between(one));
    let letters = text.chars().filter(|one| is_word(*one));
    is_whole.then(|| letters.map(|one| one.to_ascii_lowercase()).collect())
}

#[cfg(test)]
mod tests {
    use super::{IMPACTS, SOLUTION_STATUSES, attack_vector, criticality, impact, solution_status};
    use crate::model::AttackVector;

    #[test]
    fn codes_and_names_mean_the_same() {
        for (code, name) in SOLUTION_STATUSES {
            assert_eq!(solution_status(&code.to_string()), Some(name));
            assert_eq!(solution_status(&name.to_lowercase()), Some(name));
        }
        for (code, name) in IMPACTS {
            assert_eq!(impact(&code.to_string()), Some(name));
            assert_eq!(impact(name), Some(name));
        }
        assert_eq!(criticality("Highly critical"), Some(2));
        assert_eq!(criticality("2"), Some(2));
        assert_eq!(criticality("17"), Some(17));
        assert_eq!(criticality("2.0"), Some(2));
        assert_eq!(criticality("Highly Critical (4 of 5)"), Some(2));
        assert_eq!(criticality("Purple"), None);
        assert_eq!(criticality(""), None);
        assert_eq!(
            attack_vector("From local network"),
            Some(AttackVector::LocalNetwork)
        );
        assert_eq!(attack_vector("1"), Some(AttackVector::Remote));
        assert_eq!(attack_vector("4"), None);
        assert_eq!(attack_vector("1."), Some(AttackVector::Remote));
        assert_eq!(
            attack_vector("Adjacent-Network"),
            Some(AttackVector::LocalNetwork)
        );
        assert_eq!(solution_status(""), None);
    }

    #[test]
    fn a_sign_makes_another_code() {
        for text in [
            "-1", "+1", "#1", "-2", "1-", "(1)", "1,2", "not 1", "-0", "１",
        ] {
            assert_eq!(attack_vector(text), None, "{text}");
            assert_eq!(solution_status(text), None, "{text}");
            assert_eq!(impact(text), None, "{text}");
        }
        assert_eq!(impact("#DoS"), None);
        assert_eq!(criticality("+1"), None);
        assert_eq!(criticality("-0"), None);
        assert_eq!(criticality("-1"), Some(-1));
    }
}
