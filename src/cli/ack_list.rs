//! `advisoryd ack --list`: the advisories that are acknowledged or assigned.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::ask;
use super::list::{ListFormat, print};
use super::output::{columns, print_line};
use super::shared::GlobalArgs;
use super::times::Times;
use crate::clock::Clock;
use crate::model::AcknowledgementState;
use crate::store::alerts::acknowledgement::{self, AckLine, AckQuestion};

/// Acknowledgements, the newest first.
pub(super) async fn run(
    shared: GlobalArgs,
    said: Option<&str>,
    (all, form): (bool, &ListFormat),
) -> anyhow::Result<bool> {
    form.check::<AckLine>()?;
    let config = shared.load_and_note()?;
    let (now, times) = (Clock::system().now(), shared.times());
    let question = AckQuestion {
        said: said.map(|said| said.trim().to_uppercase()),
        all,
        now,
        limit: form.rows(),
    };
    let ask = async |connection: &mut PgConnection| {
        anyhow::Ok(acknowledgement::list(connection, &question).await?)
    };
    let found = ask::with_connection(&config, ask).await?;
    if found.is_empty() && !form.is_for_programs() {
        print_line(if all {
            "no acknowledgements or assignments"
        } else {
            "no active acknowledgements or assignments"
        });
        return Ok(true);
    }
    print(form, found, times, |lines| rows(lines, all, (times, now)))?;
    Ok(true)
}

/// A cell of a row.
type CellOf<'a> = &'a dyn Fn(&AckLine) -> String;

fn rows(lines: &[AckLine], all: bool, (times, now): (Times, DateTime<Utc>)) -> String {
    let until = |line: &AckLine| match (line.until, line.withdrawn_at) {
        (_, Some(at)) if line.state == AcknowledgementState::Withdrawn => times.minute(at),
        (Some(until), _) => times.minute(until),
        (None, _) if line.state == AcknowledgementState::Assigned => "not acknowledged".to_owned(),
        (None, _) => "until withdrawn".to_owned(),
    };
    let title = |line: &AckLine| line.title.clone().unwrap_or_default();
    let (at, end) = (times.heading("at", now), times.heading("ends", now));
    let note = |line: &AckLine| line.note.clone().unwrap_or_default();
    let is_assigned = lines.iter().any(|line| line.assigned_to.is_some());
    let assignee = |line: &AckLine| line.assigned_to.clone().unwrap_or_default();
    let state = |line: &AckLine| line.state.name().to_owned();
    let cells: [(&str, CellOf<'_>, bool); 8] = [
        ("advisory", &|line| line.said.clone(), true),
        ("state", &state, all),
        ("by", &|line| line.by.clone(), true),
        (&at, &|line| times.minute(line.at), true),
        (&end, &until, true),
        ("assigned to", &assignee, is_assigned),
        ("note", &note, true),
        ("title", &title, true),
    ];
    let shown: Vec<_> = cells.iter().filter(|(_, _, is_shown)| *is_shown).collect();
    let heading: Vec<String> = shown.iter().map(|cell| cell.0.to_owned()).collect();
    let row = |line: &AckLine| shown.iter().map(|cell| (cell.1)(line)).collect();
    let rows: Vec<Vec<String>> = lines.iter().map(row).collect();
    columns(&heading, &rows)
}
