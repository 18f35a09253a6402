//! How many advisories match a filter, by severity, month, product or watch list.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Serialize;
use sqlx::PgConnection;

use super::filter::QueryText;
use crate::model::filter::Filter;

/// What advisories are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountKey {
    /// Severity, the highest first.
    Severity,
    /// Month of the release, the newest first.
    Month,
    /// Name of a product that it names, those of most advisories first.
    Product,
    /// Watch list that it is in, those of most advisories first.
    WatchList,
}

impl CountKey {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Severity, Self::Month, Self::Product, Self::WatchList];

    /// Its name on the command line, and that of its column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Severity => "severity",
            Self::Month => "month",
            Self::Product => "product",
            Self::WatchList => "watch_list",
        }
    }

    /// The key by its name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }

    /// Its column in the result.
    fn shown(self) -> &'static str {
        match self {
            Self::Severity => "severity_name(c.severity) as severity, ",
            Self::Month => "c.month, ",
            Self::Product => "c.product, ",
            Self::WatchList => "c.watch_list, ",
        }
    }

    fn grouped(self) -> &'static str {
        match self {
            Self::Severity => "c.severity",
            Self::Month => "c.month",
            Self::Product => "c.product",
            Self::WatchList => "c.watch_list",
        }
    }

    fn order(self) -> &'static str {
        match self {
            Self::Severity => "c.severity desc nulls last",
            Self::Month => "c.month desc nulls last",
            Self::Product => "sum(count(*)) over (partition by c.product) desc, c.product",
            Self::WatchList => "sum(count(*)) over (partition by c.watch_list) desc, c.watch_list",
        }
    }
}

/// What is counted.
#[derive(Debug, Clone)]
pub struct CountQuestion {
    /// What advisories have to match.
    pub filter: Filter,
    /// From when durations in the filter count back.
    pub now: DateTime<Utc>,
    /// Changed in the database since.
    pub changed_since: Option<DateTime<Utc>>,
    /// Changed in the database before.
    pub changed_until: Option<DateTime<Utc>>,
    /// One key or two.
    pub keys: Vec<CountKey>,
    /// Where a month begins.
    pub zone: Tz,
    /// Maximum number of rows.
    pub limit: i64,
}

/// A number of advisories.
#[derive(Debug, Clone, Default, Serialize, sqlx::FromRow)]
pub struct AdvisoryCount {
    /// Severity, if it is counted by that.
    #[sqlx(default)]
    pub severity: Option<String>,
    /// Month of the release (`2026-11`), if it is counted by that; none without a release.
    #[sqlx(default)]
    pub month: Option<String>,
    /// Name of a product, if it is counted by that; none of advisories that name none.
    #[sqlx(default)]
    pub product: Option<String>,
    /// Name of a watch list, or its ID; none of advisories that are in none.
    #[sqlx(default)]
    pub watch_list: Option<String>,
    /// The number of different advisories.
    pub advisories: i64,
}

/// Counts advisories. The text of the statement is assembled from parts of the program (see
/// [`QueryText`]).
pub async fn counts(
    connection: &mut PgConnection,
    question: &CountQuestion,
) -> Result<Vec<AdvisoryCount>, sqlx::Error> {
    let mut statement = QueryText::new("with counted as (select distinct a.said");
    for key in &question.keys {
        match key {
            CountKey::Severity => statement.text(", a.severity_rank as severity"),
            CountKey::Month => statement
                .text(", to_char(a.released_at at time zone ")
                .bind(question.zone.name())
                .text(", 'YYYY-MM') as month"),
            CountKey::Product => statement.text(", p.name as product"),
            CountKey::WatchList => statement.text(", l.name as watch_list"),
        };
    }
    statement.text(" from advisory a");
    if question.keys.contains(&CountKey::Product) {
        statement.text(
            " left join lateral (
                  select e.value ->> 'name' as name
                  from jsonb_array_elements(a.products) e
                  where e.value ->> 'name' is not null) p on true",
        );
    }
    if question.keys.contains(&CountKey::WatchList) {
        statement.text(
            " left join lateral (
                  select coalesce(s.name, s.watch_list_id::text) as name
                  from sighting g
                  join source s on s.id = g.source_id
                  where g.said = a.said
                    and g.left_at is null
                    and s.kind = 'watch_list') l on true",
        );
    }
    statement.text(" where ");
    statement.condition(&question.filter, question.now);
    if let Some(since) = question.changed_since {
        statement.text(" and a.changed_at >= ").bind(since);
    }
    if let Some(until) = question.changed_until {
        statement.text(" and a.changed_at < ").bind(until);
    }
    statement.text(") select ");
    for key in &question.keys {
        statement.text(key.shown());
    }
    statement.text("count(*) as advisories from counted c group by ");
    for (index, key) in question.keys.iter().enumerate() {
        statement.text(if index > 0 { ", " } else { "" });
        statement.text(key.grouped());
    }
    statement.text(" order by ");
    for (index, key) in question.keys.iter().enumerate() {
        statement.text(if index > 0 { ", " } else { "" });
        statement.text(key.order());
    }
    statement.text(" limit ").bind(question.limit);
    let query = statement.finish();
    query.build_query_as().fetch_all(connection).await
}
