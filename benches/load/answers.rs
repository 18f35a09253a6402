//! How long the questions take that a person asks of history.

use std::fmt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::Result;
use crate::figures::Spread;
use crate::place::{Database, Place};

/// Each question is asked so often, after once for the caches.
const TIMES: usize = 7;

pub struct Answer {
    question: &'static str,
    goal_ms: u32,
    rows: usize,
    took: Spread,
}

impl fmt::Display for Answer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            question,
            goal_ms,
            rows,
            took,
        } = self;
        write!(out, "{question:<52} {took}   goal {goal_ms}, {rows} rows")
    }
}

pub async fn measure(place: &Place, database: &Database) -> Result<Vec<Answer>> {
    let mut connection = PgConnection::connect_with(&database.options).await?;
    let said: String = sqlx::query_scalar("select min(said) from advisoryd_v1.advisories")
        .fetch_one(&mut connection)
        .await?;
    let mut answers = Vec::new();
    for (question, goal_ms, sql) in [
        (
            "changes of the last day",
            20,
            "select seq, at, kind, key, version, what from advisoryd_v1.changes where at > now() - interval '1 day' order by seq".to_owned(),
        ),
        (
            "one advisory as of 30 days ago",
            5,
            format!("select * from advisoryd_v1.advisories_as_of(now() - interval '30 days') where said = '{said}'"),
        ),
        (
            "all advisories as of 30 days ago",
            2000,
            "select said, severity, severity_rank, cves, modified_at, title from advisoryd_v1.advisories_as_of(now() - interval '30 days')".to_owned(),
        ),
        (
            "history of one advisory",
            20,
            format!("select * from advisoryd_v1.advisory_history where said = '{said}'"),
        ),
        (
            "fields that changed in one advisory",
            20,
            format!("select * from advisoryd_v1.field_changes where kind = 'advisory' and key = '{said}'"),
        ),
    ] {
        let mut rows = ask(&mut connection, &sql).await?;
        let mut took = Vec::new();
        for _ in 0..TIMES {
            let begun = Instant::now();
            rows = ask(&mut connection, &sql).await?;
            took.push(millis(begun.elapsed()));
        }
        answers.push(Answer { question, goal_ms, rows, took: Spread::of(took) });
    }
    connection.close().await?;
    answers.push(show(
        place,
        database,
        "advisoryd show, process and connection",
        &["show", &said],
    )?);
    answers.push(show(
        place,
        database,
        "advisoryd show --history, process and connection",
        &["show", &said, "--history"],
    )?);
    Ok(answers)
}

async fn ask(connection: &mut PgConnection, sql: &str) -> Result<usize> {
    let rows = sqlx::query(AssertSqlSafe(sql.to_owned()))
        .fetch_all(connection)
        .await?;
    Ok(rows.len())
}

/// The whole program, from start to end.
fn show(
    place: &Place,
    database: &Database,
    question: &'static str,
    arguments: &[&str],
) -> Result<Answer> {
    let config = place.file("show.toml");
    std::fs::write(&config, format!("[database]\nurl = \"{}\"\n", database.url))?;
    let mut took = Vec::new();
    for _ in 0..=TIMES {
        let begun = Instant::now();
        let status = Command::new(env!("CARGO_BIN_EXE_advisoryd"))
            .arg("--config")
            .arg(&config)
            .args(arguments)
            .stdout(Stdio::null())
            .status()?;
        took.push(millis(begun.elapsed()));
        if !status.success() {
            return Err(format!("show ended with {status}").into());
        }
    }
    took.remove(0);
    Ok(Answer {
        question,
        goal_ms: 20,
        rows: 1,
        took: Spread::of(took),
    })
}

fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1000.0
}
