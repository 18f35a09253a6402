//! The baseline of rules that are evaluated by the clock: what was overdue before the rule
//! existed, and matched it then.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::model::{Overdue, RecordKind};

/// How far a rule was evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EvaluatedRule {
    /// Row of its definition in `rule`.
    pub definition_id: i32,
    /// The last change when that evaluation began.
    pub seq: i64,
}

/// When a rule was stored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ages {
    /// When it was stored first, under whatever definition.
    pub exists_since: DateTime<Utc>,
    /// When its present definition was stored.
    pub defined_at: DateTime<Utc>,
    /// The definition that it has replaced.
    pub former_id: Option<i32>,
}

/// The same for the definition `id`; `None` if it is not stored. A definition that was
/// removed for a while is none that was replaced.
pub(crate) async fn ages(
    connection: &mut PgConnection,
    id: i32,
) -> Result<Option<Ages>, sqlx::Error> {
    sqlx::query_as!(
        Ages,
        r#"select (select min(o.at) from rule o where o.name = r.name) as "exists_since!",
                  r.at as defined_at,
                  (select max(o.id)
                   from rule o
                   where o.name = r.name
                     and o.id < r.id
                     and o.until_seq = r.after_seq) as former_id
           from rule r
           where r.id = $1"#,
        id
    )
    .fetch_optional(connection)
    .await
}

/// The last complete evaluation of a rule; `None` if there was none.
pub(crate) async fn evaluated(
    connection: &mut PgConnection,
    rule: &str,
) -> Result<Option<EvaluatedRule>, sqlx::Error> {
    sqlx::query_as!(
        EvaluatedRule,
        "select definition_id, evaluated_seq as seq
         from clock_rule
         where rule = $1",
        rule
    )
    .fetch_optional(connection)
    .await
}

/// Records a complete evaluation.
pub(crate) async fn record(
    connection: &mut PgConnection,
    rule: &str,
    evaluated: EvaluatedRule,
) -> Result<(), sqlx::Error> {
    let EvaluatedRule { definition_id, seq } = evaluated;
    sqlx::query!(
        "insert into clock_rule (rule, definition_id, evaluated_seq)
         values ($1, $2, $3)
         on conflict (rule) do update
         set definition_id = excluded.definition_id,
             evaluated_seq = excluded.evaluated_seq",
        rule,
        definition_id,
        seq
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Of something that was overdue before the rule existed: whether it is in the baseline.
#[derive(Debug, Clone)]
pub(crate) struct Early {
    /// The advisory's identifier or the ticket's id.
    pub key: String,
    /// Whether it is in the baseline.
    pub is_kept: bool,
    /// Whether it was stored since the last evaluation.
    pub is_new: bool,
}

/// The same for several; `seq` is the last change of the last evaluation.
pub(crate) async fn early(
    connection: &mut PgConnection,
    rule: &str,
    (kind, overdue): (RecordKind, &[&Overdue]),
    seq: i64,
) -> Result<Vec<Early>, sqlx::Error> {
    let (keys, since) = columns(overdue);
    sqlx::query_as!(
        Early,
        r#"select n.key as "key!",
                  exists (
                      select
                      from clock_baseline b
                      where b.rule = $1
                        and b.kind = $2
                        and b.key = n.key
                        and b.since = n.since) as "is_kept!",
                  coalesce((select min(c.seq) from change c where c.kind = $2 and c.key = n.key) > $5, false) as "is_new!"
           from unnest($3::text[], $4::timestamptz[]) as n (key, since)"#,
        rule,
        kind.name(),
        &keys as &[&str],
        &since,
        seq
    )
    .fetch_all(connection)
    .await
}

/// Adds to the baseline of a rule.
pub(crate) async fn keep(
    connection: &mut PgConnection,
    rule: &str,
    (kind, overdue): (RecordKind, &[&Overdue]),
) -> Result<(), sqlx::Error> {
    let (keys, since) = columns(overdue);
    sqlx::query!(
        "insert into clock_baseline (rule, kind, key, since)
         select $1, $2, n.key, n.since
         from unnest($3::text[], $4::timestamptz[]) as n (key, since)
         on conflict do nothing",
        rule,
        kind.name(),
        &keys as &[&str],
        &since
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes what no longer matches.
pub(crate) async fn release(
    connection: &mut PgConnection,
    rule: &str,
    (kind, overdue): (RecordKind, &[&Overdue]),
) -> Result<(), sqlx::Error> {
    let (keys, since) = columns(overdue);
    sqlx::query!(
        "delete from clock_baseline b
         using unnest($3::text[], $4::timestamptz[]) as n (key, since)
         where b.rule = $1
           and b.kind = $2
           and b.key = n.key
           and b.since = n.since",
        rule,
        kind.name(),
        &keys as &[&str],
        &since
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn columns<'a>(overdue: &[&'a Overdue]) -> (Vec<&'a str>, Vec<DateTime<Utc>>) {
    let pairs = overdue.iter().map(|one| (one.key.as_str(), one.since));
    pairs.unzip()
}

/// Whether a rule sent its alert for this period.
pub(crate) async fn is_sent(
    connection: &mut PgConnection,
    rule: &str,
    (kind, overdue): (RecordKind, &Overdue),
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (
               select
               from clock_alert
               where rule = $1
                 and kind = $2
                 and key = $3
                 and since = $4) as "is_sent!""#,
        rule,
        kind.name(),
        overdue.key,
        overdue.since
    )
    .fetch_one(connection)
    .await
}
