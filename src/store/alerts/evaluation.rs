//! Rule evaluation state: the last evaluated change, and the verdicts per change.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::model::Verdict;
use crate::model::words::JudgedValue;

/// The verdicts of the rules for one change.
#[derive(Debug, Clone)]
pub struct ChangeVerdicts {
    /// The change.
    pub seq: i64,
    /// Rows in `rule` and their verdicts, without rules that do not match this kind of change.
    pub verdicts: Vec<(i32, Verdict)>,
    /// The values that some of them were made with.
    pub actual: Vec<(i32, JudgedValue)>,
}

/// Takes the evaluation lock and returns the last evaluated change; `None` while
/// another process holds it. The lock is released with the transaction.
pub async fn lock(connection: &mut PgConnection) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        "select evaluated_seq
         from alerting
         for update skip locked"
    )
    .fetch_optional(connection)
    .await
}

/// Waits for the evaluation lock.
pub async fn wait_and_lock(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!("select evaluated_seq from alerting for update")
        .fetch_one(connection)
        .await
}

/// Skips changes from the time when there were no rules.
pub(crate) async fn skip_to_now(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("update alerting set evaluated_seq = (select last from change_counter)")
        .execute(connection)
        .await?;
    Ok(())
}

/// Advances to `seq` and stores the verdicts up to there.
pub async fn record(
    connection: &mut PgConnection,
    found: &[ChangeVerdicts],
    seq: i64,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let asked = || found.iter().filter(|found| !found.verdicts.is_empty());
    let seqs: Vec<i64> = asked().map(|found| found.seq).collect();
    if !seqs.is_empty() {
        // Nested arrays must have the same length, so each is sent as text.
        let rules: Vec<String> = asked()
            .map(|found| array(found.verdicts.iter().map(|(rule, _)| i64::from(*rule))))
            .collect();
        let verdicts: Vec<String> = asked()
            .map(|found| {
                let codes = found.verdicts.iter().map(|(_, verdict)| verdict.code());
                array(codes.map(i64::from))
            })
            .collect();
        sqlx::query!(
            "insert into evaluation (seq, at, rules, verdicts)
             select n.seq, $4, n.rules::integer[], n.verdicts::smallint[]
             from unnest($1::bigint[], $2::text[], $3::text[]) as n (seq, rules, verdicts)
             on conflict (seq) do nothing",
            &seqs,
            &rules,
            &verdicts,
            now
        )
        .execute(&mut *connection)
        .await?;
        record_values(connection, found).await?;
    }
    sqlx::query!("update alerting set evaluated_seq = $1", seq)
        .execute(connection)
        .await?;
    Ok(())
}

async fn record_values(
    connection: &mut PgConnection,
    found: &[ChangeVerdicts],
) -> Result<(), sqlx::Error> {
    let values = found.iter().flat_map(|found| {
        let values = found.actual.iter();
        values.map(|(rule, actual)| (found.seq, *rule, actual.clone()))
    });
    let (mut seqs, mut rules) = (Vec::new(), Vec::new());
    let (mut required, mut actual) = (Vec::new(), Vec::new());
    for (seq, rule, value) in values {
        seqs.push(seq);
        rules.push(rule);
        required.push(value.required);
        actual.push(value.actual);
    }
    if seqs.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into judged_value (seq, rule_id, actual, required)
         select n.seq, n.rule_id, n.actual, n.required
         from unnest($1::bigint[], $2::integer[], $3::text[], $4::text[]) as n (seq, rule_id, actual, required)
         on conflict (seq, rule_id) do nothing",
        &seqs,
        &rules,
        &actual,
        &required as &[Option<String>]
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// An array in PostgreSQL's text format.
fn array(numbers: impl Iterator<Item = i64>) -> String {
    let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
    format!("{{{}}}", numbers.join(","))
}

/// The last evaluated change.
pub async fn evaluated(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!("select evaluated_seq from alerting")
        .fetch_one(connection)
        .await
}

/// The verdicts for the changes of one advisory or ticket, by change and row in
/// `rule`.
pub async fn of_key(
    connection: &mut PgConnection,
    key: &str,
) -> Result<HashMap<(i64, i32), Verdict>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select e.seq, found.rule_id as "rule_id!", found.code as "code!"
           from change c
           join evaluation e on e.seq = c.seq
           cross join lateral unnest(e.rules, e.verdicts) as found (rule_id, code)
           where c.key = $1"#,
        key
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| Some(((row.seq, row.rule_id), Verdict::from_code(row.code)?)))
        .collect())
}

/// The values that verdicts for the changes of one advisory or ticket were made with, by change
/// and row in `rule`.
pub async fn values_of_key(
    connection: &mut PgConnection,
    key: &str,
) -> Result<HashMap<(i64, i32), JudgedValue>, sqlx::Error> {
    let rows = sqlx::query!(
        "select j.seq, j.rule_id, j.actual, j.required
         from change c
         join judged_value j on j.seq = c.seq
         where c.key = $1",
        key
    )
    .fetch_all(connection)
    .await?;
    let rows = rows.into_iter();
    Ok(rows
        .map(|row| {
            let value = JudgedValue {
                required: row.required,
                actual: row.actual,
            };
            ((row.seq, row.rule_id), value)
        })
        .collect())
}
