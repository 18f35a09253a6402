//! `advisoryd tickets`: a list of tickets with filters.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use sqlx::PgConnection;

use super::ask;
use super::chosen_list;
use super::exit::WrongUsage;
use super::list::{ListFormat, print};
use super::output::{print_note, rough};
use super::shared::GlobalArgs;
use super::since::{Since, in_order, length_of_time, since};
use super::table::linked;
use super::times::Times;
use crate::clock::Clock;
use crate::config::Config;
use crate::model::filter::nearest;
use crate::model::{Globs, LinkTemplates};
use crate::store::reports::ticket_question::{self, TicketLine, TicketQuestion, TimeLimits};

/// Which tickets.
#[derive(Debug, Args)]
pub(super) struct TicketsArgs {
    /// Status names, separated by commas
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    status: Vec<String>,
    /// Without tickets of these statuses, separated by commas
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    not_status: Vec<String>,
    /// Not closed, as `[tickets] closed_statuses` says
    #[arg(long, conflicts_with = "gone")]
    open: bool,
    /// Open for this long (`14d`) or longer, the oldest first
    #[arg(long, value_name = "DURATION", conflicts_with = "gone", value_parser = length_of_time)]
    open_for: Option<Duration>,
    /// Assignee
    #[arg(long, value_name = "NAME")]
    assignee: Option<String>,
    /// Created by this watch list: its ID or its name
    #[arg(long, visible_alias = "list", value_name = "ID|NAME")]
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
    form: ListFormat,
}

pub(super) async fn run(shared: GlobalArgs, wanted: TicketsArgs) -> anyhow::Result<bool> {
    let (now, times) = (Clock::system().now(), shared.times());
    let until = Until::of(&wanted, (now, times));
    wanted.form.check::<TicketLine>()?;
    let config = shared.load_and_note()?;
    let closed = wanted.closed(&config)?;
    let ((mut asked, list), form) = wanted.question(now, times);
    let shown = Shown::of(&asked);
    let starts = &asked.since;
    for from in [
        starts.any,
        starts.modified,
        starts.first_seen,
        starts.changed,
    ] {
        in_order(from, until.at, times)?;
    }
    let ask = async |connection: &mut PgConnection| {
        asked.watch_list_id = chosen_list::id_of_tickets(connection, list.as_deref()).await?;
        let known = ticket_question::statuses(connection).await?;
        note_unknown(&asked, &known);
        let closed = known.into_iter().filter(|status| closed.fit(status));
        asked.other_statuses.extend(closed);
        anyhow::Ok(ticket_question::tickets(connection, &asked).await?)
    };
    let mut found = ask::with_connection(&config, ask).await?;
    found.retain(|line| until.includes(line));
    found.truncate(usize::try_from(form.rows()).unwrap_or(usize::MAX));
    let links = &config.upstream.links;
    let rows = |lines: &[TicketLine]| ticket_rows(lines, shown, (times, now), links);
    print(&form, found, times, rows)?;
    Ok(true)
}

impl TicketsArgs {
    /// The statuses that mean closed, if only open tickets are wanted. What rules do about
    /// them is `[tickets] closed_statuses` as well.
    fn closed(&self, config: &Config) -> anyhow::Result<Globs> {
        let configured = &config.tickets.closed_statuses;
        let names_some = !self.status.is_empty() || !self.not_status.is_empty();
        let wants_open = self.open || (self.open_for.is_some() && self.status.is_empty());
        let option = if self.open { "--open" } else { "--open-for" };
        if wants_open && configured.is_empty() && (self.open || !names_some) {
            return Err(WrongUsage(format!(
                "{option} needs the statuses that mean closed; set `[tickets] closed_statuses`, such as `[\"Handled\", \"Irrelevant\"]`, or use --not-status"
            ))
            .into());
        }
        let patterns: &[String] = if wants_open { configured } else { &[] };
        Globs::new(patterns).map_err(anyhow::Error::msg)
    }

    /// What is asked, and the watch list by its id or name.
    fn question(
        self,
        now: DateTime<Utc>,
        times: Times,
    ) -> ((TicketQuestion, Option<String>), ListFormat) {
        let time = |since: Option<Since>| since.map(|since| since.time(now, times));
        let open_since = self.open_for.map(|open_for| {
            let open_for = TimeDelta::from_std(open_for).ok();
            let since = open_for.and_then(|open_for| now.checked_sub_signed(open_for));
            since.unwrap_or(DateTime::UNIX_EPOCH)
        });
        let question = TicketQuestion {
            statuses: self.status,
            other_statuses: self.not_status,
            open_since,
            assignee: self.assignee,
            watch_list_id: None,
            said: self.advisory,
            since: TimeLimits {
                any: time(self.since),
                modified: time(self.modified),
                first_seen: time(self.first_seen),
                changed: time(self.changed),
            },
            newest_first: self.first_seen.is_some(),
            gone: self.gone,
            // The end of a time is looked at after all are read.
            limit: if self.until.is_some() {
                i64::MAX
            } else {
                self.form.rows()
            },
        };
        ((question, self.watch_list), self.form)
    }
}

/// Says that no ticket has a status, which may be misspelt.
fn note_unknown(asked: &TicketQuestion, known: &[String]) {
    for name in asked.statuses.iter().chain(&asked.other_statuses) {
        let is_known = |one: &String| one.to_lowercase() == name.to_lowercase();
        if known.is_empty() || known.iter().any(is_known) {
            continue;
        }
        let names: Vec<&str> = known.iter().map(String::as_str).collect();
        let nearest = nearest(name, &names).map_or_else(
            || format!("; tickets have {}", known.join(", ")),
            |nearest| format!("; did you mean `{nearest}`?"),
        );
        print_note(&format!("no ticket has the status `{name}`{nearest}"));
    }
}

/// The time that a table shows.
#[derive(Debug, Clone, Copy)]
enum Shown {
    Modified,
    FirstSeen,
    /// Since when it is open, and for how long.
    Open,
}

impl Shown {
    fn of(asked: &TicketQuestion) -> Self {
        match (asked.open_since, asked.newest_first) {
            (Some(_), _) => Self::Open,
            (None, true) => Self::FirstSeen,
            (None, false) => Self::Modified,
        }
    }
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
    fn of(wanted: &TicketsArgs, (now, times): (DateTime<Utc>, Times)) -> Self {
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
    shown: Shown,
    (times, now): (Times, DateTime<Utc>),
    addresses: &LinkTemplates,
) -> String {
    let time = |line: &TicketLine| match shown {
        Shown::Modified => line.modified_at.map(|at| times.day(at)),
        Shown::FirstSeen => line.first_seen_at.map(|at| times.day(at)),
        Shown::Open => {
            let since = line.created_at.or(line.first_seen_at);
            since.map(|since| rough(now - since))
        }
    };
    let rows: Vec<[String; 7]> = lines
        .iter()
        .map(|line| {
            [
                called(line),
                line.status.clone().unwrap_or_default(),
                line.priority.clone().unwrap_or_default(),
                line.assignee.clone().unwrap_or_default(),
                line.said.clone().unwrap_or_default(),
                time(line).unwrap_or_default(),
                line.title.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let at = match shown {
        Shown::Modified => times.heading("modified", now),
        Shown::FirstSeen => times.heading("first seen", now),
        Shown::Open => "open for".to_owned(),
    };
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
fn page(line: &TicketLine, links: &LinkTemplates) -> Option<String> {
    let number = line.pretty_id.map(|number| number.to_string());
    let values = [
        ("number", number),
        ("id", Some(line.id.to_string())),
        ("said", line.said.clone()),
    ];
    links.ticket.as_ref()?.fill(&values)
}
