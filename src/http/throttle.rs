//! `Retry-After`: how long to wait after a 429 (contract §3).

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};

/// Default wait for a 429 without `Retry-After` (contract §3).
const DEFAULT_WAIT: Duration = Duration::from_mins(1);
/// Maximum wait: if a server asks for more, the request is retried sooner.
pub(super) const MAX_WAIT: Duration = Duration::from_mins(10);

/// The wait of a 429: the header, else the number in `detail`, else one minute.
pub(super) fn wait(header: Option<&str>, detail: &str, now: DateTime<Utc>) -> Duration {
    header
        .and_then(|header| retry_after(header, now))
        .or_else(|| seconds_in(detail))
        .unwrap_or(DEFAULT_WAIT)
        .min(MAX_WAIT)
}

/// Parses `Retry-After`, limited to the maximum; see [`retry_after_in`].
pub(super) fn retry_after(header: &str, now: DateTime<Utc>) -> Option<Duration> {
    retry_after_in(header, now).map(|wait| wait.min(MAX_WAIT))
}

/// Parses `Retry-After`: seconds, or an HTTP date, which is compared with the server's
/// clock. Not limited. `None` also for 0 and for a date that is not in the future: who asks
/// for a wait of nothing has not said how long to wait.
pub fn retry_after_in(header: &str, now: DateTime<Utc>) -> Option<Duration> {
    let header = header.trim();
    let wait = seconds(header).or_else(|| {
        let date = httpdate::parse_http_date(header).ok()?;
        date.duration_since(SystemTime::from(now)).ok()
    });
    wait.filter(|wait| !wait.is_zero())
}

/// Parses "Expected available in 37 seconds.": the number before the word for
/// seconds, else the last number. 0 does not count.
fn seconds_in(detail: &str) -> Option<Duration> {
    let words: Vec<&str> = detail.split_whitespace().collect();
    let numbers = words.iter().enumerate().filter_map(|(at, word)| {
        let digits = word.trim_end_matches(|character: char| !character.is_ascii_digit());
        let unit = word.strip_prefix(digits).unwrap_or_default();
        let next = words.get(at + 1).copied().unwrap_or_default();
        let is_seconds = unit.starts_with('s') || next.to_ascii_lowercase().starts_with("sec");
        Some((is_seconds, seconds(digits)?))
    });
    let numbers: Vec<(bool, Duration)> = numbers.collect();
    numbers
        .iter()
        .find(|(is_seconds, _)| *is_seconds)
        .or(numbers.last())
        .map(|(_, wait)| *wait)
        .filter(|wait| !wait.is_zero())
}

/// Digits, with an optional fraction, which is rounded up.
fn seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    // A number that overflows is longer than the maximum anyway.
    let whole: u64 = whole.parse().unwrap_or(u64::MAX);
    let more = u64::from(fraction.bytes().any(|byte| byte != b'0'));
    Some(Duration::from_secs(whole.saturating_add(more)))
}

/// Which requests a 429 pauses, for the log.
pub(super) fn paused(is_held: bool, is_throttled_alone: bool, seconds: u64) -> String {
    match (is_held, is_throttled_alone) {
        (true, _) => format!("all requests paused for {seconds} s"),
        (false, false) => format!("background requests paused for {seconds} s"),
        (false, true) => "no others are paused, because this request always gets it".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use chrono::{DateTime, Utc};

    use super::wait;

    #[test]
    fn the_wait_comes_from_header_date_digits_or_is_a_minute() {
        let now: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        let drf = "Request was throttled. Expected available in 37 seconds.";
        for (header, detail, seconds) in [
            (Some("12"), drf, 12),
            (Some(" 12.2 "), drf, 13),
            (Some("0"), drf, 37),
            (Some("0"), "", 60),
            (Some("0.0"), "available in 0 seconds", 60),
            (Some("Thu, 01 Jan 2026 00:01:30 GMT"), drf, 90),
            (Some("Wed, 31 Dec 2025 00:00:00 GMT"), drf, 37),
            (Some("Wed, 31 Dec 2025 00:00:00 GMT"), "", 60),
            (Some("Thu, 01 Jan 2026 00:00:00 GMT"), "", 60),
            (Some("soon"), drf, 37),
            (Some("-5"), drf, 37),
            (None, drf, 37),
            (None, "Expected available in 1 second.", 1),
            (None, "The limit of 250 calls is reached, wait 9 seconds", 9),
            (None, "wait 9s please, not 10", 9),
            (None, "Noch 44.", 44),
            (None, "Slow down!", 60),
            (None, "", 60),
            (Some("99999"), "", 600),
            (Some("99999999999999999999999"), "", 600),
            (Some("Fri, 01 Jan 2027 00:00:00 GMT"), "", 600),
            (None, "in 99999999999999999999999 seconds", 600),
        ] {
            assert_eq!(
                wait(header, detail, now).as_secs(),
                seconds,
                "{header:?} {detail}"
            );
        }
    }
}
