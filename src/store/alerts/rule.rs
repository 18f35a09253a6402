//! Rule definitions, current and former.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Deserialize as _;
use serde_json::Value;
use sqlx::PgConnection;

use super::{delivery, evaluation};
use crate::model::Rule;

/// A configured rule, as stored in the database.
#[derive(Debug, Clone, PartialEq)]
pub struct Current {
    /// Row in `rule`.
    pub id: i32,
    /// Its name.
    pub name: String,
    /// The definition; `None` if a newer version wrote something unknown to this one.
    pub definition: Option<Rule>,
    /// It evaluates the changes after this one.
    pub after_seq: i64,
    /// How many stored advisories it would have matched when it was new; `None` until
    /// they are counted.
    pub baseline_matches: Option<i64>,
}

/// Stores the configured rules, inside the caller's transaction. A new rule
/// evaluates changes from now on; a changed rule continues where its former
/// definition stopped; changes from a time without any rule are skipped.
pub async fn configure(
    connection: &mut PgConnection,
    rules: &[&Rule],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let evaluated = evaluation::wait_and_lock(connection).await?;
    let known = definitions(connection).await?;
    let wanted: Vec<(&str, Value)> = rules
        .iter()
        .map(|rule| (rule.name.as_str(), definition(rule)))
        .collect();
    let stay = |name: &str| known.get(name) == wanted.iter().find(|w| w.0 == name).map(|w| &w.1);
    let gone: Vec<String> = known.keys().filter(|name| !stay(name)).cloned().collect();
    let (news, definitions): (Vec<String>, Vec<Value>) = wanted
        .iter()
        .filter(|(name, _)| !stay(name))
        .map(|(name, definition)| ((*name).to_owned(), definition.clone()))
        .unzip();
    if known.is_empty() && !news.is_empty() {
        evaluation::skip_to_now(connection).await?;
    }
    // Grouped alerts go to the sinks of the former definition; the new one may have others.
    delivery::seal_of(connection, &gone, now).await?;
    sqlx::query!(
        "with former as (
             update rule
             set is_current = false,
                 until_seq = $5
             where is_current
               and name = any($1)
             returning name, baseline_matches)
         insert into rule (name, definition, at, after_seq, baseline_matches)
         select n.name, n.definition, $4,
                case when f.name is null then c.last else $5 end,
                f.baseline_matches
         from unnest($2::text[], $3::jsonb[]) as n (name, definition)
         left join former f on f.name = n.name
         cross join change_counter c",
        &gone,
        &news,
        &definitions,
        now,
        evaluated
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The form that is stored and compared.
fn definition(rule: &Rule) -> Value {
    // Plain data with string keys: it cannot fail.
    serde_json::to_value(rule).unwrap_or_default()
}

async fn definitions(connection: &mut PgConnection) -> Result<HashMap<String, Value>, sqlx::Error> {
    let rows = sqlx::query!("select name, definition from rule where is_current")
        .fetch_all(connection)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.name, row.definition))
        .collect())
}

/// The current rules.
pub async fn current(connection: &mut PgConnection) -> Result<Vec<Current>, sqlx::Error> {
    let rows = sqlx::query!(
        "select id, name, definition, after_seq, baseline_matches
         from rule
         where is_current
         order by name"
    )
    .fetch_all(connection)
    .await?;
    let current = rows.into_iter().map(|row| Current {
        id: row.id,
        name: row.name,
        definition: read(&row.definition),
        after_seq: row.after_seq,
        baseline_matches: row.baseline_matches,
    });
    Ok(current.collect())
}

/// A stored definition; `None` if it contains something unknown to this version.
fn read(stored: &Value) -> Option<Rule> {
    let rule = Rule::deserialize(stored).ok()?;
    (definition(&rule) == *stored).then_some(rule)
}

/// Stores how many stored advisories a new rule would have matched.
pub async fn counted(
    connection: &mut PgConnection,
    id: i32,
    matches: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update rule
         set baseline_matches = $2
         where id = $1
           and baseline_matches is null",
        id,
        matches
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A current or former definition of a rule.
#[derive(Debug, Clone)]
pub struct Definition {
    /// Row in `rule`.
    pub id: i32,
    /// The definition.
    pub rule: Rule,
    /// It evaluates the changes after this one, up to where the next definition begins.
    pub after_seq: i64,
    /// The last change that it evaluated; `None` while it is current.
    pub until_seq: Option<i64>,
    /// Whether it is current.
    pub is_current: bool,
}

/// All current and former definitions, oldest first, without those of a newer
/// version that this one cannot parse.
pub async fn all(connection: &mut PgConnection) -> Result<Vec<Definition>, sqlx::Error> {
    let rows = sqlx::query!(
        "select id, definition, after_seq, until_seq, is_current
         from rule
         order by name, after_seq, id"
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            Some(Definition {
                id: row.id,
                rule: serde_json::from_value(row.definition).ok()?,
                after_seq: row.after_seq,
                until_seq: row.until_seq,
                is_current: row.is_current,
            })
        })
        .collect())
}
