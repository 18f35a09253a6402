//! Advisories as the views tell them, and as they ought to.

use std::collections::BTreeMap;

use advisoryd::model::{Advisory, Severity};
use serde_json::{Value, json};

use super::World;

/// Scores as text and times as seconds: both sides write them alike.
const ROWS: &str = "
    select a.said, jsonb_build_object(
               'upstream_id', a.upstream_id, 'title', a.title, 'criticality', a.criticality,
               'severity', a.severity, 'severity_rank', a.severity_rank,
               'released_at', extract(epoch from a.released_at)::bigint,
               'modified_at', extract(epoch from a.modified_at)::bigint,
               'attack_vector', a.attack_vector, 'solution_status', a.solution_status,
               'impacts', a.impacts, 'cves', a.cves)
           || jsonb_build_object(
               'cvss2_score', a.cvss2_score::text, 'cvss2_vector', a.cvss2_vector,
               'cvss3_score', a.cvss3_score::text, 'cvss3_vector', a.cvss3_vector,
               'cvss4_score', a.cvss4_score::text, 'cvss4_vector', a.cvss4_vector,
               'threat_score', a.threat_score::text, 'is_zero_day', a.is_zero_day,
               'is_rejected', a.is_rejected, 'description', a.description,
               'solution', a.solution, 'watch_list_ids', a.watch_list_ids,
               'unrecognised', a.unrecognised,
               'products', (
                   select coalesce(jsonb_agg(jsonb_build_array(p.product_id, p.name, p.is_os, p.cpes)
                                             order by p.product_id, p.name), '[]')
                   from advisoryd_v1.advisory_products p
                   where p.said = a.said),
               'references', (
                   select coalesce(jsonb_agg(jsonb_build_array(r.ordinal, r.url, r.description)
                                             order by r.ordinal), '[]')
                   from advisoryd_v1.advisory_references r
                   where r.said = a.said))
    from advisoryd_v1.advisories a";

impl World {
    /// Every advisory as the views tell it, by identifier.
    pub async fn stored(&self) -> BTreeMap<String, Value> {
        sqlx::query_as::<_, (String, Value)>(ROWS)
            .fetch_all(self.pool())
            .await
            .expect("the stored advisories")
            .into_iter()
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
                assert_eq!(&stored[field], value, "{said}.{field}");
            }
        }
        assert_eq!(stored.len(), expected.len(), "nothing else is stored");
    }
}

fn row(advisory: &Advisory, lists: &[i64]) -> Value {
    let score = |score: Option<f64>| score.map(|score| score.to_string());
    let severity = advisory.severity();
    let mut products: Vec<Value> = advisory
        .products
        .iter()
        .map(|product| {
            json!([
                product.product_id,
                product.name,
                product.is_os,
                product.cpes
            ])
        })
        .collect();
    products.sort_by_key(|product| (product[0].to_string(), product[1].to_string()));
    let references: Vec<Value> = advisory
        .references
        .iter()
        .map(|reference| json!([reference.ordinal, reference.url, reference.description]))
        .collect();
    json!({
        "upstream_id": advisory.upstream_id,
        "title": advisory.title,
        "criticality": advisory.criticality,
        "severity": severity.map_or("unknown", Severity::name),
        "severity_rank": severity.map(Severity::rank),
        "released_at": advisory.released_at.map(|at| at.timestamp()),
        "modified_at": advisory.modified_at.map(|at| at.timestamp()),
        "attack_vector": advisory.attack_vector.map_or("unknown", |vector| vector.name()),
        "solution_status": advisory.solution_status,
        "impacts": advisory.impacts,
        "cves": advisory.cves,
        "cvss2_score": score(advisory.cvss2.score),
        "cvss2_vector": advisory.cvss2.vector,
        "cvss3_score": score(advisory.cvss3.score),
        "cvss3_vector": advisory.cvss3.vector,
        "cvss4_score": score(advisory.cvss4.score),
        "cvss4_vector": advisory.cvss4.vector,
        "threat_score": score(advisory.threat_score),
        "is_zero_day": advisory.is_zero_day,
        "is_rejected": advisory.is_rejected,
        "description": advisory.description,
        "solution": advisory.solution,
        "watch_list_ids": lists,
        "unrecognised": null,
        "products": products,
        "references": references,
    })
}
