//! Pending approvals as JSON (contract §8): no key of them is documented.

use serde_json::Value;

use super::list_item::id;
use super::ticket::{MAX_SAID_BYTES, MAX_TITLE_CHARS, WATCH_LIST, advisory, named, text};
use crate::model::{PendingApproval, one_line, shortened};

/// Longest row that is kept as it came, in bytes: several times that of an advisory.
const MAX_RAW_BYTES: usize = 64 * 1024;

/// Reads one row. `None` if it has neither an id nor an advisory.
pub fn read(row: &Value) -> Option<PendingApproval> {
    let fields = row.as_object()?;
    let list = named(fields, WATCH_LIST);
    let said = advisory(fields)
        .map(|said| one_line(&said))
        .filter(|said| !said.is_empty() && said.len() <= MAX_SAID_BYTES);
    let title = fields.get("advisory").and_then(Value::as_object);
    let title = title.and_then(|advisory| text(advisory, &["title", "name"]));
    let title = title.or_else(|| text(fields, &["title", "name"]));
    let upstream_id = fields.get("id").and_then(id).or_else(|| {
        let said = said.as_ref()?;
        Some(match list.id {
            Some(id) => format!("{said} in watch list {id}"),
            None => said.clone(),
        })
    })?;
    let raw = row.to_string();
    Some(PendingApproval {
        upstream_id,
        watch_list_id: list.id,
        watch_list: list.name.map(|name| one_line(&name)),
        said,
        title: title.map(|title| shortened(&one_line(&title), MAX_TITLE_CHARS)),
        raw: (raw.len() <= MAX_RAW_BYTES).then_some(raw),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use serde_json::json;

    use super::read;

    #[test]
    fn an_approval_is_read_by_its_id_or_by_what_it_is_about() {
        let whole = read(&json!({
            "id": 9, "asset_list": {"id": 3, "name": "Mail"},
            "advisory": {"id": 1, "advisory_identifier": "SA7", "title": "Over\nflow"}
        }))
        .unwrap();
        assert_eq!(whole.upstream_id, "9");
        assert_eq!(
            (whole.watch_list_id, whole.watch_list.as_deref()),
            (Some(3), Some("Mail"))
        );
        assert_eq!(
            (whole.said.as_deref(), whole.title.as_deref()),
            (Some("SA7"), Some("Over flow"))
        );
        let bare = read(&json!({"asset_list": 3, "advisory": "SA7"})).unwrap();
        assert_eq!(bare.upstream_id, "SA7 in watch list 3");
        let long = read(&json!({"id": "9", "text": "x".repeat(70_000)})).unwrap();
        assert_eq!((long.said, long.raw), (None, None));
        for row in [json!({"title": "x"}), json!(7), json!({"id": "a\u{0}"})] {
            assert_eq!(read(&row), None);
        }
    }
}
