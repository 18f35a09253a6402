//! The rules of grafana/dashboard-linter, which no package has: a dashboard that holds
//! them works with any data source, and is legible.

use regex::Regex;
use serde_json::{Value, json};

use super::dashboard::{dashboard, expanded, expressions, panels, queries};
use super::{file, output, program};

const PROMETHEUS: &str = "dashboard-prometheus.json";
const POSTGRESQL: &str = "dashboard-postgresql.json";

fn variable<'a>(dashboard: &'a Value, name: &str) -> &'a Value {
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let found = variables.iter().find(|one| one["name"] == name);
    found.unwrap_or_else(|| panic!("no variable {name}"))
}

/// Everything below a value.
fn walk<'a>(value: &'a Value, all: &mut Vec<&'a Value>) {
    all.push(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, all)),
        Value::Object(fields) => fields.values().for_each(|field| walk(field, all)),
        _ => {}
    }
}

#[test]
fn the_data_source_is_a_variable_everywhere() {
    for (file, kind) in [
        (PROMETHEUS, "prometheus"),
        (POSTGRESQL, "grafana-postgresql-datasource"),
    ] {
        let dashboard = dashboard(file);
        let datasource = variable(&dashboard, "datasource");
        assert_eq!(datasource["type"], "datasource");
        assert_eq!(datasource["query"], kind);
        let expected = json!({ "type": kind, "uid": "$datasource" });
        let mut all = Vec::new();
        walk(&dashboard, &mut all);
        let named: Vec<&Value> = all
            .iter()
            .filter_map(|value| value.get("datasource"))
            .collect();
        assert!(named.len() > 20, "{file}");
        assert!(named.iter().all(|one| **one == expected), "{file}");
        for panel in panels(&dashboard) {
            assert_eq!(panel["datasource"], expected, "{panel}");
            let targets = panel["targets"].as_array().unwrap();
            assert!(!targets.is_empty(), "{panel}");
            assert!(
                targets.iter().all(|one| one["datasource"] == expected),
                "{panel}"
            );
        }
    }
}

#[test]
fn each_panel_has_a_title_of_its_own_a_description_a_unit_and_a_place() {
    for file in [PROMETHEUS, POSTGRESQL] {
        let dashboard = dashboard(file);
        let mut titles = std::collections::BTreeSet::new();
        for panel in panels(&dashboard) {
            let title = panel["title"].as_str().unwrap();
            assert!(titles.insert(title), "{file}: {title} twice");
            let description = panel["description"].as_str().unwrap();
            assert!(
                description.len() > 20 && description.ends_with('.'),
                "{title}"
            );
            let unit = panel["fieldConfig"]["defaults"]["unit"].as_str();
            assert!(unit.is_some_and(|unit| !unit.is_empty()), "{title}");
        }
        let all = dashboard["panels"].as_array().unwrap();
        let mut cells = std::collections::BTreeSet::new();
        let mut ids = std::collections::BTreeSet::new();
        for panel in all {
            assert!(ids.insert(panel["id"].as_i64().unwrap()), "{panel}");
            let [x, y, w, h] =
                ["x", "y", "w", "h"].map(|at| panel["gridPos"][at].as_i64().unwrap());
            assert!(x + w <= 24, "{panel}");
            for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                assert!(cells.insert(cell), "two panels at {cell:?}: {panel}");
            }
        }
    }
}

#[test]
fn a_dashboard_is_not_edited_in_place_and_its_variables_are_read_anew() {
    for file in [PROMETHEUS, POSTGRESQL] {
        let dashboard = dashboard(file);
        assert_eq!(dashboard["editable"], false);
        assert!(dashboard["uid"].as_str().unwrap().starts_with("advisoryd-"));
        for variable in dashboard["templating"]["list"].as_array().unwrap() {
            if variable["type"] == "query" {
                assert_eq!(variable["refresh"], 2, "{variable}");
                // With no value yet, All must not select nothing.
                assert!(
                    !variable["allValue"].as_str().unwrap().is_empty(),
                    "{variable}"
                );
            }
        }
    }
    let dashboard = dashboard(PROMETHEUS);
    for name in ["job", "instance", "source"] {
        let query = variable(&dashboard, name)["query"].as_str().unwrap();
        assert!(query.starts_with("label_values(advisoryd_"), "{query}");
        assert!(query.ends_with(&format!(", {name})")), "{query}");
    }
}

#[test]
fn each_expression_is_valid_and_selects_the_job_and_the_instance() {
    let dashboard = dashboard(PROMETHEUS);
    let selector = Regex::new(r"\b(?:advisoryd|process)_[a-z_]+(\{[^}]*\})?").unwrap();
    let rate = Regex::new(r"\[([^\]]*)\]").unwrap();
    let counter = Regex::new(r"(\w+\()?\badvisoryd_[a-z_]+_(?:total|bucket)\b").unwrap();
    let mut rules = "groups:\n  - name: panels\n    rules:\n".to_owned();
    for (title, expression) in expressions(&dashboard) {
        for found in selector.captures_iter(&expression) {
            let labels = found.get(1).map_or("", |labels| labels.as_str());
            assert!(labels.contains(r#"job=~"$job""#), "{title}: {expression}");
            assert!(
                labels.contains(r#"instance=~"$instance""#),
                "{title}: {expression}"
            );
        }
        for found in rate.captures_iter(&expression) {
            assert_eq!(&found[1], "$__rate_interval", "{title}");
        }
        for found in counter.captures_iter(&expression) {
            let function = found.get(1).map_or("", |function| function.as_str());
            assert!(
                ["rate(", "increase("].contains(&function),
                "{title}: {expression}"
            );
        }
        let text = serde_json::to_string(&expanded(&expression)).unwrap();
        let rule = format!(
            "      - record: panel\n        expr: {text}\n        labels: {{ of: \"{title}\" }}\n"
        );
        rules.push_str(&rule);
    }
    let (_dir, file) = file(&rules);
    output(program("promtool").args(["check", "rules"]).arg(file));
}

#[test]
fn the_queries_ask_for_the_public_views_only() {
    let table = Regex::new(r"(?i)\b(?:from|join)\s+(?:lateral\s+)?([a-z_0-9.]+)(\()?").unwrap();
    let all = queries(&dashboard(POSTGRESQL));
    assert!(all.len() > 20);
    for (title, query) in all {
        // Not every `from` begins a list of tables.
        let query = query
            .replace("extract(epoch from ", "epoch(")
            .replace("is distinct from", "<>");
        for found in table.captures_iter(&query) {
            let is_function = found.get(2).is_some();
            let is_public = found[1].starts_with("advisoryd_v1.");
            assert!(is_function || is_public, "{title}: {}", &found[1]);
        }
    }
}
