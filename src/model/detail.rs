//! Advisory details: which are fetched, from where, and the estimated completion.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{Advisory, Fingerprint};

/// Which advisories are also fetched from the JSON API, one by one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DetailsMode {
    /// Those without products, CVEs or description in the feed.
    #[default]
    Auto,
    /// All.
    Always,
    /// Only those that the revision scan and watch lists from JSON need.
    Never,
}

impl DetailsMode {
    /// Whether the details of this advisory are fetched.
    pub fn wants(self, whole: &Advisory) -> bool {
        match self {
            Self::Auto => {
                whole.products.is_empty() || whole.cves.is_empty() || whole.description.is_none()
            }
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// The API that a watch list's advisories are read from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IngestedVia {
    /// The watch list's feed.
    #[default]
    Feed,
    /// The JSON API.
    Json,
}

impl IngestedVia {
    /// The name in the database and in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Feed => "feed",
            Self::Json => "json",
        }
    }

    /// Parses the name; anything other than `json` is the feed.
    pub fn from_name(name: &str) -> Self {
        match name {
            "json" => Self::Json,
            _ => Self::Feed,
        }
    }
}

/// Details of one advisory: a response of the JSON API.
#[derive(Debug, Clone)]
pub struct Detail {
    /// The parsed advisory, normalised.
    pub advisory: Advisory,
    /// The whole response, unchanged.
    pub raw: String,
    /// Fingerprint of the content without the account's data.
    pub byte_hash: Fingerprint,
    /// The account's data.
    pub custom_info: Option<Value>,
    /// Affected watch lists, as far as they can be read; `None` if none can.
    pub lists: Option<Vec<i64>>,
    /// Whether `lists` are all of them.
    pub are_lists_whole: bool,
}

impl Detail {
    /// The affected watch lists, if all of them can be read.
    pub fn whole_lists(&self) -> Option<&[i64]> {
        self.lists.as_deref().filter(|_| self.are_lists_whole)
    }
}

/// The numbers that the estimated completion of the details is computed from.
#[derive(Debug, Clone, Copy)]
pub struct Forecast {
    /// Pending details.
    pub wanted: u64,
    /// Details fetched per minute.
    pub per_minute: f64,
    /// Limit in any 24 hours; 0 = no limit.
    pub per_day: u32,
    /// Requests of this limit that are used.
    pub used: u32,
}

/// When all details that are pending now will be fetched; `None` for never, or
/// for a time too far away.
pub fn forecast(given: Forecast, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    /// A century: too far away to be useful.
    const LONGEST_DAYS: u64 = 36_500;
    let Forecast {
        wanted,
        per_minute,
        per_day,
        used,
    } = given;
    let left = u64::from(per_day.saturating_sub(used));
    if per_day > 0 && wanted > left {
        let days = (wanted - left).div_ceil(u64::from(per_day));
        let days = i64::try_from(days.min(LONGEST_DAYS)).ok()?;
        return Some(now + TimeDelta::days(days));
    }
    #[expect(clippy::cast_precision_loss, reason = "an estimate is rough")]
    let minutes = wanted as f64 / per_minute;
    let is_sane = minutes.is_finite() && (0.0..60.0 * 24.0 * 36_500.0).contains(&minutes);
    #[expect(clippy::cast_possible_truncation, reason = "it is in the range above")]
    let seconds = is_sane.then(|| (minutes * 60.0).ceil() as i64)?;
    Some(now + TimeDelta::seconds(seconds))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::{Forecast, forecast};

    #[test]
    fn a_forecast_goes_by_the_rate_or_by_the_days_that_the_limit_takes() {
        let now = DateTime::UNIX_EPOCH;
        let given = Forecast {
            wanted: 2140,
            per_minute: 200.0,
            per_day: 0,
            used: 0,
        };
        assert_eq!(forecast(given, now), Some(now + TimeDelta::seconds(642)));
        let trial = Forecast {
            per_day: 30,
            used: 20,
            ..given
        };
        // Ten now, then 71 days of thirty.
        assert_eq!(forecast(trial, now), Some(now + TimeDelta::days(71)));
        let few = Forecast {
            wanted: 10,
            ..trial
        };
        assert_eq!(forecast(few, now), Some(now + TimeDelta::seconds(3)));
        let never = Forecast {
            per_minute: 0.0,
            ..given
        };
        assert_eq!(forecast(never, now), None);
    }
}
