//! `advisoryd tickets`, and the times that options take.

use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use sqlx::PgConnection;

use super::ask;
use super::list::{Form, print};
use super::output::table;
use super::shared::Shared;
use crate::clock::Clock;
use crate::model::{parse_time, shortened};
use crate::store::reports::question::{self, TicketLine, TicketQuestion};

/// A title in a table is cut here; `--json` and `--csv` have it whole.
const TITLE_LETTERS: usize = 70;

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
    form.check::<TicketLine>()?;
    let config = shared.load_and_log(Some("warn"))?;
    let ask = async |connection: &mut PgConnection| {
        anyhow::Ok(question::tickets(connection, &asked).await?)
    };
    let found = ask::with_connection(&config, ask).await?;
    print(&form, found, ticket_rows)?;
    Ok(true)
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

pub(super) fn day(at: Option<DateTime<Utc>>) -> String {
    at.map(|at| at.format("%Y-%m-%d").to_string())
        .unwrap_or_default()
}

pub(super) fn short(title: Option<&str>) -> String {
    shortened(title.unwrap_or_default(), TITLE_LETTERS)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::since;

    #[test]
    fn times_are_read_or_refused_with_the_way_out() {
        assert!(since("7d").is_ok() && since("2026-11-01").is_ok());
        assert!(since("soon").is_err());
        assert!(since("-262000-01-01").is_err());
        for long in ["99999999d", "900000y"] {
            let time = since(long).map(|since| since.time(DateTime::UNIX_EPOCH));
            assert_eq!(time, Ok(DateTime::UNIX_EPOCH), "{long}");
        }
    }
}
