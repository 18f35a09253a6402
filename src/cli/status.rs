//! `advisoryd status`: how fresh everything is.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::ask;
use super::output::{print_json, print_line, rough, table};
use super::shared::Shared;
use super::status_details::Details;
use crate::clock::Clock;
use crate::config::Config;
use crate::job::lists::discover;
use crate::model::{ConditionState, DateFilter, IngestedVia, SourceKey};
use crate::startup::Opened;
use crate::store::alerts::outcome::{self, SinkLine};
use crate::store::health::condition;
use crate::store::lists::discovery;
use crate::store::reports::report::{self, SourceReport, TableSize};
use crate::store::tickets::reading;
use crate::store::wanted::feed_days;

pub(super) async fn run(shared: Shared, as_json: bool) -> anyhow::Result<bool> {
    let config = shared.load_and_log(Some("warn"))?;
    let now = Clock::system().now();
    ask::with_database(&config, async |opened| {
        show(&config, opened, as_json, now).await
    })
    .await
}

/// What `status` prints, read at one moment.
struct Status {
    discovery: Option<discovery::State>,
    sources: Vec<SourceReport>,
    filter: Option<DateFilter>,
    advisories: i64,
    sizes: Vec<TableSize>,
    sinks: Vec<outcome::SinkLine>,
    details: Details,
    feed_days: Option<feed_days::FeedDays>,
    conditions: Vec<ConditionState>,
}

async fn show(
    config: &Config,
    opened: &Opened,
    as_json: bool,
    now: DateTime<Utc>,
) -> anyhow::Result<bool> {
    let mut connection = ask::up_to_date(opened).await?;
    let config = &discover::followed(&mut connection, config).await?;
    let status = read(config, &mut connection, now).await?;
    let timezone = config.schedule.timezone;
    let next_run = |source: &SourceReport| {
        let schedule = config.schedule_of(&source.key, status.filter)?;
        let next = schedule.next_after(now, timezone);
        next.filter(|_| source.configured)
    };
    let next_full = config.schedule.full_feeds.next_after(now, timezone);
    if as_json {
        print_json(&status.as_value(&opened.psql, next_run, (now, next_full)))?;
    } else {
        status.print(config, next_run, (now, next_full));
        let advisories = status.advisories;
        print_line(&format!(
            "\n{advisories} advisories. Connect: {}",
            opened.psql
        ));
    }
    Ok(true)
}

async fn read(
    config: &Config,
    connection: &mut PgConnection,
    now: DateTime<Utc>,
) -> anyhow::Result<Status> {
    let discovery = discovery::state(connection).await?;
    Ok(Status {
        discovery: Some(discovery).filter(|_| config.discovery.watch_lists),
        sources: report::sources(connection).await?,
        filter: reading::get(connection).await?.filter,
        advisories: report::advisories(connection).await?,
        sizes: report::table_sizes(connection).await?,
        sinks: outcome::sinks(connection).await?,
        details: Details::look(config, connection, now).await?,
        feed_days: feed_days::get(connection).await?,
        conditions: condition::standings(connection).await?,
    })
}

impl Status {
    fn as_value(
        &self,
        psql: &str,
        next_run: impl Fn(&SourceReport) -> Option<DateTime<Utc>>,
        (now, next_full): (DateTime<Utc>, Option<DateTime<Utc>>),
    ) -> Value {
        let sources: Vec<Value> = self
            .sources
            .iter()
            .map(|source| as_value(source, (next_run(source), next_full), now))
            .collect();
        json!({
            "at": now,
            "advisories": self.advisories,
            "sources": sources,
            "conditions": conditions(&self.conditions),
            "discovery": self.discovery,
            "details": self.details.as_value(),
            "feed_days": self.feed_days,
            "sinks": self.sinks,
            "tables": self.sizes,
            "psql": psql,
        })
    }

    fn print(
        &self,
        config: &Config,
        next_run: impl Fn(&SourceReport) -> Option<DateTime<Utc>>,
        (now, next_full): (DateTime<Utc>, Option<DateTime<Utc>>),
    ) {
        let rows: Vec<[String; 8]> = self
            .sources
            .iter()
            .map(|source| row(source, next_run(source), now))
            .collect();
        print_line(&table(HEADING, &rows));
        self.sources
            .iter()
            .filter(|source| source.configured)
            .for_each(print_source);
        self.conditions
            .iter()
            .filter(|state| state.is_raised)
            .for_each(print_condition);
        if let Some(known) = &self.feed_days {
            print_line(&format!(
                "\nfeed window: by {} (seen with {})",
                known.counts.name(),
                known.said
            ));
        }
        let is_feed = |source: &&SourceReport| source.configured && source.key.is_feed();
        if let Some(at) = next_full.filter(|_| self.sources.iter().any(|one| is_feed(&one))) {
            let next = rough(at - now);
            print_line(&format!("\nnext full pull of all feeds: in {next}"));
        }
        for line in self.details.lines() {
            print_line(&format!("\n{line}"));
        }
        if let Some(state) = &self.discovery {
            print_line(&format!("\n{}", discovery_line(config, state, now)));
        }
        for sink in &self.sinks {
            print_line(&format!("\n{}", sink_line(sink, now)));
        }
        print_line(&format!("\n{}", sizes_line(&self.sizes)));
    }
}

const HEADING: [&str; 8] = [
    "source",
    "name",
    "state",
    "data age",
    "last success",
    "stored",
    "quarantine",
    "next run",
];

/// What needs attention in a source: its last error, the fallback, gaps.
fn print_source(source: &SourceReport) {
    if let Some(error) = &source.last_error {
        print_line(&format!("\nlast error ({}): {error}", source.key));
    }
    if source.served_by == IngestedVia::Json {
        let why = source.served_why.as_deref();
        let why = why.unwrap_or("set in the configuration");
        print_line(&format!(
            "\n{}: read through the JSON API: {why}",
            source.key
        ));
    }
    for gap in &source.gaps {
        print_line(&format!(
            "\n{}: gap from {} to {}; it is requested again",
            source.key, gap.from, gap.to
        ));
    }
}

fn print_condition(state: &ConditionState) {
    let ConditionState {
        key,
        summary,
        since,
        ..
    } = state;
    print_line(&format!(
        "\n{} since {}: {key}: {summary}",
        state.condition.name(),
        since.format("%Y-%m-%d %H:%M UTC")
    ));
}

/// How discovery fares, and when it runs again.
fn discovery_line(config: &Config, state: &discovery::State, now: DateTime<Utc>) -> String {
    let last = state.last_success_at.map_or_else(
        || "never yet".to_owned(),
        |at| format!("last {} ago", rough(now - at)),
    );
    let next = config
        .discovery
        .schedule
        .next_after(now, config.schedule.timezone)
        .map_or_else(String::new, |at| format!(", next in {}", rough(at - now)));
    let followed = config.watch_lists.len();
    let line = format!("{followed} watch lists followed; discovery: {last}{next}.");
    match &state.last_error {
        Some(error) => format!("{line}\nlast error (discovery): {error}"),
        None => line,
    }
}

/// How a sink is, the worst thing first.
fn sink_line(sink: &SinkLine, now: DateTime<Utc>) -> String {
    let ago = |at: DateTime<Utc>| format!("{} ago", rough(now - at));
    let state = match (sink.failing_since, sink.last_success_at) {
        _ if !sink.configured => {
            "no longer configured; its pending deliveries wait until it is configured again"
                .to_owned()
        }
        (Some(since), _) => format!(
            "failing since {}: {}",
            ago(since),
            sink.last_error.as_deref().unwrap_or_default()
        ),
        (None, Some(at)) => format!("last delivery {}", ago(at)),
        (None, None) => "nothing sent yet".to_owned(),
    };
    let mut line = format!("sink `{}`: {state}", sink.name);
    for (count, what) in [
        (sink.waiting, "waiting"),
        (
            sink.dead_letters,
            "given up (`advisoryd alerts list --state dead_letter`)",
        ),
    ] {
        if count > 0 {
            line = format!("{line}; {count} {what}");
        }
    }
    line
}

/// What is or was wrong with the program itself.
fn conditions(standings: &[ConditionState]) -> Vec<Value> {
    standings
        .iter()
        .map(|standing| {
            json!({
                "what": standing.condition.name(),
                "key": standing.key,
                "holds": standing.is_raised,
                "since": standing.since,
                "over_at": standing.over_at.filter(|_| !standing.is_raised),
                "occurrence": standing.occurrence,
                "value": standing.value,
                "summary": standing.summary,
            })
        })
        .collect()
}

/// The tables that take the most room, and what all of them take.
fn sizes_line(sizes: &[TableSize]) -> String {
    /// The others are small beside these.
    const LARGEST: usize = 5;
    let size = |bytes: i64| bytesize::ByteSize(bytes.unsigned_abs()).to_string();
    let all = size(sizes.iter().map(|table| table.bytes).sum());
    let largest: Vec<String> = sizes
        .iter()
        .take(LARGEST)
        .map(|table| format!("{} {}", table.name, size(table.bytes)))
        .collect();
    format!("Database size: {all} (largest: {})", largest.join(", "))
}

/// `never`, `running`, `refused`, `failing`, `off` or `ok`: the worst thing first.
fn state(source: &SourceReport) -> &'static str {
    let is_refused = source.key == SourceKey::RevisionScan && source.rests_until.is_some();
    if !source.configured {
        "off"
    } else if source.running {
        "running"
    } else if is_refused {
        "refused"
    } else if source.last_error.is_some() {
        "failing"
    } else if source.last_success_at.is_none() {
        "never ran"
    } else {
        "ok"
    }
}

fn row(source: &SourceReport, next_run: Option<DateTime<Utc>>, now: DateTime<Utc>) -> [String; 8] {
    let ago = |at: DateTime<Utc>| format!("{} ago", rough(now - at));
    [
        source.key.to_string(),
        source.name.clone().unwrap_or_default(),
        state(source).to_owned(),
        source.covered_to.map_or_else(
            || "no data".into(),
            |at| rough((now - at).max(chrono::TimeDelta::zero())),
        ),
        source.last_success_at.map_or_else(|| "never".into(), ago),
        source.records.to_string(),
        source.quarantined.to_string(),
        next_run.map_or_else(|| "-".into(), |at| format!("in {}", rough(at - now))),
    ]
}

fn as_value(
    source: &SourceReport,
    (next_run, next_full): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    now: DateTime<Utc>,
) -> Value {
    let next_full = next_full.filter(|_| source.configured && source.key.is_feed());
    let (id, served_by) = match &source.key {
        SourceKey::WatchList(id) => (json!(id), Some(source.served_by.name())),
        SourceKey::ExtraFeed(name) => (json!(name), None),
        SourceKey::Tickets | SourceKey::RevisionScan | SourceKey::Details => (Value::Null, None),
    };
    let gaps: Vec<Value> = source
        .gaps
        .iter()
        .map(|gap| json!({ "from": gap.from, "to": gap.to }))
        .collect();
    json!({
        "kind": source.key.kind(),
        "id": id,
        "name": source.name,
        "state": state(source),
        "configured": source.configured,
        "last_attempt_at": source.last_attempt_at,
        "last_success_at": source.last_success_at,
        "last_error": source.last_error,
        "covered_to": source.covered_to,
        "data_age_seconds": source.covered_to.map(|at| (now - at).num_seconds().max(0)),
        "served_by": served_by,
        "served_why": source.served_why,
        "rests_until": source.rests_until,
        "records": source.records,
        "quarantined": source.quarantined,
        "gaps": gaps,
        "next_run_at": next_run,
        "last_full_at": source.full_at,
        "next_full_at": next_full,
        "last_news_at": source.news_at,
    })
}
