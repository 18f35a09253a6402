//! `advisoryd status` for people: whether a daemon runs, then only what needs attention,
//! then every source, then what is worth knowing.

use chrono::{DateTime, Utc};

use super::output::rough;
use super::status_daemon::Daemons;
use super::status_details::DetailsStatus;
use super::status_discovery;
use super::status_enrichment::EnrichmentStatus;
use super::status_errors::{self, Alike};
use super::status_mirror::MirrorStatus;
use super::status_pause::Pause;
use super::status_source::{self, SourceSchedule};
use super::times::Times;
use crate::job::health::findings::sink_key;
use crate::model::{
    Condition, ConditionState, DateFilter, counted, label_of, legible, outgoing_within,
};
use crate::store::alerts::outcome::SinkLine;
use crate::store::alerts::silence;
use crate::store::bundle::BundleImport;
use crate::store::ledger::account::UnreadSources;
use crate::store::ledger::unknown_field::UnknownField;
use crate::store::lists::discovery;
use crate::store::reports::report::{SourceReport, TableSize};
use crate::store::wanted::feed_days;

/// What `status` prints, read at one moment.
pub(super) struct Status {
    /// Why the database accepts no writes.
    pub(super) not_writable: Option<String>,
    pub(super) daemons: Daemons,
    pub(super) unread: Option<UnreadSources>,
    pub(super) discovery: Option<discovery::DiscoveryState>,
    pub(super) sources: Vec<SourceReport>,
    pub(super) filter: Option<DateFilter>,
    pub(super) advisories: i64,
    pub(super) sizes: Vec<TableSize>,
    pub(super) sinks: Vec<SinkLine>,
    pub(super) silences: silence::ActiveSilences,
    pub(super) details: DetailsStatus,
    pub(super) mirror: MirrorStatus,
    pub(super) enrichment: EnrichmentStatus,
    pub(super) bundle: Option<BundleImport>,
    pub(super) feed_days: Option<feed_days::FeedDays>,
    pub(super) conditions: Vec<ConditionState>,
    pub(super) unknown_fields: Vec<UnknownField>,
    pub(super) pauses: Vec<Pause>,
}

/// The page, legible, with the colours of the table. `in_detail` adds what only matters when something is examined.
pub(super) fn page(
    status: &Status,
    plan: &SourceSchedule,
    times: Times,
    in_detail: bool,
) -> String {
    let mut lines = status.daemons.lines(times, plan.now);
    let problems = problems(status, plan, (times, in_detail));
    if !problems.is_empty() {
        lines.push(format!("\n{}:", counted(problems.len(), "problem")));
        lines.extend(problems.into_iter().map(|line| format!("  {line}")));
    } else if plan.is_running {
        // Without a daemon, that is the problem, and is said above.
        lines.push("No problems.".to_owned());
    }
    let mut lines: Vec<String> = lines.iter().map(|line| legible(line)).collect();
    let table = status_source::table(&status.sources, plan, in_detail);
    lines.push(format!("\n{table}"));
    let notes = notes(status, plan, times, in_detail);
    lines.extend(notes.iter().map(|line| format!("\n{}", legible(line))));
    lines.join("\n")
}

/// What needs attention, the daemon's own problems first.
fn problems(
    status: &Status,
    plan: &SourceSchedule,
    (times, in_detail): (Times, bool),
) -> Vec<String> {
    let now = plan.now;
    let mut lines: Vec<String> = status.not_writable.iter().cloned().collect();
    lines.extend(status.daemons.refused());
    lines.extend(status.daemons.differing(times));
    lines.extend(
        status
            .unread
            .as_ref()
            .map(|unread| unread_line(unread, times)),
    );
    lines.extend(status.pauses.iter().map(|pause| pause.line(times)));
    let active = status.conditions.iter().filter(|state| state.is_found());
    // What is in quarantine now is shown for each source below, and that a sink fails, of the sink.
    let shown_above = [Condition::QuarantineGrew, Condition::SinkFailing];
    let active = active.filter(|state| !shown_above.contains(&state.condition));
    lines.extend(active.map(|state| condition_line(state, times)));
    let followed = || status.sources.iter().filter(|source| source.configured);
    let count = followed().count();
    let errors = status_errors::by_cause(followed()).into_iter();
    lines.extend(errors.flat_map(|alike| error_lines(&alike, count, in_detail)));
    lines.extend(followed().flat_map(|source| status_source::problems(source, times, now)));
    let discovery = status.discovery.as_ref();
    lines.extend(discovery.and_then(|state| status_discovery::problem(plan.config, state, now)));
    let sinks = status.sinks.iter().filter(|sink| needs_attention(sink));
    lines.extend(sinks.map(|sink| sink_line(sink, now)));
    lines
}

/// One line for each cause; in detail one for each source, with the address.
fn error_lines(alike: &Alike, followed: usize, in_detail: bool) -> Vec<String> {
    if !in_detail {
        return vec![alike.line(followed)];
    }
    let whole = alike.sources.iter().map(|source| {
        let error = source.last_error.as_deref().unwrap_or_default();
        format!("last error ({}): {error}", status_source::named(source))
    });
    whole.collect()
}

fn notes(status: &Status, plan: &SourceSchedule, times: Times, in_detail: bool) -> Vec<String> {
    let now = plan.now;
    let followed = || status.sources.iter().filter(|source| source.configured);
    let mut lines: Vec<String> = followed()
        .flat_map(|source| status_source::notes(source, &status.daemons, times))
        .collect();
    if !in_detail {
        lines.extend(status_source::former(&status.sources, now));
    }
    lines.extend(unknown_fields_line(&status.unknown_fields));
    let has_feeds = followed().any(|source| source.key.is_feed());
    if let Some(at) = plan.full.filter(|_| has_feeds && plan.is_running) {
        let next = rough(at - now);
        lines.push(format!("next full pull of all feeds: in {next}"));
    }
    lines.extend(status.details.lines(plan, times));
    lines.extend(status.mirror.lines(plan, times));
    lines.extend(status.enrichment.lines(now));
    lines.extend(bundle_line(status.bundle.as_ref(), plan, times));
    if let Some(state) = &status.discovery {
        lines.push(discovery_line(plan, state));
    }
    let sinks = status.sinks.iter().filter(|sink| !needs_attention(sink));
    lines.extend(sinks.map(|sink| match works_again(status, sink) {
        Some(since) => {
            let since = times.full(since);
            format!("{}; works again since {since}", sink_line(sink, now))
        }
        None => sink_line(sink, now),
    }));
    lines.extend(silences_line(&status.silences, times));
    let flapping = status.conditions.iter().filter(|state| {
        let is_quiet = state.is_raised && !state.is_found();
        is_quiet && state.condition != Condition::SinkFailing
    });
    lines.extend(flapping.map(|state| flapping_line(state, times)));
    if in_detail {
        lines.extend(status.feed_days.as_ref().map(|known| {
            let counts = known.counts.name();
            format!("feeds: `days` counts {counts} (shown by {})", known.said)
        }));
        lines.push(sizes_line(&status.sizes));
    }
    lines
}

/// The last bundle of a site that requests nothing, and how old it is.
fn bundle_line(
    bundle: Option<&BundleImport>,
    plan: &SourceSchedule,
    times: Times,
) -> Option<String> {
    let Some(bundle) = bundle else {
        let is_offline = plan.config.upstream.offline;
        return is_offline.then(|| "last bundle: none was imported yet".to_owned());
    };
    let (made, age) = (times.full(bundle.created_at), plan.now - bundle.created_at);
    let imported = match bundle.imported_at {
        Some(at) => format!("imported {}", times.full(at)),
        None => format!(
            "its import began {} and is not complete; import it again",
            times.full(bundle.began_at)
        ),
    };
    Some(format!(
        "last bundle: made {made} ({} ago), {imported}",
        rough(age)
    ))
}

fn unread_line(unread: &UnreadSources, times: Times) -> String {
    format!(
        "since {} the token or [upstream] base_url is another one; it may be another account, so everything is read in full again: {} not complete yet",
        times.full(unread.since),
        counted(unread.sources, "source")
    )
}

fn condition_line(state: &ConditionState, times: Times) -> String {
    let ConditionState {
        key,
        summary,
        since,
        ..
    } = state;
    let (name, since) = (state.condition.name(), times.full(*since));
    let key = label_of(key);
    format!("{name} since {since}: {key}: {summary}")
}

/// That alerts are suppressed: who waits for them should know.
fn silences_line(silences: &silence::ActiveSilences, times: Times) -> Option<String> {
    let until = times.full(silences.until?);
    let end = if silences.active == 1 {
        format!("until {until}")
    } else {
        format!("the last until {until}")
    };
    Some(format!(
        "{} active, {end}; {} suppressed (`advisoryd silence list`)",
        counted(silences.active, "silence"),
        counted(silences.alerts, "alert")
    ))
}

/// One that is not found any more, and that returned so soon before that this is watched.
fn flapping_line(state: &ConditionState, times: Times) -> String {
    let (name, key) = (state.condition.name(), &state.key);
    let quiet = state.quiet_since.unwrap_or(state.since);
    format!(
        "{name}: {key}: not active since {}; it returned soon after it was resolved, so it counts as resolved only after an hour",
        times.full(quiet)
    )
}

/// Since when a sink works that was reported as failing, while that is not resolved: until the
/// next check, or for an hour if it fails again and again.
fn works_again(status: &Status, sink: &SinkLine) -> Option<DateTime<Utc>> {
    let key = sink_key(&sink.name);
    let mut raised = status.conditions.iter().filter(|state| state.is_raised);
    let state =
        raised.find(|state| state.condition == Condition::SinkFailing && state.key == key)?;
    state.quiet_since.or(sink.last_success_at)
}

fn needs_attention(sink: &SinkLine) -> bool {
    if !sink.configured {
        return sink.waiting > 0;
    }
    sink.failing_since.is_some() || sink.dead_letters > 0
}

/// How many fields no column is read from, and the newest of them.
fn unknown_fields_line(fields: &[UnknownField]) -> Option<String> {
    /// Named at most; the view has all.
    const MOST: usize = 3;
    let newest: Vec<String> = fields
        .iter()
        .take(MOST)
        .map(|field| format!("{} ({})", outgoing_within(&field.name, 60), field.source))
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

/// How discovery fares, and when it runs again.
fn discovery_line(plan: &SourceSchedule, state: &discovery::DiscoveryState) -> String {
    let SourceSchedule { config, now, .. } = *plan;
    let last = state.last_success_at.map_or_else(
        || "never yet".to_owned(),
        |at| format!("last {} ago", rough(now - at)),
    );
    let next = config
        .discovery
        .schedule
        .next_after(now, config.schedule.timezone)
        .filter(|_| plan.is_running)
        .map_or_else(String::new, |at| format!(", next in {}", rough(at - now)));
    let followed = counted(config.watch_lists.len(), "watch list");
    format!("{followed} followed; discovery: {last}{next}.")
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
            "failing for {}: {}",
            rough(now - since),
            sink.last_error.as_deref().unwrap_or_default()
        ),
        (None, Some(at)) => format!("last delivery {}", ago(at)),
        (None, None) => "nothing sent yet".to_owned(),
    };
    let mut line = format!("sink `{}`: {state}", sink.name);
    if sink.waiting > 0 {
        line = format!("{line}; {} waiting", sink.waiting);
    }
    if sink.dead_letters > 0 {
        let letters = counted(sink.dead_letters, "dead letter");
        let name = &sink.name;
        line = format!(
            "{line}; {letters}, not retried. To list them: `advisoryd alerts list --state dead_letter --sink {name}`; to send them again: `advisoryd alerts resend --state dead_letter --sink {name}`; to give them up: `advisoryd alerts dismiss --state dead_letter --sink {name}`"
        );
    }
    line
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
