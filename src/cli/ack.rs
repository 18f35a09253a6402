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
use crate::model::{one_line, outgoing};
use crate::startup::Opened;
use crate::store::alerts::acknowledgement::{self, Acknowledgement};
use crate::store::alerts::assignment::{self, Assignment};
use crate::store::database;
use crate::store::reports::question;
use crate::store::trust::erasure::{self, By};

/// Longest name of an assignee, in characters.
const MAX_NAME_CHARS: usize = 200;

/// Which advisory, and why.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own on the command line"
)]
pub(super) struct Ack {
    /// Advisory (SA87735)
    #[arg(required_unless_present = "list")]
    said: Option<String>,
    /// End: a duration from now (`30d`), a date or month (2026-12-31, to its end) or a time; without it, until withdrawn
    #[arg(long, visible_alias = "for", value_name = "WHEN", value_parser = since)]
    until: Option<Since>,
    /// Reason, at most 2000 characters
    #[arg(long, value_name = "TEXT", value_parser = note)]
    note: Option<String>,
    /// Assign the advisory to somebody. It is acknowledged only with --until or --note. An empty
    /// NAME is --unassign
    #[arg(long, value_name = "NAME", value_parser = assignee)]
    assign: Option<String>,
    /// End the assignment; it stays in advisoryd_v1.assignments
    #[arg(long, conflicts_with_all = ["assign", "until", "note"])]
    unassign: bool,
    /// Withdraw the acknowledgement; it stays in advisoryd_v1.acknowledgements
    #[arg(long, conflicts_with_all = ["until", "note"])]
    withdraw: bool,
    /// List what is acknowledged or assigned, newest first; with an advisory, only that
    #[arg(long, conflicts_with_all = ["until", "note", "withdraw", "assign", "unassign"])]
    list: bool,
    /// With --list: include expired and withdrawn acknowledgements
    #[arg(long, requires = "list")]
    all: bool,
    #[command(flatten)]
    form: ListFormat,
}

/// The name of an assignee, on one line.
fn assignee(text: &str) -> Result<String, String> {
    let name = one_line(text.trim());
    match name.chars().count() {
        ..=MAX_NAME_CHARS => Ok(name),
        length => Err(format!(
            "it has {length} characters; expected at most {MAX_NAME_CHARS}"
        )),
    }
}

impl Ack {
    /// To whom the advisory is to be assigned; empty = to nobody.
    fn assignment(&self) -> Option<&str> {
        self.assign.as_deref().or(self.unassign.then_some(""))
    }

    /// Whether it acknowledges: who is only assigned has not looked at it yet.
    fn acknowledges(&self) -> bool {
        let says_how = self.until.is_some() || self.note.is_some();
        !self.withdraw && (says_how || self.assignment().is_none())
    }
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
    let config = shared.load_and_note()?;
    ask::with_database(&config, async |opened| {
        ack(opened, &wanted, shared.times()).await
    })
    .await
}

async fn ack(opened: &Opened, wanted: &Ack, times: Times) -> anyhow::Result<bool> {
    drop(ask::up_to_date(opened).await?);
    let mut transaction = database::begin(&opened.pool).await?;
    let said = stored(
        &mut transaction,
        wanted.said.as_deref().unwrap_or_default().trim(),
    )
    .await?;
    let (now, who) = (Clock::system().now(), login());
    let by = By { who: &who, at: now };
    let mut lines = Vec::new();
    if wanted.withdraw {
        lines.push(withdraw(&mut transaction, &said, by).await?);
    }
    if wanted.acknowledges() {
        lines.push(acknowledge(&mut transaction, &said, (wanted, times), by).await?);
    }
    if let Some(to) = wanted.assignment() {
        lines.push(assign(&mut transaction, &said, to, by).await?);
    }
    transaction.commit().await?;
    for line in &lines {
        print_done(line);
    }
    Ok(true)
}

async fn withdraw(
    transaction: &mut PgConnection,
    said: &str,
    by: By<'_>,
) -> anyhow::Result<String> {
    let is_done = acknowledgement::withdraw(transaction, said, by.at).await?;
    anyhow::ensure!(is_done, "advisory {said} is not acknowledged");
    let what = "withdraw_acknowledgement";
    erasure::record(transaction, by, what, Some(said), json!({})).await?;
    Ok(format!("acknowledgement of {said} withdrawn"))
}

async fn acknowledge(
    transaction: &mut PgConnection,
    said: &str,
    (wanted, times): (&Ack, Times),
    by: By<'_>,
) -> anyhow::Result<String> {
    let until = wanted
        .until
        .map(|until| until.end_ahead(by.at, times))
        .transpose()?;
    anyhow::ensure!(
        until.is_none_or(|until| until > by.at),
        "the end is in the past; use a future time or a duration such as 30d"
    );
    let new = Acknowledgement {
        by: by.who.to_owned(),
        at: by.at,
        until,
        note: wanted.note.as_deref().map(outgoing),
    };
    acknowledgement::add(transaction, said, &new).await?;
    let detail = json!({"until": until});
    erasure::record(transaction, by, "acknowledge", Some(said), detail).await?;
    Ok(format!("{said} {}", words(&new, times)))
}

/// Assigns an advisory, or ends its assignment if the name is empty. The audit log names nobody: `erase person`
/// does not change it.
async fn assign(
    transaction: &mut PgConnection,
    said: &str,
    to: &str,
    by: By<'_>,
) -> anyhow::Result<String> {
    let (what, line) = if to.is_empty() {
        let is_done = assignment::end(transaction, said, by.at).await?;
        anyhow::ensure!(is_done, "advisory {said} is not assigned");
        ("unassign", format!("assignment of {said} ended"))
    } else {
        let new = Assignment {
            to: outgoing(to),
            by: by.who.to_owned(),
            at: by.at,
        };
        assignment::add(transaction, said, &new).await?;
        ("assign", format!("{said} assigned to {}", new.to))
    };
    erasure::record(transaction, by, what, Some(said), json!({})).await?;
    Ok(line)
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

/// `assigned to NAME by NAME at TIME`.
pub(super) fn assigned_words(assignment: &Assignment, times: Times) -> String {
    let Assignment { to, by, at } = assignment;
    format!("assigned to {to} by {by} at {}", times.exact(*at))
}
