//! Subjects from changes of tickets.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::span::{ChangeSpan, names, severity};
use crate::model::{AdvisorySubject, AttackVector, ChangeKind, Product, Subject, TicketSubject};

/// All columns of a row.
struct Row {
    seq: i64,
    at: DateTime<Utc>,
    key: String,
    version: i32,
    what: String,
    is_baseline: bool,
    is_acknowledged: bool,
    assigned_to: String,
    has_ticket: bool,
    watch_list_id: Option<i64>,
    title: Option<String>,
    status: Option<String>,
    assignee: Option<String>,
    priority: Option<String>,
    queue: Option<String>,
    former_version: Option<i32>,
    former_status: Option<String>,
    former_assignee: Option<String>,
    former_priority: Option<String>,
    former_queue: Option<String>,
    said: Option<String>,
    advisory_title: Option<String>,
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
    lists: Vec<i64>,
    list_names: Vec<String>,
}

#[expect(clippy::too_many_lines, reason = "one SQL statement")]
pub(crate) async fn changes(
    connection: &mut PgConnection,
    span: ChangeSpan<'_>,
) -> Result<Vec<Subject>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"select c.seq, c.at, c.key, c.version, c.what,
                  s.id is not null and (s.baseline_seq is null or c.seq <= s.baseline_seq
                                        or (s.last_success_at is null and r.mode not in ('import', 'reconcile'))) as "is_baseline!",
                  coalesce(is_acknowledged(t.said, coalesce($6::timestamptz, c.at)), false) as "is_acknowledged!",
                  coalesce(assignee(t.said, coalesce($6::timestamptz, c.at)), '') as "assigned_to!",
                  exists (
                      select
                      from ticket o
                      where o.said = t.said
                        and o.first_seen_at <= coalesce($6::timestamptz, c.at)
                        and coalesce(o.deleted_at > coalesce($6::timestamptz, c.at), true)) as "has_ticket!",
                  t.watch_list_id as "watch_list_id?", t.title as "title?",
                  coalesce(t.status, t.status_id::text) as status,
                  coalesce(t.assignee, t.assignee_id::text) as assignee,
                  coalesce(t.priority, t.priority_id::text) as priority,
                  coalesce(t.queue, t.queue_id::text) as queue,
                  f.version as "former_version?",
                  coalesce(f.status, f.status_id::text) as former_status,
                  coalesce(f.assignee, f.assignee_id::text) as former_assignee,
                  coalesce(f.priority, f.priority_id::text) as former_priority,
                  coalesce(f.queue, f.queue_id::text) as former_queue,
                  a.said as "said?", a.title as "advisory_title?",
                  a.severity_rank as "severity_rank?", a.released_at as "released_at?",
                  a.modified_at as "modified_at?",
                  nullif(a.attack_vector, 'unknown') as attack_vector,
                  a.solution_status as "solution_status?", a.cves as "cves?",
                  case when $3 then a.products end as "products: Json<Vec<Product>>",
                  a.cvss2_score as "cvss2_score?", a.cvss3_score as "cvss3_score?",
                  a.cvss4_score as "cvss4_score?", a.threat_score as "threat_score?",
                  a.is_zero_day as "is_zero_day?",
                  a.is_rejected as "is_rejected?",
                  coalesce(a.unrecognised ? 'repaired', false) as "is_repaired?",
                  a.impacts as "impacts?", a.first_seen_at as "first_seen_at?",
                  x.kev, x.kev_due, x.ransomware, x.epss,
                  array(
                      select w.word
                      from unnest($5::text[]) as w (word)
                      where advisory_text(a.title, a.description, a.solution)
                            @@ websearch_to_tsquery('pg_catalog.english', w.word)) as "matched_words!: Vec<String>",
                  array(
                      select o.watch_list_id
                      from sighting i
                      join source o on o.id = i.source_id
                      where i.said = t.said
                        and is_member(i.first_seen_at, i.left_at, i.away, coalesce($6::timestamptz, c.at))
                        and o.watch_list_id is not null
                      order by o.watch_list_id) as "lists!: Vec<i64>",
                  array(
                      select coalesce(o.name, '')
                      from source o
                      where case
                            when t.watch_list_id is not null then o.watch_list_id = t.watch_list_id
                            else o.watch_list_id is not null and exists (
                                select
                                from sighting i
                                where i.said = t.said
                                  and i.source_id = o.id
                                  and is_member(i.first_seen_at, i.left_at, i.away, coalesce($6::timestamptz, c.at)))
                            end
                      order by o.watch_list_id) as "list_names!: Vec<String>"
           from change c
           left join every_ticket_version t on t.id = case when c.kind = 'ticket' then c.key::bigint end and t.version = c.version
           left join ticket_version f on f.id = case when c.kind = 'ticket' then c.key::bigint end and f.version = c.version - 1
           left join lateral (
               select v.said, v.title, v.severity_rank, v.released_at, v.modified_at, v.attack_vector,
                      v.solution_status, v.cves, v.products, v.cvss2_score, v.cvss3_score,
                      v.cvss4_score, v.threat_score, v.is_zero_day, v.is_rejected,
                      v.unrecognised, v.impacts, v.first_seen_at, v.description, v.solution
               from every_advisory_version v
               where v.said = t.said
                 and v.changed_at <= coalesce($6::timestamptz, c.at)
               order by v.version desc
               limit 1) as a on true
           cross join lateral exploitation(a.cves, coalesce($6::timestamptz, c.at)) as x
           left join sync_run r on r.id = c.run_id
           left join source s on s.id = r.source_id
           where c.seq > $1
             and c.seq <= $2
             and ($4::text is null or c.key = $4)
             and c.kind = 'ticket'
           order by c.seq"#,
        span.after,
        span.to,
        span.products,
        span.key,
        span.words,
        span.as_of
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().filter_map(subject).collect())
}

/// `None` for a kind of change that a newer version wrote.
fn subject(row: Row) -> Option<Subject> {
    let what = ChangeKind::from_name(&row.what)?;
    let former_ticket = row.former_version.map(|_| TicketSubject {
        status: row.former_status.clone(),
        assignee: row.former_assignee.clone(),
        priority: row.former_priority.clone(),
        queue: row.former_queue.clone(),
    });
    Some(Subject {
        seq: Some(row.seq),
        what,
        is_ticket: true,
        key: row.key.clone(),
        version: row.version,
        at: row.at,
        through: None,
        is_baseline: row.is_baseline && what.is_first_sight(),
        is_new_in_source: false,
        is_followed: true,
        is_acknowledged: row.is_acknowledged,
        returns: 0,
        all_returns: 0,
        has_ticket: row.has_ticket,
        watch_lists: row
            .watch_list_id
            .map_or_else(|| row.lists.clone(), |id| vec![id]),
        watch_list_names: row.list_names.clone(),
        title: row.title.clone(),
        former_severity: None,
        former_solution_status: None,
        ticket: Some(TicketSubject {
            status: row.status.clone(),
            assignee: row.assignee.clone(),
            priority: row.priority.clone(),
            queue: row.queue.clone(),
        }),
        former_ticket,
        advisory: advisory(row),
    })
}

fn advisory(row: Row) -> Option<AdvisorySubject> {
    let products = row.products.map(|Json(products)| products);
    Some(AdvisorySubject {
        said: row.said?,
        title: row.advisory_title,
        severity: severity(row.severity_rank),
        released_at: row.released_at,
        modified_at: row.modified_at,
        attack_vector: row
            .attack_vector
            .as_deref()
            .and_then(AttackVector::from_name),
        solution_status: row.solution_status,
        cves: row.cves.unwrap_or_default(),
        new_cves: Vec::new(),
        products: products
            .unwrap_or_default()
            .into_iter()
            .flat_map(names)
            .collect(),
        cvss2: row.cvss2_score,
        cvss3: row.cvss3_score,
        cvss4: row.cvss4_score,
        threat_score: row.threat_score,
        is_zero_day: row.is_zero_day,
        is_rejected: row.is_rejected,
        is_repaired: row.is_repaired,
        impacts: row.impacts.unwrap_or_default(),
        first_seen_at: row.first_seen_at,
        kev: row.kev,
        kev_due: row.kev_due,
        ransomware: row.ransomware,
        epss: row.epss,
        assigned_to: row.assigned_to,
        matched_words: row.matched_words,
    })
}
