//! `advisoryd advisories` and `advisoryd tickets`: lists with filters, without SQL.

use chrono::{DateTime, Utc};
use clap::Args;
use sqlx::PgConnection;

use super::ask;
use super::chosen_list;
use super::list::{Form, print};
use super::output::{print_error, table};
use super::shared::Shared;
use super::since::{Since, since};
use super::times::Times;
use crate::clock::Clock;
use crate::model::Severity;
use crate::store::reports::question::{
    self, AdvisoryLine, AdvisoryQuestion, Moments, Order, TicketLine, TicketQuestion,
};
use crate::store::reports::receipt::{self, Unlisted};

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
    /// In this watch list: its ID or its name
    #[arg(long, value_name = "ID|NAME")]
    watch_list: Option<String>,
    /// Released or modified by the vendor since: a duration (`7d`), a day (`yesterday`,
    /// `monday`), a date or a time
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Since>,
    /// Released by the vendor since; the newest release comes first
    #[arg(long, value_name = "WHEN", value_parser = since)]
    released: Option<Since>,
    /// Modified by the vendor since
    #[arg(long, value_name = "WHEN", value_parser = since)]
    modified: Option<Since>,
    /// First stored in this database since; the newest comes first
    #[arg(long, value_name = "WHEN", value_parser = since)]
    first_seen: Option<Since>,
    /// Changed in this database since, for whatever reason
    #[arg(long, value_name = "WHEN", value_parser = since)]
    changed: Option<Since>,
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
    /// Modified upstream since
    #[arg(long, value_name = "WHEN", value_parser = since)]
    modified: Option<Since>,
    /// First stored in this database since; the newest comes first
    #[arg(long, value_name = "WHEN", value_parser = since)]
    first_seen: Option<Since>,
    /// Changed in this database since, for whatever reason
    #[arg(long, value_name = "WHEN", value_parser = since)]
    changed: Option<Since>,
    /// Deleted tickets instead of existing ones
    #[arg(long)]
    gone: bool,
    #[command(flatten)]
    form: Form,
}

pub(super) fn ranks(text: &str) -> Result<(i16, i16), String> {
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
    let (now, times) = (Clock::system().now(), shared.times());
    let time = |since: Option<Since>| since.map(|since| since.time(now, times));
    let order = match (wanted.released, wanted.first_seen) {
        (Some(_), _) => Order::Released,
        (None, Some(_)) => Order::FirstSeen,
        (None, None) => Order::Modified,
    };
    let mut asked = AdvisoryQuestion {
        rank_from: wanted.severity.map(|(from, _)| from),
        rank_to: wanted.severity.map(|(_, to)| to),
        cve: wanted.cve.map(|cve| cve.trim().to_ascii_uppercase()),
        product: wanted.product,
        watch_list_id: None,
        since: Moments {
            any: time(wanted.since),
            released: time(wanted.released),
            modified: time(wanted.modified),
            first_seen: time(wanted.first_seen),
            changed: time(wanted.changed),
        },
        order,
        zero_day: wanted.zero_day,
        search: wanted.search,
        limit: wanted.form.rows(),
    };
    let config = shared.load_and_log(Some("warn"))?;
    let details = config.feeds.details;
    let ask = async |connection: &mut PgConnection| {
        asked.watch_list_id = chosen_list::id(connection, wanted.watch_list.as_deref()).await?;
        let found = question::advisories(connection, &asked, details).await?;
        anyhow::Ok((found, receipt::unlisted(connection, details).await?))
    };
    let (found, unlisted) = ask::with_connection(&config, ask).await?;
    let rows = |lines: &[AdvisoryLine]| advisory_rows(lines, order, (times, now));
    print(&wanted.form, found, rows)?;
    print_unlisted(unlisted);
    Ok(true)
}

pub(super) async fn tickets(shared: Shared, wanted: Tickets) -> anyhow::Result<bool> {
    let (now, times) = (Clock::system().now(), shared.times());
    let time = |since: Option<Since>| since.map(|since| since.time(now, times));
    let order = match wanted.first_seen {
        Some(_) => Order::FirstSeen,
        None => Order::Modified,
    };
    let mut asked = TicketQuestion {
        status: wanted.status,
        assignee: wanted.assignee,
        watch_list_id: None,
        said: wanted.advisory,
        since: Moments {
            any: time(wanted.since),
            released: None,
            modified: time(wanted.modified),
            first_seen: time(wanted.first_seen),
            changed: time(wanted.changed),
        },
        order,
        gone: wanted.gone,
        limit: wanted.form.rows(),
    };
    let config = shared.load_and_log(Some("warn"))?;
    let ask = async |connection: &mut PgConnection| {
        asked.watch_list_id = chosen_list::id(connection, wanted.watch_list.as_deref()).await?;
        anyhow::Ok(question::tickets(connection, &asked).await?)
    };
    let found = ask::with_connection(&config, ask).await?;
    let rows = |lines: &[TicketLine]| ticket_rows(lines, order, (times, now));
    print(&wanted.form, found, rows)?;
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

fn advisory_rows(
    lines: &[AdvisoryLine],
    order: Order,
    (times, now): (Times, DateTime<Utc>),
) -> String {
    let rows: Vec<[String; 6]> = lines
        .iter()
        .map(|line| {
            let at = match order {
                Order::Released => line.released_at,
                Order::Modified => line.modified_at,
                Order::FirstSeen => line.first_seen_at,
            };
            [
                line.said.clone(),
                line.severity.clone().unwrap_or_default(),
                line.cvss_score
                    .map(|score| format!("{score:.1}"))
                    .unwrap_or_default(),
                line.solution_status.clone().unwrap_or_default(),
                at.map(|at| times.day(at)).unwrap_or_default(),
                marked(line, times),
            ]
        })
        .collect();
    let at = times.heading(heading(order), now);
    table(
        ["advisory", "severity", "cvss", "solution", &at, "title"],
        &rows,
    )
}

fn ticket_rows(lines: &[TicketLine], order: Order, (times, now): (Times, DateTime<Utc>)) -> String {
    let rows: Vec<[String; 7]> = lines
        .iter()
        .map(|line| {
            let at = match order {
                Order::FirstSeen => line.first_seen_at,
                Order::Modified | Order::Released => line.modified_at,
            };
            [
                line.id.to_string(),
                line.status.clone().unwrap_or_default(),
                line.priority.clone().unwrap_or_default(),
                line.assignee.clone().unwrap_or_default(),
                line.said.clone().unwrap_or_default(),
                at.map(|at| times.day(at)).unwrap_or_default(),
                line.title.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let at = times.heading(heading(order), now);
    table(
        [
            "ticket", "status", "priority", "assignee", "advisory", &at, "title",
        ],
        &rows,
    )
}

/// The column by which lines are ordered is always shown.
fn heading(order: Order) -> &'static str {
    match order {
        Order::Released => "released",
        Order::Modified => "modified",
        Order::FirstSeen => "first seen",
    }
}

/// The title; before it, that a record of the advisory is in quarantine.
fn marked(line: &AdvisoryLine, times: Times) -> String {
    let title = line.title.clone().unwrap_or_default();
    match line.quarantined_since {
        Some(since) => format!("[record in quarantine since {}] {title}", times.day(since)),
        None => title,
    }
}

#[cfg(test)]
mod tests {
    use super::ranks;

    #[test]
    fn levels_are_read_or_refused_with_the_way_out() {
        assert_eq!(ranks("highly_critical+"), Ok((4, 5)));
        assert_eq!(ranks("Less critical"), Ok((2, 2)));
        assert!(ranks("bad").is_err_and(|text| text.contains("not_critical")));
    }
}
