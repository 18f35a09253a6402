//! The dashboards, as Grafana reads them.

use serde_json::Value;

use super::read;

/// A dashboard of docs/monitoring.
pub fn dashboard(file: &str) -> Value {
    serde_json::from_str(&read(&format!("docs/monitoring/{file}"))).expect(file)
}

/// Its panels but for the rows.
pub fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    let panels = dashboard["panels"].as_array().expect("panels");
    panels.iter().filter(|panel| panel["type"] != "row")
}

fn texts(dashboard: &Value, field: &str) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for panel in panels(dashboard) {
        let title = panel["title"].as_str().expect("a title");
        for target in panel["targets"].as_array().expect(title) {
            let text = target[field].as_str().expect(title);
            texts.push((title.to_owned(), text.to_owned()));
        }
    }
    texts
}

/// Title and PromQL of each target.
pub fn expressions(dashboard: &Value) -> Vec<(String, String)> {
    texts(dashboard, "expr")
}

/// Title and SQL of each target.
pub fn queries(dashboard: &Value) -> Vec<(String, String)> {
    texts(dashboard, "rawSql")
}

/// An expression as Grafana sends it when all is selected.
pub fn expanded(expression: &str) -> String {
    expression
        .replace("$job", "advisoryd")
        .replace("$instance", ".+")
        .replace("$source", ".*")
        .replace("$__rate_interval", "15s")
}
