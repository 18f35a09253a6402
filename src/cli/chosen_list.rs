//! Watch lists, as users name them: by id, by name or by a part of it.

use sqlx::{PgConnection, PgPool};

use super::ask::then_close;
use super::share_budget::in_reach;
use crate::config::Config;
use crate::model::filter::{Filter, StringComparison, WatchListTest, nearest};
use crate::store::reports::named_list::{self, KnownList, NamedList};

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

/// The same for questions about what is stored: a list that never was followed has no answer.
///
/// # Errors
/// There is no list of that name, or several, or it was never followed.
pub(super) async fn stored_id(
    connection: &mut PgConnection,
    wanted: Option<&str>,
) -> anyhow::Result<Option<i64>> {
    let id = id(connection, wanted).await?;
    if let Some(id) = id {
        let lists = named_list::known_lists(connection).await?;
        followed_once(&lists, id)?;
    }
    Ok(id)
}

/// The same for tickets, which upstream also has of lists that are not followed.
pub(super) async fn id_of_tickets(
    connection: &mut PgConnection,
    wanted: Option<&str>,
) -> anyhow::Result<Option<i64>> {
    let id = id(connection, wanted).await?;
    match id {
        Some(id) if named_list::is_of_tickets(connection, id).await? => Ok(Some(id)),
        _ => stored_id(connection, wanted).await,
    }
}

/// Refuses a filter that names a watch list that never was followed.
pub(super) async fn check_filter(
    connection: &mut PgConnection,
    filter: &Filter,
) -> anyhow::Result<()> {
    let tests = filter.watch_lists();
    if tests.is_empty() {
        return Ok(());
    }
    let lists = named_list::known_lists(connection).await?;
    for test in tests {
        match test {
            WatchListTest::Id(id) => followed_once(&lists, *id)?,
            WatchListTest::Name(how, name) => called_once(&lists, *how, name)?,
        }
    }
    Ok(())
}

fn followed_once(lists: &[KnownList], id: i64) -> anyhow::Result<()> {
    anyhow::ensure!(
        lists.iter().any(|list| list.id == id),
        "watch list {id} is not followed ({})",
        followed(lists)
    );
    Ok(())
}

fn called_once(lists: &[KnownList], how: StringComparison, wanted: &str) -> anyhow::Result<()> {
    let lower = wanted.to_lowercase();
    let is_it = |list: &KnownList| {
        let name = list.name.as_deref().unwrap_or_default().to_lowercase();
        match how {
            StringComparison::Equal => name == lower,
            StringComparison::Contains => name.contains(&lower),
        }
    };
    let what = match how {
        StringComparison::Equal => "is called",
        StringComparison::Contains => "has a name with",
    };
    anyhow::ensure!(
        lists.iter().any(is_it),
        "no followed watch list {what} `{wanted}` ({})",
        followed(lists)
    );
    Ok(())
}

/// The lists that are followed, for an error.
fn followed(lists: &[KnownList]) -> String {
    let names: Vec<String> = lists
        .iter()
        .filter(|list| list.followed)
        .map(|list| match &list.name {
            Some(name) => format!("{} \"{name}\"", list.id),
            None => list.id.to_string(),
        })
        .collect();
    let more = if names.len() > MOST { ", …" } else { "" };
    let shown: Vec<&str> = names.iter().take(MOST).map(String::as_str).collect();
    match shown[..] {
        [] => "none is".to_owned(),
        _ => format!("followed: {}{more}", shown.join(", ")),
    }
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
            "several watch lists have `{wanted}` in their names; write more of the name, or use an ID: {}",
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
