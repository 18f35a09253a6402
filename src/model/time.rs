//! Parsing upstream's times.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Utc};

/// Parses a time in any format that upstream is known or likely to use (contract
/// §4): RFC 3339 with `Z`, offset or fraction; the same without an offset, taken
/// as UTC; a date alone, taken as its midnight in UTC.
///
/// Only years 1 to 9999: the database and its clients do not read others.
pub fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    parse_any(text.trim()).filter(|time| (1..=9999).contains(&time.year()))
}

fn parse_any(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.with_timezone(&Utc));
    }
    for shape in [
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M",
    ] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, shape) {
            return Some(time.and_utc());
        }
    }
    for shape in [
        "%Y-%m-%dT%H:%M:%S%.f%z",
        "%Y-%m-%d %H:%M:%S%.f%z",
        "%Y-%m-%d %H:%M:%S%.f %z",
    ] {
        if let Ok(time) = DateTime::parse_from_str(text, shape) {
            return Some(time.with_timezone(&Utc));
        }
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    date.and_hms_opt(0, 0, 0).map(|time| time.and_utc())
}

#[cfg(test)]
mod tests {
    use super::parse_time;

    #[test]
    fn times_with_fractions_offsets_and_none_are_read() {
        for text in [
            "2019-03-01T13:35:05Z",
            "2019-03-01T13:35:05.000Z",
            "2019-03-01T14:35:05+01:00",
            "2019-03-01T14:35:05+0100",
            "2019-03-01 13:35:05",
            " 2019-03-01T13:35:05 ",
        ] {
            let time = parse_time(text).map(|time| time.to_rfc3339());
            assert_eq!(time.as_deref(), Some("2019-03-01T13:35:05+00:00"), "{text}");
        }
        assert!(parse_time("2019-03-01").is_some());
        for out_of_range in [
            "0000-01-01",
            "0000-12-31T23:59:59Z",
            "0001-01-01T00:00:00+01:00",
            "-0044-03-15T00:00:00",
            "9999-12-31T23:59:59-01:00",
        ] {
            assert_eq!(parse_time(out_of_range), None, "{out_of_range}");
        }
        assert!(parse_time("yesterday").is_none());
        assert!(parse_time("").is_none());
    }
}
