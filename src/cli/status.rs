//! `advisoryd status`: how fresh everything is.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::ask;
use super::output::{print_json, print_line, rough, table};
use super::shared::Shared;
use super::status_details::Details;
use super::status_mirror::Mirror;
use super::status_source;
use crate::clock::Clock;
use crate::config::Config;
use crate::job::lists::discover;
use crate::model::{ConditionState, DateFilter, shortened};
use crate::startup::Opened;
use crate::store::alerts::outcome::{self, SinkLine};
use crate::store::health::condition;
use crate::store::ledger::unknown_field::{self, UnknownField};
use crate::store::lists::discovery;
use crate::store::reports::report::{self, SourceReport, TableSize};
use crate::store::tickets::reading;
use crate::store::wanted::feed_days;

pub(super) async fn run(shared: Shared, as_json: bool) -> anyhow::Result<bool> {
    let config = shared.load_and_log(Some("warn"))?;
    let now = Clock::system().now();
    ask::with_reader(&config, async |opened| {
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
    mirror: Mirror,
    feed_days: Option<feed_days::FeedDays>,
    conditions: Vec<ConditionState>,
    unknown_fields: Vec<UnknownField>,
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
        mirror: Mirror::look(config, connection, now).await?,
        feed_days: feed_days::get(connection).await?,
        conditions: condition::states(connection).await?,
        unknown_fields: unknown_field::list(connection).await?,
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
            .map(|source| status_source::as_value(source, (next_run(source), next_full), now))
            .collect();
        json!({
            "at": now,
            "advisories": self.advisories,
            "sources": sources,
            "conditions": conditions(&self.conditions),
            "unknown_fields": self.unknown_fields,
            "discovery": self.discovery,
            "details": self.details.as_value(),
            "mirrors": self.mirror.as_value(),
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
            .map(|source| status_source::row(source, next_run(source), now))
            .collect();
        print_line(&table(status_source::HEADING, &rows));
        self.sources
            .iter()
            .filter(|source| source.configured)
            .for_each(|source| status_source::print_source(source, now));
        self.conditions
            .iter()
            .filter(|state| state.is_raised)
            .for_each(print_condition);
        if let Some(line) = unknown_fields_line(&self.unknown_fields) {
            print_line(&format!("\n{line}"));
        }
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
        for line in self
            .details
            .lines()
            .into_iter()
            .chain(self.mirror.lines(now))
        {
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

/// How many fields no column is read from, and the newest of them.
fn unknown_fields_line(fields: &[UnknownField]) -> Option<String> {
    /// Named at most; the view has all.
    const MOST: usize = 3;
    let newest: Vec<String> = fields
        .iter()
        .take(MOST)
        .map(|field| format!("{} ({})", shortened(&field.name, 60), field.source))
        .collect();
    let more = if fields.len() > MOST { ", …" } else { "" };
    (!fields.is_empty()).then(|| {
        format!(
            "unknown fields: {} that no column is read from: {}{more}; see advisoryd_v1.unknown_fields",
            fields.len(),
            newest.join(", ")
        )
    })
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
fn conditions(states: &[ConditionState]) -> Vec<Value> {
    states
        .iter()
        .map(|state| {
            json!({
                "what": state.condition.name(),
                "key": state.key,
                "holds": state.is_raised,
                "since": state.since,
                "over_at": state.over_at.filter(|_| !state.is_raised),
                "occurrence": state.occurrence,
                "value": state.value,
                "summary": state.summary,
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
