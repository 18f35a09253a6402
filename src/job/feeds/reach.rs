//! How far back a pull really went. Upstream may send less than the `days` that it was asked
//! for without a word, and what it did not send is not covered.

use chrono::{DateTime, TimeDelta, Utc};
use tracing::warn;

use super::feed::LookBack;
use crate::job::failure::Failure;
use crate::job::run::{Run, Work};
use crate::store::advisories::members::{self, Dates};
use crate::store::ledger::activity;

/// A shorter time without records at the beginning of a window shows nothing: vendors rest,
/// too.
const SHORTEST: TimeDelta = TimeDelta::days(30);
/// At least this part (one in 3) of the window must be without records.
const PART: i32 = 3;
/// Fewer records show nothing.
const FEWEST: i64 = 20;
/// So many records would be expected in that time, at the rate of the rest of the window.
const EXPECTED: f64 = 20.0;

/// Cuts what the run covers back to what the feed went back to, and records that for the
/// condition `window_not_honoured`. `cut_off` is the date of the oldest record, if members
/// show that older ones are missing.
pub(super) async fn limit(
    run: &Run,
    look_back: LookBack,
    cut_off: Option<DateTime<Utc>>,
    work: &mut Work,
) -> Result<(), Failure> {
    let Some(window) = work.covers.filter(|_| look_back != LookBack::FullAccepted) else {
        return Ok(());
    };
    let found = match cut_off {
        Some(oldest_at) => Some(oldest_at),
        None => bare_until(run, window, &work.sightings).await?,
    };
    let Some(oldest_at) = found.filter(|at| *at > window.0 && *at < window.1) else {
        return Ok(());
    };
    work.covers = Some((oldest_at, window.1));
    run.record_window((oldest_at, window.1)).await?;
    if cut_off.is_none() {
        warn!(
            source = %run.source_name(),
            "{}: the feed was asked for the time since {} and has nothing before {oldest_at}; at the rate of later records, older ones are expected; only the time since then counts as covered",
            run.source_name(), window.0
        );
    }
    if cut_off.is_none() && work.is_full {
        let mut transaction = run.transaction().await?;
        activity::set_cut_off(&mut transaction, run.source.id, 0, Some(oldest_at)).await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// The date of the oldest record, if no record is older although some should be, and no other
/// feed has an older one either.
async fn bare_until(
    run: &Run,
    window: (DateTime<Utc>, DateTime<Utc>),
    seen: &[i64],
) -> Result<Option<DateTime<Utc>>, Failure> {
    if window.1 - window.0 < SHORTEST {
        return Ok(None);
    }
    let mut connection = run.context.pool.acquire().await?;
    let dates = members::dates(&mut connection, run.source.id, seen, window.0).await?;
    let Some(oldest_at) = dates.oldest_at.filter(|_| is_bare(window, &dates)) else {
        return Ok(None);
    };
    let bare = (window.0, oldest_at);
    let others = members::is_reached_by_others(&mut connection, run.source.id, bare).await?;
    Ok((!others).then_some(oldest_at))
}

/// Whether the beginning of the window has so few records that upstream has left it out.
fn is_bare((from, to): (DateTime<Utc>, DateTime<Utc>), dates: &Dates) -> bool {
    let Some(oldest_at) = dates.oldest_at else {
        return false;
    };
    let (bare, rest) = (oldest_at - from, (to - oldest_at).max(TimeDelta::days(1)));
    // Days, as numbers that are small.
    let part = bare.as_seconds_f64() / rest.as_seconds_f64();
    let records = f64::from(i32::try_from(dates.records).unwrap_or(i32::MAX));
    bare >= SHORTEST.max((to - from) / PART)
        && dates.records >= FEWEST
        && records * part >= EXPECTED
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::is_bare;
    use crate::store::advisories::members::Dates;

    #[test]
    fn only_a_long_time_without_any_of_many_records_shows_something() {
        let at = |days| DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(days);
        for (days, records, oldest, is_left_out) in [
            (365, 250, 275, true),
            (365, 250, 65, false),
            (365, 19, 275, false),
            (365, 20, 275, true),
            (365, 100, 183, true),
            (365, 100, 0, false),
            (40, 100, 20, false),
            (40, 100, 35, true),
            (3, 100, 2, false),
        ] {
            let dates = Dates {
                records,
                oldest_at: Some(at(oldest)),
            };
            assert_eq!(
                is_bare((at(0), at(days)), &dates),
                is_left_out,
                "{records} of {days} days since {oldest}"
            );
        }
    }
}
