//! Watch lists, as users name them: by id or by name.

use sqlx::{PgConnection, PgPool};

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
    let is_it = |list: &&NamedList| list.name.to_lowercase() == wanted.to_lowercase();
    let found: Vec<&NamedList> = lists.iter().filter(is_it).collect();
    match found[..] {
        [list] => Ok(Some(list.id)),
        [] => anyhow::bail!("there is no watch list `{wanted}`; {}", known(&lists)),
        _ => anyhow::bail!(
            "several watch lists are called `{wanted}`; use the ID of one: {}",
            named(found.into_iter())
        ),
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

fn known(lists: &[NamedList]) -> String {
    if lists.is_empty() {
        return "none has a name; use its ID".to_owned();
    }
    format!("known: {}", named(lists.iter()))
}

fn named<'a>(lists: impl ExactSizeIterator<Item = &'a NamedList>) -> String {
    let more = if lists.len() > MOST { ", …" } else { "" };
    let names: Vec<String> = lists
        .take(MOST)
        .map(|list| format!("{} ({})", list.name, list.id))
        .collect();
    format!("{}{more}", names.join(", "))
}
