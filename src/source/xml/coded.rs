//! Fields that are codes or names of contract §7.

use super::codes;
use super::fields::FieldReader;
use super::tree::NamedValue;
use super::values::{boolean, greater, shortened, spellings};
use crate::config::AliasField;
use crate::model::AttackVector;

impl<'m> FieldReader<'m> {
    pub fn criticality(&mut self) -> Option<i32> {
        let mut levels: Vec<(i32, NamedValue<'m>)> = Vec::new();
        let mut others: Vec<NamedValue<'m>> = Vec::new();
        let mut is_vendors = true;
        for group in self.groups(AliasField::Criticality) {
            let is_named_so = group.iter().all(|one| codes::names_criticality(one.name()));
            // A number of another name may be on another scale; the vendor's words are not.
            let is_same_scale = levels.is_empty() || is_vendors && is_named_so;
            for found in group {
                let all = spellings(&[found]);
                let level = |one: &NamedValue<'m>| {
                    let text = one.text();
                    let is_read = is_same_scale || codes::is_criticality_in_words(text);
                    codes::criticality(text).filter(|_| is_read)
                };
                let known = all.iter().filter_map(|one| Some((level(one)?, *one)));
                match most(known, |(code, _)| codes::rank(*code)) {
                    Some((code, one)) => {
                        read_as(code, &all);
                        levels.push((code, one));
                    }
                    None if is_same_scale => others.extend(all.first().copied()),
                    None => {}
                }
            }
            is_vendors &= levels.is_empty() || is_named_so;
        }
        let best = levels
            .iter()
            .map(|(code, _)| *code)
            .max_by_key(|code| codes::rank(*code));
        let Some(best) = best else {
            others.truncate(1);
            self.keep_found(AliasField::Criticality, &others);
            return None;
        };
        let less = levels.iter().filter(|(code, _)| *code != best);
        others.extend(less.map(|(_, one)| *one));
        self.keep_found(AliasField::Criticality, &others);
        Some(best)
    }

    pub fn attack_vector(&mut self) -> Option<AttackVector> {
        const FIELD: AliasField = AliasField::AttackVector;
        let all = spellings(&self.rules.aliases.all(self.record, FIELD));
        let known = all
            .iter()
            .filter_map(|one| codes::attack_vector(one.text()));
        let known = most(known, |one| codes::remoteness(*one));
        if known.is_none() {
            self.keep_found(FIELD, &all[..all.len().min(1)]);
            return (!all.is_empty()).then_some(AttackVector::Unknown);
        }
        let (same, others) = all
            .into_iter()
            .partition::<Vec<_>, _>(|one| codes::attack_vector(one.text()) == known);
        for one in same {
            one.mark();
        }
        self.keep_found(FIELD, &others);
        known
    }

    pub fn solution_status(&mut self) -> Option<String> {
        const FIELD: AliasField = AliasField::SolutionStatus;
        let all = spellings(&self.rules.aliases.all(self.record, FIELD));
        let mut known = all.iter();
        let Some(known) = known.find_map(|one| codes::solution_status(one.text())) else {
            let is_name = |one: &&NamedValue<'_>| one.text().parse::<i64>().is_err();
            let shown = all.iter().find(is_name).or(all.first())?;
            return Some(shortened(shown.read()));
        };
        let (same, others) = all
            .into_iter()
            .partition::<Vec<_>, _>(|one| codes::solution_status(one.text()) == Some(known));
        for one in same {
            one.mark();
        }
        self.keep_found(FIELD, &others);
        Some(known.to_owned())
    }

    /// Keeps texts that are stored nowhere else.
    fn keep_found(&mut self, field: AliasField, found: &[NamedValue<'m>]) {
        let texts: Vec<&str> = found.iter().map(|one| one.read()).collect();
        self.keep(field, &texts);
    }

    pub fn is_rejected(&mut self, criticality: Option<i32>) -> bool {
        let rejected = |text: &str| match text {
            "Rejected" | "rejected" => Some(true),
            other => boolean(other),
        };
        let by_flag = self.read(AliasField::IsRejected, rejected, greater);
        let by_type = self.read(AliasField::Type, rejected, greater);
        criticality == Some(0) || by_flag == Some(true) || by_type == Some(true)
    }
}

/// Of values that contradict each other the worst; of equal ones the first.
fn most<T, R: Ord>(values: impl Iterator<Item = T>, rank: impl Fn(&T) -> R) -> Option<T> {
    values.reduce(|worst, one| {
        if rank(&one) > rank(&worst) {
            one
        } else {
            worst
        }
    })
}

/// Marks what says a criticality and nothing else. Another one beside it stays left over.
fn read_as(code: i32, all: &[NamedValue<'_>]) {
    for one in all {
        let text = one.text();
        if codes::criticality(text) == Some(code) && codes::says_only_criticality(text) {
            one.mark();
        }
    }
}
