//! `advisoryd ack --list`: which advisories somebody takes care of.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::ask;
use super::list::{Form, print};
use super::output::table;
use super::shared::Shared;
use super::times::Times;
use crate::clock::Clock;
use crate::store::alerts::acknowledgement::{self, AckLine, AckQuestion};

/// Acknowledgements, the newest first.
pub(super) async fn run(
    shared: Shared,
    said: Option<&str>,
    (all, form): (bool, &Form),
) -> anyhow::Result<bool> {
    form.check::<AckLine>()?;
    let config = shared.load_and_log(Some("warn"))?;
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
    print(form, found, |lines| rows(lines, all, (times, now)))?;
    Ok(true)
}

fn rows(lines: &[AckLine], all: bool, (times, now): (Times, DateTime<Utc>)) -> String {
    let until = |line: &AckLine| match line.until {
        Some(until) => times.day(until),
        None => "withdrawn".to_owned(),
    };
    let (at, end) = (times.heading("at", now), times.heading("until", now));
    let note = |line: &AckLine| line.note.clone().unwrap_or_default();
    if all {
        let row = |line: &AckLine| {
            let (said, by) = (line.said.clone(), line.by.clone());
            let state = line.state.clone();
            [said, state, by, times.day(line.at), until(line), note(line)]
        };
        let rows: Vec<[String; 6]> = lines.iter().map(row).collect();
        return table(["advisory", "state", "by", &at, &end, "note"], &rows);
    }
    let row = |line: &AckLine| {
        let (said, by) = (line.said.clone(), line.by.clone());
        [said, by, times.day(line.at), until(line), note(line)]
    };
    let rows: Vec<[String; 5]> = lines.iter().map(row).collect();
    table(["advisory", "by", &at, &end, "note"], &rows)
}
