//! When all pending details will have been fetched.

use chrono::{DateTime, Utc};

use crate::config::Config;
use crate::model::{Forecast, forecast};
use crate::store::wanted::backlog::Backlog;

/// Fewer fetched details are no basis for a forecast.
const MIN_SAMPLE: i64 = 20;

/// When all pending details will have been fetched.
pub(crate) fn outlook(
    config: &Config,
    backlog: &Backlog,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let wanted = u64::try_from(backlog.wanted).ok()?;
    let measured = backlog
        .lately_since
        .filter(|_| backlog.lately >= MIN_SAMPLE)
        .map(|since| {
            let minutes = (now - since).as_seconds_f64() / 60.0;
            // Avoids dividing by almost zero.
            f64::from(i32::try_from(backlog.lately).unwrap_or(i32::MAX)) / minutes.max(0.1)
        });
    let allowed = f64::from(config.upstream.requests_per_minute);
    let input = Forecast {
        wanted,
        per_minute: measured.unwrap_or(allowed).min(allowed),
        per_day: config.feeds.details_per_day,
        used: u32::try_from(backlog.requests_of_day).unwrap_or(u32::MAX),
    };
    (wanted > 0).then(|| forecast(input, now)).flatten()
}
