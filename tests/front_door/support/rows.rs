//! Advisories as the views tell them, and as they ought to. Neither side names the
//! columns one by one: a new one is compared by itself.

use std::collections::BTreeMap;

use advisoryd::model::{Advisory, Severity, is_documented};
use chrono::DateTime;
use serde_json::{Map, Value, json};
use sqlx::AssertSqlSafe;
use sqlx::types::Json;

use super::World;

/// The columns of a view as arguments of `jsonb_build_object`, but for the key,
/// those that tell of us and not of the advisory, the words for searching, which
/// are dear, and products, which have a view of their own.
const COLUMNS: &str = "
    select string_agg(format('%L, %I', regexp_replace(column_name, '^source_', ''), column_name), ', ')
    from information_schema.columns
    where table_schema = 'advisoryd_v1'
      and table_name = $1
      and column_name not in (
          'said', 'raw', 'search', 'product_search', 'products', 'version', 'first_seen_at', 'changed_at',
          'valid_from', 'valid_to', 'run_id', 'detail_fetched_at', 'source', 'custom_info')";

/// Products and references have views of their own.
const LISTS: &str = "
    'products', (
        select coalesce(jsonb_agg(jsonb_build_object('id', p.product_id, 'name', p.name, 'os', p.is_os, 'cpes', p.cpes)
                                  order by p.product_id, p.name), '[]')
        from advisoryd_v1.advisory_products p
        where p.said = a.said),
    'references', (
        select coalesce(jsonb_agg(jsonb_build_object('ordinal', r.ordinal, 'url', r.url, 'description', r.description)
                                  order by r.ordinal), '[]')
        from advisoryd_v1.advisory_references r
        where r.said = a.said)";

impl World {
    /// Every advisory as the views tell it, by identifier.
    pub async fn stored(&self) -> BTreeMap<String, Value> {
        let columns = self.columns("advisories").await;
        let sql = format!(
            "select a.said, a.version, jsonb_build_object({columns}) || jsonb_build_object({LISTS})
             from advisoryd_v1.advisories a"
        );
        let rows = self.rows(sql).await;
        rows.into_iter().map(|(said, _, row)| (said, row)).collect()
    }

    /// Every version of every advisory with its number, in the same words.
    pub async fn history(&self) -> Vec<(String, i32, Value)> {
        let columns = self.columns("advisory_history").await;
        let sql = format!(
            "select said, version, jsonb_build_object({columns})
             from advisoryd_v1.advisory_history
             order by said, version"
        );
        self.rows(sql).await
    }

    async fn columns(&self, view: &str) -> String {
        sqlx::query_scalar(COLUMNS)
            .bind(view)
            .fetch_one(self.pool())
            .await
            .expect("the view's columns")
    }

    async fn rows(&self, sql: String) -> Vec<(String, i32, Value)> {
        sqlx::query_as::<_, (String, i32, Json<Map<String, Value>>)>(AssertSqlSafe(sql))
            .fetch_all(self.pool())
            .await
            .expect("the rows")
            .into_iter()
            .map(|(said, version, Json(row))| (said, version, alike(row)))
            .collect()
    }

    /// Every advisory as the views ought to tell it once all lists were pulled in full.
    pub fn expected(&self) -> BTreeMap<String, Value> {
        let mut lists = BTreeMap::<String, Vec<i64>>::new();
        for list in self.simulator.watch_lists() {
            for said in self.simulator.saids(list) {
                lists.entry(said).or_default().push(list);
            }
        }
        let row = |(said, lists): (String, Vec<i64>)| {
            let advisory = self.simulator.expected(&said).expect("it exists");
            (said, row(&advisory, &lists))
        };
        lists.into_iter().map(row).collect()
    }

    /// Fails with the first advisory that is not stored as it ought to be.
    pub async fn assert_all_is_stored(&self) {
        let (stored, expected) = (self.stored().await, self.expected());
        for (said, expected) in &expected {
            let stored = stored
                .get(said)
                .unwrap_or_else(|| panic!("{said} is missing"));
            for (field, value) in expected.as_object().expect("a row") {
                assert_eq!(stored.get(field), Some(value), "{said}.{field}");
            }
        }
        assert_eq!(stored.len(), expected.len(), "nothing else is stored");
    }
}

/// The model as it serialises, in the columns' names.
fn row(advisory: &Advisory, lists: &[i64]) -> Value {
    let Ok(Value::Object(model)) = serde_json::to_value(advisory) else {
        panic!("{advisory:?} is no object");
    };
    let severity = advisory.severity();
    let mut row = Map::new();
    for (field, value) in model {
        match (field.as_str(), value) {
            ("said", _) => {}
            ("attack_vector", Value::Null) => {
                row.insert(field, json!("unknown"));
            }
            ("unrecognised", Value::Object(odd)) if odd.is_empty() => {
                row.insert(field, Value::Null);
            }
            ("products", Value::Array(mut products)) => {
                let key =
                    |product: &Value| (product["id"].to_string(), product["name"].to_string());
                products.sort_by_key(key);
                row.insert(field, Value::Array(products));
            }
            // Score and vector are columns of their own.
            (_, Value::Object(parts)) => {
                let named = |(part, value)| (format!("{field}_{part}"), value);
                row.extend(parts.into_iter().map(named));
            }
            (_, value) => {
                row.insert(field, value);
            }
        }
    }
    row.insert(
        "severity".into(),
        json!(severity.map_or("unknown", Severity::name)),
    );
    row.insert("severity_rank".into(), json!(severity.map(Severity::rank)));
    row.insert("watch_list_ids".into(), json!(lists));
    alike(row)
}

/// Both sides write numbers and times alike, and what upstream documents and no column
/// holds is not compared.
fn alike(mut row: Map<String, Value>) -> Value {
    if let Some(Value::Object(odd)) = row.get_mut("unrecognised") {
        odd.retain(|path, _| !is_documented(path));
        if odd.is_empty() {
            row.insert("unrecognised".to_owned(), Value::Null);
        }
    }
    let alike = |value: Value| match &value {
        Value::Number(number) => json!(number.as_f64()),
        Value::String(text) => match DateTime::parse_from_rfc3339(text) {
            Ok(time) => json!(time.timestamp_micros()),
            Err(_) => value,
        },
        _ => value,
    };
    row.into_iter()
        .map(|(field, value)| (field, alike(value)))
        .collect()
}
