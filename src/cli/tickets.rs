//! `advisoryd tickets`: a list of tickets with filters.

use chrono::{DateTime, Utc};
use clap::Args;
use sqlx::PgConnection;

use super::ask;
use super::chosen_list;
use super::list::{Form, Line, print};
use super::shared::Shared;
use super::since::{Since, since};
use super::table::linked;
use super::times::Times;
use crate::clock::Clock;
use crate::model::Links;
use crate::store::reports::ticket_question::{self, Moments, TicketLine, TicketQuestion};

impl Line for TicketLine {
    const COLUMNS: &'static [&'static str] = &[
        "pretty_id",
        "title",
        "status",
        "priority",
        "assignee",
        "said",
        "created_at",
        "modified_at",
    ];
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
    /// Created by this watch list: its ID or its name
    #[arg(long, value_name = "ID|NAME")]
    watch_list: Option<String>,
    /// About this advisory
    #[arg(long, value_name = "SAID")]
    advisory: Option<String>,
    /// Created or modified upstream since: a duration (`7d`), a day (`yesterday`, `monday`), a
    /// date or a time
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Since>,
    /// Until this time; a day or month (`2026-10`) is included. The end of the other options
    /// with a time, or of --since if there is none
    #[arg(long, value_name = "WHEN", value_parser = since)]
    until: Option<Since>,
    /// Modified upstream since this time
    #[arg(long, value_name = "WHEN", value_parser = since)]
    modified: Option<Since>,
    /// First stored in this database since this time; newest first
    #[arg(long, value_name = "WHEN", value_parser = since)]
    first_seen: Option<Since>,
    /// Changed in this database since this time, for any reason
    #[arg(long, value_name = "WHEN", value_parser = since)]
    changed: Option<Since>,
    /// Deleted tickets instead of existing ones
    #[arg(long)]
    gone: bool,
    #[command(flatten)]
    form: Form,
}

pub(super) async fn run(shared: Shared, wanted: Tickets) -> anyhow::Result<bool> {
    let (now, times) = (Clock::system().now(), shared.times());
    let time = |since: Option<Since>| since.map(|since| since.time(now, times));
    let newest_first = wanted.first_seen.is_some();
    let until = wanted.until.map(|until| until.end(now, times));
    let until = Until {
        at: until,
        modified: wanted.modified.is_some(),
        first_seen: wanted.first_seen.is_some(),
        changed: wanted.changed.is_some(),
        since: wanted.since.is_some(),
    };
    let mut asked = TicketQuestion {
        status: wanted.status,
        assignee: wanted.assignee,
        watch_list_id: None,
        said: wanted.advisory,
        since: Moments {
            any: time(wanted.since),
            modified: time(wanted.modified),
            first_seen: time(wanted.first_seen),
            changed: time(wanted.changed),
        },
        newest_first,
        gone: wanted.gone,
        // The end is looked at here, after all are read.
        limit: if until.at.is_some() {
            i64::MAX
        } else {
            wanted.form.rows()
        },
    };
    wanted.form.check::<TicketLine>()?;
    let config = shared.load_and_log(Some("warn"))?;
    let ask = async |connection: &mut PgConnection| {
        asked.watch_list_id = chosen_list::id(connection, wanted.watch_list.as_deref()).await?;
        anyhow::Ok(ticket_question::tickets(connection, &asked).await?)
    };
    let mut found = ask::with_connection(&config, ask).await?;
    found.retain(|line| until.includes(line));
    found.truncate(usize::try_from(wanted.form.rows()).unwrap_or(usize::MAX));
    let links = &config.upstream.links;
    let rows = |lines: &[TicketLine]| ticket_rows(lines, newest_first, (times, now), links);
    print(&wanted.form, found, rows)?;
    Ok(true)
}

/// The end of the time in which tickets were created or modified, or of what other options ask.
struct Until {
    at: Option<DateTime<Utc>>,
    modified: bool,
    first_seen: bool,
    changed: bool,
    since: bool,
}

impl Until {
    fn includes(&self, line: &TicketLine) -> bool {
        let Some(end) = self.at else {
            return true;
        };
        let is_before = |at: Option<DateTime<Utc>>| at.is_some_and(|at| at < end);
        let is_named = self.modified || self.first_seen || self.changed;
        (!self.modified || is_before(line.modified_at))
            && (!self.first_seen || is_before(line.first_seen_at))
            && (!self.changed || is_before(line.changed_at))
            && (is_named && !self.since
                || is_before(line.modified_at)
                || is_before(line.created_at))
    }
}

fn ticket_rows(
    lines: &[TicketLine],
    newest_first: bool,
    (times, now): (Times, DateTime<Utc>),
    addresses: &Links,
) -> String {
    let rows: Vec<[String; 7]> = lines
        .iter()
        .map(|line| {
            let at = if newest_first {
                line.first_seen_at
            } else {
                line.modified_at
            };
            [
                called(line),
                line.status.clone().unwrap_or_default(),
                line.priority.clone().unwrap_or_default(),
                line.assignee.clone().unwrap_or_default(),
                line.said.clone().unwrap_or_default(),
                at.map(|at| times.day(at)).unwrap_or_default(),
                line.title.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let heading = if newest_first {
        "first seen"
    } else {
        "modified"
    };
    let at = times.heading(heading, now);
    let pages: Vec<_> = lines.iter().map(|line| page(line, addresses)).collect();
    linked(
        [
            "ticket", "status", "priority", "assignee", "advisory", &at, "title",
        ],
        &rows,
        &pages,
    )
}

/// By the number that people know, `#1203`; by its id if it has none.
fn called(line: &TicketLine) -> String {
    line.pretty_id
        .map_or_else(|| format!("id {}", line.id), |number| format!("#{number}"))
}

/// The ticket's page, where the configuration says how to find it.
fn page(line: &TicketLine, links: &Links) -> Option<String> {
    let number = line.pretty_id.map(|number| number.to_string());
    let values = [
        ("number", number),
        ("id", Some(line.id.to_string())),
        ("said", line.said.clone()),
    ];
    links.ticket.as_ref()?.fill(&values)
}
