//! Whether a watch list is quieter than it used to be.

use chrono::TimeDelta;

use super::finding::{of_source, rounded};
use crate::model::{Condition, Finding, counted};
use crate::store::health::condition::{Activity, SourceState};

/// No silence is remarkable before this: weekends and holidays.
const SHORTEST_SILENCE: TimeDelta = TimeDelta::days(3);
/// With fewer advisories in 14 days, a low number may be chance.
const USUAL_COUNT: f64 = 20.0;
/// Fewer than this part (one in 5) of the usual number is far less.
const FAR_LESS: i64 = 5;

/// Compares with the history of the list itself. The silence is counted up to the end of
/// the covered time: a list that cannot be read is stale, not quiet.
pub(super) fn quiet(source: &SourceState) -> Finding {
    let Activity {
        news_at,
        usual_gap_seconds,
        usual_count,
        recent_count,
    } = source.activity;
    let silence = source.covered_to.zip(news_at).map(|(to, at)| to - at);
    let silence = silence.unwrap_or_else(TimeDelta::zero);
    let longest = usual_gap_seconds.map(|seconds| TimeDelta::milliseconds(milliseconds(seconds)));
    let is_silent = longest.is_some_and(|longest| silence > (longest * 2).max(SHORTEST_SILENCE));
    let usual = usual_count.unwrap_or(0.0);
    let recent = recent_count.unwrap_or(0);
    let is_sparse = usual >= USUAL_COUNT && milliseconds(usual) > recent * FAR_LESS * 1000;
    let summary = if is_silent {
        format!(
            "no advisory was released or modified for {}; the longest such period in the last year was {}; check in SVR whether products were removed from the list, and the licence",
            rounded(silence),
            rounded(longest.unwrap_or_else(TimeDelta::zero))
        )
    } else if is_sparse {
        format!(
            "{} released in 14 days, usually {usual:.0}; check the list and the licence upstream",
            counted(recent, "advisory")
        )
    } else {
        "the usual number of advisories was received".to_owned()
    };
    let value = silence.num_seconds();
    let is_active = is_silent || is_sparse;
    of_source(source, Condition::ListQuiet, is_active, (value, summary))
}

/// Thousandths, for comparisons in whole numbers.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a year in milliseconds is far below 2^53"
)]
fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1000.0) as i64
}
