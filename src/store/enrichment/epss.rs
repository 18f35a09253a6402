//! EPSS scores: those that are needed, and which advisories cross the threshold.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;
use sqlx::PgConnection;

use crate::model::{ChangeKind, CveNumber};
use crate::store::change::Fact;

/// The stored scores.
pub(crate) async fn scores(
    connection: &mut PgConnection,
) -> Result<HashMap<CveNumber, f64>, sqlx::Error> {
    let mut scores = HashMap::new();
    let mut rows = sqlx::query!("select cve, score from epss_score").fetch(connection);
    while let Some(row) = rows.try_next().await? {
        scores.extend(CveNumber::parse(&row.cve).map(|cve| (cve, row.score)));
    }
    Ok(scores)
}

/// The CVEs that stored advisories name.
pub(crate) async fn named(
    connection: &mut PgConnection,
) -> Result<HashSet<CveNumber>, sqlx::Error> {
    let mut named = HashSet::new();
    let mut rows =
        sqlx::query_scalar!(r#"select unnest(cves) as "cve!" from advisory"#).fetch(connection);
    while let Some(cve) = rows.try_next().await? {
        named.extend(CveNumber::parse(&cve));
    }
    Ok(named)
}

/// An advisory that crosses the threshold.
#[derive(Debug, Clone)]
pub(crate) struct Crossing {
    said: String,
    version: i32,
    former: Option<f64>,
}

impl Crossing {
    /// The change.
    pub(crate) fn fact(&self) -> Fact {
        Fact {
            key: self.said.clone(),
            version: self.version,
            what: ChangeKind::EpssCrossed,
            is_news: false,
        }
    }
}

/// The advisories that name one of these CVEs, none of whose CVEs has reached the threshold
/// so far.
pub(crate) async fn below(
    connection: &mut PgConnection,
    risen: &[String],
    threshold: f64,
) -> Result<Vec<Crossing>, sqlx::Error> {
    sqlx::query_as!(
        Crossing,
        r#"select a.said, a.version, s.score as former
           from advisory a
           cross join lateral (
               select max(e.score) as score
               from epss_score e
               where e.cve = any(a.cves)) as s
           where a.cves && $1
             and coalesce(s.score < $2, true)
           order by a.said"#,
        risen,
        threshold
    )
    .fetch_all(connection)
    .await
}

/// Records the scores of advisories that crossed the threshold, after the scores were
/// written.
pub(crate) async fn cross(
    connection: &mut PgConnection,
    crossings: &[Crossing],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let saids: Vec<&str> = crossings.iter().map(|one| one.said.as_str()).collect();
    let former: Vec<Option<f64>> = crossings.iter().map(|one| one.former).collect();
    sqlx::query!(
        "insert into epss_crossing (said, at, former, score)
         select a.said, $3, n.former, max(e.score)
         from unnest($1::text[], $2::float8[]) as n (said, former)
         join advisory a on a.said = n.said
         join epss_score e on e.cve = any(a.cves)
         group by a.said, n.former
         on conflict do nothing",
        &saids as &[&str],
        &former as &[Option<f64>],
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes new and changed scores.
pub(crate) async fn write(
    connection: &mut PgConnection,
    scores: &[(CveNumber, f64)],
) -> Result<(), sqlx::Error> {
    let cves: Vec<String> = scores.iter().map(|(cve, _)| cve.to_string()).collect();
    let values: Vec<f64> = scores.iter().map(|(_, score)| *score).collect();
    sqlx::query!(
        "insert into epss_score (cve, score)
         select * from unnest($1::text[], $2::float8[])
         on conflict (cve) do update
         set score = excluded.score",
        &cves,
        &values
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Deletes scores of CVEs that are no longer scored.
pub(crate) async fn delete(
    connection: &mut PgConnection,
    gone: &[CveNumber],
) -> Result<(), sqlx::Error> {
    let cves: Vec<String> = gone.iter().map(CveNumber::to_string).collect();
    sqlx::query!("delete from epss_score where cve = any($1)", &cves)
        .execute(connection)
        .await?;
    Ok(())
}
