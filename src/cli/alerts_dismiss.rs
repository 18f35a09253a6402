//! `advisoryd alerts dismiss`: dead letters that nobody has to look after any more.

use std::collections::BTreeSet;

use clap::Args;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::alert_deliveries::has_delivery;
use super::alert_id::AlertId;
use super::ask;
use super::dead_letters::Which;
use super::login::login;
use super::note::note;
use super::output::{print_done, print_error};
use super::times::Times;
use crate::clock::Clock;
use crate::model::{DeliveryState, counted, outgoing};
use crate::startup::Opened;
use crate::store::alerts::dismissal::{self, Dismissal};
use crate::store::alerts::outcome;
use crate::store::database;
use crate::store::trust::erasure::{self, By};

/// Which dead letters, and why.
#[derive(Debug, Args)]
pub(super) struct Dismiss {
    #[command(flatten)]
    which: Which,
    /// Reason, at most 2000 characters
    #[arg(long, value_name = "TEXT", value_parser = note)]
    note: Option<String>,
}

pub(super) async fn dismiss(
    opened: &Opened,
    wanted: &Dismiss,
    times: Times,
) -> anyhow::Result<bool> {
    drop(ask::up_to_date(opened).await?);
    let (by, note) = (login(), wanted.note.as_deref().map(outgoing));
    let dismissal = Dismissal {
        by: &by,
        at: Clock::system().now(),
        note: note.as_deref(),
    };
    if wanted.which.is_all() {
        all(opened, &wanted.which, (dismissal, times)).await?;
        return Ok(true);
    }
    let mut good = true;
    for id in &wanted.which.ids {
        let done = one(opened, id, wanted.which.sink.as_deref(), dismissal).await;
        match done {
            Ok(line) => print_done(&line),
            Err(error) => {
                print_error(&format!("{error:#}"));
                good = false;
            }
        }
    }
    Ok(good)
}

async fn all(
    opened: &Opened,
    which: &Which,
    (dismissal, times): (Dismissal<'_>, Times),
) -> anyhow::Result<()> {
    let mut transaction = database::begin(&opened.pool).await?;
    let wanted = which.all(dismissal.at, times);
    let done = dismissal::of_all(&mut transaction, wanted, dismissal).await?;
    if done.is_empty() {
        print_done("no dead letters");
        return Ok(());
    }
    let messages: BTreeSet<Uuid> = done.iter().copied().collect();
    let detail = json!({"deliveries": done.len(), "messages": messages.len()});
    record(&mut transaction, dismissal, None, detail).await?;
    transaction.commit().await?;
    print_done(&format!(
        "{} of {} dismissed",
        counted(done.len(), "dead letter"),
        counted(messages.len(), "message")
    ));
    Ok(())
}

/// What was done about one alert. The other alerts of its message share its deliveries.
async fn one(
    opened: &Opened,
    id: &AlertId,
    only: Option<&str>,
    dismissal: Dismissal<'_>,
) -> anyhow::Result<String> {
    let mut transaction = database::begin(&opened.pool).await?;
    let id = id.find(&mut transaction).await?;
    let done = dismissal::of_alert(&mut transaction, id, only, dismissal).await?;
    if done > 0 {
        let detail = json!({"deliveries": done, "messages": 1});
        record(&mut transaction, dismissal, Some(id), detail).await?;
        transaction.commit().await?;
        let letters = counted(done, "dead letter");
        return Ok(format!("alert {id}: {letters} dismissed"));
    }
    let document = outcome::alert(&mut transaction, id).await?;
    let document = document.unwrap_or_default();
    anyhow::ensure!(
        has_delivery(&document, DeliveryState::Dismissed, only),
        "alert {id}: no dead letter; `advisoryd alerts list --state dead_letter` lists them"
    );
    Ok(format!("alert {id}: dismissed already"))
}

async fn record(
    transaction: &mut PgConnection,
    dismissal: Dismissal<'_>,
    id: Option<Uuid>,
    detail: Value,
) -> Result<(), sqlx::Error> {
    let Dismissal { by: who, at, .. } = dismissal;
    let key = id.map(|id| id.to_string());
    let by = By { who, at };
    erasure::record(
        transaction,
        by,
        "dismiss_dead_letters",
        key.as_deref(),
        detail,
    )
    .await
}
