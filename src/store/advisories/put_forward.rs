//! Times without a time zone: upstream's clocks are put forward and back twice a year, and all
//! times move by an hour with them, if it writes them by its present offset.

use std::collections::HashMap;

use chrono::TimeDelta;

use super::received::Hashed;
use super::row::StoredAdvisory;
use crate::model::Advisory;

/// By how many hours the times of a record differ from the stored ones.
const MOVES: [i64; 2] = [-1, 1];

/// Marks the stored advisories from which the received records differ only in that the times
/// of release and modification have both moved by an hour, where they have no time zone. A
/// revision does not move the release.
pub(super) fn mark(
    received: &[Hashed<'_>],
    stored: &mut HashMap<String, StoredAdvisory>,
    has_local_times: &dyn Fn(&str) -> bool,
) {
    for (_, record, content_hash) in received {
        let Some(stored) = stored.get_mut(&record.advisory.said) else {
            continue;
        };
        let is_moved = |hours: &i64| {
            let moved = moved(&record.advisory, *hours);
            moved.is_some_and(|moved| stored.says(&moved.content_hash()))
        };
        stored.is_put_forward = !stored.says(content_hash)
            && MOVES.iter().any(is_moved)
            && has_local_times(&record.raw);
    }
}

/// The advisory with both times moved; `None` if it lacks one of them.
fn moved(advisory: &Advisory, hours: i64) -> Option<Advisory> {
    let by = TimeDelta::hours(hours);
    let released_at = advisory.released_at?.checked_add_signed(by)?;
    let modified_at = advisory.modified_at?.checked_add_signed(by)?;
    Some(Advisory {
        released_at: Some(released_at),
        modified_at: Some(modified_at),
        ..advisory.clone()
    })
}
