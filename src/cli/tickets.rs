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
    let until = Until::of(&wanted, (now, times));
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

/// A time of a ticket.
type TimeOf = fn(&TicketLine) -> Option<DateTime<Utc>>;

/// The end of the time in which tickets were created or modified, or of what other options ask.
struct Until {
    at: Option<DateTime<Utc>>,
    /// Each of them lies before it.
    all: Vec<TimeOf>,
    /// One of them does.
    any: Vec<TimeOf>,
}

impl Until {
    fn of(wanted: &Tickets, (now, times): (DateTime<Utc>, Times)) -> Self {
        let options: [(bool, TimeOf); 3] = [
            (wanted.modified.is_some(), |line| line.modified_at),
            (wanted.first_seen.is_some(), |line| line.first_seen_at),
            (wanted.changed.is_some(), |line| line.changed_at),
        ];
        let all = options.into_iter().filter(|(is_given, _)| *is_given);
        let all: Vec<TimeOf> = all.map(|(_, time)| time).collect();
        let either: [TimeOf; 2] = [|line| line.modified_at, |line| line.created_at];
        let any = if all.is_empty() || wanted.since.is_some() {
            either.to_vec()
        } else {
            Vec::new()
        };
        Self {
            at: wanted.until.map(|until| until.end(now, times)),
            all,
            any,
        }
    }

    fn includes(&self, line: &TicketLine) -> bool {
        let Some(end) = self.at else {
            return true;
        };
        let is_before = |time: &TimeOf| time(line).is_some_and(|at| at < end);
        self.all.iter().all(is_before) && (self.any.is_empty() || self.any.iter().any(is_before))
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
