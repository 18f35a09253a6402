//! What is wrong at present: shown by the service manager, next to what is followed.

use crate::model::{ConditionState, shortened};

/// Maximum length of one reason, in characters: `systemctl status` shows one line.
const MAX_REASON_CHARS: usize = 200;
/// More conditions are only counted.
const MAX_CONDITIONS: usize = 3;

/// Outage of the database, and active conditions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Why the database cannot be used, as a clause; `None` if it can.
    pub database: Option<String>,
    /// Active health conditions, in words.
    pub conditions: Vec<String>,
}

impl Standing {
    /// The conditions that are active among `states`, in words.
    pub fn conditions(states: &[ConditionState]) -> Vec<String> {
        let active = states.iter().filter(|state| state.is_raised);
        active
            .map(|state| format!("{} ({})", state.condition.title(true), state.key))
            .collect()
    }

    /// What is wrong, the worst first, each one as a clause.
    pub fn clauses(&self) -> Vec<String> {
        let database = self.database.iter().cloned();
        let conditions = self.conditions.iter().take(MAX_CONDITIONS).cloned();
        let more = self.conditions.len().saturating_sub(MAX_CONDITIONS);
        let more = (more > 0).then(|| format!("{more} more conditions"));
        let clauses = database.chain(conditions).chain(more);
        clauses
            .map(|clause| shortened(&clause, MAX_REASON_CHARS))
            .collect()
    }
}
