//! Fields that are codes or names of contract §7.

use super::codes;
use super::fields::Fields;
use super::values::{boolean, greater, shortened, spellings};
use crate::config::AliasField;
use crate::model::AttackVector;

impl Fields<'_> {
    pub fn criticality(&mut self) -> Option<i32> {
        let mut levels: Vec<(i32, &str)> = Vec::new();
        let mut others = Vec::new();
        let mut is_vendors = true;
        for group in self.groups(AliasField::Criticality) {
            let is_named_so = group.iter().all(|one| codes::names_criticality(one.name()));
            if !(levels.is_empty() || is_vendors && is_named_so) {
                continue;
            }
            for found in group {
                let texts = spellings(&[found]);
                let mut known = texts.iter();
                match known.find_map(|text| Some((codes::criticality(text)?, *text))) {
                    Some(level) => levels.push(level),
                    None => others.extend(texts.first().copied()),
                }
            }
            is_vendors &= levels.is_empty() || is_named_so;
        }
        let best = levels
            .iter()
            .map(|(code, _)| *code)
            .max_by_key(|code| codes::rank(*code));
        let Some(best) = best else {
            self.keep(AliasField::Criticality, &others[..others.len().min(1)]);
            return None;
        };
        let less = levels.iter().filter(|(code, _)| *code != best);
        others.extend(less.map(|(_, text)| *text));
        self.keep(AliasField::Criticality, &others);
        Some(best)
    }

    pub fn attack_vector(&mut self) -> Option<AttackVector> {
        let texts = spellings(
            &self
                .rules
                .aliases
                .all(self.record, AliasField::AttackVector),
        );
        let known = texts.iter().find_map(|text| codes::attack_vector(text));
        let differs = |text: &&&str| known.is_none() || codes::attack_vector(text) != known;
        let others: Vec<&str> = texts.iter().filter(differs).copied().collect();
        if known.is_none() {
            self.keep(AliasField::AttackVector, &others[..others.len().min(1)]);
            return (!texts.is_empty()).then_some(AttackVector::Unknown);
        }
        self.keep(AliasField::AttackVector, &others);
        known
    }

    pub fn solution_status(&mut self) -> Option<String> {
        let texts = spellings(
            &self
                .rules
                .aliases
                .all(self.record, AliasField::SolutionStatus),
        );
        let known = texts.iter().find_map(|text| codes::solution_status(text));
        let is_name = |text: &&&str| text.parse::<i64>().is_err();
        let shown = || texts.iter().find(is_name).or(texts.first()).copied();
        if let Some(known) = known {
            let others = texts
                .iter()
                .filter(|text| codes::solution_status(text) != Some(known));
            let others: Vec<&str> = others.copied().collect();
            self.keep(AliasField::SolutionStatus, &others);
        }
        known.or_else(shown).map(shortened)
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
