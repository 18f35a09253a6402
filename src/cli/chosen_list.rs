//! Watch lists, as users name them: by id, by name or by a part of it.

use sqlx::{PgConnection, PgPool};

use super::ask::then_close;
use super::share_budget::in_reach;
use crate::config::Config;
use crate::model::filter::nearest;
use crate::store::reports::named_list::{self, NamedList};

/// Lists named in an error at most.
const MOST: usize = 8;

/// The id of the watch list that the user chose.
///
/// # Errors
/// There is no list of that name, or several.
pub(super) async fn id(
    connection: &mut PgConnection,
    wanted: Option<&str>,
) -> anyhow::Result<Option<i64>> {
    let Some(wanted) = wanted.map(str::trim) else {
        return Ok(None);
    };
    if let Ok(id) = wanted.parse() {
        return Ok(Some(id));
    }
    let lists = named_list::named_lists(connection).await?;
    called(&lists, wanted).map(Some)
}

/// The ids of several.
pub(super) async fn ids(pool: &PgPool, wanted: &[String]) -> anyhow::Result<Vec<i64>> {
    let mut connection = pool.acquire().await?;
    let mut ids = Vec::new();
    for one in wanted {
        ids.extend(id(&mut connection, Some(one)).await?);
    }
    Ok(ids)
}

/// The ids of several, for commands that need no database: names are those of the
/// configuration and, if the database is in reach, those that it knows.
pub(super) async fn ids_in_reach(config: &Config, wanted: &[String]) -> anyhow::Result<Vec<i64>> {
    let mut lists: Option<Vec<NamedList>> = None;
    let mut ids = Vec::new();
    for one in wanted.iter().map(|one| one.trim()) {
        if let Ok(id) = one.parse() {
            ids.push(id);
            continue;
        }
        let known = match lists.take() {
            Some(known) => known,
            None => lists_in_reach(config).await,
        };
        ids.push(called(&known, one)?);
        lists = Some(known);
    }
    Ok(ids)
}

/// The lists with a name. The name in the configuration is the list's name.
async fn lists_in_reach(config: &Config) -> Vec<NamedList> {
    let name = |list: &crate::config::WatchList| {
        let (id, name) = (list.id, list.name.clone()?);
        Some(NamedList { id, name })
    };
    let mut lists: Vec<NamedList> = config.watch_lists.iter().filter_map(name).collect();
    let Some(opened) = in_reach(config).await else {
        return lists;
    };
    let stored = then_close(opened, async |opened| {
        let mut connection = opened.pool.acquire().await?;
        named_list::named_lists(&mut connection).await
    });
    let stored = stored.await.unwrap_or_default();
    let is_new = |stored: &NamedList| lists.iter().all(|list| list.id != stored.id);
    let new: Vec<NamedList> = stored.into_iter().filter(is_new).collect();
    lists.extend(new);
    lists
}

/// The id of the list of that name, or of the only one whose name contains it.
fn called(lists: &[NamedList], wanted: &str) -> anyhow::Result<i64> {
    let lower = wanted.to_lowercase();
    let is_it = |list: &&NamedList| list.name.to_lowercase() == lower;
    let has_it = |list: &&NamedList| !lower.is_empty() && list.name.to_lowercase().contains(&lower);
    let mut found: Vec<&NamedList> = lists.iter().filter(is_it).collect();
    let is_part = found.is_empty();
    if is_part {
        found = lists.iter().filter(has_it).collect();
    }
    match found[..] {
        [list] => Ok(list.id),
        [] => anyhow::bail!(
            "there is no watch list `{wanted}`; {}",
            known(lists, wanted)
        ),
        _ if is_part => anyhow::bail!(
            "several watch lists have `{wanted}` in their names; use more of it, or the ID of one: {}",
            named(found.into_iter())
        ),
        _ => anyhow::bail!(
            "several watch lists are called `{wanted}`; use the ID of one: {}",
            named(found.into_iter())
        ),
    }
}

fn known(lists: &[NamedList], wanted: &str) -> String {
    if lists.is_empty() {
        return "none has a name; use its ID".to_owned();
    }
    let names: Vec<&str> = lists.iter().map(|list| list.name.as_str()).collect();
    let close = nearest(wanted, &names);
    let close = close.map_or_else(String::new, |close| format!("; did you mean `{close}`?"));
    format!("known: {}{close}", named(lists.iter()))
}

fn named<'a>(lists: impl ExactSizeIterator<Item = &'a NamedList>) -> String {
    let more = if lists.len() > MOST { ", …" } else { "" };
    let names: Vec<String> = lists
        .take(MOST)
        .map(|list| format!("{} ({})", list.name, list.id))
        .collect();
    format!("{}{more}", names.join(", "))
}
