//! Records of a known revision that are damaged within their texts: what was not damaged counts.

use std::collections::HashMap;

use serde_json::Value;
use sqlx::PgConnection;

use super::blank::records_of;
use super::received::Hashed;
use super::row::StoredAdvisory;
use crate::model::Advisory;

/// Stands for a character that was lost.
const LOST: char = '\u{fffd}';
/// The field of the model with what was not understood.
const UNRECOGNISED: &str = "unrecognised";

/// Marks the intact stored advisories from which received records of the same revision differ
/// in more than was damaged in them. `read` parses the stored records again.
pub(super) async fn mark(
    connection: &mut PgConnection,
    received: &[Hashed<'_>],
    stored: &mut HashMap<String, StoredAdvisory>,
    read: &(dyn Fn(&str) -> Option<Advisory> + Sync),
) -> Result<(), sqlx::Error> {
    let damaged: HashMap<&str, &Advisory> = received
        .iter()
        .filter_map(|(_, record, content_hash)| {
            let advisory = &record.advisory;
            let stored = stored.get(&advisory.said)?;
            let is_same_time = advisory.modified_at.is_some()
                && stored.record_modified_at == advisory.modified_at
                && !stored.says(content_hash);
            let is_compared =
                is_same_time && !stored.is_repaired && advisory.is_repaired_in_texts();
            is_compared.then_some((advisory.said.as_str(), advisory))
        })
        .collect();
    let said: Vec<String> = damaged.keys().map(|said| (*said).to_owned()).collect();
    for (said, raw) in records_of(connection, &said).await? {
        let (Some(known), Some(record), Some(stored)) = (
            read(&raw),
            damaged.get(said.as_str()),
            stored.get_mut(&said),
        ) else {
            continue;
        };
        let mended = mended(record, &known);
        stored.differs_beyond_damage = mended.content_hash() != known.content_hash();
    }
    Ok(())
}

/// A damaged record with the fields of a `known` one in place of those that the damage is in:
/// a character was lost in them, or they are not understood and were before.
pub(super) fn mended(record: &Advisory, known: &Advisory) -> Advisory {
    let values = (serde_json::to_value(record), serde_json::to_value(known));
    let (Ok(Value::Object(mut fields)), Ok(Value::Object(mut others))) = values else {
        return record.clone();
    };
    let is_new = |name: &&String| !known.unrecognised.contains_key(*name);
    let not_understood: Vec<&String> = record.unrecognised.keys().filter(is_new).collect();
    let is_damaged = |name: &String, value: &Value| {
        let is_of = |key: &&String| key.as_str() == name || key.starts_with(&format!("{name}_"));
        value.to_string().contains(LOST) || not_understood.iter().any(is_of)
    };
    for (name, value) in &mut fields {
        if name != UNRECOGNISED && is_damaged(name, value) {
            *value = others.remove(name).unwrap_or_default();
        }
    }
    let mended: Result<Advisory, _> = serde_json::from_value(Value::Object(fields));
    let Ok(mut mended) = mended else {
        return record.clone();
    };
    mended
        .unrecognised
        .retain(|name, _| known.unrecognised.contains_key(name));
    mended.normalised()
}

#[cfg(test)]
mod tests {
    use super::mended;
    use crate::model::{Advisory, Product};

    #[test]
    fn what_is_damaged_is_taken_from_the_known_record_and_nothing_else() {
        let product = |name: &str| Product {
            name: name.to_owned(),
            ..Product::default()
        };
        let known = Advisory {
            title: Some("cafe".to_owned()),
            criticality: Some(2),
            description: Some("R and D".to_owned()),
            products: vec![product("A")],
            ..Advisory::default()
        };
        let mut record = Advisory {
            title: Some("caf\u{fffd}".to_owned()),
            criticality: None,
            products: vec![product("\u{fffd}")],
            ..known.clone()
        };
        let lost = [("criticality", "\u{fffd}"), (Advisory::REPAIRED, "x")];
        record.unrecognised = lost
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .into();
        assert_eq!(mended(&record, &known), known);
        let escalated = Advisory {
            criticality: Some(1),
            ..record.clone()
        };
        let escalated = Advisory {
            unrecognised: [].into(),
            ..escalated
        };
        assert_eq!(mended(&escalated, &known).criticality, Some(1));
        assert_eq!(mended(&escalated, &known).title, known.title);
    }
}
