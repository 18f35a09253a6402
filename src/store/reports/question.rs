//! Queries of the commands: filtered lists of advisories and tickets, and one item in full.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;

use crate::model::{Details, RecordKind};
use crate::store::advisories::columns::with_plain_names;
use crate::store::reports::receipt;

/// Lower limits of times; `None` is no limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moments {
    /// Released (a ticket: created) or modified upstream.
    pub any: Option<DateTime<Utc>>,
    /// Released upstream.
    pub released: Option<DateTime<Utc>>,
    /// Modified upstream.
    pub modified: Option<DateTime<Utc>>,
    /// First stored in the database.
    pub first_seen: Option<DateTime<Utc>>,
    /// Changed in the database.
    pub changed: Option<DateTime<Utc>>,
}

/// By which time lines are ordered, the latest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// When upstream released it.
    Released,
    /// When upstream last modified it.
    #[default]
    Modified,
    /// When it was first stored.
    FirstSeen,
}

impl Order {
    fn name(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Modified => "modified",
            Self::FirstSeen => "first_seen",
        }
    }
}

/// Filter for advisories; `None` matches everything.
#[derive(Debug, Clone, Default)]
pub struct AdvisoryQuestion {
    /// Minimum severity, by rank.
    pub rank_from: Option<i16>,
    /// Maximum severity, by rank.
    pub rank_to: Option<i16>,
    /// A CVE of the advisory.
    pub cve: Option<String>,
    /// Words of a product's name or CPE.
    pub product: Option<String>,
    /// A watch list that contained it.
    pub watch_list_id: Option<i64>,
    /// How recent.
    pub since: Moments,
    /// What comes first.
    pub order: Order,
    /// Only zero days.
    pub zero_day: bool,
    /// Full-text search, with the syntax of a web search.
    pub search: Option<String>,
    /// Maximum number.
    pub limit: i64,
}

/// An advisory in a list of advisories.
#[derive(Debug, Clone, Default, Serialize)]
pub struct AdvisoryLine {
    /// Its identifier.
    pub said: String,
    /// Name of the severity.
    pub severity: Option<String>,
    /// CVSS score: version 4, else 3, else 2.
    pub cvss_score: Option<f64>,
    /// Whether it was exploited before a fix was available.
    pub is_zero_day: Option<bool>,
    /// Solution status.
    pub solution_status: Option<String>,
    /// When upstream released it.
    pub released_at: Option<DateTime<Utc>>,
    /// When it was first stored.
    pub first_seen_at: Option<DateTime<Utc>>,
    /// When upstream last modified it.
    pub modified_at: Option<DateTime<Utc>>,
    /// When it last changed in the database.
    pub changed_at: Option<DateTime<Utc>>,
    /// The current version.
    pub version: Option<i32>,
    /// CVE identifiers.
    pub cves: Option<Vec<String>>,
    /// Title, one line.
    pub title: Option<String>,
    /// Since when a record of it is in quarantine that no later version has replaced.
    pub quarantined_since: Option<DateTime<Utc>>,
    /// When its pending details are due.
    pub details_due_at: Option<DateTime<Utc>>,
}

/// Matching advisories, the latest first, with what is known of each besides
/// its stored version. `details` decides which entries of the fetch queue count.
pub async fn advisories(
    connection: &mut PgConnection,
    question: &AdvisoryQuestion,
    details: Details,
) -> Result<Vec<AdvisoryLine>, sqlx::Error> {
    let mut lines = stored(connection, question).await?;
    let keys: Vec<String> = lines.iter().map(|line| line.said.clone()).collect();
    let filter = receipt::Filter {
        keys: Some(&keys),
        kind: Some(RecordKind::Advisory),
        ..receipt::Filter::default()
    };
    let quarantined = receipt::unreplaced(connection, filter).await?;
    let pending = receipt::pending(connection, &keys, details).await?;
    for line in &mut lines {
        let said = Some(line.said.as_str());
        let record = quarantined.iter().find(|one| one.key.as_deref() == said);
        line.quarantined_since = record.map(|record| record.at);
        line.details_due_at = pending.get(&line.said).map(|entry| entry.due_at);
    }
    Ok(lines)
}

async fn stored(
    connection: &mut PgConnection,
    question: &AdvisoryQuestion,
) -> Result<Vec<AdvisoryLine>, sqlx::Error> {
    sqlx::query_as!(
        AdvisoryLine,
        r#"select a.said as "said!",
                  a.severity,
                  coalesce(a.cvss4_score, a.cvss3_score, a.cvss2_score) as cvss_score,
                  a.is_zero_day, a.solution_status, a.released_at, a.first_seen_at,
                  a.modified_at, a.changed_at, a.version, a.cves, a.title,
                  null::timestamptz as quarantined_since,
                  null::timestamptz as details_due_at
           from advisoryd_v1.advisories a
           where ($1::smallint is null or a.severity_rank >= $1)
             and ($2::smallint is null or a.severity_rank <= $2)
             and ($3::text is null or a.cves @> array[$3])
             and ($4::text is null or a.product_search @@ plainto_tsquery('pg_catalog.simple', $4))
             and ($5::bigint is null or exists (
                     select
                     from advisoryd_v1.advisory_watch_lists w
                     where w.said = a.said
                       and w.watch_list_id = $5
                       and w.left_at is null))
             and ($6::timestamptz is null or a.modified_at >= $6 or a.released_at >= $6)
             and ($10::timestamptz is null or a.released_at >= $10)
             and ($11::timestamptz is null or a.modified_at >= $11)
             and ($12::timestamptz is null or a.first_seen_at >= $12)
             and ($13::timestamptz is null or a.changed_at >= $13)
             and (not $7 or a.is_zero_day)
             and ($8::text is null or a.search @@ websearch_to_tsquery('pg_catalog.english', $8))
           order by case $14::text
                        when 'released' then a.released_at
                        when 'first_seen' then a.first_seen_at
                        else a.modified_at
                    end desc nulls last,
                    length(a.said) desc,
                    a.said desc
           limit $9"#,
        question.rank_from,
        question.rank_to,
        question.cve,
        question.product,
        question.watch_list_id,
        question.since.any,
        question.zero_day,
        question.search,
        question.limit,
        question.since.released,
        question.since.modified,
        question.since.first_seen,
        question.since.changed,
        question.order.name()
    )
    .fetch_all(connection)
    .await
}

/// Filter for tickets.
#[derive(Debug, Clone, Default)]
pub struct TicketQuestion {
    /// Name of the status, case-insensitive.
    pub status: Option<String>,
    /// Name of the assignee, case-insensitive.
    pub assignee: Option<String>,
    /// The watch list that created it.
    pub watch_list_id: Option<i64>,
    /// Its advisory.
    pub said: Option<String>,
    /// How recent.
    pub since: Moments,
    /// What comes first.
    pub order: Order,
    /// Tickets that no longer exist upstream, instead of those that do.
    pub gone: bool,
    /// Maximum number.
    pub limit: i64,
}

/// A ticket in a list of tickets.
#[derive(Debug, Clone, Default, Serialize)]
pub struct TicketLine {
    /// Upstream's id.
    pub id: i64,
    /// The ticket number.
    pub pretty_id: Option<i64>,
    /// Name of the status.
    pub status: Option<String>,
    /// Name of the priority.
    pub priority: Option<String>,
    /// Assignee.
    pub assignee: Option<String>,
    /// Its advisory.
    pub said: Option<String>,
    /// When it was created upstream.
    pub created_at: Option<DateTime<Utc>>,
    /// When it was first stored.
    pub first_seen_at: Option<DateTime<Utc>>,
    /// When upstream last modified it.
    pub modified_at: Option<DateTime<Utc>>,
    /// When it last changed in the database.
    pub changed_at: Option<DateTime<Utc>>,
    /// The current version.
    pub version: Option<i32>,
    /// Title, one line.
    pub title: Option<String>,
}

/// Matching tickets, the latest first.
pub async fn tickets(
    connection: &mut PgConnection,
    question: &TicketQuestion,
) -> Result<Vec<TicketLine>, sqlx::Error> {
    sqlx::query_as!(
        TicketLine,
        r#"select t.id as "id!", t.pretty_id, t.status, t.priority, t.assignee, t.said,
                  t.created_at, t.first_seen_at, t.modified_at, t.changed_at, t.version, t.title
           from advisoryd_v1.tickets t
           where ($1::text is null or lower(t.status) = lower($1))
             and ($2::text is null or lower(t.assignee) = lower($2))
             and ($3::bigint is null or t.watch_list_id = $3)
             and ($4::text is null or t.said in ($4, upper($4)))
             and ($5::timestamptz is null or t.modified_at >= $5 or t.created_at >= $5)
             and ($8::timestamptz is null or t.modified_at >= $8)
             and ($9::timestamptz is null or t.first_seen_at >= $9)
             and ($10::timestamptz is null or t.changed_at >= $10)
             and (t.deleted_at is not null) = $6
           order by case $11::text
                        when 'first_seen' then t.first_seen_at
                        else t.modified_at
                    end desc nulls last,
                    t.id desc
           limit $7"#,
        question.status,
        question.assignee,
        question.watch_list_id,
        question.said,
        question.since.any,
        question.gone,
        question.limit,
        question.since.modified,
        question.since.first_seen,
        question.since.changed,
        question.order.name()
    )
    .fetch_all(connection)
    .await
}

/// A watch list with a name.
#[derive(Debug, Clone)]
pub struct NamedList {
    /// Its id upstream.
    pub id: i64,
    /// Its name.
    pub name: String,
}

/// The watch lists that have a name.
pub async fn named_lists(connection: &mut PgConnection) -> Result<Vec<NamedList>, sqlx::Error> {
    sqlx::query_as!(
        NamedList,
        r#"select watch_list_id as "id!", name as "name!"
           from source
           where watch_list_id is not null
             and name is not null
           order by configured desc, watch_list_id"#
    )
    .fetch_all(connection)
    .await
}

macro_rules! document {
    (($said:ident) $($name:literal)*) => {
        sqlx::query_scalar!(
            r#"select to_jsonb(d)
                      || jsonb_build_object(
                          'products', (select jsonb_agg(to_jsonb(p) - 'said') from advisoryd_v1.advisory_products p where p.said = d.said),
                          'references', (select jsonb_agg(to_jsonb(r) - 'said' order by r.ordinal) from advisoryd_v1.advisory_references r where r.said = d.said),
                          'tickets', (select jsonb_agg(jsonb_build_object('id', t.id, 'pretty_id', t.pretty_id, 'status', t.status, 'title', t.title) order by t.id)
                                      from advisoryd_v1.tickets t where t.said = d.said and t.deleted_at is null)) as "document!"
               from (
                   select a.said, a.severity, a.severity_rank, a.watch_list_ids, a.version, a.first_seen_at,
                          a.changed_at, a.detail_fetched_at, a.source, a.custom_info,
                          a.repaired"#
                $(+ ", a." + $name)*
                + "
                   from advisoryd_v1.advisories a
                   where a.said in ($1, upper($1))
                   order by a.said <> $1
                   limit 1) as d",
            $said
        )
    };
}

/// One advisory as JSON: the columns of the view, products and references. The
/// identifier is case-insensitive. The columns are listed one by one, because the
/// search vector is computed on access, and a new connection would have to load
/// the dictionaries for it.
pub async fn advisory(
    connection: &mut PgConnection,
    said: &str,
) -> Result<Option<Value>, sqlx::Error> {
    with_plain_names!(document(said))
        .fetch_optional(connection)
        .await
}

/// One ticket as JSON: the columns of the view.
pub async fn ticket(connection: &mut PgConnection, id: i64) -> Result<Option<Value>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select to_jsonb(t) - 'raw' as "document!"
           from advisoryd_v1.tickets t
           where t.id = $1"#,
        id
    )
    .fetch_optional(connection)
    .await
}

/// The same by ticket number. It is not guaranteed to be unique; of several
/// tickets this returns the oldest.
pub async fn ticket_by_pretty_id(
    connection: &mut PgConnection,
    pretty_id: i64,
) -> Result<Option<Value>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select to_jsonb(t) - 'raw' as "document!"
           from advisoryd_v1.tickets t
           where t.pretty_id = $1
           order by t.id
           limit 1"#,
        pretty_id
    )
    .fetch_optional(connection)
    .await
}

/// A changed field.
#[derive(Debug, Clone, Serialize)]
pub struct FieldChange {
    /// The version with the new value.
    pub version: i32,
    /// When it was detected.
    pub at: DateTime<Utc>,
    /// Name of the column.
    pub field: String,
    /// Old value.
    pub old: Option<Value>,
    /// New value.
    pub new: Option<Value>,
}

/// The changes that one version brought.
pub async fn field_changes_of(
    connection: &mut PgConnection,
    (kind, key): (&str, &str),
    version: i32,
) -> Result<Vec<FieldChange>, sqlx::Error> {
    sqlx::query_as!(
        FieldChange,
        r#"select version as "version!", at as "at!", field as "field!", old, new
           from advisoryd_v1.field_changes
           where kind = $1
             and key = $2
             and version = $3
           order by field"#,
        kind,
        key,
        version
    )
    .fetch_all(connection)
    .await
}

/// The changes between versions, oldest first.
pub async fn field_changes(
    connection: &mut PgConnection,
    kind: RecordKind,
    key: &str,
) -> Result<Vec<FieldChange>, sqlx::Error> {
    sqlx::query_as!(
        FieldChange,
        r#"select version as "version!", at as "at!", field as "field!", old, new
           from advisoryd_v1.field_changes
           where kind = $1
             and key = $2
           order by version, field"#,
        kind.name(),
        key
    )
    .fetch_all(connection)
    .await
}
