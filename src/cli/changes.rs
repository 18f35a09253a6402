//! `advisoryd changes`: what happened, in order, and as it happens.

use std::convert::Infallible;
use std::time::Duration;

use clap::Args;
use sqlx::PgConnection;
use sqlx::postgres::PgListener;

use super::ask;
use super::output::{print_error, print_json, print_line, reader_gone};
use super::shared::Shared;
use crate::model::one_line;
use crate::startup::Opened;
use crate::store;
use crate::store::change::{self, CHANNEL, Change};

/// Rows read at once.
const PAGE: i64 = 1000;
/// Polling interval, in case a notification is lost.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// Pause before reconnecting to the database.
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// Which changes.
#[derive(Debug, Args)]
pub(super) struct Changes {
    /// Only changes after this sequence number; remember the last one printed to miss nothing
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    since: i64,
    /// Keep printing new changes until Ctrl-C
    #[arg(long)]
    follow: bool,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(shared: Shared, wanted: Changes) -> anyhow::Result<bool> {
    let mut config = shared.load_and_log(Some("warn"))?;
    if wanted.follow {
        // A standby sends no notifications.
        config.database.read_url = None;
    }
    ask::with_reader(&config, async |opened| {
        tokio::select! {
            result = show(opened, &wanted) => result,
            () = super::stop::asked_to_stop()? => Ok(()),
            () = reader_gone() => Ok(()),
        }
    })
    .await?;
    Ok(true)
}

async fn show(opened: &Opened, wanted: &Changes) -> anyhow::Result<()> {
    let mut connection = ask::up_to_date(opened).await?;
    let newest = change::newest(&mut connection).await?;
    if wanted.since > newest {
        print_error(&format!(
            "sequence number {} is beyond the newest change ({newest}); if the database was replaced, start over with --since 0",
            wanted.since
        ));
    }
    let mut last = wanted.since;
    if !wanted.follow {
        return tell_new(&mut connection, &mut last, wanted.json).await;
    }
    drop(connection);
    let mut is_away = false;
    loop {
        let Err(error) = follow(opened, &mut last, &mut is_away, wanted.json).await;
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

/// Prints new changes until the database becomes unreachable.
async fn follow(
    opened: &Opened,
    last: &mut i64,
    is_away: &mut bool,
    json: bool,
) -> anyhow::Result<Infallible> {
    // Listening begins before the first look: what commits in between wakes us.
    let mut listener = PgListener::connect_with(&opened.pool).await?;
    listener.listen(CHANNEL).await?;
    if std::mem::take(is_away) {
        print_error("the database is reachable again");
    }
    loop {
        let mut connection = opened.pool.acquire().await?;
        tell_new(&mut connection, last, json).await?;
        drop(connection);
        if let Ok(heard) = tokio::time::timeout(LOOK_AGAIN, listener.recv()).await {
            heard?;
        }
    }
}

async fn tell_new(connection: &mut PgConnection, last: &mut i64, json: bool) -> anyhow::Result<()> {
    loop {
        let changes = change::since(connection, *last, PAGE).await?;
        for change in &changes {
            *last = change.seq;
            print_change(change, json)?;
        }
        if changes.is_empty() {
            return Ok(());
        }
    }
}

fn print_change(change: &Change, json: bool) -> anyhow::Result<()> {
    if json {
        return print_json(change);
    }
    let Change {
        seq,
        at,
        key,
        version,
        what,
        title,
        ..
    } = change;
    let at = at.format("%Y-%m-%d %H:%M:%S");
    let title = one_line(title.as_deref().unwrap_or_default());
    print_line(&format!(
        "{seq:>7}  {at}  {what:<18} {key} v{version}  {title}"
    ));
    Ok(())
}
