//! `advisoryd alerts list`: alerts and their delivery state, and which sinks failed and why.

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use super::ask;
use super::list::{ListFormat, print};
use super::output::{columns, print_line, print_note, table};
use super::since::{Since, since};
use super::table::width;
use super::times::Times;
use super::wrap::wrapped;
use crate::clock::Clock;
use crate::config::Config;
use crate::model::filter::nearest;
use crate::model::{
    AlertState, ChangeKind, ClockKind, Condition, Matcher, OWN_RULE, counted, legible, one_line,
    shortened,
};
use crate::startup::Opened;
use crate::store::alerts::outcome::{self, AlertLine, AlertQuestion};

/// Summaries are cut here on a terminal; everything else gets them in full.
const SUMMARY_LETTERS: usize = 60;
/// Digits of an id in tables.
const SHORT_ID: usize = 8;

#[derive(Debug, Args)]
pub(super) struct AlertsListArgs {
    /// Only alerts of this rule
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Only alerts about this advisory or ticket (its number, #1002, or its id)
    #[arg(long, value_name = "SAID|TICKET")]
    key: Option<String>,
    /// Only alerts in this state; without it, all but those whose dead letters were dismissed
    #[arg(long, value_parser = state())]
    state: Option<AlertState>,
    /// Only alerts about these events, separated by commas, for example escalated,kev_added;
    /// of alerts about advisoryd itself the condition, such as data_stale
    #[arg(long, value_name = "EVENT", value_delimiter = ',', value_parser = event)]
    what: Vec<String>,
    /// Only alerts that are sent to this sink
    #[arg(long, value_name = "NAME")]
    sink: Option<String>,
    /// Created since: a duration (`7d`, `12h`) or a date or time (2026-11-01)
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Since>,
    #[command(flatten)]
    form: ListFormat,
}

/// A state by its name.
fn state() -> impl TypedValueParser<Value = AlertState> {
    let states = AlertState::ALL.map(|state| {
        let value = PossibleValue::new(state.name());
        match state {
            // What people look for.
            AlertState::DeadLetter => value.alias("failed"),
            _ => value,
        }
    });
    PossibleValuesParser::new(states).try_map(|name| {
        let name = if name == "failed" {
            "dead_letter"
        } else {
            &name
        };
        AlertState::from_name(name).ok_or("it is no state of alerts")
    })
}

/// An event of alerts by its name.
fn event(text: &str) -> Result<String, String> {
    let changes = ChangeKind::ALL.iter().map(|kind| kind.name());
    let conditions = Condition::ALL.iter().map(|condition| condition.name());
    let names: Vec<&str> = changes
        .chain(ClockKind::ALL.map(ClockKind::name))
        .chain(conditions)
        .collect();
    let name = text.trim();
    if names.contains(&name) {
        return Ok(name.to_owned());
    }
    let close = nearest(name, &names);
    let close = close.map_or_else(String::new, |close| format!("; did you mean `{close}`?"));
    Err(format!("expected one of {}{close}", names.join(", ")))
}

impl AlertsListArgs {
    /// Checks `--columns` before anything is requested.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        self.form.check::<AlertLine>()
    }
}

pub(super) async fn list(
    config: &Config,
    opened: &Opened,
    wanted: AlertsListArgs,
    times: Times,
) -> anyhow::Result<bool> {
    let is_rule = |name: &str| {
        let mut rules = config.alerts.rules.iter().map(Matcher::rule);
        name == OWN_RULE || rules.any(|rule| rule.name == name)
    };
    let unknown = wanted.rule.clone().filter(|name| !is_rule(name));
    let is_sink = |name: &str| config.alerts.sinks.iter().any(|sink| sink.name == name);
    let unknown_sink = wanted.sink.clone().filter(|name| !is_sink(name));
    let mut connection = ask::up_to_date(opened).await?;
    let since = wanted.since;
    let question = AlertQuestion {
        rule: wanted.rule,
        key: wanted.key,
        state: wanted.state,
        since: since.map(|since| since.time(Clock::system().now(), times)),
        what: wanted.what,
        sink: wanted.sink,
        limit: wanted.form.rows(),
    };
    let lines = outcome::alerts(&mut connection, &question).await?;
    let left_out = outcome::dismissed(&mut connection, &question).await?;
    let note_left_out = || {
        if left_out > 0 && !wanted.form.is_for_programs() {
            print_note(&format!(
                "not listed: {}; use --state dismissed",
                counted(left_out, "dismissed alert")
            ));
        }
    };
    if lines.is_empty() && !wanted.form.is_for_programs() {
        print_line("no alerts");
        if let Some(rule) = unknown {
            print_note(&format!(
                "there is no rule `{rule}`; see `advisoryd rules list`"
            ));
        }
        if let Some(sink) = unknown_sink {
            print_note(&format!(
                "there is no sink `{sink}`; see `advisoryd sinks list`"
            ));
        }
        note_left_out();
        return Ok(true);
    }
    print(&wanted.form, lines, times, |lines| as_table(lines, times))?;
    note_left_out();
    Ok(true)
}

/// On a terminal, errors are below their lines, and times have their zone in the heading;
/// elsewhere there is a column `error` if a delivery failed.
fn as_table(lines: &[AlertLine], times: Times) -> String {
    if let Some(width) = width() {
        return on_terminal(lines, times, width);
    }
    let usual = ["created", "rule", "key", "sink", "state", "id", "summary"];
    if lines.iter().all(|line| line.error.is_none()) {
        let rows: Vec<[String; 7]> = lines.iter().map(|line| row(line, times)).collect();
        return table(usual, &rows);
    }
    let [created, rule, key, sink, state, id, summary] = usual;
    let rows: Vec<[String; 8]> = lines
        .iter()
        .map(|line| {
            let [created, rule, key, sink, state, id, summary] = row(line, times);
            let error = error(line);
            [created, rule, key, sink, state, id, summary, error]
        })
        .collect();
    table(
        [created, rule, key, sink, state, id, summary, "error"],
        &rows,
    )
}

/// The error, and in front of it which sinks did not take this alert.
fn error(line: &AlertLine) -> String {
    let error = line.error.clone().unwrap_or_default();
    if line.passed_over.is_empty() {
        return error;
    }
    format!("not taken by {}; {error}", line.passed_over.join(", "))
}

fn on_terminal(lines: &[AlertLine], times: Times, width: usize) -> String {
    /// Blanks before an error.
    const INDENT: usize = 4;
    let now = Clock::system().now();
    let is_of_today = times.are_of_today(lines.iter().map(|line| line.raised_at), now);
    let name = if is_of_today { "today" } else { "created" };
    let created = times.heading(name, now);
    let rows: Vec<[String; 7]> = lines
        .iter()
        .map(|line| {
            let [_, rule, key, sink, state, id, summary] = row(line, times);
            let summary = shortened(&summary, SUMMARY_LETTERS);
            let alert = match &line.title {
                Some(title) => format!("{title} ({summary})"),
                None => summary,
            };
            let at = if is_of_today {
                times.of_today(line.raised_at)
            } else {
                times.minute(line.raised_at)
            };
            [id, at, rule, key, sink, state, alert]
        })
        .collect();
    let heading = ["id", &created, "rule", "key", "sink", "state", "alert"];
    let (common, page) = without_common(heading, &rows);
    let mut page = page.lines();
    let mut text: Vec<String> = common.into_iter().collect();
    text.extend(page.next().map(str::to_owned));
    for (row, line) in page.zip(lines) {
        text.push(row.to_owned());
        if line.error.is_some() {
            let error = legible(&one_line(&error(line)));
            let error = format!("{}{error}", " ".repeat(INDENT));
            text.push(wrapped(&error, INDENT, Some(width)));
        }
    }
    text.join("\n")
}

/// The table without the columns in which all rows are alike, and the line above it that
/// says what they have: titles need the room.
fn without_common(heading: [&str; 7], rows: &[[String; 7]]) -> (Option<String>, String) {
    /// Rule, sink and state.
    const MAY_GO: [usize; 3] = [2, 4, 5];
    let is_common = |place: usize| {
        let Some([first, rest @ ..]) = Some(rows) else {
            return false;
        };
        let is_same = |row: &[String; 7]| row[place] == first[place];
        !rest.is_empty() && !first[place].is_empty() && rest.iter().all(is_same)
    };
    let gone: Vec<usize> = MAY_GO.into_iter().filter(|at| is_common(*at)).collect();
    let common: Vec<String> = gone
        .iter()
        .filter_map(|at| Some(format!("{} {}", heading[*at], rows.first()?[*at])))
        .collect();
    let common = (!common.is_empty()).then(|| format!("all: {}", common.join(", ")));
    let kept = |cells: &[String]| {
        let cells = cells.iter().enumerate();
        let cells = cells.filter(|(at, _)| !gone.contains(at));
        cells.map(|(_, cell)| cell.clone()).collect::<Vec<_>>()
    };
    let rows: Vec<Vec<String>> = rows.iter().map(|row| kept(row)).collect();
    let heading = heading.map(str::to_owned);
    (common, columns(&kept(&heading), &rows))
}

fn row(line: &AlertLine, times: Times) -> [String; 7] {
    let summary = line.summary.as_deref().unwrap_or(&line.what);
    [
        times.exact(line.raised_at),
        line.rule.clone(),
        line.pretty_id
            .map_or_else(|| line.key.clone(), |number| format!("#{number}")),
        line.sinks.join(", "),
        line.state.clone(),
        line.id.to_string().chars().take(SHORT_ID).collect(),
        summary.to_owned(),
    ]
}
