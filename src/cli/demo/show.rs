//! What the demo shows, asked from the views that users have.

use std::path::Path;

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use crate::cli::output::{print_line, print_styled, table};
use crate::cli::table::cut;
use crate::model::{counted, outgoing_page};

/// Three queries worth trying.
const QUERIES: [(&str, &str); 3] = [
    (
        "Which advisories are most severe, and is there a fix?",
        "select said, severity, cvss3_score, solution_status, title
    from advisoryd_v1.advisories
    where severity_rank >= 4
    order by modified_at desc limit 10;",
    ),
    (
        "Which advisories mention remote code execution?",
        "select said, severity, title
    from advisoryd_v1.advisories
    where search @@ websearch_to_tsquery('english', 'remote code execution')
    limit 10;",
    ),
    (
        "What changed in the last minute?",
        "select said, version, changed_at, title
    from advisoryd_v1.advisories
    where version > 1 and changed_at > now() - interval '1 minute'
    order by changed_at desc limit 10;",
    ),
];

/// Three commands worth trying.
const COMMANDS: [&str; 3] = [
    "status",
    "advisories --severity high+ --limit 10",
    "changes --follow",
];

/// Follows the ledger.
pub(crate) struct DemoDisplay {
    pool: PgPool,
    last_run: i64,
    last_alert: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Run {
    id: i64,
    finished_at: DateTime<Utc>,
    source: String,
    mode: String,
    outcome: String,
    added: i64,
    changed: i64,
    unchanged: i64,
    requests: i64,
    seconds: f64,
    error: Option<String>,
}

impl DemoDisplay {
    pub(crate) fn new(pool: PgPool) -> Self {
        Self {
            pool,
            last_run: 0,
            last_alert: DateTime::UNIX_EPOCH,
        }
    }

    /// Prints the runs that ended since the last poll and did something.
    pub(crate) async fn runs(&mut self) -> anyhow::Result<()> {
        let mut runs: Vec<Run> = sqlx::query_as(
            "select id, finished_at,
                    coalesce('watch list ' || watch_list_id, job) as source,
                    mode, outcome, added, changed, unchanged, requests,
                    extract(epoch from finished_at - started_at)::float8 as seconds,
                    error
             from advisoryd_v1.sync_runs
             where id > $1
               and finished_at is not null
               and not exists (
                   select
                   from advisoryd_v1.sync_runs earlier
                   where earlier.id < sync_runs.id
                     and earlier.id > $1
                     and earlier.finished_at is null)
             order by id",
        )
        .bind(self.last_run)
        .fetch_all(&self.pool)
        .await?;
        self.last_run = runs.last().map_or(self.last_run, |run| run.id);
        runs.sort_by_key(|run| run.finished_at);
        for run in runs {
            if run.added + run.changed > 0 || run.error.is_some() {
                print_line(&line(&run));
            }
        }
        Ok(())
    }

    /// Prints the alerts that were raised since the last poll.
    pub(crate) async fn alerts(&mut self) -> anyhow::Result<()> {
        let alerts: Vec<(DateTime<Utc>, String, String, String)> = sqlx::query_as(
            "select raised_at, key, title, summary
             from advisoryd_v1.alerts
             where raised_at > $1
               and kind = 'advisory'
             order by raised_at, seq",
        )
        .bind(self.last_alert)
        .fetch_all(&self.pool)
        .await?;
        for (raised_at, key, title, summary) in alerts {
            self.last_alert = raised_at;
            let at = raised_at.format("%H:%M:%S");
            let line = format!("{at}  alert         {key}  {title} ({summary})");
            print_line(&cut(&outgoing_page(&line)));
        }
        Ok(())
    }

    /// Whether every source has had a run that ended, once the watch lists are known. Details
    /// have none where none is wanted.
    pub(crate) async fn all_read_once(&self) -> anyhow::Result<bool> {
        let waiting: i64 = sqlx::query_scalar(
            "select count(*)
             from advisoryd.source s
             where s.configured
               and s.kind <> 'details'
               and not exists (
                   select
                   from advisoryd.sync_run r
                   where r.source_id = s.id
                     and r.outcome <> 'running')",
        )
        .fetch_one(&self.pool)
        .await?;
        let lists: i64 = sqlx::query_scalar(
            "select count(*)
             from advisoryd.source
             where configured
               and kind = 'watch_list'",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(lists > 0 && waiting == 0)
    }

    /// Whether the last run of every source was complete.
    pub(crate) async fn all_succeeded(&self) -> anyhow::Result<bool> {
        let failing: i64 = sqlx::query_scalar(
            "select count(*)
             from advisoryd.source
             where configured
               and kind <> 'details'
               and (last_success_at is null or last_error is not null)",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(failing == 0)
    }

    /// What is there now, and how to look at it.
    pub(crate) async fn summary(&self, psql: &str) -> anyhow::Result<()> {
        let severities: Vec<(String, i64, i64)> = sqlx::query_as(
            "select severity, count(*), count(*) filter (where is_zero_day)
             from advisoryd_v1.advisories
             group by severity, severity_rank
             order by severity_rank desc nulls last",
        )
        .fetch_all(&self.pool)
        .await?;
        let rows: Vec<[String; 3]> = severities
            .into_iter()
            .map(|(severity, count, zero_days)| {
                [severity, count.to_string(), zero_days.to_string()]
            })
            .collect();
        let tickets: i64 = sqlx::query_scalar("select count(*) from advisoryd_v1.tickets")
            .fetch_one(&self.pool)
            .await?;
        print_line(&format!(
            "\nThe first pass is complete: {} and these advisories.\n",
            counted(tickets, "ticket")
        ));
        print_styled(&table(["severity", "advisories", "zero days"], &rows));
        print_line(&format!(
            "\nWith SQL, connect with\n\n    {psql}\n\nand try"
        ));
        for (question, query) in QUERIES {
            print_line(&format!("\n    -- {question}\n    {query}"));
        }
        Ok(())
    }
}

/// How to look at it with the program itself, from another terminal.
pub(crate) fn commands(config: &Path) {
    let program = std::env::current_exe().map_or_else(
        |_| "advisoryd".to_owned(),
        |program| program.display().to_string(),
    );
    print_line(&format!(
        "\nIn another terminal, try:\n\n    export ADVISORYD_CONFIG={}",
        config.display()
    ));
    for command in COMMANDS {
        print_line(&format!("    {program} {command}"));
    }
}

fn line(run: &Run) -> String {
    let at = run.finished_at.format("%H:%M:%S");
    let Run {
        source,
        mode,
        outcome,
        added,
        changed,
        unchanged,
        requests,
        seconds,
        ..
    } = run;
    let error = run
        .error
        .as_ref()
        .map(|error| format!(": {error}"))
        .unwrap_or_default();
    format!(
        "{at}  {source:<13} {mode:<12} {outcome}  {added:>5} new {changed:>4} changed {unchanged:>5} unchanged  {:>12}  {seconds:.2} s{error}",
        counted(requests, "request")
    )
}
