//! Details of alerts: what they quote from the database in addition to what rules
//! compare. Read for raised alerts only, as they are few.

use std::collections::HashMap;

use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;

use super::raised::Raised;
use crate::model::{
    AlertDetails, ChangeKind, ChangedField, Cvss, LinkTemplates, Product, RecordKind, Severity,
    TicketDetails,
};

/// Changed values longer than this are not quoted, in characters.
const MAX_VALUE_CHARS: usize = 200;

/// Adds the details of the version that each alert is about.
pub async fn complete(
    connection: &mut PgConnection,
    mut raised: Vec<Raised>,
    links: &LinkTemplates,
) -> Result<Vec<Raised>, sqlx::Error> {
    if raised.is_empty() {
        return Ok(raised);
    }
    let names = names(connection, &raised).await?;
    let mut details = contents(connection, &raised).await?;
    for (place, fields) in changed(connection, &raised).await? {
        details.entry(place).or_default().changed.extend(fields);
    }
    for (place, raised) in raised.iter_mut().enumerate() {
        let mut details = details.remove(&place).unwrap_or_default();
        let ids = raised.alert.watch_list_ids.iter();
        details.watch_list_names = ids.map(|id| names.get(id).cloned()).collect();
        raised.alert = std::mem::take(&mut raised.alert).detailed(details, links);
    }
    Ok(raised)
}

/// The names of all watch lists of the alerts.
async fn names(
    connection: &mut PgConnection,
    raised: &[Raised],
) -> Result<HashMap<i64, String>, sqlx::Error> {
    let ids = raised.iter().flat_map(|one| &one.alert.watch_list_ids);
    let ids: Vec<i64> = ids.copied().collect();
    let rows = sqlx::query!(
        r#"select s.watch_list_id as "id!", coalesce(s.name, d.name) as "name!"
           from source s
           left join discovered_list d on d.id = s.watch_list_id
           where s.watch_list_id = any($1)
             and coalesce(s.name, d.name) is not null"#,
        &ids
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.name)).collect())
}

/// All columns of a row.
struct Row {
    place: i64,
    said: Option<String>,
    upstream_id: Option<i64>,
    cvss2_score: Option<f64>,
    cvss2_vector: Option<String>,
    cvss3_score: Option<f64>,
    cvss3_vector: Option<String>,
    cvss4_score: Option<f64>,
    cvss4_vector: Option<String>,
    products: Option<Json<Vec<Product>>>,
    solution: Option<String>,
    ticket_id: Option<i64>,
    ticket_number: Option<i64>,
    ticket_status: Option<String>,
    tickets: i64,
}

/// Contents by place in the list. Of an advisory the newest ticket that exists is named,
/// without its texts and its assignee: they would have to be erased with the ticket. A
/// ticket's advisory is that of the time of the change.
async fn contents(
    connection: &mut PgConnection,
    raised: &[Raised],
) -> Result<HashMap<usize, AlertDetails>, sqlx::Error> {
    let alerts = || raised.iter().map(|one| &one.alert);
    let kinds: Vec<String> = alerts().map(|alert| alert.kind.clone()).collect();
    let keys: Vec<String> = alerts().map(|alert| alert.key.clone()).collect();
    let versions: Vec<i32> = alerts().map(|alert| alert.version).collect();
    let times: Vec<_> = alerts().map(|alert| alert.at).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"select n.place as "place!",
                  coalesce(a.said, k.said, case when n.kind = 'advisory' then n.key end) as said,
                  a.upstream_id as "upstream_id?",
                  a.cvss2_score as "cvss2_score?", a.cvss2_vector as "cvss2_vector?",
                  a.cvss3_score as "cvss3_score?", a.cvss3_vector as "cvss3_vector?",
                  a.cvss4_score as "cvss4_score?", a.cvss4_vector as "cvss4_vector?",
                  a.products as "products?: Json<Vec<Product>>",
                  left(a.solution, 2000) as solution,
                  coalesce(k.id, t.id) as ticket_id,
                  case when k.id is null then t.pretty_id else k.pretty_id end as ticket_number,
                  case when k.id is null then coalesce(t.status, t.status_id::text)
                       else coalesce(k.status, k.status_id::text) end as ticket_status,
                  coalesce(t.tickets, 0) as "tickets!"
           from unnest($1::text[], $2::text[], $3::integer[], $4::timestamptz[])
               with ordinality as n (kind, key, version, at, place)
           left join every_ticket_version k
               on k.id = case when n.kind = 'ticket' then n.key::bigint end and k.version = n.version
           left join lateral (
               select v.*
               from every_advisory_version v
               where v.said = case when n.kind = 'advisory' then n.key else k.said end
                 and case when n.kind = 'advisory' then v.version = n.version else v.changed_at <= n.at end
               order by v.version desc
               limit 1) as a on true
           left join lateral (
               select o.id, o.pretty_id, o.status, o.status_id,
                      count(*) over () as tickets
               from ticket o
               where n.kind = 'advisory'
                 and o.said = n.key
                 and o.deleted_at is null
               order by o.created_at desc nulls last, o.id desc
               limit 1) as t on true
           where n.kind in ('advisory', 'ticket')"#,
        &kinds,
        &keys,
        &versions,
        &times
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| Some((place(row.place)?, details(row))))
        .collect())
}

/// From SQL's count, which begins with 1.
fn place(ordinality: i64) -> Option<usize> {
    usize::try_from(ordinality - 1).ok()
}

fn details(row: Row) -> AlertDetails {
    let cvss = |score, vector| Cvss { score, vector };
    let products = row.products.map(|Json(products)| products);
    AlertDetails {
        said: row.said,
        advisory_id: row.upstream_id,
        cvss: [
            cvss(row.cvss4_score, row.cvss4_vector),
            cvss(row.cvss3_score, row.cvss3_vector),
            cvss(row.cvss2_score, row.cvss2_vector),
        ],
        products: products
            .unwrap_or_default()
            .into_iter()
            .map(|product| product.name)
            .collect(),
        solution: row.solution,
        ticket: row.ticket_id.map(|id| TicketDetails {
            id,
            number: row.ticket_number,
            status: row.ticket_status,
        }),
        more_tickets: usize::try_from(row.tickets.saturating_sub(1)).unwrap_or(0),
        watch_list_names: Vec::new(),
        changed: Vec::new(),
    }
}

/// The fields that the version of each alert changed, by place in the list.
async fn changed(
    connection: &mut PgConnection,
    raised: &[Raised],
) -> Result<Vec<(usize, Vec<ChangedField>)>, sqlx::Error> {
    let alerts = || {
        let alerts = raised.iter().map(|one| &one.alert).enumerate();
        alerts.filter(|(_, alert)| has_changes(&alert.kind, &alert.what) && alert.version > 1)
    };
    let places: Vec<i64> = alerts()
        .filter_map(|(place, _)| i64::try_from(place).ok())
        .collect();
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let kinds: Vec<String> = alerts().map(|(_, alert)| alert.kind.clone()).collect();
    let keys: Vec<String> = alerts().map(|(_, alert)| alert.key.clone()).collect();
    let versions: Vec<i32> = alerts().map(|(_, alert)| alert.version).collect();
    let rows = sqlx::query!(
        r#"select n.place as "place!", f.field as "field!", f.old, f.new
           from unnest($1::bigint[], $2::text[], $3::text[], $4::integer[]) as n (place, kind, key, version)
           cross join lateral (
               select c.field, c.old, c.new
               from advisoryd_v1.field_changes c
               where c.kind = n.kind
                 and c.key = n.key
                 and c.version = n.version
                 and c.field not in (
                     'byte_hash', 'content_hash', 'detail_hash', 'whole_hash', 'source_id',
                     'modified_at', 'record_modified_at', 'criticality', 'is_rejected', 'unrecognised',
                     'status_id', 'priority_id', 'queue_id', 'assignee_id')) as f
           order by n.place, f.field"#,
        &places,
        &kinds,
        &keys,
        &versions
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let place = usize::try_from(row.place).ok()?;
            Some((place, vec![field(row.field, row.old, row.new)]))
        })
        .collect())
}

/// Whether an alert of this kind is about a version.
fn has_changes(kind: &str, what: &str) -> bool {
    let is_record = [RecordKind::Advisory, RecordKind::Ticket]
        .iter()
        .any(|known| known.name() == kind);
    let is_list = matches!(
        ChangeKind::from_name(what),
        Some(ChangeKind::JoinedWatchList | ChangeKind::LeftWatchList) | None
    );
    is_record && !is_list
}

fn field(field: String, old: Option<Value>, new: Option<Value>) -> ChangedField {
    if field == "severity_rank" {
        let name = |rank: Option<Value>| {
            let rank = rank?.as_i64().and_then(|rank| i16::try_from(rank).ok())?;
            Some(Severity::from_rank(rank)?.name().to_owned())
        };
        return ChangedField {
            field: "severity".to_owned(),
            old: name(old),
            new: name(new),
        };
    }
    let (old, new) = (old.map(value), new.map(value));
    let is_long = |text: &Option<String>| {
        text.as_ref()
            .is_some_and(|text| text.chars().count() > MAX_VALUE_CHARS)
    };
    let is_document = matches!(
        field.as_str(),
        "products" | "references" | "description" | "solution"
    );
    if is_document || is_long(&old) || is_long(&new) {
        return ChangedField {
            field,
            ..ChangedField::default()
        };
    }
    ChangedField { field, old, new }
}

/// A text as it is, a list with commas, anything else as JSON.
fn value(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Array(list) => {
            let parts: Vec<String> = list.into_iter().map(self::value).collect();
            parts.join(", ")
        }
        other => other.to_string(),
    }
}
