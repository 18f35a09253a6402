//! The JSON API's advisories (contract §7): whole ones, and the elements of the
//! collection.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::detail_text::{mended, text, with_lost_bytes};
use super::page::{Page, UnreadableRow};
use super::readable_part;
use super::repaired_row::REPAIRED;
use super::repeated_keys::{self, RepeatedFields};
use super::storable::storable;
use super::xml::{self, ParserRules};
use crate::model::{Advisory, Detail, plain_fingerprint};

/// The key under which upstream keeps what belongs to the account.
const CUSTOM_INFO: &str = "custom_info";

/// Keys by which an answer says that something is missing in it.
const CUT: [&str; 4] = ["partial", "is_partial", "truncated", "incomplete"];

/// Reads the answer to `GET /api/advisories/<SA>/`.
pub fn read(rules: &ParserRules, body: &[u8]) -> Result<Detail, UnreadableRow> {
    let refused = |key: Option<String>, reason: String| UnreadableRow {
        key,
        reason,
        raw: xml::printable(body),
    };
    let text = text(body);
    let (mut value, is_mended) =
        mended(&text).map_err(|error| refused(None, format!("not valid JSON: {error}")))?;
    // It stands in what was stored of an answer.
    if let Some(fields) = value.as_object_mut() {
        fields.remove(REPAIRED);
    }
    let mut advisory = xml::read_json(rules, &value)
        .map_err(|xml::UnreadableRecord { key, reason, .. }| refused(key, reason))?;
    // What was mended is marked already.
    let repeated = repeated_keys::found(&text).filter(|_| !is_mended);
    if let Some(claim) = claim(&value, &text) {
        let reason = format!("the response reports an error or that it is incomplete: {claim}");
        return Err(refused(Some(advisory.said), reason));
    }
    if !says_more(rules, &value) {
        let reason = "the response contains only an identifier".to_owned();
        return Err(refused(Some(advisory.said), reason));
    }
    if !advisory.is_repaired() {
        advisory.repaired(repeated.map(|words| format!("{words}; the last value was taken")));
    }
    if is_mended && !advisory.is_repaired() {
        advisory.repaired(Some(
            "characters or numbers that are not valid in JSON".to_owned(),
        ));
    }
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
        raw: with_lost_bytes(body, text),
    })
}

/// The value of an answer, mended as [`read`] does it.
pub(crate) fn value(body: &[u8]) -> Result<Value, serde_json::Error> {
    mended(&text(body)).map(|(value, _)| value)
}

/// Whether there is any value that is neither an identifier nor a number of the row.
fn says_more(rules: &ParserRules, value: &Value) -> bool {
    match value {
        Value::String(text) => !text.trim().is_empty() && !rules.is_identifier(text.as_bytes()),
        Value::Array(items) => items.iter().any(|item| says_more(rules, item)),
        Value::Object(fields) => fields.values().any(|field| says_more(rules, field)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// What an answer says beside the fields of the advisory about an error, or that something
/// is missing in it: quoted.
fn claim(value: &Value, text: &str) -> Option<String> {
    let can_be = |name: &str| xml::is_error(name.as_bytes()) || CUT.contains(&name);
    let last = value.as_object()?.iter().filter(|(name, _)| can_be(name));
    let last = last.map(|(name, value)| (name.clone(), value.clone()));
    // A key that occurs twice counts twice.
    let all = RepeatedFields::of(text).0.into_iter();
    let all = all.filter(|(name, _)| can_be(name));
    let all = all.filter_map(|(name, raw)| Some((name, serde_json::from_str(raw.get()).ok()?)));
    let mut claims = all.chain(last).filter_map(|(name, value)| {
        let (name, value) = (&name, &value);
        let text = match value {
            Value::Null => String::new(),
            Value::String(text) => text.trim().to_owned(),
            Value::Array(items) if items.is_empty() => String::new(),
            other => other.to_string(),
        };
        let is_claim = xml::is_error(name.as_bytes()) && xml::is_failure(name, &text)
            || CUT.contains(&name.as_str()) && *value == Value::Bool(true);
        is_claim.then(|| xml::quoted(&format!("\"{name}\": {value}")))
    });
    claims.next()
}

/// Reads again what was stored of an answer.
pub fn read_again(rules: &ParserRules, raw: &str) -> Result<Advisory, String> {
    read(rules, raw.as_bytes())
        .map(|detail| detail.advisory)
        .map_err(|unreadable| unreadable.reason)
}

/// Keys of a row of `affected_asset_lists` with the id of the list. Where a row has more
/// than one, `id` is that of the row.
const LIST_KEYS: [&str; 5] = [
    "asset_list_id",
    "asset_list",
    "watch_list_id",
    "watch_list",
    "id",
];

/// The ids of `affected_asset_lists`, whatever they are written as, and whether these are
/// all; `None` where the key is missing or nothing in it can be read.
fn affected_lists(custom_info: &Value) -> Option<(Vec<i64>, bool)> {
    let rows = custom_info.get("affected_asset_lists")?.as_array()?;
    let mut lists: Vec<i64> = rows.iter().filter_map(list_id).collect();
    if lists.is_empty() && !rows.is_empty() {
        return None;
    }
    let are_whole = lists.len() == rows.len();
    lists.sort_unstable();
    lists.dedup();
    Some((lists, are_whole))
}

/// The id of a list, from a row or a value in it.
fn list_id(value: &Value) -> Option<i64> {
    match LIST_KEYS.iter().find_map(|key| value.get(key)) {
        Some(nested) => list_id(nested),
        None => whole_number(value),
    }
}

fn whole_number(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_i64(),
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
pub(crate) fn read_listed(
    rules: &ParserRules,
    mut element: Value,
) -> Result<Listed, UnreadableRow> {
    // The details are read for all but its identifier and times.
    if let Some(fields) = element.as_object_mut() {
        fields.remove(REPAIRED);
    }
    match xml::read_json(rules, &element) {
        Ok(advisory) => Ok(Listed {
            said: advisory.said,
            modified_at: advisory.modified_at,
            released_at: advisory.released_at,
            raw: storable(element),
        }),
        Err(xml::UnreadableRecord { key, reason, .. }) => Err(UnreadableRow {
            key,
            reason,
            raw: element.to_string(),
        }),
    }
}

/// Reads what stands before the damage of an element: enough to fetch its details, if that
/// has its identifier.
pub(crate) fn read_damaged(rules: &ParserRules, raw: &str) -> Option<Listed> {
    let fields = readable_part::fields(raw);
    read_listed(rules, Value::Object(fields)).ok()
}

/// Reads the elements of a page: those that can be, each identifier once as it is
/// newest, and those that cannot.
pub fn read_page(rules: &ParserRules, page: Page) -> (Vec<Listed>, Vec<UnreadableRow>) {
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
    use crate::source::xml::ParserRules;

    fn rules() -> ParserRules {
        ParserRules::new("SA[0-9]{1,7}", &BTreeMap::new()).unwrap()
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
    fn bytes_that_are_not_valid_stay_in_what_is_stored() {
        let read = |body: &[u8]| super::read(&rules(), body).unwrap();
        let sent =
            b" {\"advisory_identifier\": \"SA1\", \"title\": \"Stra\xdfe\", \"x\": [\"\xfc\"]}";
        let detail = read(sent);
        assert_eq!(
            detail.raw,
            " {\"advisoryd_repaired\": {\"title\":\"Stra\\\\xDFe\",\"x/0\":\"\\\\xFC\"}, \
             \"advisory_identifier\": \"SA1\", \"title\": \"Stra\u{fffd}e\", \"x\": [\"\u{fffd}\"]}"
        );
        assert!(detail.advisory.is_repaired());
        // What is stored of it is the same advisory.
        let again = read(detail.raw.as_bytes());
        assert_eq!(
            (&again.advisory, &again.raw),
            (&detail.advisory, &detail.raw)
        );
        assert_eq!(again.byte_hash, detail.byte_hash);
        assert!(
            !read(b"{\"advisory_identifier\": \"SA1\", \"title\": \"x\"}")
                .raw
                .contains("repaired")
        );
    }

    #[test]
    fn affected_lists_are_read_in_whatever_form_and_unknown_is_not_none() {
        let lists = |custom: serde_json::Value| {
            let body = json!({"advisory_identifier": "SA1", "title": "T", "custom_info": custom});
            read(&rules(), body.to_string().as_bytes()).unwrap().lists
        };
        assert_eq!(
            lists(
                json!({"affected_asset_lists": [{"asset_list_id": 4}, {"asset_list_id": "3"}, 4]})
            ),
            Some(vec![3, 4])
        );
        assert_eq!(
            lists(json!({"affected_asset_lists": [
                {"id": 9004, "asset_list": 4, "name": "L4"},
                {"id": 9005, "asset_list": {"id": 5}},
                {"id": 9006, "watch_list": "6"},
                {"id": 7},
            ]})),
            Some(vec![4, 5, 6, 7])
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
        for body in [
            &b"\xff"[..],
            b"[",
            b"{\"title\":\"x\"}",
            b"{\"id\":7,\"advisory_identifier\":\"SA1\",\"products\":[]}",
        ] {
            let refused = read(&rules(), body).unwrap_err();
            assert!(!refused.raw.is_empty() && !refused.reason.is_empty());
        }
    }

    #[test]
    fn what_is_damaged_in_one_place_is_read_and_read_again_the_same() {
        let body = |title: &str| format!(r#"{{"advisory_identifier":"SA1","title":{title}}}"#);
        let utf16 = |text: &str| -> Vec<u8> {
            let units = text.encode_utf16();
            [0xff, 0xfe]
                .into_iter()
                .chain(units.flat_map(u16::to_le_bytes))
                .collect()
        };
        for (bytes, title, is_repaired) in [
            (body("\"a\u{1}b\"").into_bytes(), "a\u{fffd}b", true),
            (body("\"a\nb\"").into_bytes(), "a\nb", true),
            (body(r#""a\ud83d""#).into_bytes(), "a\u{fffd}", true),
            (body("\"a\",\"x\":NaN").into_bytes(), "a", true),
            (
                [body("\"caf").trim_end_matches('}').as_bytes(), b"\xe9\"}"].concat(),
                "caf\u{fffd}",
                true,
            ),
            (
                format!("\u{feff}{}", body("\"a\"")).into_bytes(),
                "a",
                false,
            ),
            (utf16(&body("\"caf\u{e9}\"")), "caf\u{e9}", false),
        ] {
            let detail = read(&rules(), &bytes).unwrap();
            assert_eq!(detail.advisory.title.as_deref(), Some(title));
            assert_eq!(detail.advisory.is_repaired(), is_repaired, "{title}");
            let again = super::read_again(&rules(), &detail.raw).unwrap();
            assert_eq!(again, detail.advisory);
        }
    }

    #[test]
    fn a_key_that_occurs_twice_is_marked() {
        let body = br#"{"advisory_identifier":"SA1","title":"x","title":"y"}"#;
        let advisory = read(&rules(), body).unwrap().advisory;
        assert!(advisory.is_repaired());
        let marks = format!("{:?}", advisory.unrecognised);
        assert!(marks.contains("the key `title` occurs twice"), "{marks}");
    }

    #[test]
    fn an_answer_that_says_that_something_failed_is_no_detail() {
        for more in [
            r#""partial": true"#,
            r#""error": "products timed out""#,
            r#""errors": ["shard 3"]"#,
        ] {
            let body = format!(r#"{{"advisory_identifier":"SA1","title":"x",{more}}}"#);
            let refused = read(&rules(), body.as_bytes()).unwrap_err();
            assert_eq!(refused.key.as_deref(), Some("SA1"), "{more}");
            assert!(refused.reason.contains("incomplete"), "{}", refused.reason);
        }
        let more = r#""error": "timeout", "error": null"#;
        let body = format!(r#"{{"advisory_identifier":"SA1","title":"x",{more}}}"#);
        assert!(read(&rules(), body.as_bytes()).is_err());
        for more in [r#""error": null"#, r#""errors": []"#, r#""partial": false"#] {
            let body = format!(r#"{{"advisory_identifier":"SA1","title":"x",{more}}}"#);
            assert!(read(&rules(), body.as_bytes()).is_ok(), "{more}");
        }
    }
}
