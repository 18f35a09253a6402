//! How old a response is, by its headers. A copy that a cache made some time ago says nothing
//! about what upstream has had since.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{AGE, DATE, HeaderMap, WARNING};

/// Clocks differ by so much, and a response takes so long, without being a copy.
const TOLERANCE: TimeDelta = TimeDelta::seconds(30);
/// Codes of `Warning` by which a cache says that it could not ask upstream (RFC 7234, 5.5).
const STALE: [&str; 3] = ["110", "111", "112"];

/// How much older a response is than the moment when it was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Staleness {
    /// By its `Age`: a cache has it for so long.
    cached: TimeDelta,
    /// By its `Date`, which may also be that of a clock that is behind.
    dated: TimeDelta,
}

impl Default for Staleness {
    fn default() -> Self {
        Self {
            cached: TimeDelta::zero(),
            dated: TimeDelta::zero(),
        }
    }
}

impl Staleness {
    /// Of the headers of a response that is received `now`.
    pub(super) fn of(headers: &HeaderMap, now: DateTime<Utc>) -> Self {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| httpdate::parse_http_date(date.trim()).ok());
        let cached = if is_declared_stale(headers) {
            TimeDelta::MAX
        } else {
            TimeDelta::seconds(i64::from(age(headers).unwrap_or(0)))
        };
        Self {
            cached,
            dated: date.map_or(TimeDelta::zero(), |date| now - DateTime::<Utc>::from(date)),
        }
    }

    /// The older one of two responses that are used together.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            cached: self.cached.max(other.cached),
            dated: self.dated.max(other.dated),
        }
    }

    /// Whether a cache says that it is a copy of some age.
    pub fn is_cached(self) -> bool {
        self.cached > TOLERANCE
    }

    /// Whether what a response lacks, received at `at`, is gone that was last known to exist
    /// at `known_at`.
    pub fn proves_absence(self, at: DateTime<Utc>, known_at: Option<DateTime<Utc>>) -> bool {
        let is_later = |made| known_at.is_none_or(|known| known < made);
        !self.is_cached() && self.made_before(at).is_none_or(is_later)
    }

    /// Before when a copy was made that was received at `at`; `None` if it is none.
    pub fn made_before(self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let age = self.cached.max(self.dated);
        let made = at.checked_sub_signed(age);
        (age > TOLERANCE).then(|| made.unwrap_or(DateTime::<Utc>::UNIX_EPOCH))
    }
}

/// The seconds that `Age` says; of several the most, because each cache on the way may add
/// one. `None` if none is a number.
pub(super) fn age(headers: &HeaderMap) -> Option<u32> {
    let values = headers.get_all(AGE).into_iter();
    let values = values.filter_map(|value| value.to_str().ok());
    let ages = values.flat_map(|value| value.split(',')).map(str::trim);
    let digits = ages.filter(|age| !age.is_empty() && age.bytes().all(|one| one.is_ascii_digit()));
    // One that is too long for a number is older than anything.
    digits.map(|age| age.parse().unwrap_or(u32::MAX)).max()
}

/// Whether a cache says that the response is stale.
fn is_declared_stale(headers: &HeaderMap) -> bool {
    let warnings = headers.get_all(WARNING).into_iter();
    let mut warnings = warnings.filter_map(|value| value.to_str().ok());
    warnings.any(is_stale)
}

/// The same for the value of one `Warning`.
pub(super) fn is_stale(warning: &str) -> bool {
    let mut codes = warning
        .split(',')
        .filter_map(|one| one.split_whitespace().next());
    codes.any(|code| STALE.contains(&code))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use chrono::{DateTime, TimeDelta, Utc};
    use reqwest::header::{HeaderMap, HeaderName};

    use super::{Staleness, age};

    fn headers(all: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_oldest_of_what_headers_say_counts() {
        let now: DateTime<Utc> = "2026-01-01T12:00:00Z".parse().unwrap();
        let date = ("date", "Thu, 01 Jan 2026 12:00:00 GMT");
        let hours = |hours| Some(now - TimeDelta::hours(hours));
        for (all, made, is_cached) in [
            (&[date][..], None, false),
            (&[], None, false),
            (&[date, ("age", "20")], None, false),
            (&[date, ("age", "7200")], hours(2), true),
            (&[date, ("age", "0"), ("age", "7200")], hours(2), true),
            (&[date, ("age", "0, 7200")], hours(2), true),
            (&[date, ("age", "old")], None, false),
            (
                &[("date", "Thu, 01 Jan 2026 02:00:00 GMT")],
                hours(10),
                false,
            ),
            (
                &[date, ("warning", "110 cache \"Response is Stale\"")],
                Some(DateTime::<Utc>::UNIX_EPOCH),
                true,
            ),
            (&[date, ("warning", "214 - \"Transformed\"")], None, false),
        ] {
            let found = Staleness::of(&headers(all), now);
            assert_eq!(found.made_before(now), made, "{all:?}");
            assert_eq!(found.is_cached(), is_cached, "{all:?}");
        }
        assert_eq!(
            age(&headers(&[("age", "99999999999999999999")])),
            Some(u32::MAX)
        );
    }
}
