//! `advisoryd maintain`: applies `[retention]` now.

use tokio_util::sync::CancellationToken;

use super::ask;
use super::output::{print_done, print_error, print_json};
use super::shared::GlobalArgs;
use crate::clock::Clock;
use crate::job::trust::retention::{Dropped, maintain};
use crate::model::counted;

pub(super) async fn run(shared: GlobalArgs, json: bool) -> anyhow::Result<bool> {
    let config = shared.load_and_note()?;
    let never = CancellationToken::new();
    let dropped = ask::with_database(&config, async |opened| {
        drop(ask::up_to_date(opened).await?);
        let now = Clock::system().now();
        Ok(maintain(&opened.pool, &config.retention, now, &never).await?)
    })
    .await?;
    if json {
        print_json(&dropped)?;
    } else {
        let Dropped {
            versions,
            raw_texts,
            runs,
            quarantined,
            evaluations,
            alerts,
            erased_tickets,
            ..
        } = dropped;
        print_done(&format!(
            "deleted {}, {}, {}, {}, {}, {}; erased {}",
            counted(versions, "version"),
            counted(raw_texts, "raw text"),
            counted(runs, "run"),
            counted(quarantined, "quarantined record"),
            counted(evaluations, "evaluation"),
            counted(alerts, "alert"),
            counted(erased_tickets, "ticket")
        ));
    }
    if dropped.broken_ledgers > 0 {
        print_error("old runs were kept because the run log is damaged; run `advisoryd verify`");
    }
    Ok(dropped.broken_ledgers == 0)
}
