//! Applies changed digests and mute times to messages that are not due yet.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::timing::Timing;
use crate::config::Config;
use crate::model::Matcher;
use crate::store::alerts::held::{self, PendingMessage};

/// Computes again when the messages of the configured rules are due. What a rule that is gone
/// has held stays as it was. The caller holds the lock of the evaluation.
pub(crate) async fn apply_timing(
    transaction: &mut PgConnection,
    config: &Config,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let alerts = &config.alerts;
    let timing = Timing {
        mute_times: &alerts.mute_times,
        zone: config.schedule.timezone,
        now,
    };
    for message in held::pending(transaction, now).await? {
        let mut rules = alerts.rules.iter().map(Matcher::rule);
        let Some(rule) = rules.find(|rule| rule.name == message.rule) else {
            continue;
        };
        let (at, held_by) = timing.due_again(rule, &message);
        // A message that waits for nothing else keeps its time to the microsecond.
        if held_by == message.held_by && (at == message.closes_at || held_by.is_none()) {
            continue;
        }
        let changed = PendingMessage {
            closes_at: at,
            is_held: held_by.is_some(),
            held_by,
            ..message
        };
        held::postpone(transaction, &changed).await?;
    }
    Ok(())
}
