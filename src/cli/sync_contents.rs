//! `advisoryd sync`: what lists contain, and whether lists read from the JSON API are complete.

use chrono::TimeDelta;

use super::output::{print_done, print_error, print_json};
use super::progress;
use crate::job::context::Context;
use crate::job::lists::mirror;
use crate::model::counted;
use crate::store::reports::missing;

/// Reads what lists contain if that is due by its schedule, before the feeds: an edit brings
/// a full pull.
pub(super) async fn mirror(context: &Context, json: bool) -> anyhow::Result<bool> {
    let schedule = &context.config.schedule;
    let now = context.clock.now();
    let last = mirror::last_attempt_at(context).await?;
    let from = last.unwrap_or_else(|| now - TimeDelta::days(1));
    let next = schedule.list_contents.next_after(from, schedule.timezone);
    if next.is_none_or(|next| next > now) {
        return Ok(true);
    }
    let bar = progress::Bar::start(context, "list contents");
    let mirrored = mirror::mirror(context).await;
    bar.finish();
    let Some(mirrored) = mirrored? else {
        return Ok(true); // another process is reading them
    };
    if json {
        print_json(&mirrored)?;
    } else {
        print_done(&format!(
            "list contents: {} read, {} added, {} removed, {}",
            counted(mirrored.read, "collection"),
            counted(mirrored.came, "row"),
            mirrored.left,
            counted(mirrored.requests, "request")
        ));
    }
    if let Some(error) = &mirrored.error {
        print_error(&format!("list contents: {error}"));
    }
    Ok(mirrored.error.is_none())
}

/// Whether nothing is missing in lists that are read from the JSON API.
pub(super) async fn lists_are_complete(context: &Context) -> anyhow::Result<bool> {
    let mut connection = context.pool.acquire().await?;
    let missing = missing::of_lists(&mut connection).await?;
    if missing.failed > 0 {
        print_error(&format!(
            "cannot be fetched from the JSON API, which lists them: {} ({}); lists that are read from it are incomplete: {}",
            counted(missing.failed, "advisory"),
            missing.named_failed(),
            missing.error.as_deref().unwrap_or("unknown")
        ));
    }
    Ok(missing.failed == 0)
}
