//! Queries of `verify` for missing rows that the other checks depend on.

use sqlx::PgConnection;

use super::verification::EXAMPLES;

/// A source whose row is missing, with all its runs.
#[derive(Debug, Clone)]
pub struct LostSource {
    /// What is known of its name.
    pub about: String,
    /// Number of records that it sent.
    pub records: i64,
}

/// Sources with records but without a row: their run logs are missing, too.
pub async fn lost_sources(connection: &mut PgConnection) -> Result<Vec<LostSource>, sqlx::Error> {
    sqlx::query_as!(
        LostSource,
        r#"select 'source ' || g.source_id as "about!", count(*) as "records!"
           from sighting g
           where not exists (select from source s where s.id = g.source_id)
           group by g.source_id
           union all
           select 'tickets', count(*)
           from ticket
           where not exists (select from source where kind = 'tickets')
           having count(*) > 0
           order by 1
           limit $1"#,
        EXAMPLES
    )
    .fetch_all(connection)
    .await
}

/// Single-row tables without a row: without it, changes could not be numbered, or
/// data removed by retention could not be distinguished from a loss.
pub async fn emptied(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select t.name as "name!"
           from (
               values ('change_counter', exists (select from change_counter)),
                      ('retained', exists (select from retained)),
                      ('ticket_reading', exists (select from ticket_reading))
           ) as t (name, is_there)
           where not t.is_there
           order by 1"#
    )
    .fetch_all(connection)
    .await
}
