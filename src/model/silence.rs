use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Alert, Globs};

/// What a silence may look at.
pub const MATCHER_FIELDS: [&str; 8] = [
    "rule",
    "what",
    "kind",
    "key",
    "severity",
    "title",
    "cve",
    "watch_list",
];

/// What nobody wants to hear of for a while.
#[derive(Debug, Clone)]
pub struct Silence {
    /// Row in `silence`.
    pub id: i64,
    /// Until when.
    pub until: DateTime<Utc>,
    matchers: Vec<(String, Globs)>,
}

impl Silence {
    /// Patterns ([`Globs`]) by a field of [`MATCHER_FIELDS`]; the error says what to write instead.
    pub fn new(
        id: i64,
        until: DateTime<Utc>,
        matchers: &BTreeMap<String, String>,
    ) -> Result<Self, String> {
        if matchers.is_empty() {
            return Err(
                "write at least one matcher such as `rule=soc` or `key=SA12345`".to_owned(),
            );
        }
        let compiled = matchers.iter().map(|(field, pattern)| {
            if !MATCHER_FIELDS.contains(&field.as_str()) {
                let known = MATCHER_FIELDS.join(", ");
                return Err(format!("`{field}` cannot be matched; write one of {known}"));
            }
            let globs = Globs::new(std::slice::from_ref(pattern))?;
            Ok((field.clone(), globs))
        });
        Ok(Self {
            id,
            until,
            matchers: compiled.collect::<Result<_, _>>()?,
        })
    }

    /// Whether all matchers fit this alert of this rule.
    pub fn fits(&self, rule: &str, alert: &Alert) -> bool {
        self.matchers
            .iter()
            .all(|(field, globs)| field_fits(field, globs, rule, alert))
    }
}

fn field_fits(field: &str, globs: &Globs, rule: &str, alert: &Alert) -> bool {
    match field {
        "rule" => globs.fit(rule),
        "what" => globs.fit(&alert.what),
        "kind" => globs.fit(&alert.kind),
        "key" => globs.fit(&alert.key),
        "severity" => globs.fit(alert.severity.as_deref().unwrap_or("unknown")),
        "title" => globs.fit(&alert.title),
        "cve" => alert.cves.iter().any(|cve| globs.fit(cve)),
        "watch_list" => alert
            .watch_list_ids
            .iter()
            .any(|id| globs.fit(&id.to_string())),
        _ => false,
    }
}
