//! Records that say less than what is stored of their advisory: upstream could not make them.

use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;

use super::received::ReceivedAdvisory;
use super::row::StoredAdvisory;
use crate::model::Advisory;

/// Whether a record says nothing, although the stored record of its advisory does.
pub(super) async fn is_blank(
    connection: &mut PgConnection,
    advisory: &Advisory,
    read: &(dyn Fn(&str) -> Option<Advisory> + Sync),
) -> Result<bool, sqlx::Error> {
    if advisory.has_substance() {
        return Ok(false);
    }
    let known = records_of(connection, std::slice::from_ref(&advisory.said)).await?;
    let says = |raw: &str| read(raw).is_some_and(|known| known.has_substance());
    Ok(known.iter().any(|(_, raw)| says(raw)))
}

/// The records without those that say nothing, not even what the stored record of the advisory
/// says: upstream could not make them. The indexes of those follow.
pub(super) async fn without_blank<'r>(
    connection: &mut PgConnection,
    received: Vec<(usize, &'r ReceivedAdvisory)>,
    stored: &HashMap<String, StoredAdvisory>,
    read: &(dyn Fn(&str) -> Option<Advisory> + Sync),
) -> Result<(Vec<(usize, &'r ReceivedAdvisory)>, Vec<usize>), sqlx::Error> {
    let advisories = received.iter().map(|(_, record)| &record.advisory);
    let said: Vec<String> = advisories
        .filter(|advisory| !advisory.has_substance() && stored.contains_key(&advisory.said))
        .map(|advisory| advisory.said.clone())
        .collect();
    let known = records_of(connection, &said).await?.into_iter();
    let known = known.filter(|(_, raw)| read(raw).is_some_and(|known| known.has_substance()));
    let blank: HashSet<String> = known.map(|(said, _)| said).collect();
    let (blank, received): (Vec<_>, Vec<_>) = received
        .into_iter()
        .partition(|(_, record)| blank.contains(&record.advisory.said));
    Ok((
        received,
        blank.into_iter().map(|(index, _)| index).collect(),
    ))
}

/// Raw texts of the feed records of these advisories.
pub(super) async fn records_of(
    connection: &mut PgConnection,
    said: &[String],
) -> Result<Vec<(String, String)>, sqlx::Error> {
    if said.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        "select said, raw
         from advisory
         where said = any($1)
           and byte_hash is not null",
        said
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.said, row.raw)).collect())
}
