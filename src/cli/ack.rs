//! `advisoryd ack`: acknowledges an advisory, so that alerts about it are held back.

use clap::Args;
use serde_json::json;
use sqlx::PgConnection;

use super::exit::WrongUsage;
use super::list::ListFormat;
use super::login::login;
use super::note::note;
use super::output::print_done;
use super::shared::GlobalArgs;
use super::since::{Since, since};
use super::times::Times;
use super::{ack_list, ask};
use crate::clock::Clock;
use crate::model::outgoing;
use crate::startup::Opened;
use crate::store::alerts::acknowledgement::{self, Acknowledgement};
use crate::store::reports::question;
use crate::store::trust::erasure::{self, By};

/// Which advisory, and why.
#[derive(Debug, Args)]
pub(super) struct Ack {
    /// Advisory (SA87735)
    #[arg(required_unless_present = "list")]
    said: Option<String>,
    /// End: a duration from now (`30d`), a date or month (2026-12-31, to its end) or a time; without it, until withdrawn
    #[arg(long, value_name = "WHEN", value_parser = since)]
    until: Option<Since>,
    /// Reason, at most 2000 characters
    #[arg(long, value_name = "TEXT", value_parser = note)]
    note: Option<String>,
    /// Withdraw the acknowledgement; it stays in advisoryd_v1.acknowledgements
    #[arg(long, conflicts_with_all = ["until", "note"])]
    withdraw: bool,
    /// List what is acknowledged, newest first; with an advisory, only its acknowledgements
    #[arg(long, conflicts_with_all = ["until", "note", "withdraw"])]
    list: bool,
    /// With --list: include expired and withdrawn acknowledgements
    #[arg(long, requires = "list")]
    all: bool,
    #[command(flatten)]
    form: ListFormat,
}

pub(super) async fn run(shared: GlobalArgs, wanted: Ack) -> anyhow::Result<bool> {
    if wanted.list {
        let said = wanted.said.as_deref();
        return ack_list::run(shared, said, (wanted.all, &wanted.form)).await;
    }
    if wanted.form.is_given() {
        let message = "--limit, --columns, --json and --csv need --list";
        return Err(WrongUsage(message.to_owned()).into());
    }
    let config = shared.load_and_log(Some("warn"))?;
    ask::with_database(&config, async |opened| {
        ack(opened, &wanted, shared.times()).await
    })
    .await
}

async fn ack(opened: &Opened, wanted: &Ack, times: Times) -> anyhow::Result<bool> {
    drop(ask::up_to_date(opened).await?);
    let mut transaction = opened.pool.begin().await?;
    let said = stored(
        &mut transaction,
        wanted.said.as_deref().unwrap_or_default().trim(),
    )
    .await?;
    let now = Clock::system().now();
    let by = login();
    let (what, detail, line) = if wanted.withdraw {
        let is_done = acknowledgement::withdraw(&mut transaction, &said, now).await?;
        anyhow::ensure!(is_done, "advisory {said} is not acknowledged");
        let line = format!("acknowledgement of {said} withdrawn");
        ("withdraw_acknowledgement", json!({}), line)
    } else {
        let until = wanted
            .until
            .map(|until| until.end_ahead(now, times))
            .transpose()?;
        anyhow::ensure!(
            until.is_none_or(|until| until > now),
            "the end is in the past; use a future time or a duration such as 30d"
        );
        let new = Acknowledgement {
            by: by.clone(),
            at: now,
            until,
            note: wanted.note.as_deref().map(outgoing),
        };
        acknowledgement::add(&mut transaction, &said, &new).await?;
        let line = format!("{said} {}", words(&new, times));
        ("acknowledge", json!({"until": until}), line)
    };
    let by = By { who: &by, at: now };
    erasure::record(&mut transaction, by, what, Some(&said), detail).await?;
    transaction.commit().await?;
    print_done(&line);
    Ok(true)
}

/// The identifier of a stored advisory, as it is stored.
async fn stored(connection: &mut PgConnection, wanted: &str) -> anyhow::Result<String> {
    let found = question::advisory(connection, wanted).await?;
    let said = found.and_then(|document| document["said"].as_str().map(str::to_owned));
    said.ok_or_else(|| {
        anyhow::anyhow!("advisory `{wanted}` is not stored; use its ID, such as SA87735 (`advisoryd ack --list` lists what is acknowledged)")
    })
}

/// `acknowledged by NAME at TIME until TIME: NOTE`.
pub(super) fn words(ack: &Acknowledgement, times: Times) -> String {
    let until = ack.until.map_or_else(
        || "until withdrawn".to_owned(),
        |until| format!("until {}", times.exact(until)),
    );
    let note = ack.note.as_deref();
    let note = note.map_or_else(String::new, |note| format!(": {note}"));
    format!(
        "acknowledged by {} at {} {until}{note}",
        ack.by,
        times.exact(ack.at)
    )
}
