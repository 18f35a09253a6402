//! Cron expressions: six fields, seconds first, evaluated in the time zone of `[schedule]`.

use std::fmt;

use chrono::{DateTime, SubsecRound as _, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds};

use super::tree::Node;
use super::values::text;

/// A cron expression: six fields, seconds first, in the time zone of `[schedule]`.
///
/// It was parsed exactly as `tokio-cron-scheduler` 0.15 will parse it again, and it matches at least one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronExpression(String);

impl CronExpression {
    /// Parses an expression; the error says what is expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let fields = text.split_whitespace().count();
        if fields == 5 {
            return Err("expected six cron fields (seconds first)".into());
        }
        let cron = cron(text).map_err(|error| {
            let error = error.to_string().replace('\n', " ");
            let error = error.trim_end_matches('.');
            format!("expected six cron fields (seconds first), such as `0 */15 * * * *` ({error})")
        })?;
        // Any start time will do: whether `0 0 0 31 2 *` ever matches does not depend on today.
        if cron
            .find_next_occurrence(&DateTime::UNIX_EPOCH, false)
            .is_err()
        {
            return Err(
                "expected a schedule that matches at least one date; this one never runs".into(),
            );
        }
        Ok(Self(text.to_owned()))
    }

    /// The expression as it was configured, for the scheduler.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first time after `now`; `None` when there is none in the years the scheduler knows.
    pub fn next_after(&self, now: DateTime<Utc>, timezone: Tz) -> Option<DateTime<Utc>> {
        let next = cron(&self.0)
            .ok()?
            .find_next_occurrence(&now.with_timezone(&timezone), false);
        next.ok().map(|time| time.with_timezone(&Utc))
    }

    /// The last time not after `now`; `None` when there was none.
    pub fn last_until(&self, now: DateTime<Utc>, timezone: Tz) -> Option<DateTime<Utc>> {
        let now = now.trunc_subsecs(0).with_timezone(&timezone);
        let last = cron(&self.0).ok()?.find_previous_occurrence(&now, true);
        last.ok().map(|time| time.with_timezone(&Utc))
    }
}

/// As `tokio-cron-scheduler` does it for jobs with a time zone (`Job::new_async_tz`).
fn cron(text: &str) -> Result<Cron, croner::errors::CronError> {
    CronParser::builder()
        .seconds(Seconds::Required)
        .dom_and_dow(true)
        .build()
        .parse(text)
}

impl fmt::Display for CronExpression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

pub(super) fn expression(node: &Node) -> Result<CronExpression, String> {
    CronExpression::parse(&text(node)?)
}

pub(super) fn timezone(node: &Node) -> Result<Tz, String> {
    text(node)?.parse().map_err(|_| {
        "expected a time zone name from the IANA database, such as `UTC` or `Europe/Copenhagen`"
            .into()
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use chrono::{DateTime, Utc};
    use tokio_cron_scheduler::Job;

    use super::CronExpression;

    #[test]
    fn what_is_accepted_is_what_the_scheduler_accepts() {
        for (text, good) in [
            ("0 */15 * * * *", true),
            ("0 0 3 * * Sun", true),
            ("0 0 3 L * *", true),
            ("0 0 3 * * 5#2", true),
            ("0,30 * * * * *", true),
            ("@daily", true),
            ("*/15 * * * *", false),
            ("0 61 * * * *", false),
            ("0 0 3 * * Someday", false),
            ("often", false),
            ("", false),
        ] {
            assert_eq!(CronExpression::parse(text).is_ok(), good, "{text}");
            let job = Job::new_async_tz(text, chrono_tz::UTC, |_, _| Box::pin(async {}));
            assert_eq!(job.is_ok(), good, "the scheduler on {text}");
        }
    }

    #[test]
    fn five_fields_and_times_that_never_come_are_refused_with_advice() {
        assert_eq!(
            CronExpression::parse("*/15 * * * *").unwrap_err(),
            "expected six cron fields (seconds first)"
        );
        assert!(
            CronExpression::parse("0 0 0 31 2 *")
                .unwrap_err()
                .contains("never")
        );
    }

    #[test]
    fn the_last_time_is_reckoned_in_the_time_zone_and_may_be_now() {
        let expression = CronExpression::parse("0 0 8 * * Mon-Fri").unwrap();
        let zone = chrono_tz::Europe::Copenhagen;
        let last = |now: &str| {
            let now: DateTime<Utc> = now.parse().unwrap();
            expression.last_until(now, zone).unwrap().to_rfc3339()
        };
        let friday = "2026-07-03T06:00:00+00:00";
        assert_eq!(last("2026-07-03T06:00:00.250Z"), friday);
        assert_eq!(last("2026-07-05T23:00:00Z"), friday);
        assert_eq!(last("2026-07-06T05:59:59.999Z"), friday);
    }

    #[test]
    fn the_next_time_is_reckoned_in_the_time_zone() {
        let expression = CronExpression::parse("0 0 3 * * *").unwrap();
        let now: DateTime<Utc> = "2026-07-01T00:30:00Z".parse().unwrap();
        let next = expression
            .next_after(now, chrono_tz::Europe::Copenhagen)
            .unwrap();
        assert_eq!(next.to_rfc3339(), "2026-07-01T01:00:00+00:00");
    }
}
