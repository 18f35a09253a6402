//! The JSON API's advisories (contract §7): whole ones, and the elements of the
//! collection.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::page::{Page, Unreadable};
use super::xml::{self, Rules};
use crate::model::{Advisory, Detail, plain_fingerprint};

/// The key under which upstream keeps what belongs to the account.
const CUSTOM_INFO: &str = "custom_info";

/// Reads the answer to `GET /api/advisories/<SA>/`.
pub fn read(rules: &Rules, body: &[u8]) -> Result<Detail, Unreadable> {
    let refused = |key: Option<String>, reason: String| Unreadable {
        key,
        reason,
        raw: xml::printable(body),
    };
    let text = std::str::from_utf8(body)
        .map_err(|error| refused(None, format!("it is not UTF-8: {error}")))?;
    let mut value: Value = serde_json::from_str(text)
        .map_err(|error| refused(None, format!("it is no JSON: {error}")))?;
    let advisory = xml::read_json(rules, &value)
        .map_err(|xml::Unreadable { key, reason, .. }| refused(key, reason))?;
    let custom_info = value
        .as_object_mut()
        .and_then(|fields| fields.remove(CUSTOM_INFO))
        .filter(|custom| !custom.is_null())
        .map(storable);
    let lists = custom_info.as_ref().and_then(affected_lists);
    // Keys are sorted: another order upstream is no other detail.
    let plain = value.to_string();
    Ok(Detail {
        advisory,
        are_lists_whole: lists.as_ref().is_some_and(|(_, are_whole)| *are_whole),
        lists: lists.map(|(lists, _)| lists),
        byte_hash: plain_fingerprint(plain.as_bytes()),
        custom_info,
        // Text cannot hold NUL, and JSON allows it nowhere.
        raw: text.to_owned(),
    })
}

/// Reads again what was stored of an answer.
pub fn read_again(rules: &Rules, raw: &str) -> Result<Advisory, String> {
    read(rules, raw.as_bytes())
        .map(|detail| detail.advisory)
        .map_err(|unreadable| unreadable.reason)
}

/// The ids of `affected_asset_lists`, whatever they are written as, and whether these are
/// all; `None` where the key is missing or nothing in it can be read.
fn affected_lists(custom_info: &Value) -> Option<(Vec<i64>, bool)> {
    let rows = custom_info.get("affected_asset_lists")?.as_array()?;
    let id = |row: &Value| {
        let id = ["asset_list_id", "id"].iter().find_map(|key| row.get(key));
        whole_number(id.unwrap_or(row))
    };
    let mut lists: Vec<i64> = rows.iter().filter_map(id).collect();
    if lists.is_empty() && !rows.is_empty() {
        return None;
    }
    let are_whole = lists.len() == rows.len();
    lists.sort_unstable();
    lists.dedup();
    Some((lists, are_whole))
}

fn whole_number(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_i64(),
    }
}

/// NUL is the one character that jsonb cannot keep.
fn storable(value: Value) -> Value {
    let clean = |text: String| text.replace('\0', "\u{fffd}");
    match value {
        Value::String(text) => Value::String(clean(text)),
        Value::Array(items) => items.into_iter().map(storable).collect(),
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(key, value)| (clean(key), storable(value)))
                .collect::<Map<_, _>>(),
        ),
        other => other,
    }
}

/// An element of `GET /api/advisories/`, as far as comparing needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The identifier.
    pub said: String,
    /// Last revised, as upstream says.
    pub modified_at: Option<DateTime<Utc>>,
    /// First published.
    pub released_at: Option<DateTime<Utc>>,
    /// As it came, but for what jsonb cannot keep.
    pub raw: Value,
}

/// Reads an element of the collection.
pub fn read_listed(rules: &Rules, element: Value) -> Result<Listed, Unreadable> {
    match xml::read_json(rules, &element) {
        Ok(advisory) => Ok(Listed {
            said: advisory.said,
            modified_at: advisory.modified_at,
            released_at: advisory.released_at,
            raw: storable(element),
        }),
        Err(xml::Unreadable { key, reason, .. }) => Err(Unreadable {
            key,
            reason,
            raw: element.to_string(),
        }),
    }
}

/// Reads the elements of a page: those that can be, each identifier once as it is
/// newest, and those that cannot.
pub fn read_page(rules: &Rules, page: Page) -> (Vec<Listed>, Vec<Unreadable>) {
    let mut listed: BTreeMap<String, Listed> = BTreeMap::new();
    let mut unreadable = page.unreadable;
    for element in page.results {
        match read_listed(rules, element) {
            Ok(one) => {
                let known = listed.get(&one.said);
                if known.is_none_or(|known| known.modified_at <= one.modified_at) {
                    listed.insert(one.said.clone(), one);
                }
            }
            Err(refused) => unreadable.push(refused),
        }
    }
    (listed.into_values().collect(), unreadable)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

    use std::collections::BTreeMap;

    use serde_json::json;

    use super::read;
    use crate::source::xml::Rules;

    fn rules() -> Rules {
        Rules::new("SA[0-9]{1,7}", &BTreeMap::new()).unwrap()
    }

    #[test]
    fn what_belongs_to_the_account_and_the_order_of_keys_make_no_other_detail() {
        let one =
            r#"{"advisory_identifier":"SA1","title":"x","custom_info":{"related_tickets":[1]}}"#;
        let other = r#"{"custom_info":null, "title":"x","advisory_identifier":"SA1"}"#;
        let third = r#"{"title":"y","advisory_identifier":"SA1"}"#;
        let hash = |text: &str| read(&rules(), text.as_bytes()).unwrap().byte_hash;
        assert_eq!(hash(one), hash(other));
        assert_ne!(hash(one), hash(third));
    }

    #[test]
    fn affected_lists_are_read_in_whatever_form_and_unknown_is_not_none() {
        let lists = |custom: serde_json::Value| {
            let body = json!({"advisory_identifier": "SA1", "custom_info": custom});
            read(&rules(), body.to_string().as_bytes()).unwrap().lists
        };
        assert_eq!(
            lists(
                json!({"affected_asset_lists": [{"asset_list_id": 4}, {"asset_list_id": "3"}, 4]})
            ),
            Some(vec![3, 4])
        );
        assert_eq!(lists(json!({"affected_asset_lists": []})), Some(vec![]));
        assert_eq!(lists(json!({"related_tickets": []})), None);
        assert_eq!(
            lists(json!({"affected_asset_lists": [{"named": "x"}]})),
            None
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_the_whole_of_it() {
        for body in [&b"\xff"[..], b"[", b"{\"title\":\"x\"}"] {
            let refused = read(&rules(), body).unwrap_err();
            assert!(!refused.raw.is_empty() && !refused.reason.is_empty());
        }
    }
}
