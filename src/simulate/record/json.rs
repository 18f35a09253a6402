//! Generated advisories as JSON.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use crate::simulate::words;

use super::advisory::SimulatedAdvisory;
use super::parts::Weakness;
use super::scores::{Score, VectorGap};

/// As upstream writes times: whole seconds and `Z`.
pub fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl SimulatedAdvisory {
    /// The 18 keys of an element of the collection; scores are numbers (contract §7).
    pub fn list_element(&self) -> Value {
        let mut keys = self.common();
        for (name, score) in [("cvss", &self.scores.v2), ("cvss3", &self.scores.v3)] {
            // In the collection no key is ever missing.
            let vector = score.vector().map_or_else(
                || match score {
                    Score::Absent(VectorGap::Null) => Value::Null,
                    _ => json!(""),
                },
                |vector| json!(vector),
            );
            keys.insert(format!("{name}_score"), number(score.base()));
            keys.insert(format!("{name}_vector"), vector);
        }
        keys.insert("cvss_score_ui".into(), number(self.score_ui()));
        keys.insert("type".into(), json!(self.kind.unwrap_or(0)));
        Value::Object(keys)
    }

    /// The whole advisory without what belongs to the account; scores are
    /// strings. This is what a feed's record says too.
    pub fn detail(&self) -> Value {
        let mut keys = self.common();
        for (name, score) in [
            ("cvss", &self.scores.v2),
            ("cvss3", &self.scores.v3),
            ("cvss4", &self.scores.v4),
        ] {
            insert_score(&mut keys, name, score);
        }
        keys.insert(
            "cvss_score_ui".into(),
            json!(format!("{:.1}", self.score_ui())),
        );
        if let Some(kind) = self.kind {
            keys.insert("type".into(), json!(kind));
        }
        if let Some(tenths) = self.scores.threat_tenths {
            let score = format!("{:.1}", f64::from(tenths) / 10.0);
            keys.insert("threat_score".into(), json!(score));
        }
        let impact = self
            .impacts
            .iter()
            .map(|code| json!({"id": code, "name": words::IMPACT[usize::from(*code)]}));
        keys.insert("impact".into(), impact.collect());
        let names: Vec<&str> = self.impact_names().collect();
        keys.insert("impact_description".into(), json!(names.join(", ")));
        let cves: Vec<&str> = self.cves().collect();
        keys.insert("cve_str_list".into(), json!(cves.join(" ")));
        for (name, text) in [
            ("aggregate_severity", ""),
            ("description", &self.description),
            ("extended_description", ""),
            ("solution", &self.solution),
            ("extended_solution", ""),
            ("reason_for_rating", &self.reason_for_rating),
            ("provided_by", &self.provided_by),
        ] {
            keys.insert(name.into(), json!(text));
        }
        keys.insert("poc_files".into(), json!([]));
        self.insert_lists(&mut keys);
        Value::Object(keys)
    }

    fn common(&self) -> Map<String, Value> {
        let reach = usize::from(self.reach);
        let solved = usize::from(self.solution_status);
        let keys = json!({
            "id": self.entry.id(),
            "advisory_identifier": self.said(),
            "title": self.title,
            "released": time(self.entry.released_at),
            "modified_date": time(self.entry.modified_at),
            "criticality": self.criticality,
            "criticality_description": words::CRITICALITY[usize::from(self.criticality)],
            "solution_status": self.solution_status,
            "solution_status_description": words::SOLUTION_STATUS[solved],
            "where": self.reach,
            "where_description": words::WHERE[reach],
            "is_zero_day": self.is_zero_day,
        });
        match keys {
            Value::Object(keys) => keys,
            _ => Map::new(),
        }
    }

    fn insert_lists(&self, keys: &mut Map<String, Value>) {
        let products = self.products.iter().map(|item| {
            let cpes: Vec<Value> = (1..)
                .zip(&item.cpes)
                .map(|(number, name)| {
                    json!({"name": name, "modification_date": "2024-02-29T00:00:00Z",
                           "nvd_id": (300_000 + number).to_string()})
                })
                .collect();
            json!({"id": item.id, "name": item.name, "is_os": item.is_os,
                   "has_cpe": !cpes.is_empty(), "cpes": cpes})
        });
        keys.insert("products".into(), products.collect());
        let references = self.references.iter().map(|link| {
            json!({"ordinal": link.ordinal, "internal_type": i32::from(link.ordinal == 1),
                   "url": link.url, "description": link.description})
        });
        keys.insert("references".into(), references.collect());
        let revisions = self.revisions.iter().map(|note| {
            json!({"number": note.number, "release_date": time(note.at),
                   "description": note.description})
        });
        keys.insert("revisions".into(), revisions.collect());
        let weaknesses = (1..)
            .zip(&self.weaknesses)
            .map(|(ordinal, weakness)| vulnerability(ordinal, weakness));
        keys.insert("vulnerabilities".into(), weaknesses.collect());
    }

    /// Version 3 if there is one, else version 2.
    fn score_ui(&self) -> f64 {
        match &self.scores.v3 {
            Score::Scored { .. } => self.scores.v3.base(),
            Score::Absent(_) => self.scores.v2.base(),
        }
    }
}

fn insert_score(keys: &mut Map<String, Value>, name: &str, score: &Score) {
    let vector = match score {
        Score::Scored { vector, .. } => json!(vector),
        Score::Absent(VectorGap::Blank) => json!(""),
        Score::Absent(VectorGap::Null) => Value::Null,
        Score::Absent(VectorGap::Missing) => return,
    };
    let info = json!({"cvss_base_score": number(score.base()),
                      "cvss_overall_score": number(score.overall()), "cvss_vector": vector});
    keys.insert(
        format!("{name}_score"),
        json!(format!("{:.1}", score.base())),
    );
    keys.insert(format!("{name}_vector"), vector);
    keys.insert(format!("{name}_info"), info);
}

fn vulnerability(ordinal: i32, weakness: &Weakness) -> Value {
    let cve = &weakness.cve;
    json!({"ordinal": ordinal, "title": cve, "cve": cve, "description": "",
        "cvss_info": null, "products": [],
        "cve_info": {"source": "CVE", "opt_type": "Candidate", "opt_name": cve,
            "reference": cve.trim_start_matches("CVE-"), "references": [], "update_flag": 3,
            "cvss_score": null, "cvss_vector": null, "cvss3_score": null, "cvss3_vector": null,
            "description": weakness.text,
            "disclaimer": "This text belongs to its author & says nothing about our research."}})
}

/// Upstream writes an absent score as `0`, not as `0.0`.
fn number(score: f64) -> Value {
    if score == 0.0 { json!(0) } else { json!(score) }
}
