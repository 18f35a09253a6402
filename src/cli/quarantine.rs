//! `advisoryd quarantine`: what could not be understood, and what to do about it.

use clap::{Args, Subcommand};

use super::ask;
use super::confirm::confirm;
use super::list::{ListFormat as ListForm, print};
use super::output::{print_done, print_error, print_json, print_line, print_note, table};
use super::shared::GlobalArgs;
use super::table::short;
use super::times::Times;
use crate::clock::Clock;
use crate::config::Config;
use crate::job::trust::retry::{Fate, Retried, Retry};
use crate::model::{counted, legible};
use crate::source::xml;
use crate::startup::{self, Opened};
use crate::store::database;
use crate::store::ledger::quarantine::{self, Kept, ListedQuarantine, RecordFormat};

/// A reason in a table is cut here; `show` and `--json` have it whole.
const REASON_LETTERS: usize = 80;

/// What to do about records in quarantine.
const NEXT: &str = "these records are not stored as versions, and rules do not see them; look at one with `advisoryd quarantine show ID`; parse them again, after an update or with new [feeds.aliases], with `advisoryd quarantine retry`; delete one with `advisoryd quarantine drop ID`";

#[derive(Debug, Args)]
pub(super) struct Quarantine {
    #[command(subcommand)]
    what: QuarantineCommand,
}

#[derive(Debug, Subcommand)]
enum QuarantineCommand {
    /// List quarantined records, oldest first
    List {
        #[command(flatten)]
        form: ListForm,
    },
    /// Show one record with its raw text
    Show {
        /// ID, as shown by `list`
        id: i64,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Parse records again; those that parse are stored and leave the quarantine
    Retry {
        /// IDs, as shown by `list` [default: all]
        ids: Vec<i64>,
        /// Print one JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Delete records permanently
    Drop {
        /// IDs, as shown by `list`
        #[arg(required = true)]
        ids: Vec<i64>,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
}

pub(super) async fn run(shared: GlobalArgs, wanted: Quarantine) -> anyhow::Result<bool> {
    if let QuarantineCommand::List { form } = &wanted.what {
        form.check::<ListedQuarantine>()?;
    }
    let config = shared.load_and_note()?;
    let times = shared.times();
    ask::with_database(&config, async |opened| {
        drop(ask::up_to_date(opened).await?);
        match wanted.what {
            QuarantineCommand::List { form } => list(opened, &form, times).await,
            QuarantineCommand::Show { id, json } => show(&config, opened, (id, json), times).await,
            QuarantineCommand::Retry { ids, json } => retry(&config, opened, ids, json).await,
            QuarantineCommand::Drop { mut ids, yes } => {
                each_once(&mut ids);
                drop_records(opened, &ids, yes, times).await
            }
        }
    })
    .await
}

fn each_once(ids: &mut Vec<i64>) {
    ids.sort_unstable();
    ids.dedup();
}

async fn list(opened: &Opened, form: &ListForm, times: Times) -> anyhow::Result<bool> {
    let mut connection = opened.pool.acquire().await?;
    let mut lines = quarantine::list(&mut connection).await?;
    if lines.is_empty() && !form.is_for_programs() {
        print_line("quarantine is empty");
        return Ok(true);
    }
    lines.truncate(usize::try_from(form.rows()).unwrap_or(usize::MAX));
    print(form, lines, times, |lines| as_table(lines, times))?;
    if !form.is_for_programs() {
        print_note(NEXT);
    }
    Ok(true)
}

fn as_table(lines: &[ListedQuarantine], times: Times) -> String {
    let row = |line: &ListedQuarantine| {
        [
            line.id.to_string(),
            times.exact(line.at),
            line.source.clone(),
            line.key.clone().unwrap_or_default(),
            short(&times.in_sentence(&line.reason), REASON_LETTERS),
        ]
    };
    let rows: Vec<[String; 5]> = lines.iter().map(row).collect();
    table(["id", "since", "source", "key", "reason"], &rows)
}

async fn show(
    config: &Config,
    opened: &Opened,
    (id, json): (i64, bool),
    times: Times,
) -> anyhow::Result<bool> {
    let mut connection = opened.pool.acquire().await?;
    let Some(kept) = quarantine::get(&mut connection, id).await? else {
        anyhow::bail!("record {id} is not in quarantine; see `advisoryd quarantine list`");
    };
    if json {
        print_json(&kept)?;
        return Ok(true);
    }
    let rules = startup::rules(config)?;
    print_line(&page(&rules, &kept, times));
    let leaves = match (&kept.key, kept.form()) {
        (None, _) => "it has no identifier of its own, so no later version replaces it".to_owned(),
        (Some(key), RecordFormat::Ticket) => format!("a later version of ticket {key} replaces it"),
        (Some(key), _) => format!("a later version of {key} replaces it"),
    };
    print_note(&format!(
        "{leaves}; parse it again, after an update or with new [feeds.aliases]: `advisoryd quarantine retry {id}`; delete it: `advisoryd quarantine drop {id}`"
    ));
    Ok(true)
}

/// A record: what is known of it, then its text with a line for each element.
fn page(rules: &xml::ParserRules, kept: &Kept, times: Times) -> String {
    let Kept {
        id,
        source,
        key,
        reason,
        raw,
        run_id,
        last_run_id,
        ..
    } = kept;
    let (found, text) = match kept.form() {
        RecordFormat::Record => (xml::sketch(rules, raw), xml::laid_out(raw)),
        RecordFormat::Listed | RecordFormat::Detail | RecordFormat::Ticket => {
            let document = serde_json::from_str::<serde_json::Value>(raw);
            let text = document.and_then(|document| serde_json::to_string_pretty(&document));
            (xml::Sketch::default(), text.unwrap_or_else(|_| raw.clone()))
        }
    };
    let facts = [
        ("record", Some(id.to_string())),
        ("source", Some(source.clone())),
        ("key", Some(key.as_deref().unwrap_or("none").to_owned())),
        ("title", found.title),
        ("number", found.upstream_id),
        ("modified", found.modified),
        ("reason", Some(times.in_sentence(reason))),
        (
            "first",
            Some(format!("{}, run {run_id}", times.exact(kept.at))),
        ),
        ("last", Some(format!("run {last_run_id}"))),
    ];
    let facts = facts
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name:<11}{}", value?)));
    let facts: Vec<String> = facts.collect();
    legible(&format!("{}\n\n{text}", facts.join("\n")))
}

async fn retry(
    config: &Config,
    opened: &Opened,
    mut ids: Vec<i64>,
    json: bool,
) -> anyhow::Result<bool> {
    let rules = startup::rules(config)?;
    let clock = Clock::system();
    if ids.is_empty() {
        let mut connection = opened.pool.acquire().await?;
        ids = quarantine::ids_since(&mut connection, None).await?;
        if ids.is_empty() && !json {
            print_line("quarantine is empty");
        }
    }
    each_once(&mut ids);
    let retry = Retry {
        pool: &opened.pool,
        rules: &rules,
        clock: &clock,
    };
    let mut good = true;
    for id in ids {
        let retried = retry.retry(id).await?;
        good &= matches!(retried.fate, Fate::Stored | Fate::Known);
        if json {
            print_json(&retried)?;
        } else {
            print_retried(&retried);
        }
    }
    Ok(good)
}

fn print_retried(retried: &Retried) {
    let Retried {
        id,
        source,
        key,
        fate,
        reason,
    } = retried;
    let key = key.as_deref().unwrap_or("(no id)");
    let reason = reason.as_deref().unwrap_or_default();
    match fate {
        Fate::Stored => print_done(&format!("{id}  {key}: parsed and stored")),
        Fate::Known => print_done(&format!("{id}  {key}: parsed; already stored")),
        Fate::Stays => print_line(&format!("{id}  {key}: still failing: {reason}")),
        Fate::Busy => print_error(&format!(
            "record {id}: {source} is in use by another run ({reason}); try again later"
        )),
        Fate::Gone => print_error(&format!("record {id} is not in quarantine")),
    }
}

async fn drop_records(
    opened: &Opened,
    ids: &[i64],
    yes: bool,
    times: Times,
) -> anyhow::Result<bool> {
    let mut connection = opened.pool.acquire().await?;
    let mut found = Vec::new();
    for id in ids {
        let Some(kept) = quarantine::get(&mut connection, *id).await? else {
            anyhow::bail!("record {id} is not in quarantine; nothing was deleted");
        };
        let key = kept.key.as_deref().unwrap_or("(no id)");
        print_line(&format!(
            "{id}  {key} of {}, {} bytes, received {}: {}",
            kept.source,
            kept.raw.len(),
            times.exact(kept.at),
            kept.reason
        ));
        found.push(kept.id);
    }
    let question = format!(
        "What is deleted is stored nowhere else. Delete {} permanently?",
        counted(found.len(), "record")
    );
    if !confirm(yes, &question)? {
        return Ok(false);
    }
    let mut transaction = database::begin_on(&mut connection).await?;
    for id in &found {
        quarantine::remove(&mut transaction, *id).await?;
    }
    transaction.commit().await?;
    print_done(&format!(
        "{} deleted; records that upstream still sends are received again by the next run",
        found.len()
    ));
    Ok(true)
}
