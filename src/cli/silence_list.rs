//! `advisoryd silence list`: silences, and how many alerts each suppressed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::list::{Shape, print_all};
use super::output::{print_line, table};
use super::times::Times;
use crate::store::alerts::silence::ListedSilence;

/// The state of a silence that has not ended.
pub(super) const ACTIVE: &str = "active";
const EXPIRED: &str = "expired";

/// A silence as it is printed.
#[derive(Debug, Default, Serialize)]
pub(super) struct SilenceLine {
    id: i64,
    /// Active or expired.
    pub(super) state: &'static str,
    until: DateTime<Utc>,
    matchers: BTreeMap<String, String>,
    alerts: i64,
    reason: String,
    created_by: String,
    created_at: DateTime<Utc>,
}

impl SilenceLine {
    pub(super) fn of(line: ListedSilence, now: DateTime<Utc>) -> Self {
        let ListedSilence {
            id,
            matchers,
            reason,
            created_by,
            created_at,
            until,
            alerts,
        } = line;
        Self {
            id,
            state: if until > now { ACTIVE } else { EXPIRED },
            until,
            matchers,
            alerts,
            reason,
            created_by,
            created_at,
        }
    }
}

pub(super) fn list(
    lines: &[SilenceLine],
    (all, shape): (bool, &Shape),
    times: Times,
) -> anyhow::Result<bool> {
    if lines.is_empty() && !shape.is_for_programs() {
        print_line(if all {
            "no silences"
        } else {
            "no active silences"
        });
        return Ok(true);
    }
    print_all(shape, lines, times, |lines| as_table(lines, all, times))?;
    Ok(true)
}

/// All are active unless expired ones are included.
fn as_table(lines: &[SilenceLine], all: bool, times: Times) -> String {
    let usual = ["id", "until", "alerts", "by", "matchers", "reason"];
    if !all {
        let rows: Vec<[String; 6]> = lines.iter().map(|line| row(line, times)).collect();
        return table(usual, &rows);
    }
    let [id, rest @ ..] = usual;
    let [until, alerts, by, matchers, reason] = rest;
    let rows: Vec<[String; 7]> = lines
        .iter()
        .map(|line| {
            let [id, until, alerts, by, matchers, reason] = row(line, times);
            let state = line.state.to_owned();
            [id, state, until, alerts, by, matchers, reason]
        })
        .collect();
    table([id, "state", until, alerts, by, matchers, reason], &rows)
}

fn row(line: &SilenceLine, times: Times) -> [String; 6] {
    let matchers = line.matchers.iter();
    let matchers = matchers.map(|(field, pattern)| format!("{field}={pattern}"));
    [
        line.id.to_string(),
        times.exact(line.until),
        line.alerts.to_string(),
        line.created_by.clone(),
        matchers.collect::<Vec<_>>().join(" "),
        line.reason.clone(),
    ]
}
