//! Subjects from advisories: changes, or stored advisories for a dry run.

use std::collections::HashSet;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::span::{ChangeSpan, names, severity};
use crate::model::{AdvisorySubject, AttackVector, ChangeKind, Product, Subject};

/// All columns of a row.
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
struct Row {
    seq: Option<i64>,
    at: DateTime<Utc>,
    key: String,
    version: i32,
    what: String,
    through: Option<i64>,
    is_baseline: bool,
    is_new_in_source: bool,
    is_followed: bool,
    returns: i64,
    all_returns: i64,
    is_acknowledged: bool,
    assigned_to: String,
    has_ticket: bool,
    watch_lists: Vec<i64>,
    title: Option<String>,
    severity_rank: Option<i16>,
    released_at: Option<DateTime<Utc>>,
    modified_at: Option<DateTime<Utc>>,
    attack_vector: Option<String>,
    solution_status: Option<String>,
    cves: Option<Vec<String>>,
    products: Option<Json<Vec<Product>>>,
    cvss2_score: Option<f64>,
    cvss3_score: Option<f64>,
    cvss4_score: Option<f64>,
    threat_score: Option<f64>,
    is_zero_day: Option<bool>,
    is_rejected: Option<bool>,
    is_repaired: Option<bool>,
    impacts: Option<Vec<String>>,
    first_seen_at: Option<DateTime<Utc>>,
    kev: Option<bool>,
    kev_due: Option<NaiveDate>,
    ransomware: Option<bool>,
    epss: Option<f64>,
    matched_words: Vec<String>,
    watch_list_names: Vec<String>,
    former_severity_rank: Option<i16>,
    former_solution_status: Option<String>,
    former_cves: Option<Vec<String>>,
}

#[expect(clippy::too_many_lines, reason = "one SQL statement")]
pub(crate) async fn changes(
    connection: &mut PgConnection,
    span: ChangeSpan<'_>,
) -> Result<Vec<Subject>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"select c.seq as "seq?", c.at, c.key, c.version, c.what, c.watch_list_id as through,
                  case
                      when c.is_news then false
                      when c.what = 'completed' then coalesce(b.is_baseline, false)
                      when s.kind = 'details' then c.is_first_load
                      else s.id is not null and (s.baseline_seq is null or c.seq <= s.baseline_seq
                                                 or (s.last_success_at is null and r.mode not in ('import', 'reconcile')))
                  end as "is_baseline!",
                  c.is_news and (c.what = 'joined_watch_list'
                                 or (c.watch_list_id is null and exists (
                                         select
                                         from change p
                                         where p.key = c.key
                                           and p.kind = c.kind
                                           and p.what = 'appeared'
                                           and p.seq < c.seq))) as "is_new_in_source!",
                  case
                      when c.what in ('joined_watch_list', 'left_watch_list') then (
                          select count(*)
                          from change j
                          where j.kind = 'advisory'
                            and j.key = c.key
                            and j.what = 'joined_watch_list'
                            and j.watch_list_id = c.watch_list_id
                            and j.seq <= c.seq
                            and j.at - interval '1 day' >= (
                                select max(l.at)
                                from change l
                                where l.kind = 'advisory'
                                  and l.key = j.key
                                  and l.what = 'left_watch_list'
                                  and l.watch_list_id = j.watch_list_id
                                  and l.seq < j.seq))
                      else 0
                  end as "returns!",
                  case
                      when c.what in ('joined_watch_list', 'left_watch_list') then (
                          select count(*)
                          from change j
                          where j.kind = 'advisory'
                            and j.key = c.key
                            and j.what = 'joined_watch_list'
                            and j.watch_list_id = c.watch_list_id
                            and j.seq <= c.seq
                            and exists (
                                select
                                from change l
                                where l.kind = 'advisory'
                                  and l.key = j.key
                                  and l.what = 'left_watch_list'
                                  and l.watch_list_id = j.watch_list_id
                                  and l.seq < j.seq))
                      else 0
                  end as "all_returns!",
                  g.is_followed as "is_followed!",
                  is_acknowledged(c.key, c.at) as "is_acknowledged!",
                  coalesce(assignee(c.key, c.at), '') as "assigned_to!",
                  exists (
                      select
                      from ticket t
                      where t.said = c.key
                        and t.first_seen_at <= c.at
                        and coalesce(t.deleted_at > c.at, true)) as "has_ticket!",
                  g.watch_lists as "watch_lists!",
                  v.title as "title?", v.severity_rank as "severity_rank?",
                  v.released_at as "released_at?", v.modified_at as "modified_at?",
                  nullif(v.attack_vector, 'unknown') as attack_vector,
                  v.solution_status as "solution_status?", v.cves as "cves?",
                  case when $3 then v.products end as "products: Json<Vec<Product>>",
                  v.cvss2_score as "cvss2_score?", v.cvss3_score as "cvss3_score?",
                  v.cvss4_score as "cvss4_score?", v.threat_score as "threat_score?",
                  v.is_zero_day as "is_zero_day?",
                  v.is_rejected as "is_rejected?",
                  coalesce(v.unrecognised ? 'repaired', false) as "is_repaired?",
                  v.impacts as "impacts?", v.first_seen_at as "first_seen_at?",
                  x.kev, x.kev_due, x.ransomware,
                  case when c.what = 'epss_crossed' then coalesce(e.score, x.epss) else x.epss end as epss,
                  array(
                      select w.word
                      from unnest($5::text[]) as w (word)
                      where advisory_text(v.title, v.description, v.solution)
                            @@ websearch_to_tsquery('pg_catalog.english', w.word)) as "matched_words!: Vec<String>",
                  g.names as "watch_list_names!",
                  f.severity_rank as "former_severity_rank?",
                  f.solution_status as "former_solution_status?",
                  f.cves as "former_cves?"
           from change c
           left join every_advisory_version v on v.said = c.key and v.version = c.version
           left join advisory_version f on f.said = c.key and f.version = c.version - 1
           left join epss_crossing e on e.said = c.key and e.at = c.at
           cross join lateral exploitation(v.cves, c.at) as x
           left join sync_run r on r.id = c.run_id
           left join source s on s.id = r.source_id
           left join lateral (
               select bool_or(case when p.what = 'joined_watch_list' then false
                                   when t.kind = 'details' then p.is_first_load
                                   else t.baseline_seq is null or p.seq <= t.baseline_seq end)
                      and not bool_or(p.is_news) as is_baseline
               from change p
               join sync_run q on q.id = p.run_id
               join source t on t.id = q.source_id
               where c.what = 'completed'
                 and p.key = c.key
                 and p.kind = c.kind
                 and p.version = c.version - 1
                 and p.what in ('appeared', 'joined_watch_list', 'revised')) as b on true
           cross join lateral (
               select coalesce(bool_or(o.configured), false) as is_followed,
                      coalesce(array_agg(o.watch_list_id order by o.watch_list_id)
                               filter (where o.watch_list_id is not null), '{}') as watch_lists,
                      coalesce(array_agg(coalesce(o.name, '') order by o.watch_list_id)
                               filter (where o.watch_list_id is not null), '{}') as names
               from sighting i
               join source o on o.id = i.source_id
               where i.said = c.key
                 and case
                     when c.what = 'left_watch_list' then o.watch_list_id = c.watch_list_id
                     else is_member(i.first_seen_at, i.left_at, i.away, c.at)
                 end) as g
           where c.seq > $1
             and c.seq <= $2
             and ($4::text is null or c.key = $4)
             and c.kind = 'advisory'
           order by c.seq"#,
        span.after,
        span.to,
        span.products,
        span.key,
        span.words
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().filter_map(subject).collect())
}

/// A page of the stored advisories, as if each had just appeared.
#[derive(Debug, Clone, Copy)]
pub struct StoredPage<'a> {
    /// After this identifier.
    pub after: &'a str,
    /// Maximum number.
    pub limit: i64,
    /// Only those that existed when this change was the last.
    pub existing_at: i64,
    /// Full-text searches to make in their texts.
    pub words: &'a [String],
    /// Only these identifiers.
    pub only: Option<&'a [String]>,
}

/// The stored advisories, as if each had just appeared, in the order of their
/// identifiers.
#[expect(clippy::too_many_lines, reason = "one SQL statement")]
pub async fn stored(
    connection: &mut PgConnection,
    page: StoredPage<'_>,
) -> Result<Vec<Subject>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"select null::bigint as "seq?",
                  a.first_seen_at as at, a.said as key, a.version,
                  'appeared' as "what!", null::bigint as "through?", false as "is_baseline!",
                  false as "is_new_in_source!",
                  0::bigint as "returns!",
                  0::bigint as "all_returns!",
                  g.is_followed as "is_followed!",
                  is_acknowledged(a.said, now()) as "is_acknowledged!",
                  coalesce(assignee(a.said, now()), '') as "assigned_to!",
                  exists (select from ticket t where t.said = a.said and t.deleted_at is null) as "has_ticket!",
                  g.watch_lists as "watch_lists!",
                  a.title, a.severity_rank, a.released_at, a.modified_at,
                  nullif(a.attack_vector, 'unknown') as attack_vector,
                  a.solution_status, a.cves as "cves?",
                  a.products as "products: Json<Vec<Product>>",
                  a.cvss2_score, a.cvss3_score, a.cvss4_score, a.threat_score, a.is_zero_day,
                  a.is_rejected as "is_rejected?",
                  coalesce(a.unrecognised ? 'repaired', false) as "is_repaired?",
                  a.impacts as "impacts?", a.first_seen_at as "first_seen_at?",
                  x.kev, x.kev_due, x.ransomware, x.epss,
                  array(
                      select w.word
                      from unnest($4::text[]) as w (word)
                      where advisory_text(a.title, a.description, a.solution)
                            @@ websearch_to_tsquery('pg_catalog.english', w.word)) as "matched_words!: Vec<String>",
                  g.names as "watch_list_names!",
                  null::smallint as "former_severity_rank?",
                  null::text as "former_solution_status?",
                  null::text[] as "former_cves?"
           from advisory a
           cross join lateral exploitation(a.cves, 'infinity') as x
           cross join lateral (
               select coalesce(bool_or(o.configured), false) as is_followed,
                      coalesce(array_agg(o.watch_list_id order by o.watch_list_id)
                               filter (where o.watch_list_id is not null), '{}') as watch_lists,
                      coalesce(array_agg(coalesce(o.name, '') order by o.watch_list_id)
                               filter (where o.watch_list_id is not null), '{}') as names
               from sighting i
               join source o on o.id = i.source_id
               where i.said = a.said
                 and i.left_at is null) as g
           where a.said > $1
             and ($5::text[] is null or a.said = any($5))
             and not exists (
                 select
                 from change c
                 where c.key = a.said
                   and c.what = 'appeared'
                   and c.seq > $3)
           order by a.said
           limit $2"#,
        page.after,
        page.limit,
        page.existing_at,
        page.words,
        page.only
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().filter_map(subject).collect())
}

/// `None` for a kind of change that a newer version wrote.
#[expect(clippy::too_many_lines, reason = "a row is destructured whole")]
fn subject(row: Row) -> Option<Subject> {
    let Row {
        seq,
        at,
        key,
        version,
        what,
        through,
        is_baseline,
        is_new_in_source,
        is_followed,
        returns,
        all_returns,
        is_acknowledged,
        assigned_to,
        has_ticket,
        watch_lists,
        title,
        severity_rank,
        released_at,
        modified_at,
        attack_vector,
        solution_status,
        cves,
        products,
        cvss2_score,
        cvss3_score,
        cvss4_score,
        threat_score,
        is_zero_day,
        is_rejected,
        is_repaired,
        impacts,
        first_seen_at,
        kev,
        kev_due,
        ransomware,
        epss,
        matched_words,
        watch_list_names,
        former_severity_rank,
        former_solution_status,
        former_cves,
    } = row;
    let what = ChangeKind::from_name(&what)?;
    let cves = cves.unwrap_or_default();
    let former_cves: HashSet<String> = former_cves.unwrap_or_default().into_iter().collect();
    let products = products.map(|Json(products)| products).unwrap_or_default();
    let advisory = AdvisorySubject {
        said: key.clone(),
        title: title.clone(),
        severity: severity(severity_rank),
        released_at,
        modified_at,
        attack_vector: attack_vector.as_deref().and_then(AttackVector::from_name),
        solution_status,
        new_cves: cves
            .iter()
            .filter(|cve| !former_cves.contains(*cve))
            .cloned()
            .collect(),
        cves,
        products: products.into_iter().flat_map(names).collect(),
        cvss2: cvss2_score,
        cvss3: cvss3_score,
        cvss4: cvss4_score,
        threat_score,
        is_zero_day,
        is_rejected,
        is_repaired: is_repaired.filter(|_| is_rejected.is_some()),
        impacts: impacts.unwrap_or_default(),
        first_seen_at,
        // The content is unknown where everything of it is.
        kev: kev.filter(|_| is_rejected.is_some()),
        kev_due,
        ransomware: ransomware.filter(|_| is_rejected.is_some()),
        epss: epss.filter(|_| is_rejected.is_some()),
        assigned_to,
        matched_words,
    };
    Some(Subject {
        seq,
        what,
        is_ticket: false,
        key,
        version,
        at,
        through,
        is_baseline: is_baseline && (what.is_first_sight() || what == ChangeKind::Completed),
        is_new_in_source,
        is_followed,
        returns,
        all_returns,
        is_acknowledged,
        has_ticket,
        watch_lists,
        watch_list_names,
        title,
        advisory: Some(advisory),
        former_severity: severity(former_severity_rank),
        former_solution_status,
        ticket: None,
        former_ticket: None,
    })
}
