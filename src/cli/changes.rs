//! `advisoryd changes`: what happened, in order, and as it happens.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;

use chrono::Utc;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use sqlx::PgConnection;
use sqlx::postgres::PgListener;

use super::change_lines::{ChangeFormat, Printer};
use super::level::{Level, level, print_critical_note};
use super::output::{is_whole, print_error, print_note, reader_gone};
use super::shared::GlobalArgs;
use super::show::find;
use super::since::{Since, in_order, since};
use super::state_file::StateFile;
use super::times::Times;
use super::{ask, chosen_list, product_words};
use crate::clock::Clock;
use crate::model::filter::nearest;
use crate::model::{ChangeKind, DetailsMode, RecordKind};
use crate::startup::Opened;
use crate::store;
use crate::store::change::{self, CHANNEL, Selection};

/// Rows read at once.
const PAGE: i64 = 1000;
/// Polling interval, in case a notification is lost.
const POLL_INTERVAL: Duration = Duration::from_secs(30);
/// Pause before reconnecting to the database.
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// Which changes.
#[derive(Debug, Args)]
pub(super) struct Changes {
    /// Only changes of these advisories (SA87735) and their tickets, and of these tickets: a
    /// ticket ID, or a ticket number (`#12`)
    #[arg(value_name = "SAID|TICKET")]
    keys: Vec<String>,
    /// Only changes after this sequence number, or since this time: a duration (`7d`), a day
    /// (`yesterday`), a date (2026-11-01) [default: all; with --follow: only new ones]
    #[arg(long, value_name = "SEQ|WHEN", value_parser = from)]
    since: Option<From>,
    /// Only changes before this time; a day or month (`2026-10`) is included
    #[arg(long, value_name = "WHEN", value_parser = since, conflicts_with_all = ["follow", "state_file"])]
    until: Option<Since>,
    /// Only these events, separated by commas, for example escalated,became_zero_day
    #[arg(long, value_name = "EVENT", value_delimiter = ',', value_parser = event)]
    what: Vec<String>,
    /// Severity of the advisory now: extremely_critical (also `critical`), highly_critical
    /// (`high`), moderately_critical (`medium`), less_critical (`low`) or not_critical; with `+`
    /// this or more severe
    #[arg(long, value_name = "LEVEL[+]", value_parser = level)]
    severity: Option<Level>,
    /// Joined or left this watch list, or is in it: its ID or its name
    #[arg(long, visible_alias = "list", value_name = "ID|NAME")]
    watch_list: Option<String>,
    /// Words of a product name or CPE
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, value_parser = NonEmptyStringValueParser::new())]
    product: Option<String>,
    /// Maximum number of changes: the newest ones, or, with --follow or after a sequence number
    /// (--since, --state-file), the next ones
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
    limit: Option<i64>,
    /// Keep printing new changes until Ctrl-C, or until --limit is reached
    #[arg(long)]
    follow: bool,
    /// Begin after the change whose number is in this file, and write the number of the last
    /// one to it. Without the file: begin at --since, otherwise at the newest change
    #[arg(long, value_name = "FILE")]
    state_file: Option<PathBuf>,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
    /// Print CSV with a header row and times in UTC
    #[arg(long, conflicts_with_all = ["json", "follow"])]
    csv: bool,
}

impl Changes {
    /// Whether it only ends when it is asked to.
    pub(super) fn is_endless(&self) -> bool {
        self.follow
    }

    fn begins_after_a_number(&self) -> bool {
        self.state_file.is_some() || matches!(self.since, Some(From::After(_)))
    }
}

/// Where to begin.
#[derive(Debug, Clone, Copy)]
enum From {
    After(i64),
    Since(Since),
}

fn from(text: &str) -> Result<From, String> {
    match text.parse() {
        Ok(seq) => Ok(From::After(seq)),
        Err(_) => since(text).map(From::Since),
    }
}

fn event(text: &str) -> Result<String, String> {
    let names: Vec<&str> = ChangeKind::ALL.iter().map(|kind| kind.name()).collect();
    let name = text.trim();
    if names.contains(&name) {
        return Ok(name.to_owned());
    }
    // What people look for, and what is like none of the names.
    let close = match name {
        "modified" | "changed" | "updated" => Some("revised"),
        "new" | "added" | "created" => Some("appeared"),
        _ => nearest(name, &names),
    };
    let close = close.map_or_else(String::new, |close| format!("; did you mean `{close}`?"));
    Err(format!("expected one of {}{close}", names.join(", ")))
}

pub(super) async fn run(shared: GlobalArgs, wanted: Changes) -> anyhow::Result<bool> {
    let mut config = shared.load_and_note()?;
    if wanted.follow {
        // A standby sends no notifications.
        config.database.read_url = None;
    }
    if wanted.severity.is_some_and(|level| level.says_critical) {
        print_critical_note();
    }
    let state = wanted.state_file.as_deref().map(StateFile::open);
    let state = state.transpose()?;
    let details = config.feeds.details;
    ask::with_reader(&config, async |opened| {
        tokio::select! {
            result = show(opened, &wanted, state, (shared.times(), details)) => result,
            () = super::stop::asked_to_stop()? => Ok(()),
            () = reader_gone() => Ok(()),
        }
    })
    .await?;
    Ok(true)
}

/// What is printed, and how far it is.
struct Reading {
    selection: Selection,
    printer: Printer,
    /// The last change that was printed, or passed over because it was not selected.
    last: i64,
    /// How many more are printed, if that is limited.
    left: Option<i64>,
    /// The last change that is asked for, if there is an end.
    end: Option<i64>,
    state: Option<StateFile>,
    has_printed: bool,
}

async fn show(
    opened: &Opened,
    wanted: &Changes,
    state: Option<StateFile>,
    (times, details): (Times, DetailsMode),
) -> anyhow::Result<()> {
    let mut connection = ask::up_to_date(opened).await?;
    let now = Clock::system().now();
    let form = match (wanted.json, wanted.csv) {
        (true, _) => ChangeFormat::Json,
        (_, true) => ChangeFormat::Csv,
        _ => ChangeFormat::Lines,
    };
    let end = match wanted.until {
        Some(until) => Some(change::before(&mut connection, until.end(now, times)).await?),
        None => None,
    };
    if let (Some(From::Since(from)), Some(until)) = (wanted.since, wanted.until) {
        in_order(
            Some(from.time(now, times)),
            Some(until.end(now, times)),
            times,
        )?;
    }
    let selection = selection(&mut connection, wanted, (details, times)).await?;
    let mut last = begin(&mut connection, wanted, state.as_ref(), (times, now)).await?;
    let mut left = wanted.limit;
    let is_forward = wanted.follow || wanted.begins_after_a_number();
    if let Some(limit) = wanted.limit.filter(|_| !is_forward) {
        let newest = change::newest(&mut connection).await?;
        let to = end.map_or(newest, |end| newest.min(end));
        last = before_newest(&mut connection, &selection, (last, to), limit).await?;
        left = None;
    }
    let mut reading = Reading {
        selection,
        printer: Printer::new(form, times)?,
        last,
        left,
        end,
        state,
        has_printed: false,
    };
    // From now on nothing is lost, also if nothing is printed for long.
    reading.keep()?;
    if !wanted.follow {
        reading.print_new(&mut connection).await?;
        // A job that runs each hour has nothing to say then.
        let is_seen = std::io::stdout().is_terminal();
        if form == ChangeFormat::Lines && is_seen && !reading.has_printed {
            print_note("no changes match");
            let product = wanted.product.as_deref().unwrap_or_default();
            let words: Vec<String> = product.split_whitespace().map(str::to_lowercase).collect();
            let unknown = product_words::unknown(&mut connection, &words).await?;
            product_words::print(&unknown);
        }
        return Ok(());
    }
    drop(connection);
    reading.follow_always(opened).await
}

async fn selection(
    connection: &mut PgConnection,
    wanted: &Changes,
    (details, times): (DetailsMode, Times),
) -> anyhow::Result<Selection> {
    let watch_list = wanted.watch_list.as_deref();
    let (mut saids, mut tickets) = (Vec::new(), Vec::new());
    for key in &wanted.keys {
        let found = find(connection, key.trim(), (details, times)).await?;
        match found.kind {
            RecordKind::Advisory => saids.push(found.key),
            RecordKind::Ticket => tickets.push(found.key.parse()?),
        }
    }
    Ok(Selection {
        saids,
        tickets,
        what: wanted.what.clone(),
        rank_from: wanted.severity.map(|level| level.lowest),
        rank_to: wanted.severity.map(|level| level.highest),
        watch_list_id: chosen_list::stored_id(connection, watch_list).await?,
        product: wanted.product.clone(),
    })
}

/// The number after which to begin.
async fn begin(
    connection: &mut PgConnection,
    wanted: &Changes,
    state: Option<&StateFile>,
    (times, now): (Times, chrono::DateTime<Utc>),
) -> anyhow::Result<i64> {
    let newest = change::newest(connection).await?;
    let beyond = |seq: i64| {
        format!(
            "sequence number {seq} is beyond the newest change ({newest}); if the database was replaced,"
        )
    };
    if let Some(seq) = state.and_then(|state| state.seq) {
        // Quiet for ever would be a lie.
        anyhow::ensure!(seq <= newest, "{} remove the state file", beyond(seq));
        return Ok(seq);
    }
    match wanted.since {
        Some(From::After(seq)) => {
            if seq > newest {
                print_error(&format!("{} start over with --since 0", beyond(seq)));
            }
            Ok(seq)
        }
        Some(From::Since(since)) => Ok(change::before(connection, since.time(now, times)).await?),
        None if wanted.follow || state.is_some() => Ok(newest),
        None => Ok(0),
    }
}

/// The number after which the newest `limit` of the selected changes between two numbers come. Looks back in steps
/// that grow: the numbers have no gaps, but few of the changes may be selected.
async fn before_newest(
    connection: &mut PgConnection,
    selection: &Selection,
    (after, mut to): (i64, i64),
    limit: i64,
) -> anyhow::Result<i64> {
    const LONGEST: i64 = 64 * PAGE;
    let (mut left, mut step) = (usize::try_from(limit)?, PAGE);
    while to > after {
        let from = (to - step).max(after);
        let found = change::selected(connection, selection, (from, to), step).await?;
        if let Some(first) = found.len().checked_sub(left) {
            return Ok(found.get(first).map_or(to, |change| change.seq - 1));
        }
        left -= found.len();
        (to, step) = (from, (step * 2).min(LONGEST));
    }
    Ok(after)
}

impl Reading {
    /// Follows for ever, or until all that was asked for is printed; an outage of the database
    /// is waited out.
    async fn follow_always(&mut self, opened: &Opened) -> anyhow::Result<()> {
        let mut is_away = false;
        loop {
            let Err(error) = self.follow(opened, &mut is_away).await else {
                return Ok(());
            };
            if !error.downcast_ref().is_some_and(store::is_away) {
                return Err(error);
            }
            if !is_away {
                is_away = true;
                print_error(&format!("waiting for the database: {error}"));
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    /// Prints new changes until the database becomes unreachable, or until all that was asked
    /// for is printed.
    async fn follow(&mut self, opened: &Opened, is_away: &mut bool) -> anyhow::Result<()> {
        // Listening begins before the first look: what commits in between wakes us.
        let mut listener = PgListener::connect_with(&opened.pool).await?;
        listener.listen(CHANNEL).await?;
        if std::mem::take(is_away) {
            print_note("the database is reachable again");
        }
        loop {
            let mut connection = opened.pool.acquire().await?;
            self.print_new(&mut connection).await?;
            drop(connection);
            if self.left == Some(0) {
                return Ok(());
            }
            if let Ok(heard) = tokio::time::timeout(POLL_INTERVAL, listener.recv()).await {
                heard?;
            }
        }
    }

    async fn print_new(&mut self, connection: &mut PgConnection) -> anyhow::Result<()> {
        loop {
            // What is not selected up to here has been passed over.
            let newest = change::newest(connection).await?;
            let newest = self.end.map_or(newest, |end| newest.min(end));
            if newest <= self.last {
                return Ok(());
            }
            let span = (self.last, newest);
            let page = self.left.map_or(PAGE, |left| left.min(PAGE));
            let found = change::selected(connection, &self.selection, span, page).await?;
            for change in &found {
                self.printer.print(connection, change).await?;
                self.has_printed = true;
                self.last = change.seq;
            }
            let printed = i64::try_from(found.len())?;
            if printed < page {
                self.last = newest;
            }
            self.keep()?;
            if let Some(left) = &mut self.left {
                *left -= printed;
                if *left == 0 {
                    return Ok(());
                }
            }
        }
    }

    /// Remembers how far it is, if all of it was written.
    fn keep(&mut self) -> anyhow::Result<()> {
        if let Some(state) = &mut self.state
            && is_whole()
        {
            state.write(self.last)?;
        }
        Ok(())
    }
}
