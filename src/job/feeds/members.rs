//! Members that have left a watch list. Only a complete full pull can find them, and only
//! among those that it must contain.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use tracing::info;

use super::feed::LookBack;
use crate::job::failure::Failure;
use crate::job::run::{Run, Work};
use crate::model::{SourceKey, counted};
use crate::store::advisories::members::{self, Member, PulledMembers};
use crate::store::advisories::write_lock::WriteLock;
use crate::store::ledger::activity;
use crate::store::wanted::feed_days::{self, Counts};

/// A full pull is believed only if at most this part (one in 5) of the members that it
/// must contain is missing.
const MAX_MISSING_PART: usize = 5;
/// A larger loss is believed if a full pull this much later confirms it: the one of the
/// next night, when a problem upstream was noticed by people.
const CONFIRM_AFTER: TimeDelta = TimeDelta::hours(12);
/// So many missing members that are all older than everything that came are not a
/// coincidence: upstream did not go back as far as it was asked to. That fewer are missing
/// proves nothing either, but it is not reported.
const CUT_OFF: usize = 3;
/// Margin at the beginning of a window: upstream may count whole days.
const EDGE: TimeDelta = TimeDelta::days(1);

/// Ends the membership of what a complete full pull of the feed did not contain. Returns the
/// date of its oldest record, if members show that it did not go back as far as requested.
pub(super) async fn judge(
    run: &Run,
    look_back: LookBack,
    work: &Work,
) -> Result<Option<DateTime<Utc>>, Failure> {
    let Some((from, _)) = work.covers else {
        return Ok(None);
    };
    if !matches!(run.source_name(), SourceKey::WatchList(_)) {
        forget_cut_off(run).await?;
        return Ok(None);
    }
    let mut connection = run.context.pool.acquire().await?;
    let days = feed_days::get(&mut connection).await?;
    let pulled = PulledMembers {
        seen: &work.sightings,
        from: from + EDGE,
        by_modification: days.is_some_and(|days| days.counts == Counts::Modifications),
        made_before: work.staleness.made_before(run.origin.at),
    };
    let expected = members::expected(&mut connection, run.origin, pulled).await?;
    drop(connection);
    let (expected, cut_off) = if look_back == LookBack::FullAccepted {
        forget_cut_off(run).await?;
        (expected, None)
    } else {
        without_cut_off(run, expected).await?
    };
    conclude(run, look_back, &expected).await?;
    Ok(cut_off)
}

async fn forget_cut_off(run: &Run) -> Result<(), Failure> {
    let mut transaction = run.transaction().await?;
    activity::set_cut_off(&mut transaction, run.source.id, 0, None).await?;
    transaction.commit().await?;
    Ok(())
}

/// The same for a list that is read by JSON, by the details stored so far.
pub(super) async fn judge_json(run: &Run, look_back: LookBack) -> Result<(), Failure> {
    let mut connection = run.context.pool.acquire().await?;
    let expected = members::expected_by_json(&mut connection, run.source.id).await?;
    drop(connection);
    conclude(run, look_back, &expected).await
}

/// Without the members that are older than everything that came: upstream may not have gone
/// back to them. If there are several, it has not: that is recorded, for a condition, and the
/// date of the oldest one that came is returned.
async fn without_cut_off(
    run: &Run,
    expected: Vec<Member>,
) -> Result<(Vec<Member>, Option<DateTime<Utc>>), Failure> {
    let by_release = CutOff::by(&expected, |member| member.released_at);
    let by_modification = CutOff::by(&expected, |member| member.modified_at);
    let unproven: HashSet<i64> = by_release
        .older
        .intersection(&by_modification.older)
        .copied()
        .collect();
    let cut_off = if by_release.older.len() > by_modification.older.len() {
        by_release
    } else {
        by_modification
    };
    let cut_off = if cut_off.older.len() < CUT_OFF {
        CutOff::default()
    } else {
        cut_off
    };
    let CutOff { oldest_at, older } = cut_off;
    let mut transaction = run.transaction().await?;
    activity::set_cut_off(&mut transaction, run.source.id, older.len(), oldest_at).await?;
    transaction.commit().await?;
    let left = expected.into_iter();
    let left = left.filter(|member| !unproven.contains(&member.id) && !older.contains(&member.id));
    Ok((left.collect(), oldest_at))
}

/// The missing members that are older than all that are not missing.
#[derive(Default)]
struct CutOff {
    /// Date of the oldest member that is not missing, if older ones are.
    oldest_at: Option<DateTime<Utc>>,
    older: HashSet<i64>,
}

impl CutOff {
    fn by(expected: &[Member], date: impl Fn(&Member) -> Option<DateTime<Utc>>) -> Self {
        let seen = expected.iter().filter(|member| member.is_seen);
        let Some(oldest) = seen.filter_map(&date).min() else {
            return Self::default();
        };
        let is_older = |member: &&Member| date(member).is_some_and(|at| at < oldest);
        let missing = expected.iter().filter(|member| !member.is_seen);
        Self {
            oldest_at: Some(oldest),
            older: missing.filter(is_older).map(|member| member.id).collect(),
        }
    }
}

async fn conclude(run: &Run, look_back: LookBack, expected: &[Member]) -> Result<(), Failure> {
    let missing: Vec<i64> = expected
        .iter()
        .filter(|member| !member.is_seen)
        .map(|member| member.id)
        .collect();
    let source_id = run.source.id;
    let mut transaction = run.guard.begin_with_lock(WriteLock::Shared).await?;
    let is_plausible = missing.len() * MAX_MISSING_PART <= expected.len();
    if !is_plausible && look_back != LookBack::FullAccepted {
        let doubt = members::doubt(&mut transaction, source_id, &missing).await?;
        let began_at = run.origin.at;
        let since = doubt
            .filter(|doubt| doubt.is_repeated)
            .map_or(began_at, |doubt| doubt.since);
        if began_at - since < CONFIRM_AFTER {
            let doubted = (missing.as_slice(), expected.len());
            members::set_doubt(&mut transaction, source_id, doubted, Some(since)).await?;
            transaction.commit().await?;
            return Err(Failure::TooManyLeft {
                missing: missing.len(),
                known: expected.len(),
            });
        }
    }
    members::set_doubt(&mut transaction, source_id, (&[], 0), None).await?;
    let left = members::leave(&mut transaction, run.origin_now(), &missing).await?;
    transaction.commit().await?;
    if left > 0 {
        info!(
            source = %run.source_name(), left,
            "{}: no longer in this list: {}", run.source_name(), counted(left, "advisory")
        );
    }
    Ok(())
}
