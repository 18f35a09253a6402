//! A page of one of upstream's collections (contract §4).

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// A record that was received and could not be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its identifier, where one could be found.
    pub key: Option<String>,
    /// Why it could not be understood.
    pub reason: String,
    /// As it came.
    pub raw: String,
}

/// The envelope of a collection.
#[derive(Debug, Clone)]
pub struct Page {
    /// How many rows the whole collection has, as upstream says.
    pub count: u64,
    /// URL of the next page.
    pub next: Option<String>,
    /// The rows of this page.
    pub results: Vec<Value>,
    /// Rows that are valid in form but hold a value that cannot be read, such as a number
    /// out of range. They keep no other row from being read.
    pub unreadable: Vec<Unreadable>,
}

/// The envelope as it comes, its rows not read yet.
#[derive(Deserialize)]
struct Envelope {
    count: u64,
    #[serde(default)]
    next: Option<String>,
    results: Vec<Box<RawValue>>,
}

/// Why a body is no page.
#[derive(Debug, thiserror::Error)]
#[error("the answer is no page of a collection (`count`, `next`, `results`)")]
pub struct NotAPage(#[from] serde_json::Error);

impl Page {
    /// Reads a page. Keys beyond the envelope's are ignored.
    pub fn read(body: &[u8]) -> Result<Self, NotAPage> {
        // Bytes that are not UTF-8 become U+FFFD: they belong to one row only.
        let text = String::from_utf8_lossy(body);
        let Envelope {
            count,
            next,
            results: rows,
        } = serde_json::from_str(&text)?;
        let (mut results, mut unreadable) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in rows {
            match serde_json::from_str(row.get()) {
                Ok(value) => results.push(value),
                Err(error) => unreadable.push(Unreadable {
                    key: None,
                    reason: format!("it cannot be read as JSON: {error}"),
                    raw: row.get().to_owned(),
                }),
            }
        }
        Ok(Self {
            count,
            next,
            results,
            unreadable,
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::Page;

    #[test]
    fn a_row_that_cannot_be_read_keeps_no_other_from_being_read() {
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        for bad in ["1e999", r#""\ud800""#, &deep] {
            let body = format!(
                r#"{{"count": 3, "next": null, "results": [{{"id": 1}}, {{"id": 2, "x": {bad}}}, {{"id": 3}}]}}"#
            );
            let page = Page::read(body.as_bytes()).unwrap();
            let ids: Vec<_> = page.results.iter().map(|row| &row["id"]).collect();
            assert_eq!(ids, [1, 3], "{bad:.20}");
            assert!(page.unreadable[0].raw.contains(bad));
        }
        let body = b"{\"count\": 1, \"results\": [{\"id\": 1, \"title\": \"a\xff\"}]}";
        let page = Page::read(body).unwrap();
        assert_eq!(page.results[0]["title"], "a\u{fffd}");
        assert!(Page::read(b"{\"count\": 1").is_err());
    }
}
