//! Queries of the commands: filtered lists of advisories, and one item in full.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;

use super::filter::QueryText;
use crate::model::filter::Filter;
use crate::model::{DetailsMode, RecordKind};
use crate::store::advisories::columns::with_plain_names;
use crate::store::reports::receipt;

/// Which advisories, and in which order.
#[derive(Debug, Clone)]
pub struct AdvisoryQuestion {
    /// What they have to match.
    pub filter: Filter,
    /// From when durations in the filter count back.
    pub now: DateTime<Utc>,
    /// Changed in the database since.
    pub changed_since: Option<DateTime<Utc>>,
    /// Changed in the database before.
    pub changed_until: Option<DateTime<Utc>>,
    /// Their order.
    pub sort: Sort,
    /// Reverses the order; what is unknown stays last.
    pub is_reversed: bool,
    /// Maximum number.
    pub limit: i64,
}

/// What advisories are sorted by: the newest or the highest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    /// When it last changed in the database.
    Changed,
    /// When upstream published it.
    Released,
    /// When upstream last modified it.
    #[default]
    Modified,
    /// When its first version was stored.
    FirstSeen,
    /// Severity.
    Severity,
    /// CVSS score.
    Cvss,
    /// Threat score.
    Threat,
    /// EPSS score.
    Epss,
}

impl Sort {
    /// Every order.
    pub const ALL: [Self; 8] = [
        Self::Changed,
        Self::Released,
        Self::Modified,
        Self::FirstSeen,
        Self::Severity,
        Self::Cvss,
        Self::Threat,
        Self::Epss,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Released => "released",
            Self::Modified => "modified",
            Self::FirstSeen => "first_seen",
            Self::Severity => "severity",
            Self::Cvss => "cvss",
            Self::Threat => "threat_score",
            Self::Epss => "epss",
        }
    }

    fn sql(self) -> &'static str {
        match self {
            Self::Changed => "a.changed_at",
            Self::Released => "a.released_at",
            Self::Modified => "a.modified_at",
            Self::FirstSeen => "a.first_seen_at",
            Self::Severity => "a.severity_rank",
            Self::Cvss => "coalesce(a.cvss4_score, a.cvss3_score, a.cvss2_score)",
            Self::Threat => "a.threat_score",
            Self::Epss => "(select max(e.score) from epss_score e where e.cve = any(a.cves))",
        }
    }
}

/// An advisory in a list of advisories.
#[derive(Debug, Clone, Default, Serialize, sqlx::FromRow)]
pub struct AdvisoryLine {
    /// Its identifier.
    pub said: String,
    /// Upstream's number of it, for its page.
    #[serde(skip)]
    pub upstream_id: Option<i64>,
    /// Title, one line.
    pub title: Option<String>,
    /// Name of the severity.
    pub severity: Option<String>,
    /// CVSS score: version 4, else 3, else 2.
    pub cvss_score: Option<f64>,
    /// When upstream published it.
    pub released_at: Option<DateTime<Utc>>,
    /// When upstream last modified it.
    pub modified_at: Option<DateTime<Utc>>,
    /// Solution status.
    pub solution_status: Option<String>,
    /// Whether it was exploited before a fix was available.
    pub is_zero_day: Option<bool>,
    /// Whether one of its CVEs is known to be exploited.
    pub kev: Option<bool>,
    /// Highest EPSS score of its CVEs.
    pub epss: Option<f64>,
    /// Upstream's threat score.
    pub threat_score: Option<f64>,
    /// Attack vector.
    pub attack_vector: Option<String>,
    /// Impacts, by upstream's names.
    pub impacts: Option<Vec<String>>,
    /// CVE identifiers.
    pub cves: Option<Vec<String>>,
    /// Names of its products.
    pub products: Option<Vec<String>>,
    /// The watch lists that it is in: their names, or ids where they have none.
    pub watch_lists: Option<Vec<String>>,
    /// Description, as the vendor wrote it.
    pub description: Option<String>,
    /// Solution, as the vendor wrote it.
    pub solution: Option<String>,
    /// When its first version was stored.
    pub first_seen_at: Option<DateTime<Utc>>,
    /// When it last changed in the database.
    pub changed_at: Option<DateTime<Utc>>,
    /// The current version.
    pub version: Option<i32>,
    /// Since when a record of it is in quarantine that no later version has replaced.
    #[sqlx(default)]
    pub quarantined_since: Option<DateTime<Utc>>,
    /// When its pending details are due.
    #[sqlx(default)]
    pub details_due_at: Option<DateTime<Utc>>,
    /// Those of its CVEs that are known to be exploited.
    #[serde(skip)]
    pub kev_cves: Vec<String>,
}

/// Matching advisories, with what is known of each besides
/// its stored version. `details` decides which entries of the fetch queue count.
pub async fn advisories(
    connection: &mut PgConnection,
    question: &AdvisoryQuestion,
    details: DetailsMode,
) -> Result<Vec<AdvisoryLine>, sqlx::Error> {
    let mut lines = stored(connection, question).await?;
    let keys: Vec<String> = lines.iter().map(|line| line.said.clone()).collect();
    let filter = receipt::QuarantineFilter {
        keys: Some(&keys),
        kind: Some(RecordKind::Advisory),
        ..receipt::QuarantineFilter::default()
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

/// The text of this statement is assembled from parts of the program (see [`QueryText`]).
async fn stored(
    connection: &mut PgConnection,
    question: &AdvisoryQuestion,
) -> Result<Vec<AdvisoryLine>, sqlx::Error> {
    let mut statement = QueryText::new(
        "select a.said,
                a.upstream_id,
                severity_name(a.severity_rank) as severity,
                coalesce(a.cvss4_score, a.cvss3_score, a.cvss2_score) as cvss_score,
                a.is_zero_day,
                a.solution_status,
                coalesce(a.attack_vector, 'unknown') as attack_vector,
                a.threat_score,
                a.impacts,
                array(
                    select coalesce(s.name, s.watch_list_id::text)
                    from sighting g
                    join source s on s.id = g.source_id
                    where g.said = a.said
                      and g.left_at is null
                      and s.kind = 'watch_list'
                    order by s.watch_list_id) as watch_lists,
                a.released_at,
                a.first_seen_at,
                a.modified_at,
                a.changed_at,
                a.version,
                a.cves,
                (select x.kev from exploitation(a.cves, 'infinity') x) as kev,
                array(
                    select k.cve from known_exploited k
                    where k.cve = any(a.cves) and k.removed_at is null
                    order by k.cve) as kev_cves,
                (select max(e.score) from epss_score e where e.cve = any(a.cves)) as epss,
                a.title,
                a.description,
                a.solution,
                array(
                    select p.value ->> 'name'
                    from jsonb_array_elements(a.products) with ordinality p
                    where p.value ->> 'name' is not null
                    order by p.ordinality) as products
         from advisory a
         where ",
    );
    statement.condition(&question.filter, question.now);
    if let Some(since) = question.changed_since {
        statement.text(" and a.changed_at >= ").bind(since);
    }
    if let Some(until) = question.changed_until {
        statement.text(" and a.changed_at < ").bind(until);
    }
    let direction = if question.is_reversed {
        " asc nulls last, a.modified_at desc nulls last, a.said limit "
    } else {
        " desc nulls last, a.modified_at desc nulls last, a.said limit "
    };
    statement.text(" order by ").text(question.sort.sql());
    statement.text(direction).bind(question.limit);
    let query = statement.finish();
    query.build_query_as().fetch_all(connection).await
}

macro_rules! document {
    (($said:ident) $($name:literal)*) => {
        sqlx::query_scalar!(
            r#"select to_jsonb(d)
                      || jsonb_build_object(
                          'products', (select jsonb_agg(to_jsonb(p) - 'said') from advisoryd_v1.advisory_products p where p.said = d.said),
                          'references', (select jsonb_agg(to_jsonb(r) - 'said' order by r.ordinal) from advisoryd_v1.advisory_references r where r.said = d.said),
                          'memberships', (select jsonb_agg(jsonb_build_object('watch_list_id', m.watch_list_id, 'name', w.name, 'first_seen_at', m.first_seen_at, 'left_at', m.left_at) order by m.watch_list_id)
                                          from advisoryd_v1.advisory_watch_lists m left join advisoryd_v1.watch_lists w on w.id = m.watch_list_id where m.said = d.said),
                          'tickets', (select jsonb_agg(jsonb_build_object('id', t.id, 'pretty_id', t.pretty_id, 'status', t.status, 'title', t.title) order by t.id)
                                      from advisoryd_v1.tickets t where t.said = d.said and t.deleted_at is null),
                          'kev_cves', case
                                          when d.kev is not null
                                          then (select coalesce(jsonb_agg(k.cve order by k.cve), '[]')
                                                from known_exploited k where k.cve = any(d.cves) and k.removed_at is null)
                                      end) as "document!"
               from (
                   select a.said, a.severity, a.severity_rank, a.watch_list_ids, a.version, a.first_seen_at,
                          a.changed_at, a.detail_fetched_at, a.source, a.custom_info,
                          a.repaired, a.kev, a.kev_due, a.ransomware, a.epss"#
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
pub async fn ticket_of(
    connection: &mut PgConnection,
    id: i64,
) -> Result<Option<Value>, sqlx::Error> {
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
async fn ticket_by_pretty_id(
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

/// The ticket that people call by this number. Unless it is certainly a number (written
/// `#42`), it may also be an id, if no ticket has the number.
pub async fn ticket_called(
    connection: &mut PgConnection,
    number: i64,
    is_number: bool,
) -> Result<Option<Value>, sqlx::Error> {
    match ticket_by_pretty_id(connection, number).await? {
        None if !is_number => ticket_of(connection, number).await,
        found => Ok(found),
    }
}

/// A ticket as it came.
pub async fn ticket_raw(
    connection: &mut PgConnection,
    id: i64,
) -> Result<Option<Value>, sqlx::Error> {
    sqlx::query_scalar!("select raw from ticket where id = $1", id)
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
