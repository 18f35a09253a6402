//! Query of `advisoryd products`: what watch lists contain, and which products advisories name.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

/// Which products.
#[derive(Debug, Clone, Default)]
pub struct ProductQuestion {
    /// Words that the name contains, in lower case.
    pub words: Vec<String>,
    /// Only of this watch list.
    pub watch_list_id: Option<i64>,
    /// Only what a watch list contains.
    pub listed: bool,
    /// What no watch list contains any more, instead.
    pub gone: bool,
    /// Maximum number.
    pub limit: i64,
}

/// A product in a list of products.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ProductLine {
    /// Its name; where upstream sends none, its id.
    pub name: String,
    /// `vendor`, `product` or `product_release`, if a watch list contains or contained it.
    pub kind: Option<String>,
    /// Number of advisories of followed watch lists that name it; unknown for vendors.
    pub advisories: Option<i64>,
    /// The highest severity of them.
    pub severity: Option<String>,
    /// When the last of them was released.
    pub released_at: Option<DateTime<Utc>>,
    /// The followed watch lists that contain it: their names, or ids where they have none.
    pub watch_lists: Vec<String>,
    /// When it was first found in one of them.
    pub first_seen_at: Option<DateTime<Utc>>,
    /// When the last of them no longer contained it.
    pub left_at: Option<DateTime<Utc>>,
}

/// Matching products, those with the most advisories first. A name is compared without case.
/// What names a release (`OpenSSL 3.x`) also names the product (`OpenSSL`).
#[expect(clippy::too_many_lines, reason = "one SQL statement")]
pub async fn products(
    connection: &mut PgConnection,
    question: &ProductQuestion,
) -> Result<Vec<ProductLine>, sqlx::Error> {
    sqlx::query_as!(
        ProductLine,
        r#"with followed as materialized (
               select s.id, s.watch_list_id, coalesce(s.name, s.watch_list_id::text) as called
               from source s
               where s.kind = 'watch_list'
                 and s.configured
                 and ($2::bigint is null or s.watch_list_id = $2)),
           listed as (
               select case when c.kind <> 'vendor' then lower(n.name) end as key, c.kind, min(n.name) as name,
                      min(c.first_seen_at) as first_seen_at,
                      case when bool_and(c.left_at is not null) then max(c.left_at) end as left_at,
                      array_agg(f.called order by f.watch_list_id) filter (where c.left_at is null) as watch_lists
               from list_content c
               join followed f using (watch_list_id)
               cross join lateral (select coalesce(c.name, c.upstream_id) as name) as n
               group by lower(n.name), c.kind),
           named as materialized (
               select distinct a.said, a.severity_rank, a.released_at, p.value ->> 'name' as name
               from advisory a
               cross join lateral jsonb_array_elements(a.products) as p
               where p.value ->> 'name' <> ''
                 and exists (
                     select
                     from sighting g
                     join followed f on f.id = g.source_id
                     where g.said = a.said
                       and g.left_at is null)),
           spelled as (
               select distinct name from named),
           keyed as (
               select s.name, lower(s.name) as key from spelled s
               union
               select s.name, lower(regexp_replace(s.name, '\s+v?[0-9].*$', '')) from spelled s),
           counted as (
               select k.key, min(k.name) filter (where lower(k.name) = k.key) as name,
                      count(distinct n.said) as advisories, max(n.severity_rank) as severity_rank,
                      max(n.released_at) as released_at
               from keyed k
               join named n using (name)
               group by k.key)
           select coalesce(l.name, t.name) as "name!",
                  l.kind as "kind?",
                  case when l.kind is distinct from 'vendor' then coalesce(t.advisories, 0) end as advisories,
                  case when t.advisories > 0 then severity_name(t.severity_rank) end as severity, t.released_at as "released_at?",
                  coalesce(l.watch_lists, '{}') as "watch_lists!",
                  l.first_seen_at as "first_seen_at?", l.left_at as "left_at?"
           from listed l
           full join counted t using (key)
           where (l.kind is not null or t.name is not null)
             and case
                     when $4 then l.left_at is not null
                     when $3 then l.kind is not null and l.left_at is null
                     else l.left_at is null or t.advisories > 0
                 end
             and not exists (
                 select
                 from unnest($1::text[]) as w (word)
                 where strpos(lower(coalesce(l.name, t.name)), w.word) = 0)
           order by 3 desc nulls last, 1, 2
           limit $5"#,
        &question.words,
        question.watch_list_id,
        question.listed,
        question.gone,
        question.limit
    )
    .fetch_all(connection)
    .await
}

/// Words in names of products that advisories name, of about this length, in lower case.
pub async fn words_like(
    connection: &mut PgConnection,
    word: &str,
) -> Result<Vec<String>, sqlx::Error> {
    /// More are not compared.
    const MOST: i64 = 50_000;
    sqlx::query_scalar!(
        r#"select distinct w.word as "word!"
           from advisory a
           cross join lateral jsonb_array_elements(a.products) as p
           cross join lateral regexp_split_to_table(lower(p.value ->> 'name'), '[^[:alnum:]]+') as w (word)
           where abs(length(w.word) - length($1)) <= 2
           order by 1
           limit $2"#,
        word,
        MOST
    )
    .fetch_all(connection)
    .await
}
