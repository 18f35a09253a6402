//! `advisoryd changes`: what happened, in order, and as it happens.

use std::time::Duration;

use clap::Args;
use sqlx::postgres::PgListener;

use super::output::{tell, tell_json};
use super::{Shared, ask};
use crate::startup::Opened;
use crate::store::change::{self, CHANNEL, Change};

/// Rows asked for at once.
const PAGE: i64 = 1000;
/// A lost notification is made up for by looking now and then.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Which changes.
#[derive(Debug, Args)]
pub(super) struct Changes {
    /// Those after this number; a consumer that remembers its last one misses nothing
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    since: i64,
    /// Go on printing as they happen, until Ctrl-C
    #[arg(long)]
    follow: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(shared: Shared, wanted: Changes) -> anyhow::Result<bool> {
    let config = shared.load_and_log(Some("warn"))?;
    let opened = ask::open(&config).await?;
    let result = tokio::select! {
        result = show(&opened, &wanted) => result,
        () = super::asked_to_stop()? => Ok(()),
    };
    opened.close().await;
    result?;
    Ok(true)
}

async fn show(opened: &Opened, wanted: &Changes) -> anyhow::Result<()> {
    drop(ask::up_to_date(opened).await?);
    // Listening begins before the first look: what commits in between wakes us.
    let mut listener = PgListener::connect_with(&opened.pool).await?;
    listener.listen(CHANNEL).await?;
    let mut last = wanted.since;
    loop {
        loop {
            let mut connection = opened.pool.acquire().await?;
            let changes = change::since(&mut connection, last, PAGE).await?;
            drop(connection);
            for change in &changes {
                last = change.seq;
                print(change, wanted.json)?;
            }
            if changes.is_empty() {
                break;
            }
        }
        if !wanted.follow {
            return Ok(());
        }
        if let Ok(heard) = tokio::time::timeout(LOOK_AGAIN, listener.recv()).await {
            heard?;
        }
    }
}

fn print(change: &Change, json: bool) -> anyhow::Result<()> {
    if json {
        return tell_json(change);
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
    let title = title.as_deref().unwrap_or_default();
    tell(&format!(
        "{seq:>7}  {at}  {what:<18} {key} v{version}  {title}"
    ));
    Ok(())
}
