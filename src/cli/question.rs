//! `advisoryd advisories` and `advisoryd tickets`: lists with filters, without SQL.

use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use sqlx::PgConnection;

use super::ask;
use super::list::{Form, print};
use super::output::{print_error, table};
use super::shared::Shared;
use crate::clock::Clock;
use crate::model::{Severity, parse_time, shortened};
use crate::store::reports::question::{
    self, AdvisoryLine, AdvisoryQuestion, TicketLine, TicketQuestion,
};
use crate::store::reports::receipt::{self, Unlisted};

/// A title in a table is cut here; `--json` and `--csv` have it whole.
const TITLE_LETTERS: usize = 70;

/// Which advisories.
#[derive(Debug, Args)]
pub(super) struct Advisories {
    /// Severity: `highly_critical` for exactly this, `highly_critical+` for this or more severe
    #[arg(long, value_name = "LEVEL[+]", value_parser = ranks)]
    severity: Option<(i16, i16)>,
    /// Mentions this CVE
    #[arg(long)]
    cve: Option<String>,
    /// Words of a product name or CPE
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    product: Option<String>,
    /// In this watch list
    #[arg(long, value_name = "ID")]
    watch_list: Option<i64>,
    /// Changed in the database since: a duration (`7d`, `12h`) or a date or time (2026-11-01)
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Since>,
    /// Only zero days
    #[arg(long)]
    zero_day: bool,
    /// Full-text search in title, description and solution: words, `"a phrase"`, `or`, `-without`
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    search: Option<String>,
    #[command(flatten)]
    form: Form,
}

/// Which tickets.
#[derive(Debug, Args)]
pub(super) struct Tickets {
    /// Status name
    #[arg(long, value_name = "NAME")]
    status: Option<String>,
    /// Assignee
    #[arg(long, value_name = "NAME")]
    assignee: Option<String>,
    /// Created by this watch list
    #[arg(long, value_name = "ID")]
    watch_list: Option<i64>,
    /// About this advisory
    #[arg(long, value_name = "SAID")]
    advisory: Option<String>,
    /// Changed in the database since: a duration (`7d`, `12h`) or a date or time (2026-11-01)
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Since>,
    /// Deleted tickets instead of existing ones
    #[arg(long)]
    gone: bool,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Since {
    Ago(Duration),
    At(DateTime<Utc>),
}

impl Since {
    /// Nothing here is older than 1970, so that what lies before means all of it.
    pub(super) fn time(self, now: DateTime<Utc>) -> DateTime<Utc> {
        const ALL: DateTime<Utc> = DateTime::UNIX_EPOCH;
        let at = match self {
            Self::Ago(ago) => TimeDelta::from_std(ago)
                .ok()
                .and_then(|ago| now.checked_sub_signed(ago))
                .unwrap_or(ALL),
            Self::At(at) => at,
        };
        at.max(ALL)
    }

    /// The time if the length is meant from now on.
    ///
    /// # Errors
    /// It is later than the database can store.
    pub(super) fn time_ahead(self, now: DateTime<Utc>) -> anyhow::Result<DateTime<Utc>> {
        // 31 December of the year 9999, the last day that all programs can read.
        const LAST: Option<DateTime<Utc>> = DateTime::from_timestamp(253_402_300_799, 0);
        let at = match self {
            Self::Ago(ahead) => TimeDelta::from_std(ahead)
                .ok()
                .and_then(|ahead| now.checked_add_signed(ahead)),
            Self::At(at) => Some(at),
        };
        at.filter(|at| LAST.is_none_or(|last| *at <= last))
            .context("the time is too far in the future; use one before the year 10000")
    }
}

pub(super) fn since(text: &str) -> Result<Since, String> {
    if let Ok(ago) = humantime::parse_duration(text) {
        return Ok(Since::Ago(ago));
    }
    parse_time(text).map(Since::At).ok_or_else(|| {
        "write a length such as 7d or a time such as 2026-11-01T12:00:00Z".to_owned()
    })
}

fn ranks(text: &str) -> Result<(i16, i16), String> {
    let (name, or_worse) = match text.strip_suffix('+') {
        Some(name) => (name, true),
        None => (text, false),
    };
    let Some(severity) = Severity::from_name(name) else {
        let names: Vec<&str> = Severity::ALL
            .iter()
            .map(|severity| severity.name())
            .collect();
        return Err(format!(
            "expected one of {}; append + for this or more severe",
            names.join(", ")
        ));
    };
    let worst = Severity::ExtremelyCritical.rank();
    Ok((
        severity.rank(),
        if or_worse { worst } else { severity.rank() },
    ))
}

pub(super) async fn advisories(shared: Shared, wanted: Advisories) -> anyhow::Result<bool> {
    let Advisories {
        severity,
        cve,
        product,
        watch_list,
        since,
        zero_day,
        search,
        form,
    } = wanted;
    let asked = AdvisoryQuestion {
        rank_from: severity.map(|(from, _)| from),
        rank_to: severity.map(|(_, to)| to),
        cve: cve.map(|cve| cve.trim().to_ascii_uppercase()),
        product,
        watch_list_id: watch_list,
        changed_since: since.map(|since| since.time(Clock::system().now())),
        zero_day,
        search,
        limit: form.rows(),
    };
    let config = shared.load_and_log(Some("warn"))?;
    let details = config.feeds.details;
    let ask = async |connection: &mut PgConnection| {
        let found = question::advisories(connection, &asked, details).await?;
        anyhow::Ok((found, receipt::unlisted(connection, details).await?))
    };
    let (found, unlisted) = ask::with_connection(&config, ask).await?;
    print(&form, found, advisory_rows)?;
    print_unlisted(unlisted);
    Ok(true)
}

pub(super) async fn tickets(shared: Shared, wanted: Tickets) -> anyhow::Result<bool> {
    let Tickets {
        status,
        assignee,
        watch_list,
        advisory,
        since,
        gone,
        form,
    } = wanted;
    let asked = TicketQuestion {
        status,
        assignee,
        watch_list_id: watch_list,
        said: advisory,
        changed_since: since.map(|since| since.time(Clock::system().now())),
        gone,
        limit: form.rows(),
    };
    let config = shared.load_and_log(Some("warn"))?;
    let ask = async |connection: &mut PgConnection| {
        anyhow::Ok(question::tickets(connection, &asked).await?)
    };
    let found = ask::with_connection(&config, ask).await?;
    print(&form, found, ticket_rows)?;
    Ok(true)
}

/// What no filter can select, because it is not stored.
fn print_unlisted(unlisted: Unlisted) {
    let Unlisted {
        quarantined,
        pending,
    } = unlisted;
    if quarantined > 0 {
        print_error(&format!(
            "not listed: {quarantined} records of advisories in quarantine; see `advisoryd quarantine list`"
        ));
    }
    if pending > 0 {
        print_error(&format!(
            "not listed: {pending} advisories queued to be fetched as JSON; see `advisoryd status`"
        ));
    }
}

fn advisory_rows(lines: &[AdvisoryLine]) -> String {
    let rows: Vec<[String; 6]> = lines
        .iter()
        .map(|line| {
            [
                line.said.clone(),
                line.severity.clone().unwrap_or_default(),
                line.cvss_score
                    .map(|score| format!("{score:.1}"))
                    .unwrap_or_default(),
                line.solution_status.clone().unwrap_or_default(),
                day(line.modified_at),
                marked(line),
            ]
        })
        .collect();
    table(
        [
            "advisory", "severity", "cvss", "solution", "modified", "title",
        ],
        &rows,
    )
}

fn ticket_rows(lines: &[TicketLine]) -> String {
    let rows: Vec<[String; 7]> = lines
        .iter()
        .map(|line| {
            [
                line.id.to_string(),
                line.status.clone().unwrap_or_default(),
                line.priority.clone().unwrap_or_default(),
                line.assignee.clone().unwrap_or_default(),
                line.said.clone().unwrap_or_default(),
                day(line.modified_at),
                short(line.title.as_deref()),
            ]
        })
        .collect();
    table(
        [
            "ticket", "status", "priority", "assignee", "advisory", "modified", "title",
        ],
        &rows,
    )
}

fn day(at: Option<DateTime<Utc>>) -> String {
    at.map(|at| at.format("%Y-%m-%d").to_string())
        .unwrap_or_default()
}

/// The title; before it, that a record of the advisory is in quarantine.
fn marked(line: &AdvisoryLine) -> String {
    let title = short(line.title.as_deref());
    match line.quarantined_since {
        Some(since) => format!(
            "[record in quarantine since {}] {title}",
            since.format("%Y-%m-%d")
        ),
        None => title,
    }
}

fn short(title: Option<&str>) -> String {
    shortened(title.unwrap_or_default(), TITLE_LETTERS)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::{ranks, since};

    #[test]
    fn levels_and_times_are_read_or_refused_with_the_way_out() {
        assert_eq!(ranks("highly_critical+"), Ok((4, 5)));
        assert_eq!(ranks("Less critical"), Ok((2, 2)));
        assert!(ranks("bad").is_err_and(|text| text.contains("not_critical")));
        assert!(since("7d").is_ok() && since("2026-11-01").is_ok());
        assert!(since("soon").is_err());
        assert!(since("-262000-01-01").is_err());
        for long in ["99999999d", "900000y"] {
            let time = since(long).map(|since| since.time(DateTime::UNIX_EPOCH));
            assert_eq!(time, Ok(DateTime::UNIX_EPOCH), "{long}");
        }
    }
}
