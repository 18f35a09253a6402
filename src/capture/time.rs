//! Parsing times in JSON values.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::model::parse_time;

pub(super) fn time(value: &Value) -> Option<DateTime<Utc>> {
    parse_time(value.as_str()?)
}
